"""The few pages the counter itself shows: what runs here, the API's documentation, problem types."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.responses import HTMLResponse, JSONResponse

from api.counter import Process  # noqa: TC001 - read while running
from api.openapi import describe
from api.problems import kinds, status_of, title_of
from engine.database import execute
from engine.errors import BanjieError, NotFound

if TYPE_CHECKING:
    from fastapi import FastAPI

STATIC = Path(__file__).parent / "static"
SWAGGER = "/static/vendor/swagger-ui/5.35.0"
CLOCK = (
    "SELECT to_char(now() + practice_offset, 'YYYY-MM-DD HH24:MI') AS now,"
    " practice_offset > interval '0' AS moved FROM bureau"
)

PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/counter.css">
</head>
<body>
{banner}<main>
{body}
</main>
</body>
</html>
"""
DOCS = f"""<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>办结 接口文档 · Banjie API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{SWAGGER}/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript><p>接口说明见 / The API is described at <a href="/openapi.json">/openapi.json</a></p></noscript>
<script src="{SWAGGER}/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script>
</body>
</html>
"""
LANDING = """<h1>{office}<small>办结 Banjie</small></h1>
<p>这里运行着一套事项办理系统：流程只向前，停滞必被看见。</p>
<p lang="en">Case management runs here: items move forward only, and what stands still is seen.</p>
<ul>
<li><a href="/docs">接口文档 <span lang="en">API documentation</span></a></li>
<li><a href="/openapi.json">OpenAPI <span lang="en">description</span></a></li>
<li><a href="/readyz">运行状况 <span lang="en">Readiness</span></a></li>
<li><a href="/problems">错误类型 <span lang="en">Problem types</span></a></li>
</ul>"""
BANNER = (
    '<p class="banner" role="status">练习时钟已拨动，现为 {now}。'
    '<span lang="en">The practice clock is moved; it shows {now}.</span></p>\n'
)

router = APIRouter(include_in_schema=False)


def page(title: str, body: str, banner: str = "", status: int = 200) -> HTMLResponse:
    """A page of the counter's own; title is escaped here, body is not."""
    return HTMLResponse(PAGE.format(title=escape(title), body=body, banner=banner), status)


@router.get("/")
def landing(counter: Process) -> HTMLResponse:
    """What runs here. It stands also while the database is away."""
    banner = ""
    if counter.settings.sample:
        try:
            with counter.database.transaction() as session:
                row = execute(session, CLOCK).fetchone()
        except BanjieError:
            row = None
        if row and row["moved"]:
            banner = BANNER.format(now=row["now"])
    office = counter.settings.office_name
    return page(f"{office} 办结", LANDING.format(office=escape(office)), banner)


@router.get("/docs")
@router.get("/api/v1/docs")
async def docs() -> HTMLResponse:
    """Swagger UI from our own files."""
    return HTMLResponse(DOCS)


@router.get("/problems")
async def problems() -> HTMLResponse:
    """Every problem type."""
    rows = "\n".join(
        f'<li><a href="/problems/{code}">{code}</a> {status_of(kind)} {escape(title_of(kind))}</li>'
        for code, kind in kinds().items()
    )
    return page(
        "错误类型 Problem types", f"<h1>错误类型<small>Problem types</small></h1><ul>{rows}</ul>"
    )


@router.get("/problems/{code}")
async def problem(code: str) -> HTMLResponse:
    """What a problem type means. Raises NotFound."""
    kind = kinds().get(code)
    if kind is None:
        raise NotFound("没有这种错误类型。There is no such problem type.")
    text = escape(" ".join((kind.__doc__ or "").split()))
    body = f"<h1>{escape(code)}<small>{status_of(kind)}</small></h1><p lang='en'>{text}</p>"
    return page(f"{code} {status_of(kind)}", f'{body}<p><a href="/problems">全部 All</a></p>')


def serve_description(app: FastAPI, api: FastAPI) -> None:
    """The OpenAPI document, at the root and beside the calls it describes."""

    async def openapi() -> JSONResponse:
        return JSONResponse(describe(api))

    for path in ("/openapi.json", "/api/v1/openapi.json"):
        app.add_api_route(path, openapi, include_in_schema=False)

"""What every request passes first and every answer last: an id, a limit on size, the media types,
the headers of a careful house, and a stop for faults so that no trace with somebody's words is
printed.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request

from api import problems

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from engine.errors import BanjieError

MOST_BYTES = 64 * 1024
WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
JSON = "application/json"
PICTURE = "image/svg+xml"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""On every answer; the policy against scripts lets in our own files and nothing else."""

log = logging.getLogger("banjie.counter")


class Gate:
    """Wraps the whole application; it holds nothing between requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through; other kinds of connection are not ours."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        state["request_id"] = _id(headers.get("x-request-id"))
        answered: list[int] = []

        async def let_out(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.append(message["status"])
                _dress(MutableHeaders(scope=message), scope["path"], state["request_id"])
            await send(message)

        try:
            await self._pass(scope, headers, receive, let_out)
        except Exception as error:  # noqa: BLE001 - whatever it is, its words stay in here
            if not answered:
                response = await problems.break_down(Request(scope), error)
                await response(scope, receive, let_out)
        route = scope.get("route")
        log.info(
            "%s %s %s %.0f ms %s",
            scope["method"],
            getattr(route, "path", "-"),  # the pattern: an address may hold what somebody typed
            answered[0] if answered else "-",
            (time.monotonic() - began) * 1000,
            state["request_id"],
        )

    async def _pass(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        refusal: BanjieError | None = None
        body = b""
        if scope["method"] in WITH_BODY:
            read = await _read(headers, receive)
            if read is None:
                refusal = problems.TooLarge(
                    "请求超过64 KiB,请缩短。The request is over 64 KiB; shorten it."
                )
            body = read or b""
        if refusal is None and scope["path"].startswith("/api/"):
            refusal = _judge(headers, scope["path"], body)
        if refusal is not None:
            answer = problems.answer(refusal, scope["state"]["request_id"])
            await answer(scope, receive, send)
            return
        scope["state"]["body"] = body
        given = False

        async def hand_over() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, hand_over if scope["method"] in WITH_BODY else receive, send)


def _id(given: str | None) -> str:
    """The caller's own id where it is a UUID, else a new one."""
    try:
        return str(UUID(given)) if given else str(uuid4())
    except ValueError:
        return str(uuid4())


async def _read(headers: Headers, receive: Receive) -> bytes | None:
    """The body, None where it is too large: read to the end before anything parses it."""
    told = headers.get("content-length", "0")
    if not told.isdecimal() or int(told) > MOST_BYTES:
        return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _judge(headers: Headers, path: str, body: bytes) -> BanjieError | None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != JSON:
        return problems.Unsupported(
            "请求体须为 application/json。Send the body as application/json."
        )
    wanted = headers.get("accept")
    offered = PICTURE if path.endswith(".svg") else JSON
    if wanted is not None and not _accepts(wanted, offered):
        return problems.NotAcceptable(f"此处只提供 {offered}。This is available as {offered} only.")
    return None


def _accepts(wanted: str, offered: str) -> bool:
    """Whether an Accept header admits a media type (RFC 9110, 12.5.1; a weight of 0 forbids)."""
    major = offered.partition("/")[0]
    if not wanted.strip():
        return True
    weights: dict[str, bool] = {}
    for part in wanted.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        zero = any(p.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for p in parameters)
        weights[name] = not zero
    return next((weights[n] for n in (offered, f"{major}/*", "*/*") if n in weights), False)


def _dress(headers: MutableHeaders, path: str, request_id: str) -> None:
    for name, value in HEADERS.items():
        headers[name] = value
    headers["X-Request-ID"] = request_id
    if path.startswith("/static/vendor/"):
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        headers.setdefault("Cache-Control", "no-store")

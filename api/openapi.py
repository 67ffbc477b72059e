"""The description of the API, made whole: every operation names the problems it may answer with,
and every problem is described once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from api import (
    examples,
    examples_access,
    examples_administration,
    examples_figures,
    examples_log,
    examples_office,
    examples_portal,
    examples_reports,
)
from api.permits import ANYONE, PERMITS
from api.problems import MEDIA_TYPE, kinds, status_of, title_of
from api.schemas import Problem

if TYPE_CHECKING:
    from fastapi import FastAPI

DESCRIPTION = """
办结：流程只向前，停滞必被看见。Case management for a market-regulation bureau.

* Log in with `POST /sessions` and send `Authorization: Bearer <token>`.
* Every write takes an `Idempotency-Key`; sent again with the same key it has one effect and the same
  answer. Every write on an item needs `If-Match: "<revision>"`, the `ETag` of the item you saw.
* That ETag is the item's revision, which counts people's acts: a rung climbed and an extension
  granted change what an item shows without raising it.
* Lists are `{"items": [...], "next": "<cursor>" | null}`.
* Every no is `application/problem+json` (RFC 9457) and says what to do next; each type has a page
  at `/problems/<code>`.
* What must not be done from a desk left open (naming somebody as accused, credentials) wants a
  proof given just now: `POST /sessions/current/step-up`.
* What is not yours to know of is answered like what does not exist.
"""
ITEM = "/items/{number}"
THROTTLED = ("/submissions", "/sessions", "/portal/sessions", "/credentials/password")
"""Where tries are counted."""
MAY_BE_MISSING = ("/submissions/", "/practice", "/portal/", "/log")


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="办结 Banjie",
            version=app.version,
            description=DESCRIPTION,
            routes=app.routes,
            servers=[{"url": "/api/v1"}],
        )
        document["components"]["schemas"] |= {
            "Problem": Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        }
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        document["components"]["responses"] = _responses()
        _show_examples(document)
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _complete(path, method, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _responses() -> dict[str, Any]:
    """One response for each status, with an example for each problem type that has it."""
    found: dict[int, dict[str, Any]] = {}
    for code, kind in kinds().items():
        found.setdefault(status_of(kind), {})[code] = {
            "summary": title_of(kind),
            "value": {
                "type": f"/problems/{code}",
                "title": title_of(kind),
                "status": status_of(kind),
                "detail": "…",
                "instance": "urn:uuid:0199c0de-7c1f-7000-8000-5f0e9d1c2b3a",
            },
        }
    return {
        f"Problem{status}": {
            "description": "; ".join(examples),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": examples,
                }
            },
        }
        for status, examples in sorted(found.items())
    }


def _show_examples(document: dict[str, Any]) -> None:
    """An example of each answer and of each list filter. Set here and not on the models: what
    FastAPI makes of a model loses the members that are null.
    """
    rooms = (
        *(examples, examples_access, examples_administration, examples_figures),
        *(examples_office, examples_log, examples_portal, examples_reports),
    )
    answers = {name: answer for room in rooms for name, answer in room.ANSWERS.items()}
    for name, answer in answers.items():
        document["components"]["schemas"][name]["examples"] = [answer]
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query" and parameter["name"] in examples.FILTERS:
                    parameter["schema"]["examples"] = [examples.FILTERS[parameter["name"]]]


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Name the problems an operation may answer with."""
    writes = method != "get"
    parameters = operation.get("parameters", [])
    open_to_all = PERMITS.get(f"{method.upper()} {path}", ANYONE) is ANYONE
    statuses = {403, 406, 500, 503} if path == "/sessions" else {406, 500, 503}
    for problems, may_happen in (
        ({401}, not open_to_all or path in {"/sessions", "/log/proof"}),
        ({403}, not open_to_all),
        ({422}, parameters or "requestBody" in operation),
        ({400, 408, 413, 415}, "requestBody" in operation),
        ({404}, "{" in path or path.startswith(MAY_BE_MISSING)),
        ({403, 404, 409}, writes and path.startswith(("/items", "/submissions", "/portal/"))),
        ({404}, path.startswith("/office")),
        ({409, 413}, writes),
        ({429}, writes and path.startswith(THROTTLED)),
    ):
        statuses |= problems if may_happen else set()
    for parameter in parameters:
        if parameter["name"].lower() == "if-match":
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "pattern": '^"[0-9]{1,9}"$'}
            parameter["example"] = '"1"'
            parameter.pop("examples", None)
            statuses |= {400, 412, 428}
    operation["responses"].pop("422", None)
    for status in sorted(statuses):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}

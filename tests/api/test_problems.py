"""Problem bodies, headers, the description of the API, the pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml

from api import problems
from api.bodies import MOST_BYTES
from api.gate import JSON, TABLES
from api.openapi import describe
from api.problems import STATUSES, kinds, status_of
from engine.errors import BanjieError, TooMany
from tests.api.conftest import GRIEVANCE

if TYPE_CHECKING:
    from httpx import Response

    from tests.api.conftest import Desk

SHARED = Path(__file__).parents[3] / "shared" / "data"
SCHEMA = SHARED / "problemjson" / "problem-1.0.1.yaml"


def _refusals(desk: Desk) -> dict[int, Response]:
    number = desk.submit()["number"]
    path = f"/api/v1/items/{number}"
    client, mine = desk.client, desk.headers("intake")
    json_kind = {"Content-Type": "application/json"}
    return {
        400: client.post("/api/v1/sessions", content=b'{"account":', headers=json_kind),
        401: client.get("/api/v1/items"),
        403: desk.send("head", f"/items/{number}/transitions/register", {}, If_Match='"1"'),
        404: client.get("/api/v1/nowhere"),
        405: client.put(path, headers=mine),
        406: client.get("/api/v1/items", headers={**mine, "Accept": "text/csv"}),
        409: desk.send("intake", f"/items/{number}/transitions/close", {}, If_Match='"1"'),
        412: desk.send("intake", f"/items/{number}/transitions/register", {}, If_Match='"9"'),
        413: client.post("/api/v1/submissions", content=b" " * (MOST_BYTES + 1), headers=json_kind),
        415: client.post("/api/v1/sessions", data={"account": "x"}),
        422: client.post("/api/v1/submissions", json={"workflow": 1}),
        428: desk.send("intake", f"/items/{number}/transitions/register", {}),
    }


def test_every_refusal_is_a_problem_detail(desk: Desk) -> None:
    """Status for status: the media type, the members of RFC 9457, and the request's own id."""
    for status, refusal in _refusals(desk).items():
        assert refusal.status_code == status, (status, refusal.text)
        assert refusal.headers["content-type"] == "application/problem+json", status
        body = refusal.json()
        assert body["status"] == status
        assert body["instance"] == f"urn:uuid:{refusal.headers['x-request-id']}"
        assert body["type"].startswith("/problems/")
        assert desk.client.get(body["type"]).status_code == 200
    assert _refusals(desk)[405].headers["allow"] == "GET"


def test_problems_fit_the_published_schema(desk: Desk) -> None:
    """Every body is valid by zalando/problem's schema of RFC 9457."""
    if not SCHEMA.exists():
        pytest.skip("the shared data are not here")
    schema = yaml.safe_load(SCHEMA.read_text())["Problem"]
    schema["properties"]["status"]["exclusiveMaximum"] = schema["properties"]["status"].pop(
        "maximum"
    )
    validator = jsonschema_rs.validator_for(schema)
    for refusal in _refusals(desk).values():
        validator.validate(refusal.json())


def test_too_many_tries_are_told_how_long_to_wait() -> None:
    """429 with Retry-After, which is the same number as in the body, at least one second."""
    for asked, told in ((40, "40"), (0, "1")):
        refusal = problems.answer(TooMany(asked), "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a")
        assert refusal.status_code == 429
        assert refusal.headers["retry-after"] == told
        body = json.loads(bytes(refusal.body))
        assert body["type"] == "/problems/too-many"
        assert str(body["retry_after"]) == told
        assert told in body["detail"]


def test_a_fault_of_our_own_shows_and_logs_nothing_of_the_request(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unforeseen error is a 500 problem; its message, which may hold words, goes nowhere."""
    casework = desk.app.state.counter.casework

    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError(GRIEVANCE["narrative"])

    monkeypatch.setattr(casework, "submit", break_down)
    broken = desk.client.post(
        "/api/v1/submissions", json={"workflow": "grievance", "data": GRIEVANCE}
    )
    assert broken.status_code == 500
    assert broken.headers["content-type"] == "application/problem+json"
    assert GRIEVANCE["narrative"] not in broken.text
    told = capsys.readouterr().err
    assert GRIEVANCE["narrative"] not in told
    assert '"error":"RuntimeError"' in told


def test_a_database_that_is_away_is_busy(desk: Desk) -> None:
    """503 with Retry-After; the process itself stays alive, and so does the landing page."""
    name = desk.url.rpartition("/")[2]
    admin = desk.url.replace(f"/{name}", "/postgres")
    import psycopg

    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false".encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        away = [desk.client.get("/api/v1/readyz") for _ in range(2)]
        assert desk.client.get("/healthz").status_code == 200
        assert desk.client.get("/").status_code == 200
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true".encode())
    assert {answer.status_code for answer in away} == {503}
    assert away[0].json()["type"] == "/problems/busy"
    assert away[0].headers["retry-after"]
    assert desk.client.get("/api/v1/readyz").status_code == 200


def test_every_error_has_a_status() -> None:
    """No class of Banjie's errors is answered by accident as our own fault."""
    plainly_ours = {
        "error",
        "definition-error",
        "database-fault",
        "delivery-error",
        "undeliverable",
        "unfit",
        "seal-broken",
        "unscannable",
    }
    ours = {
        code
        for code, kind in kinds().items()
        if status_of(kind) == 500 and not kind.__module__.startswith("adapters.")
    }
    assert ours == plainly_ours
    assert all(issubclass(kind, BanjieError) and kind.__doc__ for kind in STATUSES)


def test_every_answer_wears_the_headers(desk: Desk) -> None:
    """Content security, no sniffing, no referrer, no store; the server says nothing of itself."""
    answers = [
        *(desk.client.get(path) for path in ("/", "/docs", "/healthz", "/problems", "/nowhere")),
        desk.client.get("/static/counter.css"),
        desk.look("intake", "/items"),
        *_refusals(desk).values(),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "server" not in answer.headers
        assert "no-store" in answer.headers["cache-control"]


DRY = {"/submissions/track", "/items/{number}/foresight"}
"""What is sent to these is only asked: nothing is written."""


def test_the_description_is_complete(desk: Desk) -> None:
    """Every operation has words, examples where it takes a body, and its problems."""
    document = describe(desk.app.routes[-1].app)  # type: ignore[attr-defined]
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = f"{method} {path}"
            assert operation["summary"], place
            assert operation["description"], place
            assert {"406", "500", "503"} <= set(operation["responses"]), place
            good = [status for status in operation["responses"] if status < "300"]
            assert good, place
            body = operation.get("requestBody")
            if body and "multipart/form-data" not in body["content"]:
                ((kind, content),) = body["content"].items()
                assert kind == TABLES.get(f"/api/v1{path}", (JSON, 0))[0], place
                shape = content["schema"].get("$ref", "").rpartition("/")[2]
                assert _has_examples(schemas.get(shape, content["schema"])), (place, shape)
                assert {"400", "413", "415", "422"} <= set(operation["responses"]), place
            if method == "post":
                names = {parameter["name"].lower() for parameter in operation.get("parameters", [])}
                assert "idempotency-key" in names or path in DRY, place
                if path.startswith("/items/{number}") and path not in DRY:
                    assert "if-match" in names, place
    assert desk.client.get("/openapi.json").json() == desk.client.get("/api/v1/openapi.json").json()


def _has_examples(schema: dict[str, Any]) -> bool:
    if schema.get("examples"):
        return True
    needed = schema.get("required", [])
    return all(
        schema["properties"][name].get("examples") or "$ref" in str(schema["properties"][name])
        for name in needed
    )


def test_the_pages_load_nothing_from_outside(desk: Desk) -> None:
    """Every address in the pages and in the style sheets is our own, and is there."""
    for path in ("/", "/docs", "/problems"):
        text = desk.client.get(path).text
        assert "<script>" not in text
        for address in re.findall(r'(?:src|href)="([^"]+)"', text):
            assert address.startswith(("/", "data:,")), address
            assert not address.startswith("//")
            if address.startswith("/"):
                assert desk.client.get(address).status_code == 200, address
    for path in ("/static/vendor/swagger-ui/5.35.0/swagger-ui.css", "/static/counter.css"):
        style = desk.client.get(path).text
        assert not re.findall(r"url\(\s*['\"]?https?:", style)
        assert "@import" not in style


def test_vendored_files_are_what_the_lock_says() -> None:
    """Nobody changed a vendored file."""
    import base64
    import hashlib

    folder = Path(__file__).parents[2] / "api" / "static" / "vendor"
    for package in json.loads((folder / "vendor.lock.json").read_text()):
        there = {p.name for p in (folder / package["folder"]).iterdir()}
        assert there == set(package["files"])
        for name, digest in package["files"].items():
            found = hashlib.sha512((folder / package["folder"] / name).read_bytes()).digest()
            assert digest == f"sha512-{base64.b64encode(found).decode()}"

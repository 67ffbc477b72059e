"""No refusal repeats what it refused: every address, every field, every parameter, every header."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from api.openapi import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx import Response

    from tests.api.conftest import Desk

CANARY = "欧阳CANARY13800001234"
ASCII = "CANARY13800001234"
WRONG: tuple[Any, ...] = (
    CANARY,
    CANARY * 2000,
    [CANARY],
    [[CANARY], {CANARY: CANARY}],
    {CANARY: CANARY},
    13800001234,
    -1.5,
    True,
    None,
    "",
)


def _bodies(schema: dict[str, Any], schemas: dict[str, Any]) -> Iterator[Any]:
    """Bodies that are wrong in one field each, and in other ways."""
    yield from WRONG
    name = schema.get("$ref", "").rpartition("/")[2]
    fields = schemas.get(name, schema).get("properties", {})
    good = {field: _good(each, field) for field, each in fields.items()}
    for field in fields:
        for wrong in WRONG:
            yield good | {field: wrong}
    yield good | {CANARY: CANARY}
    yield {}


def _good(schema: dict[str, Any], field: str) -> Any:
    if examples := schema.get("examples"):
        return examples[0]
    plain: dict[str, Any] = {
        "data": {CANARY: CANARY, ASCII: 1, "narrative": CANARY, "contact": {"phone": [CANARY]}},
        "workflow": "grievance",
        "transition": "object",
    }
    return plain.get(field, "x")


def _calls(document: dict[str, Any], number: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with a canary in one place after another: method, address, what goes along."""
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for place, call in _wrong(path, operation, schemas, number):
                yield method, place, call


def _wrong(
    path: str, operation: dict[str, Any], schemas: dict[str, Any], number: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """One operation: address and what goes along."""
    parameters = operation.get("parameters", [])
    names = [each["name"] for each in parameters if each["in"] == "path"]
    right = dict.fromkeys(names, number)
    plain = path.format(**right)
    match = {"If-Match": '"1"'}
    for name in names:
        for wrong in (CANARY, ASCII, "%0d%0a" + ASCII, ASCII * 30):
            yield path.format(**(right | {name: wrong})), {"headers": match}
    for each in [*parameters, {"in": "query", "name": CANARY}]:
        if each["in"] == "query":
            for wrong in (CANARY, ASCII * 50, f"{ASCII}\x00", f"-1{ASCII}", "9" * 40):
                yield plain, {"params": {each["name"]: wrong}, "headers": match}
    for header in ("If-Match", "Idempotency-Key", "Accept", "Authorization", "Cookie"):
        yield plain, {"headers": {**match, header: ASCII}, "json": {}}
    yield plain, {"headers": {"Content-Type": f"text/{ASCII}"}, "content": ASCII}
    content = operation.get("requestBody", {}).get("content", {})
    if shape := content.get("application/json", {}).get("schema"):
        for body in _bodies(shape, schemas):
            yield plain, {"json": body, "headers": match}


def _leaks(answer: Response) -> bool:
    told = f"{answer.text} {answer.headers}"
    return any(part in told or json.dumps(part) in told for part in (CANARY, ASCII, "13800001234"))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_refusal_repeats_what_it_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """As somebody and as nobody: every refusal is a problem document without a trace of the canary,
    none is a fault of ours, and no line of the log has it either.
    """
    document = describe(desk.app.routes[-1].app)  # type: ignore[attr-defined]
    mine = desk.headers("intake")
    number = desk.submit()["number"]
    seen: Counter[int] = Counter()
    for at, (method, path, call) in enumerate(_calls(document, number)):
        if path == "/practice/clock" or path.endswith("/current"):
            continue  # they would change the ground under the others
        own = {} if at % 4 == 0 else mine
        answer = desk.client.request(
            method, f"/api/v1{path}", **{**call, "headers": {**own, **call.get("headers", {})}}
        )
        seen[answer.status_code] += 1
        where = f"{method} {path} {str(call)[:200]}"
        assert answer.status_code < 500, where
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", where
            assert not _leaks(answer), (where, answer.text)
    assert seen[422] > 100, seen
    told = capsys.readouterr().err
    assert told
    assert ASCII not in told
    assert "13800001234" not in told

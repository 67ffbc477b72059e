"""Two worlds that differ only in a complaint against an officer: to that officer, to the people of the
unit complained of and to anybody outside, every answer is the same to the byte (reliability: E2, T6).
"""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from pydantic import SecretStr

from adapters import sample
from api.main import create_app
from api.openapi import describe
from engine.people import PUBLIC
from engine.stalls import sweep
from engine.workdays import SHANGHAI
from tests.api.conftest import ACCEPTANCE, Desk

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # as in conftest
    from starlette.testclient import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpx import Response

    from engine.settings import Settings

SAME = "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"
ACCUSED, HEAD_OF_UNIT, RECUSED = "handler1", "branch1_head", "handler2"
BARRED = (ACCUSED, HEAD_OF_UNIT, RECUSED)
WHOLE_HOUSE = {
    "/sessions": "the asker's own logins, begun at different moments",
    "/sessions/current": "the same",
    "/credentials": "the asker's own means of access",
    "/credentials/tokens": "the same",
    "/access-events": "the house's own logins",
    "/log/checkpoint": "the size of the log counts all events of the house, and tells of no item",
    "/log/consistency": "the same",
    "/readyz": "how far the whole office is behind",
    "/portal/challenge": "drawn anew for each asker",
}
"""What is the same for everybody and speaks of no item."""

DRAWN = (
    (rb"\d{4}-\d\d-\d\dT[\d:.]+(\+\d\d:\d\d|Z)?", b"<moment>"),
    (rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", b"<id>"),
    (rb'("(token|code|signature|challenge|salt|key|hash|commitment)": ?")[^"]*', rb"\1<drawn>"),
    (rb"\d{4}-\d{10}", b"<number>"),
)
"""What is drawn or stamped anew by every act, in either world."""


@contextmanager
def world(settings: Settings, url: str, app_url: str) -> Iterator[Desk]:
    """A counter over one of the two databases."""
    app = create_app(settings.model_copy(update={"database_url": SecretStr(app_url)}))
    with TestClient(app, raise_server_exceptions=False) as client:
        desk = Desk(client, app, url)
        yield desk
        if "worker" in vars(desk):
            desk.worker.close()


def _base(desk: Desk) -> list[str]:
    """What both worlds share: the office at work, the barred at it like everybody."""
    numbers = []
    for respondent in ("第二分局", "法规科", "第一分局"):
        number = desk.submit(respondent=respondent)["number"]
        desk.move("intake", number, "register")
        numbers.append(number)
    first = numbers[0]
    desk.move("unit_head", first, "accept", ACCEPTANCE)
    people = {"handlers": [ACCUSED, RECUSED], "declarations_signed": True}
    desk.move("unit_head", first, "assign", people)
    _stand_still(desk, 41)
    return numbers


def _hidden(desk: Desk) -> str:
    """A complaint against an officer of the first branch, with all that follows from it."""
    number = desk.submit(respondent="第一分局", categories=["R01", "M07"])["number"]
    desk.move("intake", number, "register")
    named = {**ACCEPTANCE, "subject_officers_or_unknown": [ACCUSED]}
    desk.move("unit_head", number, "accept", named)
    desk.one(
        "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
        " SELECT i.id, i.family_id, p.id, 'recused', 'recused', now() FROM item i, person p"
        " WHERE i.number = %s AND p.account = %s RETURNING id",
        number,
        RECUSED,
    )
    _stand_still(desk, 40)
    return number


def _stand_still(desk: Desk, days: int) -> None:
    """What the ladders do to everything that nobody touches for so long; then it is today again."""
    offset = "UPDATE bureau SET practice_offset = practice_offset + make_interval(days => %s)"
    desk.one(f"{offset} RETURNING one", days)
    sweep(desk.worker, desk.app.state.counter.casework)
    desk.one(f"{offset} RETURNING one", -days)


@pytest.fixture
def worlds(
    settings: Settings, database_url: str, _servers: dict[str, str]
) -> Iterator[tuple[Desk, Desk, str, list[str]]]:
    """World A without the complaint, world B with it; its number; and numbers both have."""
    admin = _servers["postgres"]
    name = database_url.rpartition("/")[2]
    app_url = settings.database_url.get_secret_value() if settings.database_url else ""
    with world(settings, database_url, app_url) as desk:
        counter = desk.app.state.counter
        sample.load(counter.database, counter.casework)
        shared = _base(desk)
    other = f"{name}_b"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {other} TEMPLATE {name} STRATEGY file_copy".encode())
    try:
        with (
            world(settings, database_url, app_url) as a,
            world(settings, f"{database_url.rpartition('/')[0]}/{other}", f"{app_url}_b") as b,
        ):
            yield a, b, _hidden(b), shared
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {other} WITH (FORCE)".encode())


def _told(answer: Response, *, drawn: bool) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer that its reader sees."""
    # a cursor is sealed under a fresh nonce; how long it is must not differ either
    content = re.sub(rb'"next":"([^"]*)"', lambda m: b"next" + b"x" * len(m[1]), answer.content)
    content = re.sub(rb'"as_of":"[^"]*"', b"as_of", content)  # the asker's own moment
    if drawn:
        for pattern, instead in DRAWN:
            content = re.sub(pattern, instead, content)
    headers = {n: v for n, v in answer.headers.items() if n not in {"date", "content-length"}}
    return answer.status_code, content, headers


def _queries(number: str, shared: list[str]) -> dict[str, list[str]]:
    accounts = ["intake", "handler1", "handler2", "branch1_head", "unit_head", "liaison"]
    return {
        "workflow": ["grievance", "misconduct", "referral", "extension", "recusal"],
        "state": ["received", "screening", "accepted", "investigating", "closed"],
        "unit": ["BUR", "AUD", "BRA1", "BRA2", "OFF", "LAW"],
        "assignee": accounts,
        "stalled": ["true", "false"],
        "due_before": ["2027-01-01T00:00:00+08:00"],
        "q": ["执诉", number[:6], number[:9], number, *shared],
        "rung": ["1", "2", "3"],
        "status": ["ready", "sent", "dead"],
        "item": [number, *shared],
        "limit": ["1", "2", "100"],
        "event": [f"{number}:1", f"{number}:2", f"{shared[0]}:1"],
        "leave": accounts,
        "account": accounts,
        "span": ["5 working days"],
        "period": ["2026", f"{datetime.now(SHANGHAI):%Y-%m}", "2026-Q3"],
        "as_of": [datetime.now(SHANGHAI).isoformat()],
        "start": ["2026-09-24"],
    }


def _calls(desk: Desk, number: str, shared: list[str]) -> Iterator[tuple[str, str, Any]]:
    """Every address there is, with the hidden number wherever a number goes: (method, path, body)."""
    document = describe(desk.app.routes[-1].app)  # type: ignore[attr-defined]
    queries = _queries(number, shared)
    names = ["accept", "assign", "decide", "reply", "close", "withdraw", "object", "reopen"]
    for path, operations in document["paths"].items():
        if path in WHOLE_HOUSE:
            continue
        for method, operation in operations.items():
            filled = path.replace("{number}", number)
            paths = [filled.replace("{name}", n) for n in names] if "{name}" in path else [filled]
            for each in (re.sub(r"\{[^}]+\}", "1", p) for p in paths):
                yield method, each, _body(operation, number)
                for parameter in operation.get("parameters", ()):
                    if parameter["in"] == "query":
                        for value in queries.get(parameter["name"], ()):
                            yield method, f"{each}?{parameter['name']}={value}", None
    for workflow in ("revisit", "review", "misconduct"):
        yield "post", "/items", {"workflow": workflow, "data": {"case": number}}
    bulk = {"numbers": [number, shared[0]], "act": "urge"}
    yield "post", "/stalls/bulk", bulk


def _body(operation: dict[str, Any], number: str) -> Any:
    """The documented example, about the hidden item where it names one."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = content.get("examples") or {}
    example: Any = content.get("example") or next(
        (e["value"] for e in examples.values() if "value" in e), {}
    )
    if isinstance(example, dict):
        return {
            name: number if name == "number" else [number] if name == "numbers" else value
            for name, value in example.items()
        }
    return example


UNSAID = ("/sessions", "/credentials", "/practice", "/portal/challenge", "/submissions", "/office")
"""Acts that change the world for the calls after them, or are drawn anew: each is compared, once."""


def test_the_barred_meet_the_same_world(worlds: tuple[Desk, Desk, str, list[str]]) -> None:
    """For the accused, the head of the unit complained of and the recused, and for nobody at all:
    status, headers and bytes of every call agree in the world with the complaint and in that without.
    """
    a, b, number, shared = worlds
    assert b.one("SELECT count(*) FROM item") > a.one("SELECT count(*) FROM item") + 1
    calls = list(_calls(a, number, shared))
    compared = 0
    for account in (*BARRED, None):
        for method, path, body in calls:
            if method != "get" and path.startswith(UNSAID):
                continue
            answers = []
            for desk in (a, b):
                headers = {"X-Request-ID": SAME, "If-Match": '"3"'}
                if account is not None:
                    headers |= desk.headers(account)
                answer = desk.client.request(
                    method,
                    f"/api/v1{path}",
                    headers=headers,
                    **({} if body is None else {"json": body}),
                )
                answers.append(_told(answer, drawn=method != "get"))
            assert answers[0] == answers[1], f"{account}: {method} {path}"
            compared += 1
    assert compared > 500


def test_whoever_is_barred_counts_the_same_world(worlds: tuple[Desk, Desk, str, list[str]]) -> None:
    """The hub, the deputy and the auditor, recused from the complaint, are told the same figures in both
    worlds; the head, who may know of it, is not.
    """
    a, b, number, _ = worlds
    for account in ("law_hub", "deputy2", "auditor"):
        b.one(
            "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
            " SELECT i.id, i.family_id, p.id, 'recused', 'recused', now() FROM item i, person p"
            " WHERE i.number = %s AND p.account = %s RETURNING id",
            number,
            account,
        )
    left = {"voluntary_statement": "自愿撤回"}
    casework = b.app.state.counter.casework
    b.worker.perform(lambda s: casework.advance(s, number, "withdraw", PUBLIC, left))
    year = f"{datetime.now(SHANGHAI):%Y}"
    for path in ("/figures", f"/figures?period={year}", f"/figures?period={year}&unit=AUD"):
        for account in ("law_hub", "deputy2", "auditor", "head"):
            told = [
                _told(desk.client.get(f"/api/v1{path}", headers=desk.headers(account)), drawn=False)
                for desk in (a, b)
            ]
            assert told[0][0] == 200
            assert (told[0][1] == told[1][1]) is (account != "head"), (account, path)


def test_the_comparison_can_differ(worlds: tuple[Desk, Desk, str, list[str]]) -> None:
    """For somebody who may know of the complaint the two worlds are not the same."""
    a, b, number, _ = worlds
    for path in (f"/items/{number}", "/items", f"/messages?item={number}"):
        seen = [
            desk.client.get(f"/api/v1{path}", headers=desk.headers("unit_head")) for desk in (a, b)
        ]
        assert seen[0].content != seen[1].content, path

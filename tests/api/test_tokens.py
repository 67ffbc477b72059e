"""Tokens of systems: what is in their scopes, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.permits import ANYONE, PERMITS
from engine.sessions import token_digest
from tests.api.conftest import ACCEPTANCE
from tests.api.test_permits import ask

if TYPE_CHECKING:
    from tests.api.conftest import Desk

BASE = "/api/v1"


def make(desk: Desk, *scopes: str, by: str = "intake", path: str = "/credentials/tokens") -> Any:
    """A token of somebody's."""
    form = {"name": "热线", "scopes": scopes}
    return desk.client.post(f"{BASE}{path}", json=form, headers=desk.headers(by))


def bearer(answer: Any) -> dict[str, str]:
    """Its headers."""
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


@pytest.mark.parametrize("scope", ["read", "submit", "advance", "supervise"])
def test_a_token_reaches_its_scope_and_nothing_else(desk: Desk, scope: str) -> None:
    """Every address there is: what is a person's, or in another scope, answers 403; what is in the
    scope answers as it would to its owner.
    """
    headers = bearer(make(desk, scope))
    reached = 0
    for place, permit in PERMITS.items():
        if permit is ANYONE:
            continue
        answer = ask(desk, place, headers)
        if permit.scope == scope:
            assert answer.status_code not in {401, 403}, (place, answer.text)
            reached += 1
        elif permit.to == "petitioner":
            assert answer.status_code in {401, 422}, (place, answer.text)
        else:
            assert answer.status_code in {403, 422}, (place, answer.text)
    assert reached


def test_a_token_reads_and_submits(desk: Desk) -> None:
    """Through the real counter, as its owner."""
    headers = bearer(make(desk, "read", "submit"))
    form = {"workflow": "grievance", "data": {"narrative": "来访反映", "respondent": "第一分局"}}
    made = desk.client.post(f"{BASE}/items", json=form, headers=headers)
    assert made.status_code == 201
    assert desk.client.get(f"{BASE}/items", headers=headers).json()["items"]
    path = f"{BASE}/items/{made.json()['number']}/transitions/register"
    moved = desk.client.post(path, json={"data": {}}, headers={**headers, "If-Match": '"1"'})
    assert (moved.status_code, moved.json()["scope"]) == (403, "advance")


def test_a_token_names_nobody_as_accused(desk: Desk) -> None:
    """A system cannot prove that it is somebody, even where a session of its owner need not."""
    number = desk.submit()["number"]
    desk.move("intake", number, "register")
    headers = bearer(make(desk, "advance", by="unit_head"))
    path = f"{BASE}/items/{number}/transitions/accept"
    form = {"data": {**ACCEPTANCE, "subject_officers_or_unknown": ["branch1_handler"]}}
    answer = desk.client.post(path, json=form, headers={**headers, "If-Match": '"2"'})
    assert answer.json()["type"] == "/problems/step-up-required"


def test_a_token_is_shown_once_and_kept_as_its_digest(desk: Desk) -> None:
    """The list has no token in it, nor has the database; its use is noted."""
    token = make(desk, "read").json()["token"]
    assert token.startswith("bjt_")
    listed = desk.look("intake", "/credentials/tokens")
    assert token not in listed.text
    assert listed.json()["items"][0]["last_used_at"] is None
    kept = token_digest(desk.app.state.counter.limits.key, token)
    assert desk.one("SELECT token_digest = %s FROM api_token", kept)
    desk.client.get(f"{BASE}/items", headers={"Authorization": f"Bearer {token}"})
    assert desk.look("intake", "/credentials/tokens").json()["items"][0]["last_used_at"]


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE api_token SET expires_at = now()",
        "UPDATE person SET left_on = current_date WHERE account = 'intake'",
    ],
)
def test_a_token_ends(desk: Desk, end: str) -> None:
    """By its day, and with its person."""
    headers = bearer(make(desk, "read"))
    desk.one(f"{end} RETURNING 1")
    assert desk.client.get(f"{BASE}/items", headers=headers).status_code == 401


def test_a_token_is_ended_by_its_owner_alone(desk: Desk) -> None:
    """At once."""
    made = make(desk, "read")
    path = f"{BASE}/credentials/tokens/{made.json()['id']}"
    assert desk.client.delete(path, headers=desk.headers("handler1")).status_code == 404
    assert desk.client.delete(path, headers=desk.headers("intake")).status_code == 204
    assert desk.client.get(f"{BASE}/items", headers=bearer(made)).status_code == 401


def test_only_a_systems_account_gets_its_token_from_an_administrator(desk: Desk) -> None:
    """In the name of somebody who logs in nobody else acts."""
    path = "/office/people/mediator/tokens"
    assert make(desk, "read", by="admin", path=path).status_code == 409
    desk.one("UPDATE person SET password_hash = NULL WHERE account = 'mediator' RETURNING 1")
    assert make(desk, "read", by="head", path=path).status_code == 202
    made = make(desk, "read", by="admin", path=path)
    assert desk.client.get(f"{BASE}/items", headers=bearer(made)).status_code == 200
    listed = desk.look("admin", "/credentials/tokens").json()["items"]
    assert [(each["account"], each["created_by"]) for each in listed] == [("mediator", "admin")]


def test_one_administrator_alone_makes_no_puppet_that_reads(desk: Desk) -> None:
    """An account of his own making, with a role that sees items, gets no token from him, nor more
    scopes than the other asked for.
    """
    new = {"account": "puppet", "name": "林木", "unit": "AUD", "confirm": True}
    assert desk.send("admin", "/office/people", new).status_code == 201
    role = {"role": "handler", "unit": "AUD", "confirm": True}
    assert desk.send("admin", "/office/people/puppet/roles", role).json()["done"] is True
    path = "/office/people/puppet/tokens"
    for _ in range(2):
        asked = make(desk, "read", by="admin", path=path)
        assert (asked.status_code, "token" in asked.json()) == (202, False)
    assert make(desk, "submit", by="head", path=path).status_code == 202
    assert make(desk, "read", "submit", by="admin", path=path).status_code == 202
    assert not desk.one("SELECT count(*) FROM api_token")
    assert make(desk, "submit", by="admin", path=path).status_code == 201


def test_an_account_has_twenty_living_tokens_at_most(desk: Desk) -> None:
    """The twenty-first is refused, and the schema refuses one that never ends."""
    for _ in range(20):
        assert make(desk, "read").status_code == 201
    assert make(desk, "read").status_code == 409
    with pytest.raises(psycopg.errors.CheckViolation):
        desk.one("UPDATE api_token SET expires_at = now() + interval '10 years' RETURNING 1")

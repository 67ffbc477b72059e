"""Logging in, how long it lasts, and what of it is written down."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from starlette.testclient import TestClient

from adapters.sample import PASSWORD
from api import auth
from api.main import create_app
from engine import access, codes, sessions, throttles
from engine.database import execute
from engine.sessions import token_digest
from tests.api.conftest import HERE

if TYPE_CHECKING:
    from engine.settings import Settings
    from tests.api.conftest import Desk


def test_a_login_lasts_until_it_is_ended(desk: Desk) -> None:
    """A token opens the worklist; after DELETE it opens nothing."""
    answer = desk.client.post(
        "/api/v1/sessions", json={"account": "handler1", "password": PASSWORD}
    )
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert answer.status_code == 201
    assert set(answer.json()) == {"token", "expires_at"}
    assert desk.client.get("/api/v1/items", headers=headers).status_code == 200
    assert desk.client.delete("/api/v1/sessions/current", headers=headers).status_code == 204
    assert desk.client.get("/api/v1/items", headers=headers).status_code == 401


def test_a_token_is_kept_as_its_digest(desk: Desk) -> None:
    """What lies in the database opens nothing."""
    token = desk.headers("handler1")["Authorization"].removeprefix("Bearer ")
    kept = token_digest(desk.app.state.counter.limits.key, token)
    assert desk.one("SELECT count(*) FROM login WHERE token_digest = %s", kept)
    for other in (token.encode(), sha256(token.encode()).digest()):
        assert not desk.one("SELECT count(*) FROM login WHERE token_digest = %s", other)


def test_a_row_written_by_hand_lets_nobody_in(desk: Desk) -> None:
    """Whoever writes into the database and lacks the house's secret makes no login with it."""
    desk.headers("head")
    for token in ("forged", "bjt_forged"):
        table = "api_token" if token.startswith("bjt_") else "login"
        more = (
            ("name, scopes, created_by, ", "'x', '{read}', id, ")
            if table == "api_token"
            else ("", "")
        )
        desk.one(
            f"INSERT INTO {table} (token_digest, person_id, {more[0]}expires_at)"
            f" SELECT sha256(%s), id, {more[1]}now() + interval '1 day' FROM person"
            " WHERE account = 'head' RETURNING id",
            token.encode(),
        )
        headers = {"Authorization": f"Bearer {token}"}
        assert desk.client.get("/api/v1/items", headers=headers).status_code == 401


def test_an_unknown_account_is_answered_as_a_wrong_password(desk: Desk) -> None:
    """The same words, byte for byte, for both."""
    same = {"X-Request-ID": "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"}
    answers = [
        desk.client.post(
            "/api/v1/sessions", json={"account": account, "password": "wrong"}, headers=same
        )
        for account in ("handler1", "nobody-here")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].content == answers[1].content


def test_an_unknown_account_costs_the_same_work(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One hash and the same statements for a wrong password, an unknown account and one without a
    password, so whoever measures time learns no account.
    """
    desk.one("UPDATE person SET password_hash = NULL WHERE account = 'mediator' RETURNING id")
    real = codes._HASHER.verify
    done: list[str] = []

    def hashed(*given: str) -> bool:
        done.append("hash")
        return real(*given)

    def noted(session: Any, statement: str, *values: Any) -> Any:
        done.append(statement)
        return execute(session, statement, *values)

    monkeypatch.setattr(codes._HASHER, "verify", hashed)

    for room in (auth, throttles, access):
        monkeypatch.setattr(room, "execute", noted)
    work = []
    for account in ("handler1", "nobody-here", "mediator"):
        done.clear()
        form = {"account": account, "password": "wrong"}
        assert desk.client.post("/api/v1/sessions", json=form).status_code == 401
        work.append(list(done))
    assert work[0] == work[1] == work[2]
    assert work[0].count("hash") == 1
    assert len(work[0]) > 4


def _login(desk: Desk, account: str = "handler1", **more: Any) -> Any:
    form = {"account": account, "password": PASSWORD, **more}
    return desk.client.post("/api/v1/sessions", json=form)


def _bearer(answer: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_an_unused_session_ends(settings: Settings, desk: Desk) -> None:
    """After the idle time the token opens nothing, however long it might have lasted; one that is used
    goes on, and its use is written once a minute at most.
    """
    real = settings.model_copy(update={"sample": False})
    with TestClient(create_app(real), HERE) as client:
        headers = desk.headers("handler1")

        def seen(minutes: int) -> int:
            desk.one(
                "UPDATE login SET last_seen_at = now() - %s * interval '1 minute' RETURNING id",
                minutes,
            )
            return int(client.get("/api/v1/items", headers=headers).status_code)

        assert seen(29) == 200
        ago = "SELECT extract(epoch FROM now() - last_seen_at)::int FROM login"
        assert desk.one(ago) < 5
        assert seen(0) == 200
        before = desk.one("SELECT xmin::text FROM login")
        assert client.get("/api/v1/items", headers=headers).status_code == 200
        assert desk.one("SELECT xmin::text FROM login") == before
        assert seen(31) == 401
        assert seen(0) == 200
        desk.one("UPDATE login SET expires_at = now() RETURNING id")
        assert seen(0) == 401


def test_a_sample_session_lasts_as_long_as_it_says(desk: Desk) -> None:
    """Who practises may go to lunch: only the age ends it."""
    desk.headers("handler1")
    desk.one("UPDATE login SET last_seen_at = now() - interval '11 hours' RETURNING id")
    assert desk.look("handler1", "/items").status_code == 200


def test_finding_a_session_takes_one_statement(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hot path pays one read for knowing who asks."""
    headers = desk.headers("handler1")
    said: list[str] = []

    def noted(session: Any, statement: str, *values: Any) -> Any:
        said.append(statement)
        return execute(session, statement, *values)

    monkeypatch.setattr(sessions, "execute", noted)
    assert desk.client.get("/api/v1/items", headers=headers).status_code == 200
    assert said == [sessions.OF_LOGIN]


def test_sessions_are_listed_and_ended(desk: Desk) -> None:
    """One's own only: this one, another one, all others."""
    one, two, three = (_bearer(_login(desk)) for _ in range(3))
    stranger = _bearer(_login(desk, "handler2"))
    path = "/api/v1/sessions"
    listed = desk.client.get(path, headers=one).json()["items"]
    assert len(listed) == 3
    (current,) = [each["id"] for each in listed if each["current"]]
    newest = listed[0]["id"]
    assert current != newest
    assert desk.client.delete(f"{path}/{newest}", headers=stranger).status_code == 404
    assert desk.client.delete(f"{path}/{newest}", headers=one).status_code == 204
    assert desk.client.get(path, headers=three).status_code == 401
    assert desk.client.delete(path, headers=one).status_code == 204
    assert desk.client.get(path, headers=two).status_code == 401
    assert desk.client.get(path, headers=one).status_code == 200
    assert desk.client.get(path, headers=stranger).status_code == 200


def test_a_login_is_a_new_session(desk: Desk) -> None:
    """A token somebody brings along is not taken over: no session can be fixed in advance."""
    mine = desk.headers("handler1")
    form = {"account": "handler1", "password": PASSWORD}
    answer = desk.client.post("/api/v1/sessions", json=form, headers=mine)
    assert answer.json()["token"] not in mine["Authorization"]
    assert desk.one("SELECT count(*) FROM login") == 2


def test_logging_out_clears_what_the_browser_kept(desk: Desk) -> None:
    """Cache, cookies and storage."""
    gone = desk.client.delete("/api/v1/sessions/current", headers=_bearer(_login(desk)))
    assert gone.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'


def test_what_happens_at_the_door_is_written_for_good(desk: Desk) -> None:
    """Logins, refusals with their reason and ended sessions, without passwords or addresses; nothing can be
    changed; auditors read it, the newest first, page by page.
    """
    _login(desk, password="wrong-but-mine")
    _login(desk, "nobody-here")
    desk.client.delete("/api/v1/sessions/current", headers=_bearer(_login(desk)))
    answer = desk.look("auditor", "/access-events", limit=3)
    assert answer.status_code == 200, answer.text
    acts = [(each["act"], each["reason"], each["person"]) for each in answer.json()["items"]]
    assert acts == [
        ("login", None, "auditor"),
        ("logout", None, "handler1"),
        ("login", None, "handler1"),
    ]
    rest = desk.look("auditor", "/access-events", cursor=answer.json()["next"]).json()
    assert [(each["act"], each["reason"], each["person"]) for each in rest["items"]] == [
        ("login_refused", "unknown_account", None),
        ("login_refused", "wrong_password", "handler1"),
    ]
    assert rest["next"] is None
    kept = desk.one("SELECT string_agg(e::text, ' ') FROM access_event e")
    assert not any(word in kept for word in ("wrong-but-mine", "nobody-here", "127.0.0"))
    path = "/api/v1/access-events?account=auditor"
    only = desk.client.get(path, headers=desk.headers("auditor")).json()["items"]
    assert {each["person"] for each in only} == {"auditor"}
    for statement in ("DELETE FROM access_event", "UPDATE access_event SET act = 'x'"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            desk.one(statement)


def test_somebody_who_left_is_out_at_once(desk: Desk) -> None:
    """The end of employment ends every login."""
    desk.headers("handler2")
    desk.one("UPDATE person SET left_on = current_date WHERE account = 'handler2' RETURNING id")
    assert desk.look("handler2", "/items").status_code == 401


def test_leaving_ends_sessions_and_tokens_for_good(desk: Desk) -> None:
    """Not only while the date is set: whoever comes back logs in anew."""
    desk.headers("handler2")
    desk.one("UPDATE person SET left_on = current_date WHERE account = 'handler2' RETURNING id")
    desk.one("UPDATE person SET left_on = NULL WHERE account = 'handler2' RETURNING id")
    assert desk.look("handler2", "/items").status_code == 401

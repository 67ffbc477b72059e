"""The citizens' session: opened by number and code, short, and the code nowhere else."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from starlette.testclient import TestClient

from api.main import create_app
from engine import codes
from engine.sessions import token_digest
from tests.api.conftest import HERE

if TYPE_CHECKING:
    from httpx import Response

    from engine.settings import Settings
    from tests.api.conftest import Desk

API = "/api/v1"
WITHDRAWAL = {"data": {"voluntary_statement": "自愿撤回"}}


def enter(desk: Desk, receipt: dict[str, str]) -> dict[str, str]:
    """The header of a session."""
    answer = desk.client.post(f"{API}/portal/sessions", json=receipt)
    assert answer.status_code == 201, answer.text
    desk.client.cookies.clear()
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def everything(desk: Desk) -> str:
    """Every row of every table, as text."""
    with psycopg.connect(desk.url) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN"
            " ('pg_catalog', 'information_schema')"
        ).fetchall()
        rows = [
            row[0]
            for table in tables
            for row in connection.execute(f"SELECT t::text FROM {table[0]} t".encode())
        ]
    return "\n".join(rows)


def test_a_session_shows_what_number_and_code_show(desk: Desk) -> None:
    """GET /portal/item is POST /submissions/track, byte for byte."""
    receipt = desk.submit()
    mine = enter(desk, receipt)
    tracked = desk.client.post(f"{API}/submissions/track", json=receipt)
    assert desk.client.get(f"{API}/portal/item", headers=mine).content == tracked.content


def test_a_session_opens_by_its_cookie_too(desk: Desk) -> None:
    """The cookie is for scripts to keep out of, and for this site alone."""
    answer = desk.client.post(f"{API}/portal/sessions", json=desk.submit())
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"portal={answer.json()['token']};")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert desk.client.get(f"{API}/portal/item").status_code == 200


def test_another_page_cannot_use_a_petitioners_cookie(desk: Desk) -> None:
    """What the cookie lets do must come from our own page; following needs no more than the cookie."""
    answer = desk.client.post(f"{API}/portal/sessions", json=desk.submit())
    kept = {"Cookie": f"portal={answer.json()['token']}"}
    for origin in ({}, {"Origin": "null"}, {"Origin": "http://evil.example"}):
        left = desk.client.delete(f"{API}/portal/sessions/current", headers={**kept, **origin})
        assert left.status_code == 403
    assert desk.client.get(f"{API}/portal/item", headers=kept).status_code == 200
    ours = {**kept, "Origin": HERE}
    left = desk.client.delete(f"{API}/portal/sessions/current", headers=ours)
    assert left.status_code == 204


def test_over_https_the_cookie_is_bound_to_the_host(settings: Settings) -> None:
    """`__Host-` and Secure where people come by https."""
    public = settings.model_copy(
        update={"sample": False, "public_url": "https://banjie.example.gov.cn"}
    )
    door = create_app(public).state.counter.door
    assert door.cookie_with("t").startswith("__Host-portal=t; ")
    assert "Secure" in door.cookie_with("t").split("; ")


def test_every_entry_gives_a_new_token_kept_as_its_digest(desk: Desk) -> None:
    """What lies in the database opens nothing."""
    receipt = desk.submit()
    tokens = {enter(desk, receipt)["Authorization"].partition(" ")[2] for _ in range(2)}
    assert len(tokens) == 2
    for token in tokens:
        count = "SELECT count(*) FROM portal_session WHERE token_digest = %s"
        assert desk.one(count, token_digest(desk.app.state.counter.door.key, token)) == 1
        assert desk.one(count, token.encode()) == 0


def test_a_session_written_by_hand_opens_nothing(desk: Desk) -> None:
    """Whoever writes into the database and lacks the house's secret makes no session with it."""
    receipt = desk.submit()
    desk.one(
        "INSERT INTO portal_session (token_digest, item_id, expires_at)"
        " SELECT sha256('forged'), id, now() + interval '9 minutes' FROM item WHERE number = %s"
        " RETURNING 1",
        receipt["number"],
    )
    forged = {"Authorization": "Bearer forged"}
    assert desk.client.get(f"{API}/portal/item", headers=forged).status_code == 401


def test_leaving_ends_the_session_and_clears_the_browser(desk: Desk) -> None:
    """After DELETE the token opens nothing."""
    mine = enter(desk, desk.submit())
    left = desk.client.delete(f"{API}/portal/sessions/current", headers=mine)
    assert left.status_code == 204
    assert "cookies" in left.headers["clear-site-data"]
    assert "Max-Age=0" in left.headers["set-cookie"]
    for again in (
        desk.client.get(f"{API}/portal/item", headers=mine),
        desk.client.delete(f"{API}/portal/sessions/current", headers=mine),
    ):
        assert again.status_code == 401


@pytest.mark.parametrize(
    "aged",
    [
        "expires_at = now()",
        "began_at = now() - interval '4 hours', expires_at = now() + interval '1 second'",
    ],
)
def test_a_session_ends_by_itself(desk: Desk, aged: str) -> None:
    """A quarter of an hour after the last visit, and four hours after the first."""
    mine = enter(desk, desk.submit())
    desk.one(f"UPDATE portal_session SET {aged} RETURNING true")
    desk.client.get(f"{API}/portal/item", headers=mine)
    left = desk.one("SELECT extract(epoch FROM max(expires_at) - now())::int FROM portal_session")
    assert left <= 1


def test_a_visit_keeps_the_session_alive(desk: Desk) -> None:
    """Each one moves its end to a quarter of an hour later, writing once a minute at most."""
    mine = enter(desk, desk.submit())
    left = "SELECT round(extract(epoch FROM expires_at - now()))::int FROM portal_session"
    desk.one("UPDATE portal_session SET expires_at = now() + interval '5 minutes' RETURNING true")
    desk.client.get(f"{API}/portal/item", headers=mine)
    assert desk.one(left) > 890
    before = desk.one("SELECT xmin::text FROM portal_session")
    desk.client.get(f"{API}/portal/item", headers=mine)
    assert desk.one("SELECT xmin::text FROM portal_session") == before


def test_a_session_opens_its_own_item_alone(desk: Desk) -> None:
    """No address of the portal names an item, so none can be tried."""
    first, second = desk.submit(), desk.submit()
    mine = enter(desk, first)
    text = desk.client.get(f"{API}/portal/item", headers=mine).text
    assert first["number"] in text
    assert second["number"] not in text


def test_nothing_of_the_portal_is_open_without_a_session(desk: Desk) -> None:
    """No token, a made-up one, and the token of staff: 401."""
    staff = desk.headers("handler1")
    cookie = {"Cookie": "portal=x", "Origin": HERE}
    for headers in ({}, {"Authorization": "Bearer nonsense"}, staff, cookie):
        for method, path, body in (
            ("GET", "/portal/item", None),
            ("POST", "/portal/transitions/withdraw", WITHDRAWAL),
            ("DELETE", "/portal/sessions/current", None),
        ):
            answer = desk.client.request(method, f"{API}{path}", headers=headers, json=body)
            assert answer.status_code == 401, (method, path, headers)
    mine = enter(desk, desk.submit())
    assert desk.client.get(f"{API}/items", headers=mine).status_code == 401


def test_a_right_is_used_in_the_session_once_for_each_key(desk: Desk) -> None:
    """The same way as by number and code, the same refusals."""
    mine = enter(desk, desk.submit())
    path = f"{API}/portal/transitions"
    assert desk.client.post(f"{path}/register", json={}, headers=mine).status_code == 403
    assert desk.client.post(f"{path}/object", json={}, headers=mine).status_code == 409
    lacking = desk.client.post(f"{path}/withdraw", json={}, headers=mine)
    assert lacking.status_code == 422
    assert lacking.json()["errors"][0]["pointer"] == "/data/voluntary_statement"
    keyed = {**mine, "Idempotency-Key": "once"}
    first, second = (
        desk.client.post(f"{path}/withdraw", json=WITHDRAWAL, headers=keyed) for _ in range(2)
    )
    assert first.status_code == 200, first.text
    assert first.content == second.content
    assert first.json()["state"]["name"] == "withdrawn"
    assert desk.one("SELECT count(*) FROM event WHERE act = 'withdraw'") == 1


def test_a_code_is_hashed_under_a_pepper_kept_outside_the_database(desk: Desk) -> None:
    """Whoever has the database alone cannot even try codes: the hash is not of the code."""
    receipt = desk.submit()
    kept = desk.one("SELECT code_hash FROM item WHERE number = %s", receipt["number"])
    assert kept.startswith("$argon2id$")
    code, number = receipt["code"], receipt["number"]
    assert codes.code_fits(codes.peppered(code, number, desk.app.state.counter.door.pepper), kept)
    assert not codes.code_fits(code, kept)
    assert not codes.code_fits(codes.peppered(code, number, b"another pepper"), kept)


def test_a_hash_copied_to_another_item_opens_nothing(desk: Desk) -> None:
    """Whoever writes into the database cannot open an item with the code of their own."""
    mine, other = desk.submit(), desk.submit()
    desk.one(
        "UPDATE item SET code_hash = (SELECT code_hash FROM item WHERE number = %s)"
        " WHERE number = %s RETURNING 1",
        mine["number"],
        other["number"],
    )
    for number, status in ((other["number"], 404), (mine["number"], 200)):
        shown = {"number": number, "code": mine["code"]}
        assert desk.client.post(f"{API}/submissions/track", json=shown).status_code == status
    key = desk.app.state.counter.settings.secret_path
    assert key.stat().st_mode & 0o777 == 0o400


def test_right_wrong_and_unknown_cost_one_hash_each(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same work, counted: nobody learns by time which numbers there are."""
    receipt = desk.submit()
    hashed: list[bool] = []
    verify = codes._HASHER.verify

    def counting(words: str, kept: str) -> bool:
        hashed.append(True)
        return verify(words, kept)

    monkeypatch.setattr(codes._HASHER, "verify", counting)
    for form, status in (
        (receipt, 200),
        ({**receipt, "code": "0" * 16}, 404),
        ({**receipt, "number": "执诉2026-0000000000"}, 404),
    ):
        hashed.clear()
        answer = desk.client.post(f"{API}/submissions/track", json=form)
        assert answer.status_code == status
        assert len(hashed) == 1


def test_the_code_is_nowhere_but_in_the_body(
    desk: Desk, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """After every way it can come in: not in the log, no header, no kept answer, no table at all."""
    caplog.set_level(logging.DEBUG)
    receipt = desk.submit()
    wrong = f"{secrets.randbelow(10**16):016d}"
    answers: list[Response] = []
    key = {"Idempotency-Key": "k-of-mine"}
    for code in (receipt["code"], wrong):
        form = {**receipt, "code": code}
        answers += [
            desk.client.post(f"{API}/submissions/track", json=form, headers=key),
            desk.client.post(f"{API}/portal/sessions", json=form, headers=key),
            desk.client.post(
                f"{API}/submissions/act", json={**form, "transition": "object"}, headers=key
            ),
            desk.client.post(f"{API}/submissions/track", json={**form, "code": code + "x"}),
            desk.client.get(f"{API}/submissions/track", params={"code": code}),
        ]
    for answer in answers:
        told = f"{answer.headers} {answer.text}"
        assert receipt["code"] not in told
        assert wrong not in told
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    said = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("httpx")
    )  # httpx is the test's own client
    said += capsys.readouterr().err
    assert "/api/v1" in said or "/submissions/track" in said
    dump = everything(desk)
    for code in (receipt["code"], wrong):
        assert code not in said
        assert code not in dump
    assert receipt["number"] in dump


@pytest.mark.parametrize(
    ("written", "status"),
    [
        (lambda code: code.translate({ord("0") + n: ord("０") + n for n in range(10)}), 200),
        (lambda code: " ".join(code[at : at + 4] for at in range(0, 16, 4)), 200),
        (lambda code: f"\u3000{code}\u00a0", 200),
        (lambda code: code.translate({ord("0") + n: ord("٠") + n for n in range(10)}), 422),
        (lambda code: code.translate({ord("0") + n: 0x1D7CE + n for n in range(10)}), 422),
        (lambda code: code + "\u200b", 422),
        (lambda code: code[:-1], 422),
    ],
    ids=["full-width", "in fours", "blanks", "arabic", "mathematical", "zero width", "short"],
)
def test_a_code_is_taken_as_chinese_keyboards_write_it(
    desk: Desk, written: Any, status: int
) -> None:
    """Full-width digits and blanks stand for the plain ones; digits of other scripts do not."""
    receipt = desk.submit()
    form = {**receipt, "code": written(receipt["code"])}
    answer = desk.client.post(f"{API}/submissions/track", json=form)
    assert answer.status_code == status, answer.text
    wide = receipt["number"].translate({ord("0") + n: ord("０") + n for n in range(10)})
    form = {"number": wide.replace("-", "－"), "code": receipt["code"]}
    assert desk.client.post(f"{API}/submissions/track", json=form).status_code == 200


def test_two_counters_know_one_session(desk: Desk) -> None:
    """Sessions are rows: another process, or the same one started again, knows them."""
    mine = enter(desk, desk.submit())
    with TestClient(create_app(desk.app.state.counter.settings), HERE) as other:
        assert other.get(f"{API}/portal/item", headers=mine).status_code == 200

"""Passwords, second factors and what administrators do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pyotp
import pytest
from starlette.testclient import TestClient

from adapters.sample import PASSWORD
from api.main import create_app
from engine.passwords import refusal_of
from tests.api.conftest import ACCEPTANCE, HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.settings import Settings
    from tests.api.conftest import Desk

NEW = "three quiet herons upstream"
BASE = "/api/v1"


def call(desk: Desk, method: str, path: str, account: str, body: Any = None) -> Any:
    """A request of somebody's."""
    given = {} if body is None else {"json": body}
    return desk.client.request(method, f"{BASE}{path}", headers=desk.headers(account), **given)


def login(desk: Desk, account: str = "handler1", **form: Any) -> Any:
    """A login."""
    return desk.client.post(
        f"{BASE}/sessions", json={"account": account, "password": PASSWORD, **form}
    )


def bearer(answer: Any) -> dict[str, str]:
    """The headers of a login."""
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


class Device:
    """Somebody's phone: each code it shows is a step later than the one before."""

    def __init__(self, desk: Desk, secret: str) -> None:
        self.desk, self.totp = desk, pyotp.TOTP(secret)

    def code(self, steps: int = 0) -> str:
        """The code of now, or of some steps later."""
        now = self.desk.one("SELECT extract(epoch FROM now())::bigint")
        return self.totp.generate_otp(now // 30 + steps)

    def forget(self) -> None:
        """Let half a minute pass for what was taken."""
        self.desk.one("UPDATE second_factor SET last_step = last_step - 1 RETURNING 1")


def appoint_second_admin(desk: Desk) -> None:
    """The second auditor administers from now on, and audits no more."""
    desk.one(
        "DELETE FROM membership m USING person p WHERE p.id = m.person_id AND p.account = 'auditor2' RETURNING 1"
    )
    desk.one(
        "INSERT INTO membership (person_id, role, unit_id) SELECT p.id, 'admin', u.id FROM person p, unit u"
        " WHERE p.account = 'auditor2' AND u.code = 'BUR' RETURNING role"
    )


def reset_by_two(desk: Desk, account: str = "handler1") -> str:
    """A temporary password that an administrator asked for, and the head was shown."""
    path = f"/office/people/{account}/password-reset"
    assert call(desk, "POST", path, "admin").status_code == 202
    given = call(desk, "POST", path, "head")
    assert given.status_code == 200, given.text
    password: str = given.json()["password"]
    return password


def enrol(desk: Desk, account: str = "handler1") -> tuple[Device, list[str]]:
    """Enrol a phone: the phone, and the recovery codes."""
    offer = call(desk, "POST", "/credentials/second-factor", account)
    assert offer.status_code == 201, offer.text
    device = Device(desk, offer.json()["secret"])
    done = call(
        desk, "POST", "/credentials/second-factor/confirmation", account, {"otp": device.code(-1)}
    )
    assert done.status_code == 200, done.text
    return device, done.json()["recovery_codes"]


@pytest.fixture
def office(settings: Settings, desk: Desk) -> Iterator[Desk]:
    """The same office in production, without leniency."""
    real = create_app(settings.model_copy(update={"sample": False}))
    with TestClient(real, HERE, raise_server_exceptions=False) as client:
        yield type(desk)(client, real, desk.url)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "Password12345",
        "p@ssw0rd2026!",
        "qwertyuiop123",
        "1q2w3e4r5t6y",
        "111111111111",
        "123456789012",
        "abcdefghijkl",
        "abcabcabcabc",
        "handler1handler1",
        "1reldnah-2026",
        "banjie-sample",
        "banjie-2026-admin",
        "Xuchang2026!!",
        "woaini1314520",
        "许昌市市场监督管理局2026",
        "x" * 129,
    ],
)
def test_a_password_many_would_try_is_refused(password: str) -> None:
    """Common ones, and those made only of common words, runs, years and one's own names."""
    assert refusal_of(password, "handler1", "何立行", "许昌市市场监督管理局")


@pytest.mark.parametrize(
    "password", [NEW, "正确的马电池订书钉够了吗朋友", "k7q2x-9m3zp-4t8vh", "Tidal!Mosaic?Fennel"]
)
def test_a_good_password_needs_no_composition(password: str) -> None:
    """Length and rareness suffice; spaces and Chinese are welcome."""
    assert refusal_of(password, "handler1") is None


def test_a_changed_password_ends_every_session(desk: Desk) -> None:
    """The present one is asked for, the new one judged; all tokens end and a new one is given."""
    other = bearer(login(desk))

    def change(present: str, new: str) -> Any:
        form = {"present": present, "new": new}
        return call(desk, "PUT", "/credentials/password", "handler1", form)

    assert change("wrong", NEW).status_code == 403
    assert change(PASSWORD, "password1234").status_code == 422
    assert change(PASSWORD, PASSWORD).status_code == 422
    fresh = bearer(change(PASSWORD, NEW))
    for headers in (other, desk.headers("handler1")):
        assert desk.client.get(f"{BASE}/items", headers=headers).status_code == 401
    assert desk.client.get(f"{BASE}/items", headers=fresh).status_code == 200
    assert login(desk).status_code == 401
    assert login(desk, password=NEW).status_code == 201


def test_a_temporary_password_opens_nothing_but_its_change(desk: Desk) -> None:
    """Two people give one; its person must choose their own before anything else."""
    mine = desk.headers("handler1")
    temporary = reset_by_two(desk)
    assert desk.client.get(f"{BASE}/items", headers=mine).status_code == 401
    assert login(desk).status_code == 401
    answer = login(desk, password=temporary)
    assert answer.json()["owes"] == "password"
    headers = bearer(answer)
    refused = desk.client.get(f"{BASE}/items", headers=headers)
    assert (refused.status_code, refused.json()["owes"]) == (403, "password")
    enrolling = desk.client.post(f"{BASE}/credentials/second-factor", headers=headers)
    assert enrolling.status_code == 403
    form = {"present": temporary, "new": NEW}
    done = desk.client.put(f"{BASE}/credentials/password", json=form, headers=headers)
    assert "owes" not in done.json()
    assert desk.client.get(f"{BASE}/items", headers=bearer(done)).status_code == 200
    kept = desk.one("SELECT string_agg(e::text, ' ') FROM access_event e")
    assert temporary not in kept


def test_one_person_alone_resets_no_password(desk: Desk) -> None:
    """Who asks sees nothing and changes nothing, however often, and not for himself; what the second
    was shown takes two people again.
    """
    path = "/office/people/handler1/password-reset"
    mine = desk.headers("handler1")
    for _ in range(2):
        asked = call(desk, "POST", path, "admin")
        assert (asked.status_code, sorted(asked.json())) == (202, ["account", "until"])
    assert desk.client.get(f"{BASE}/items", headers=mine).status_code == 200
    assert login(desk).status_code == 201
    for account in ("handler1", "unit_head", "auditor"):
        assert call(desk, "POST", path, account).status_code == 403
    assert call(desk, "POST", path, "head").status_code == 200
    assert call(desk, "POST", path, "head").status_code == 202
    own = call(desk, "POST", "/office/people/admin/password-reset", "admin")
    assert own.status_code == 403
    assert call(desk, "POST", "/office/people/head/password-reset", "admin").status_code == 202
    assert call(desk, "POST", "/office/people/head/password-reset", "head").status_code == 403
    told = call(desk, "GET", "/access-events?account=handler1", "auditor").json()["items"]
    assert [(e["act"], e["actor"]) for e in told if e["act"].startswith("password")] == [
        ("password_reset_asked", "head"),
        ("password_reset", "head"),
        ("password_reset_asked", "admin"),
        ("password_reset_asked", "admin"),
    ]


def test_what_was_asked_lapses_after_a_week(desk: Desk) -> None:
    """Eight days later the second person's call is the first of two."""
    desk.one(
        "INSERT INTO access_event (act, person_id, actor_id, at)"
        " SELECT 'password_reset_asked', p.id, a.id, now() - interval '8 days' FROM person p, person a"
        " WHERE p.account = 'handler1' AND a.account = 'admin' RETURNING 1"
    )
    assert call(desk, "POST", "/office/people/handler1/password-reset", "head").status_code == 202


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE person SET password_hash = 'x' WHERE account = 'handler1'",
        "INSERT INTO person (account, name, unit_id, password_hash) SELECT 'puppet', '林木', id, 'x' FROM unit LIMIT 1",
        (
            "INSERT INTO api_token (token_digest, person_id, name, scopes, created_by, expires_at) SELECT '\\x00', p.id, 'x',"
            " '{read}', a.id, now() + interval '1 day' FROM person p, person a WHERE (p.account, a.account) = ('handler1', 'admin')"
        ),
    ],
)
def test_the_schema_lets_nobody_alone_give_a_way_in(desk: Desk, statement: str) -> None:
    """Whatever statement an administrator's transaction could be brought to make."""
    number = desk.one("SELECT id FROM person WHERE account = 'admin'")
    with psycopg.connect(desk.url) as connection:
        connection.execute("SELECT set_config('banjie.principal', %s, true)", (f"person:{number}",))
        with pytest.raises(psycopg.errors.IntegrityError, match="second person"):
            connection.execute(statement.encode())


def test_who_was_shown_a_password_gives_its_account_no_role_alone(desk: Desk) -> None:
    """Nor lets it stand in for somebody; an administrator who was shown nothing does."""
    appoint_second_admin(desk)
    new = {"account": "puppet", "name": "林木", "unit": "AUD", "confirm": True}
    assert desk.send("auditor2", "/office/people", new).status_code == 201
    path = "/office/people/puppet/password-reset"
    assert call(desk, "POST", path, "admin").status_code == 202
    assert call(desk, "POST", path, "auditor2").status_code == 200
    ask = {"role": "handler", "unit": "AUD", "confirm": True}
    asked = desk.send("auditor2", "/office/people/puppet/roles", ask).json()
    assert asked["done"] is False
    decision = f"/office/proposals/{asked['proposal']}/decision"
    assert desk.send("auditor2", decision, {"confirmed": True}).status_code == 403
    today = desk.one("SELECT current_date::text")
    away = {"account": "handler1", "first_on": today, "last_on": today, "confirm": True}
    refused = desk.send("auditor2", "/office/leave", {**away, "substitute": "puppet"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/refused")
    confirmed = desk.send("admin", decision, {"confirmed": True, "confirm": True})
    assert confirmed.status_code == 200, confirmed.text
    ask["unit"] = "LAW"
    assert desk.send("admin", "/office/people/puppet/roles", ask).json()["done"] is True


def test_a_second_factor_is_asked_of_whoever_enrolled(desk: Desk) -> None:
    """From the first code on; a code is good once, a wrong one is counted, the offer lies sealed."""
    device, _ = enrol(desk)
    assert device.totp.secret.encode() not in desk.one("SELECT secret FROM second_factor")
    wanted = login(desk)
    assert (wanted.status_code, wanted.json()["type"]) == (401, "/problems/second-factor-required")
    assert "token" not in wanted.json()
    device.forget()
    code = device.code()
    assert login(desk, otp=code).status_code == 201
    assert login(desk, otp=code).status_code == 401
    assert login(desk, otp="000000").status_code == 401
    assert (
        login(desk, password="wrong", otp=device.code(1))
        .json()["type"]
        .endswith("/unauthenticated")
    )
    assert login(desk, otp=device.code(5)).status_code == 401


def test_codes_cannot_be_guessed(desk: Desk) -> None:
    """A wrong code counts like a wrong password, also while asking for a fresh proof."""
    enrol(desk)
    for _ in range(3):
        assert login(desk, otp="000000").status_code == 401
    for _ in range(2):
        answer = call(desk, "POST", "/sessions/current/step-up", "handler1", {"otp": "000000"})
        assert answer.status_code == 403
    assert login(desk, otp="000000").status_code == 429


def test_a_recovery_code_is_good_once(desk: Desk) -> None:
    """However it is written; what is kept of it opens nothing; new ones end the old ones."""
    _, codes = enrol(desk)
    assert len(codes) == 10
    assert login(desk, recovery_code=codes[0].lower().replace("-", " ")).status_code == 201
    assert login(desk, recovery_code=codes[0]).status_code == 401
    assert call(desk, "GET", "/credentials", "handler1").json() == {
        "second_factor": True,
        "recovery_codes": 9,
    }
    assert codes[1] not in desk.one(
        "SELECT string_agg(encode(digest, 'escape'), ' ') FROM recovery_code"
    )
    renewed = call(desk, "POST", "/credentials/recovery-codes", "handler1").json()["recovery_codes"]
    assert login(desk, recovery_code=codes[1]).status_code == 401
    assert login(desk, recovery_code=renewed[1]).status_code == 201


def test_a_recovery_code_is_its_owners(desk: Desk) -> None:
    """Somebody else's opens nothing."""
    _, codes = enrol(desk)
    enrol(desk, "handler2")
    assert login(desk, "handler2", recovery_code=codes[0]).status_code == 401


def test_a_confirmed_factor_is_not_replaced_unseen(desk: Desk) -> None:
    """Whoever sits at an open desk cannot enrol a phone of their own over it."""
    enrol(desk)
    assert call(desk, "POST", "/credentials/second-factor", "handler1").status_code == 409
    assert call(desk, "DELETE", "/credentials/second-factor", "handler1").status_code == 204
    assert login(desk).status_code == 201


def test_a_lost_phone_takes_two_administrators_to_steal(desk: Desk) -> None:
    """Who was shown the password may not remove the factor too; another administrator may."""
    enrol(desk)
    appoint_second_admin(desk)
    reset = "/office/people/handler1/password-reset"
    assert call(desk, "POST", reset, "head").status_code == 202
    assert call(desk, "POST", reset, "admin").status_code == 200
    path = "/office/people/handler1/second-factor"
    assert call(desk, "DELETE", path, "admin").status_code == 409
    assert call(desk, "DELETE", path, "auditor2").status_code == 204
    assert call(desk, "POST", reset, "head").status_code == 202
    assert call(desk, "POST", reset, "auditor2").status_code == 409
    assert not desk.one("SELECT count(*) FROM recovery_code")


def test_production_demands_a_second_factor_of_power(office: Desk) -> None:
    """A head can do nothing before enrolling one; a handler is not asked."""
    assert "owes" not in login(office).json()
    answer = login(office, "head")
    assert answer.json()["owes"] == "factor"
    office.tokens["head"] = answer.json()["token"]
    assert call(office, "GET", "/items", "head").json()["type"] == "/problems/credential-owed"
    enrol(office, "head")
    assert call(office, "GET", "/items", "head").status_code == 200


def test_a_desk_left_open_names_nobody_as_accused(office: Desk) -> None:
    """Five minutes after the login a fresh proof is wanted, and then the same request goes through; what names
    nobody needs none.
    """
    receipt = office.submit()
    number = receipt["number"]
    office.move("intake", number, "register")
    office.headers("unit_head")
    old = "UPDATE login SET proven_at = now() - interval '6 minutes' RETURNING 1"
    office.one(old)
    named = {**ACCEPTANCE, "subject_officers_or_unknown": ["branch1_handler"]}
    path = f"/items/{number}/transitions/accept"

    def accept(data: dict[str, Any]) -> Any:
        revision = office.one("SELECT revision FROM item WHERE number = %s", number)
        return office.send("unit_head", path, {"data": data}, If_Match=f'"{revision}"')

    refused = accept(named)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/step-up-required")
    assert call(office, "POST", "/credentials/second-factor", "unit_head").status_code == 403
    wrong = call(office, "POST", "/sessions/current/step-up", "unit_head", {"password": "wrong"})
    assert wrong.status_code == 403
    proof = {"password": PASSWORD}
    proven = call(office, "POST", "/sessions/current/step-up", "unit_head", proof)
    assert proven.json()["fresh"] is True
    assert accept(named).status_code == 200
    office.one(old)
    second = office.submit()["number"]
    office.move("intake", second, "register")
    office.move("unit_head", second, "accept", ACCEPTANCE)


def test_a_sample_session_stays_fresh(desk: Desk) -> None:
    """A script that logs in once may name somebody hours later."""
    desk.headers("handler1")
    desk.one("UPDATE login SET proven_at = now() - interval '11 hours' RETURNING 1")
    assert call(desk, "GET", "/sessions/current", "handler1").json()["fresh"] is True


def test_an_administrator_ends_everybodys_sessions(desk: Desk) -> None:
    """At once, and it is written down who did."""
    desk.headers("handler1")
    assert call(desk, "DELETE", "/office/people/handler1/sessions", "admin").status_code == 204
    assert call(desk, "GET", "/items", "handler1").status_code == 401
    (event,) = [
        each
        for each in call(desk, "GET", "/access-events", "admin").json()["items"]
        if each["act"] == "session_ended"
    ]
    assert (event["person"], event["actor"]) == ("handler1", "admin")

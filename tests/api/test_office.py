"""The administration over HTTP: who may, what two people must, what is refused and what is asked."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine.administration.record import verify_office
from tests.api.conftest import ACCEPTANCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Desk

TODAY = date.today  # the sample office's practice clock stands at the host's day when it begins


@pytest.fixture(autouse=True)
def quick(desk: Desk, request: pytest.FixtureRequest) -> Iterator[None]:
    """The proof takes seconds; where a test is not about it, nothing is ever found."""
    if "proof" not in request.keywords:
        desk.app.state.counter.prover._known = _Nothing()
    yield
    with desk.app.state.counter.database.transaction() as session:
        _, faults = verify_office(session)
    assert faults == []


class _Nothing(dict[str, Any]):
    """Knows every roster, and nothing against any."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> dict[Any, str]:
        return {}


def assigned(desk: Desk) -> str:
    """The number of a grievance that two handlers of the audit section investigate."""
    number = desk.submit()["number"]
    desk.move("intake", number, "register")
    desk.move("unit_head", number, "accept", ACCEPTANCE)
    people = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
    desk.move("unit_head", number, "assign", people)
    return number


def house_in(desk: Desk, number: str, unit: str) -> None:
    """An item of another unit, by a hand that puts the triggers out of action."""
    with psycopg.connect(desk.url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "UPDATE item SET unit_id = (SELECT id FROM unit WHERE code = %s) WHERE number = %s",
            (unit, number),
        )


def test_an_administrator_hands_over_what_he_may_not_read(desk: Desk) -> None:
    """The leaver's item goes on to somebody else; the administrator learns counts and no case."""
    number = assigned(desk)
    assert desk.look("admin", f"/items/{number}").status_code == 404
    assert desk.look("handler1", f"/items/{number}").status_code == 200
    desk.send("admin", "/office/people/law_handler/roles", {"role": "handler", "unit": "AUD"})
    body = {"on": TODAY().isoformat(), "successors": ["law_handler"]}
    left = desk.send("admin", "/office/people/handler1/leaving", body, Idempotency_Key="l1")
    assert left.status_code == 200, left.text
    assert (left.json()["handed_over"], left.json()["told_upward"]) == (1, 0)
    assert number not in left.text
    again = desk.send("admin", "/office/people/handler1/leaving", body, Idempotency_Key="l1")
    assert again.content == left.content
    assert desk.look("handler1", "/items").status_code == 401
    assert desk.look("law_handler", f"/items/{number}").status_code == 200
    assert desk.look("admin", f"/items/{number}").status_code == 404


def test_a_unit_with_open_items_does_not_close_though_its_administrator_sees_none(
    desk: Desk,
) -> None:
    """Empty of people, it still has work: the database refuses, and its name stays taken after."""
    made = desk.send("admin", "/office/units", {"code": "FOD", "name": "食品科", "under": "BUR"})
    assert made.status_code == 201, made.text
    number = desk.submit()["number"]
    house_in(desk, number, "FOD")
    refused = desk.send("admin", "/office/units/FOD/closing", {}, If_Match='"1"')
    assert refused.status_code == 409
    assert "open items" in refused.json()["detail"]
    house_in(desk, number, "BUR")
    closed = desk.send("admin", "/office/units/FOD/closing", {}, If_Match='"1"')
    assert closed.status_code == 200, closed.text
    again = desk.send("admin", "/office/units", {"code": "FOD", "name": "另一科", "under": "BUR"})
    assert again.status_code == 409
    moved = desk.client.patch(
        "/api/v1/office/people/handler2",
        json={"unit": "FOD"},
        headers=desk.headers("admin", If_Match='"1"'),
    )
    assert moved.status_code == 422


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/office/units", {"code": "FOD", "name": "食品科", "under": "BUR"}),
        ("/office/people", {"account": "lin", "name": "林", "unit": "AUD"}),
        ("/office/people/handler2/roles", {"role": "handler", "unit": "LAW"}),
        (
            "/office/leave",
            {"account": "handler2", "first_on": "2030-01-01", "last_on": "2030-01-02"},
        ),
        ("/office/people/handler2/leaving", {"on": "2030-01-01"}),
        ("/office/conflicts", {"account": "handler2", "ground": "other", "unit": "BR1"}),
    ],
)
def test_only_administrators_change_the_office(desk: Desk, path: str, body: dict[str, Any]) -> None:
    """Neither a handler nor a head of a unit nor the auditor; the office stands as it did."""
    before = desk.one("SELECT office_revision FROM bureau")
    for account in ("handler1", "unit_head", "auditor", "reporter"):
        assert desk.send(account, path, body).status_code == 403, account
    assert desk.one("SELECT office_revision FROM bureau") == before
    assert desk.send("admin", path, body).status_code in {200, 201}


def test_the_roles_that_guard_the_others_take_two_people(desk: Desk) -> None:
    """Proposed by one, confirmed by another; neither by the same hand nor by whom it concerns."""
    ask = {"role": "liaison", "unit": "BUR"}
    asked = desk.send("admin", "/office/people/party_member/roles", ask).json()
    assert asked["done"] is False
    number = asked["proposal"]
    assert desk.send("admin", "/office/people/party_member/roles", ask).json() == asked
    path = f"/office/proposals/{number}/decision"
    for account in ("admin", "party_member", "liaison"):
        assert desk.send(account, path, {"confirmed": True}).status_code == 403
    held = "SELECT count(*) FROM membership m JOIN person p ON p.id = m.person_id WHERE account = %s AND role = 'liaison'"
    assert desk.one(held, "party_member") == 0
    assert desk.send("head", path, {"confirmed": True}).json() == {"done": True, "proposal": number}
    assert desk.one(held, "party_member") == 1
    assert desk.send("head", path, {"confirmed": False}).status_code == 409
    back = desk.send("admin", "/office/people/party_member/roles", {**ask, "granted": False}).json()
    refused = desk.send(
        "head", f"/office/proposals/{back['proposal']}/decision", {"confirmed": False}
    )
    assert refused.json()["done"] is False
    assert desk.one(held, "party_member") == 1


def test_nobody_grants_roles_to_himself(desk: Desk) -> None:
    """Neither directly, nor by a post, nor by standing in for somebody else."""
    own = desk.send("admin", "/office/people/admin/roles", {"role": "reporter", "unit": "BUR"})
    assert own.status_code == 403
    post = desk.client.patch(
        "/api/v1/office/people/admin",
        json={"post_kind": "other_head"},
        headers=desk.headers("admin", If_Match='"1"'),
    )
    assert post.status_code == 403
    day = (TODAY() + timedelta(days=3)).isoformat()
    leave = {"account": "head", "first_on": day, "last_on": day, "substitute": "admin"}
    refused = desk.send("admin", "/office/leave", leave)
    assert refused.status_code == 409
    assert "admin" in refused.json()["detail"]


def test_two_administrators_do_not_overwrite_one_another(desk: Desk) -> None:
    """The second, who saw what was there before the first, is told to look again."""
    seen = desk.look("admin", "/office/people/handler2")
    assert seen.headers["ETag"] == '"1"'
    headers = desk.headers("admin", If_Match='"1"')
    path = "/api/v1/office/people/handler2"
    assert desk.client.patch(path, json={"name": "王新"}, headers=headers).status_code == 200
    assert desk.client.patch(path, json={"name": "王旧"}, headers=headers).status_code == 412
    missing = desk.client.patch(path, json={"name": "王旧"}, headers=desk.headers("admin"))
    assert missing.status_code == 428


def test_staff_read_the_directory_without_certificates(desk: Desk) -> None:
    """Names, units, posts and roles for everybody; addresses and certificates for admin and head."""
    plain = desk.look("handler1", "/office/people", unit="AUD").json()["items"]
    full = desk.look("head", "/office/people", unit="AUD").json()["items"]
    assert [p["account"] for p in plain] == [p["account"] for p in full]
    assert {p["certificate"] for p in plain} == {p["email"] for p in plain} == {None}
    assert any(p["certificate"] for p in full)
    assert all("password" not in name for p in full for name in p)
    assert desk.look("handler1", "/office/certificates").status_code == 403
    desk.one(
        "UPDATE person SET certified_until = current_date + 10 WHERE account = 'handler1' RETURNING id"
    )
    soon = desk.look("admin", "/office/certificates", within=30).json()["items"]
    assert [p["account"] for p in soon] == ["handler1"]
    first = desk.look("handler1", "/office/people", limit=50).json()
    rest = desk.look("handler1", "/office/people", limit=50, cursor=first["next"]).json()
    accounts = [p["account"] for p in first["items"] + rest["items"]]
    assert accounts == sorted(set(accounts))
    assert len(accounts) == desk.one("SELECT count(*) FROM person")


def test_what_somebody_declared_with_me_is_not_shown_to_me(desk: Desk) -> None:
    """One's own declarations, and all but those about oneself for admin, head and liaison."""
    body = {"ground": "near_relative", "person": "head"}
    number = desk.send("handler2", "/office/conflicts", body).json()["id"]
    seen = {
        account: [c["id"] for c in desk.look(account, "/office/conflicts").json()["items"]]
        for account in ("handler2", "handler1", "liaison", "head")
    }
    assert seen == {"handler2": [number], "handler1": [], "liaison": [number], "head": []}
    assert desk.send("handler2", "/office/conflicts", body).status_code == 409
    for account in ("handler2", "handler1", "head"):
        assert desk.send(account, f"/office/conflicts/{number}/ending", {}).status_code == 403
    own = desk.send("liaison", "/office/conflicts", {"ground": "other", "unit": "BR1"}).json()["id"]
    assert desk.send("liaison", f"/office/conflicts/{own}/ending", {}).status_code == 409
    assert desk.send("liaison", f"/office/conflicts/{number}/ending", {}).status_code == 200
    named = {"ground": "interest", "outside": "张三的饭店"}
    assert desk.send("handler2", "/office/conflicts", named).status_code == 422


def test_a_table_comes_in_whole_or_not_at_all(desk: Desk) -> None:
    """Findings by row and nothing done; then done, then no change; the export is the same office."""
    head = "kind,code,name,under,account,unit,certified_until,roles\n"
    good = (
        "unit,FOD,食品安全科,BUR,,,,\n"
        "person,,林清,,lin.qing,FOD,2030-12-31,handler@FOD;reporter@FOD\n"
        "person,,吴新,,wu.xin,FOD,,admin@BUR\n"
    )
    bad = good + "person,,=1+1,,calc,FOD,2030-13-31,nobody@FOD\nperson,,,,x,NONE,,\n"

    def send(text: str, query: str = "") -> Any:
        return desk.client.post(
            f"/api/v1/office/imports{query}",
            content=(head + text).encode(),
            headers=desk.headers("admin", Content_Type="text/csv"),
        )

    checked = send(bad, "?check=true").json()
    assert checked.get("done") is False, checked
    assert {(f["row"], f["column"]) for f in checked["findings"]} >= {
        (5, "name"),
        (5, "certified_until"),
        (6, "name"),
    }
    refused = send(bad)
    assert refused.status_code == 422
    assert desk.one("SELECT count(*) FROM unit WHERE code = 'FOD'") == 0
    done = send(good).json()
    assert (done["done"], done["units"], done["people"], done["roles"], done["proposed"]) == (
        True,
        1,
        2,
        2,
        1,
    )
    revision = desk.one("SELECT office_revision FROM bureau")
    again = send(good).json()
    assert (again["units"], again["people"], again["roles"]) == (0, 0, 0)
    assert desk.one("SELECT office_revision FROM bureau") == revision
    out = desk.client.get("/api/v1/office/export.csv", headers=desk.headers("admin"))
    assert out.headers["content-type"].startswith("text/csv")
    assert "handler@FOD;reporter@FOD" in out.text
    back = desk.client.post(
        "/api/v1/office/imports",
        content=out.content,
        headers=desk.headers("admin", Content_Type="text/csv"),
    ).json()
    assert (back["done"], back["units"], back["people"], back["roles"]) == (True, 0, 0, 0)
    assert desk.look("handler1", "/office/export.csv").status_code == 403


@pytest.mark.proof
def test_a_change_that_may_silence_something_is_asked_about(desk: Desk) -> None:
    """Without the head referrals cannot end: told with the findings, done once it is confirmed."""
    body = {"on": TODAY().isoformat()}
    asked = desk.send("admin", "/office/people/head/leaving", body)
    assert asked.status_code == 409
    assert asked.json()["type"] == "/problems/confirmation-needed"
    assert any("referral" in finding for finding in asked.json()["findings"])
    assert desk.one("SELECT left_on FROM person WHERE account = 'head'") is None
    done = desk.send("admin", "/office/people/head/leaving", {**body, "confirm": True})
    assert done.status_code == 200, done.text


def test_the_record_says_who_changed_what(desk: Desk) -> None:
    """Before and after, by account; for admin, head and auditor, and for nobody else."""
    desk.send("admin", "/office/people/handler2/roles", {"role": "handler", "unit": "LAW"})
    desk.one("UPDATE person SET name = '改' WHERE account = 'handler2' RETURNING id")
    events = desk.look("auditor", "/office/events", limit=2).json()["items"]
    assert [(e["by"], e["about"], e["act"]) for e in events] == [
        ("database", "person", "update"),
        ("admin", "membership", "insert"),
    ]
    assert (events[0]["before"]["name"], events[0]["after"]["name"]) == ("王建国", "改")
    assert "password_hash" not in events[0]["after"]
    assert desk.look("handler1", "/office/events").status_code == 403


@pytest.mark.parametrize("role", ["admin", "head", "deputy", "liaison", "discipline"])
def test_one_administrator_alone_makes_nobody_who_could_confirm_or_grant(
    desk: Desk, role: str
) -> None:
    """A new account of his own making gets no role that decides on proposals or on reveals."""
    new = {"account": "puppet", "name": "林木", "unit": "OFF", "confirm": True}
    assert desk.send("admin", "/office/people", new).status_code == 201
    ask = {"role": role, "unit": "BUR", "confirm": True}
    asked = desk.send("admin", "/office/people/puppet/roles", ask).json()
    assert asked["done"] is False, asked
    by_hand = (
        "WITH hand AS MATERIALIZED (SELECT set_config('banjie.office_actor', 'person:0', true))"
        " INSERT INTO membership (person_id, role, unit_id) SELECT p.id, %s, u.id"
        " FROM hand, person p, unit u WHERE p.account = 'puppet' AND u.code = 'BUR'"
    )
    with pytest.raises(psycopg.errors.IntegrityError, match="second person"):
        desk.one(by_hand, role)


@pytest.mark.parametrize(
    ("absent", "refused", "taken"),
    [("liaison", "office_head", "liaison2"), ("head", "office_head", "deputy")],
)
def test_standing_in_is_no_way_round_the_second_person(
    desk: Desk, absent: str, refused: str, taken: str
) -> None:
    """Who stands in for the liaison or the head was given such a role by two people."""
    day = (TODAY() + timedelta(days=3)).isoformat()
    leave = {"account": absent, "first_on": day, "last_on": day, "confirm": True}
    told = desk.send("admin", "/office/leave", {**leave, "substitute": refused})
    assert told.status_code == 409, told.text
    assert desk.send("admin", "/office/leave", {**leave, "substitute": taken}).status_code == 201

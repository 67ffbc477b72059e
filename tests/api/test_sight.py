"""What lists show is what `Desk.sees` allows, for everybody and every item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from adapters.sample import PEOPLE
from engine.boards import stalls
from engine.people import Actor
from engine.queries import Filters, worklist
from engine.stalls import sweep
from engine.views import read_item
from tests.api.conftest import ACCEPTANCE

if TYPE_CHECKING:
    from tests.api.conftest import Desk


def furnish(desk: Desk) -> list[str]:
    """Grievances about five units, some with sealed children, one assigned, one with an accused, and
    somebody on leave; all of them standing still for a fortnight.
    """
    for unit in ("第一分局", "第二分局", "执法稽查科", "法规科", "市局"):
        number = desk.submit(respondent=unit)["number"]
        desk.submit(respondent=unit, categories=["R01"])
        desk.move("intake", number, "register")
    first = desk.one(
        "SELECT min(number) FROM item WHERE state = 'screening' AND unit_id ="
        " (SELECT id FROM unit WHERE code = 'AUD')"
    )
    accused = {**ACCEPTANCE, "subject_officers_or_unknown": ["squad_handler", "law_hub2"]}
    desk.move("unit_head", first, "accept", accused)
    people = {"handlers": ["handler1", "ip_handler"], "declarations_signed": True}
    desk.move("unit_head", first, "assign", people)
    desk.one(
        "INSERT INTO leave (person_id, first_on, last_on, substitute_id) SELECT a.id,"
        " '2020-01-01', '2090-01-01', b.id FROM person a, person b"
        " WHERE a.account = 'branch2_head' AND b.account = 'counsellor2' RETURNING id"
    )
    desk.send("intake", "/practice/clock", {"advance": "12 working days"})
    counter = desk.app.state.counter
    sweep(desk.worker, counter.casework)
    numbers = desk.one("SELECT array_agg(number) FROM item WHERE closed_at IS NULL")
    return list(numbers)


def test_lists_show_what_may_be_seen(desk: Desk) -> None:
    """For each of fifty people: worklist, closed and number searches, stalls agree with the rule."""
    numbers = furnish(desk)
    counter = desk.app.state.counter
    casework = counter.casework
    hidden = shown = 0
    with desk.worker.transaction() as session:
        office = casework.house(session).office
        dossiers = [read_item(session, casework, number) for number in numbers]
        for person in PEOPLE:
            actor = Actor("person", office.person_named(person.account))
            allowed = {d.number for d in dossiers if casework.sees(d, actor)}
            hidden, shown = hidden + len(numbers) - len(allowed), shown + len(allowed)
            for filters in (Filters(), Filters(unit="BUR")):
                page = worklist(session, casework, actor, filters, limit=100)
                assert {row["number"] for row in page.items} == allowed, person.account
            found = {
                row["number"]
                for prefix in {number[:2] for number in numbers}
                for row in worklist(
                    session, casework, actor, Filters(number=prefix), limit=100
                ).items
            }
            assert found == allowed, person.account
            still = stalls(session, casework, actor, limit=100)
            assert {row["number"] for row in still.items} <= allowed, person.account
            stalled = worklist(session, casework, actor, Filters(stalled=True), limit=100)
            assert {row["number"] for row in stalled.items} == {
                d.number for d in dossiers if d.number in allowed and d.rung > 0
            }, person.account
    assert min(hidden, shown) > 100


def test_who_heads_a_unit_belongs_to_it_wherever_their_home_is(desk: Desk) -> None:
    """The head of the audit section heads the service section too: what is brought against it he
    neither finds nor moves, and somebody else hears of it.
    """
    number = desk.submit(respondent="SVC")["number"]
    assert desk.look("unit_head", f"/items/{number}").status_code == 404
    listed = desk.look("unit_head", "/items", q=number).json()["items"]
    assert listed == []
    wall = "SELECT set_config('banjie.principal', 'person:' || id, true) FROM person WHERE account = %s"
    with psycopg.connect(desk.url) as connection:
        connection.execute("SET LOCAL ROLE banjie_app")
        for account, seen in (("unit_head", 0), ("chief_of_staff", 1)):
            connection.execute(wall, (account,))
            found = connection.execute("SELECT FROM item WHERE number = %s", (number,)).fetchall()
            assert len(found) == seen, account
    desk.move("intake", number, "register", {"matter": "conduct"})
    assert desk.look("chief_of_staff", f"/items/{number}").status_code == 200

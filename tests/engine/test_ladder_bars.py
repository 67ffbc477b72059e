"""Nobody who must stay out ever hears of a stall, whoever is barred, away or gone (T8, B7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import effects, stalls
from engine.dossier import Dossier, HeldDuty
from engine.roster import CHAIN
from tests.casebook import MONDAY, day

if TYPE_CHECKING:
    from engine.casework import Casework
    from engine.people import Office
    from tests.casebook import Casebook

DAY = MONDAY.date()
ALWAYS = (date(2000, 1, 1), date(2100, 1, 1))


def standing(casework: Casework, office: Office, workflow: str, state: str, unit: int) -> Dossier:
    """An item of a workflow that stands in a state."""
    row: dict[str, Any] = {
        **dict.fromkeys(("parent_id", "closed_at", "code_hash", "subject_unit_id")),
        "id": 1,
        "number": "x",
        "revision": 1,
        "seq": 1,
        "head": b"",
        "family_id": 1,
        "rung": 0,
        "mandatory": False,
        "channel": "staff",
        "received_at": MONDAY,
        "entered_at": MONDAY,
        "clocks": [],
        "duties": [],
        "declared": [],
        "data": {},
        "state": state,
        "unit_id": unit,
        "sealed": casework.catalog.named(workflow).workflow.sealed,
    }
    bound = casework.catalog.named(workflow)
    return Dossier(None, row, bound, office, None, MONDAY)  # type: ignore[arg-type]


def free(office: Office, people: set[int]) -> set[int]:
    """Of these people, those who are there today and on no list of absences, by the plain rule."""
    away = {p for p, first, last, _ in office.leave if first <= DAY <= last}
    return people - away


def test_whoever_is_barred_a_rung_reaches_the_next_one_who_is_not(book: Casebook) -> None:
    """Random sets of accused, recused, respondent units and absences over every workflow's ladders."""
    house = book.do(book.casework.house).office
    everybody = sorted(house.people)
    units = sorted(house.units)
    places = [
        (name, state)
        for name, bound in book.casework.catalog.current.items()
        for state, spec in bound.workflow.states.items()
        if not spec.final
    ]

    @settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
    @given(
        place=st.sampled_from(places),
        unit=st.sampled_from(units),
        accused=st.sets(st.sampled_from(everybody), max_size=len(everybody)),
        recused=st.sets(st.sampled_from(everybody), max_size=10),
        assigned=st.sets(st.sampled_from(everybody), max_size=3),
        absent=st.dictionaries(
            st.sampled_from(everybody), st.sampled_from([None, *everybody]), max_size=12
        ),
        subject=st.sampled_from([None, *units]),
    )
    def check(
        place: tuple[str, str],
        unit: int,
        accused: set[int],
        recused: set[int],
        assigned: set[int],
        absent: dict[int, int | None],
        subject: int | None,
    ) -> None:
        leave = tuple((p, *ALWAYS, s if s != p else None) for p, s in absent.items())
        office = replace(house, leave=leave)
        dossier = standing(book.casework, office, *place, unit)
        dossier.subject_unit_id = subject
        shut = (
            set()
            if subject in {None, house.root}
            else {
                p for p, entry in house.people.items() if house.within(entry.unit_id, subject or 0)
            }
        )
        barred = accused | recused | shut
        dossier.duties = [
            *(HeldDuty(1, p, "subject", "accused", assigned=False, active=True) for p in accused),
            *(HeldDuty(2, p, "recused", "recused", assigned=False, active=True) for p in recused),
            *(
                HeldDuty(1, p, "handler", "work", assigned=True, active=True)
                for p in assigned - barred
            ),
        ]
        workflow = dossier.workflow
        ladders = {**book.casework.catalog.rulebook.ladders, **workflow.ladders}
        for ladder in ladders.values():
            for rung in ladder:
                for role in rung.tell:
                    told = effects.recipients(dossier, role)
                    assert not set(told) & barred
                    assert not set(told) & set(absent)
                    if role in CHAIN[1:]:
                        above = CHAIN[CHAIN.index(role) :]
                        members = {
                            p
                            for r in above
                            for p, at in house.members.get(r, ())
                            if at in house.above(unit)
                        }
                        assert told or not free(office, members - barred)

    check()


@pytest.mark.parametrize("seed", range(6))
def test_no_row_for_the_barred_is_ever_written_by_the_sweep(book: Casebook, seed: int) -> None:
    """Through the database: random people named and recused, then every rung climbed to the end."""
    number = book.assigned()
    accounts = [row["account"] for row in book.rows("SELECT account FROM person ORDER BY id")]
    named = [
        each for at, each in enumerate(accounts) if (at * 7 + seed) % 4 == 0 and each != "head"
    ]
    book.go(number, "name", "head", officers=named)
    before = book.rows("SELECT max(seq) AS seq FROM message")[0]["seq"]
    for days in range(5, 90, 12):
        stalls.sweep(book.database, book.casework, now=day(0) + timedelta(days=days))
    rows = book.rows(
        "SELECT DISTINCT p.account, m.status FROM message m JOIN person p ON p.id = m.recipient_id"
        " WHERE m.seq > %s",
        before,
    )
    assert rows
    assert not {row["account"] for row in rows} & set(named)

"""Leave with lawful substitutes, and what holds of an office however it was changed."""

from __future__ import annotations

import random
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from engine import effects
from engine.administration import leave, leaving, people, roles, units
from engine.administration.record import verify_office
from engine.administration.roles import clash
from engine.errors import BanjieError, Invalid, Refused
from engine.people import read_office
from tests.officebook import change, holders

if TYPE_CHECKING:
    from engine.administration.register import Register
    from tests.casebook import Casebook

STEPS = 40


def on(days: int) -> date:
    """So many days from today."""
    return date.today() + timedelta(days=days)  # noqa: DTZ011 - the sample office keeps the host's day


UNLAWFUL = {
    "nobody of that name": ("handler1", "nobody", Invalid),
    "himself": ("handler1", "handler1", Refused),
    "an auditor": ("handler1", "auditor", Refused),
    "a handler for a deputy": ("deputy", "handler2", Refused),
    "somebody without a certificate": ("handler1", "reporter", Refused),
    "somebody on leave": ("handler1", "law_handler", Refused),
    "somebody who will have left": ("handler1", "office_handler", Refused),
    "an administrator for the head": ("head", "admin", Refused),
}


@pytest.mark.parametrize("case", UNLAWFUL)
def test_an_unlawful_substitute_is_refused(book: Casebook, case: str) -> None:
    """Whoever could not bear the roles, or is not there on all of the days, does not stand in."""
    account, substitute, error = UNLAWFUL[case]
    change(book, "admin", lambda r: leave.add(r, "law_handler", on(4), on(4), None))
    book.run("UPDATE person SET left_on = current_date + 5 WHERE account = 'office_handler'")
    book.refused(
        error,
        lambda: change(book, "admin", lambda r: leave.add(r, account, on(1), on(5), substitute)),
    )


def test_a_leave_is_shortened_and_taken_back(book: Casebook) -> None:
    """It ends earlier, never later; it is taken back before it begins; it never overlaps another."""
    first = change(book, "admin", lambda r: leave.add(r, "handler1", on(0), on(9), "handler2"))
    for days in (10, -2):
        with pytest.raises(Invalid):
            change(book, "admin", partial(leave.shorten, leave=first, last_on=on(days)))
    with pytest.raises(Refused):
        change(book, "admin", lambda r: leave.add(r, "handler1", on(9), on(12), None))
    change(book, "admin", lambda r: leave.shorten(r, first, on(3)))
    second = change(book, "admin", lambda r: leave.add(r, "handler1", on(4), on(12), None))
    change(book, "admin", lambda r: leave.cancel(r, second))
    assert [row["last_on"] for row in book.rows("SELECT last_on FROM leave")] == [on(3)]
    assert book.do(verify_office)[1] == []


class Disorder:
    """Random changes of an office, lawful and unlawful, by an administrator."""

    def __init__(self, book: Casebook, seed: int) -> None:
        self.book = book
        self.draw = random.Random(seed)
        self.made = 0

    def step(self) -> bool:
        """One change; whether it was made."""
        verb = self.draw.choice(
            [self.unit, self.move, self.close, self.person, self.role, self.away, self.leaver]
        )
        try:
            change(self.book, "admin", verb)
        except BanjieError:
            return False
        return True

    def one(self, statement: str) -> Any:
        """A random value of a column."""
        found = [next(iter(row.values())) for row in self.book.rows(statement)]
        return self.draw.choice(found)

    def code(self) -> str:
        """A unit."""
        return str(self.one("SELECT code FROM unit"))

    def account(self) -> str:
        """Somebody who is there, the administrators aside: they change the office."""
        return str(
            self.one("SELECT account FROM person WHERE left_on IS NULL AND account <> 'admin'")
        )

    def unit(self, register: Register) -> None:
        """A new unit."""
        self.made += 1
        units.create(register, f"N{self.made}", f"新科{self.made}", self.code())

    def move(self, register: Register) -> None:
        """A unit goes below another, or tries to go below itself."""
        units.change(register, self.code(), None, under=self.code())

    def close(self, register: Register) -> None:
        """A unit closes, if it is empty."""
        units.close(register, self.code(), None)

    def person(self, register: Register) -> None:
        """Somebody moves, or loses a certificate."""
        changes: dict[str, Any] = {"unit": self.code()}
        if self.draw.random() < 0.3:
            changes["certified_until"] = on(-1)
        people.change(register, self.account(), None, changes)

    def role(self, register: Register) -> None:
        """A role given or taken."""
        role = self.draw.choice(sorted(register.roles))
        granted = self.draw.random() < 0.6
        roles.change(register, self.account(), role, self.code(), granted=granted)

    def away(self, register: Register) -> None:
        """A leave."""
        first = self.draw.randrange(5)
        substitute = self.draw.choice([None, self.account()])
        leave.add(register, self.account(), on(first), on(first + 3), substitute)

    def leaver(self, register: Register) -> None:
        """Somebody leaves at once."""
        leaving.leave(register, self.book.casework, self.account(), on(0))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_changed_the_office_stays_sound(book: Casebook, seed: int) -> None:
    """The tree is a tree, no roles exclude one another, and every open item has somebody who holds
    it lawfully or somebody who is told.
    """
    numbers = [book.assigned() for _ in range(4)]
    disorder = Disorder(book, seed)
    made = sum(disorder.step() for _ in range(STEPS))
    assert made > STEPS // 5
    office = book.do(read_office)
    assert sum(unit.parent_id is None for unit in office.units.values()) == 1
    assert all(office.root in office.above(unit) for unit in office.units)
    for person in office.people:
        held = [role for role, _ in office.roles(person)]
        assert clash(held, held) is None
    for number in numbers:
        gone = {p.account for p in office.people.values() if office.left(p.id, on(0))}
        assert not holders(book, number) & gone
        heard = book.do(partial(_hearers, book, number))
        assert holders(book, number) or heard
    assert book.do(verify_office)[1] == []


def _hearers(book: Casebook, number: str, session: Any) -> list[int]:
    row = book.rows("SELECT id FROM item WHERE number = %s", number)[0]
    dossier = book.casework.held(session, row["id"], None)
    return [*effects.holders(dossier), *effects.recipients(dossier, "unit_head")]

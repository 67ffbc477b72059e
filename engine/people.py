"""Who works here, who holds which role for which unit, and who may be told.

The office is small and changes seldom, so every process keeps a copy (`Office`) and replaces it
when `bureau.office_revision` says that it is old; that number is read in the same transaction as
the item, so no decision rests on a stale copy.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from engine.database import execute
from engine.roster import BELONGING, Roster

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """A unit of the office."""

    id: int
    code: str
    name: str
    aliases: tuple[str, ...]
    parent_id: int | None
    closed_on: date | None = None


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """Somebody of the office."""

    id: int
    account: str
    name: str
    unit_id: int
    email: str | None
    certified_until: date | None
    left_on: date | None
    post: str | None = None
    post_kind: str = "staff"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person, the public through the public door, or the system itself."""

    kind: Literal["person", "public", "sys"]
    person: PersonEntry | None = None
    at_desk: bool = False  # the public, but from a browser in which staff are logged in

    @property
    def id(self) -> int | None:
        """The person's id, where there is one."""
        return self.person.id if self.person else None

    @property
    def account(self) -> str:
        """What the journal calls the actor."""
        return self.person.account if self.person else self.kind


NOBODY: frozenset[int] = frozenset()
PUBLIC = Actor("public")
AT_DESK = Actor("public", at_desk=True)
SYS = Actor("sys")


@dataclass(frozen=True)
class Office:
    """The units, the people, their roles and their leave, as of one revision."""

    revision: int
    units: dict[int, UnitEntry]
    people: dict[int, PersonEntry]
    members: dict[str, tuple[tuple[int, int], ...]]  # role -> (person, unit of the scope)
    leave: tuple[tuple[int, date, date, int | None], ...]
    endpoints: tuple[tuple[int, int], ...]  # (endpoint, unit)
    conflicts: tuple[tuple[int, str, int], ...] = ()  # (person, "person" or "unit", the other's id)
    _above: dict[int, tuple[int, ...]] = field(default_factory=dict, compare=False)
    _shut_out: dict[int, frozenset[int]] = field(default_factory=dict, compare=False)

    @cached_property
    def root(self) -> int:
        """The bureau."""
        return next(unit.id for unit in self.units.values() if unit.parent_id is None)

    @cached_property
    def _accounts(self) -> dict[str, PersonEntry]:
        return {person.account: person for person in self.people.values()}

    @cached_property
    def _unit_names(self) -> dict[str, UnitEntry]:
        return {
            word: unit
            for unit in self.units.values()
            for word in (unit.code, unit.name, *unit.aliases)
        }

    @cached_property
    def _roles(self) -> dict[int, tuple[tuple[str, int], ...]]:
        held: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for role, members in self.members.items():
            for person, unit in members:
                held[person].append((role, unit))
        return {person: tuple(roles) for person, roles in held.items()}

    def unit_named(self, word: str) -> UnitEntry | None:
        """The unit of this code, name or alias."""
        return self._unit_names.get(word.strip())

    def person_named(self, account: str) -> PersonEntry | None:
        """The person of this account."""
        return self._accounts.get(account)

    def above(self, unit: int) -> tuple[int, ...]:
        """The unit itself, then the units above it, up to the bureau."""
        path = self._above.get(unit)
        if path is None:
            climb: list[int] = []
            at: int | None = unit
            while at is not None:
                climb.append(at)
                at = self.units[at].parent_id
            path = self._above[unit] = tuple(climb)
        return path

    def within(self, unit: int, around: int) -> bool:
        """Whether a unit is another one or lies below it."""
        return around in self.above(unit)

    def below(self, unit: int) -> list[int]:
        """The unit and everything below it."""
        return [other for other in self.units if self.within(other, unit)]

    def roles(self, person: int) -> tuple[tuple[str, int], ...]:
        """What somebody holds: (role, unit of the scope)."""
        return self._roles.get(person, ())

    def holds(self, person: int, role: str, unit: int) -> bool:
        """Whether somebody holds a role for the items of a unit."""
        path = self.above(unit)
        return any(name == role and scope in path for name, scope in self.roles(person))

    def units_of(self, person: int) -> tuple[int, ...]:
        """The units somebody belongs to: their home, and those they head or handle for."""
        held = (unit for role, unit in self.roles(person) if role in BELONGING)
        return tuple(dict.fromkeys((self.people[person].unit_id, *held)))

    def shut_out_of(self, subject_unit: int | None) -> frozenset[int]:
        """Everybody who belongs to the unit complained of; of the whole bureau nobody is."""
        if subject_unit is None or subject_unit == self.root:
            return NOBODY
        found = self._shut_out.get(subject_unit)
        if found is None:
            found = self._shut_out[subject_unit] = frozenset(
                person.id
                for person in self.people.values()
                if any(self.within(unit, subject_unit) for unit in self.units_of(person.id))
            )
        return found

    def left(self, person: int, on: date) -> bool:
        """Whether somebody does not work here any more on a day."""
        entry = self.people.get(person)
        return entry is None or (entry.left_on is not None and entry.left_on <= on)

    def present(self, person: int, on: date) -> int | None:
        """Somebody, or on days of leave the substitute; None where nobody is there."""
        if self.left(person, on):
            return None
        for absent, first, last, substitute in self.leave:
            if absent == person and first <= on <= last:
                if substitute is None or substitute == person or self.left(substitute, on):
                    return None
                away = any(s == substitute and f <= on <= t for s, f, t, _ in self.leave)
                return None if away else substitute
        return person

    def stands_in(self, person: int, role: str, unit: int, on: date) -> bool:
        """Whether somebody holds a role for a unit, or replaces an absent holder today."""
        if self.holds(person, role, unit):
            return True
        return any(
            substitute == person and first <= on <= last and self.holds(absent, role, unit)
            for absent, first, last, substitute in self.leave
        )

    def members_of(self, role: str, unit: int, on: date, barred: Collection[int] = ()) -> list[int]:
        """Who is there to be told as a role for a unit: the nearest unit upwards that has anybody."""
        members = self.members.get(role, ())
        for level in self.above(unit):
            found = self.there((person for person, scope in members if scope == level), on, barred)
            if found:
                return found
        return []

    def there(self, people: Iterable[int], on: date, barred: Collection[int]) -> list[int]:
        """Those who are present (or their substitutes) and not barred, each once, in order."""
        present = (self.present(person, on) for person in people if person not in barred)
        return [
            person
            for person in dict.fromkeys(present)
            if person is not None and person not in barred
        ]

    def roster(self, on: date) -> Roster:
        """The office as the silence proof sees it on a day."""
        there = {p.id: p.account for p in self.people.values() if not self.left(p.id, on)}
        codes = {unit.id: unit.code for unit in self.units.values()}
        away: dict[str, str | None] = {}
        for person, first, last, substitute in self.leave:
            if person in there and first <= on <= last:  # of two entries the first one counts
                away.setdefault(there[person], there.get(substitute) if substitute else None)
        return Roster(
            units={
                unit.code: codes[unit.parent_id] if unit.parent_id is not None else None
                for unit in self.units.values()
            },
            people={account: codes[self.people[id_].unit_id] for id_, account in there.items()},
            memberships=frozenset(
                (there[person], role, codes[unit])
                for role, members in self.members.items()
                for person, unit in members
                if person in there
            ),
            away=away,
            certified=frozenset(
                account
                for id_, account in there.items()
                if (until := self.people[id_].certified_until) is not None and until >= on
            ),
        )


def read_office(session: Session) -> Office:
    """The office as this transaction sees it (seven small queries)."""
    revision = execute(session, "SELECT office_revision FROM bureau").fetchone()
    units = execute(
        session, "SELECT id, code, name, aliases, parent_id, closed_on FROM unit ORDER BY id"
    )
    unit_entries = {
        row["id"]: UnitEntry(**{**row, "aliases": tuple(row["aliases"])}) for row in units
    }
    people = execute(
        session,
        "SELECT id, account, name, unit_id, email, certified_until, left_on, post, post_kind"
        " FROM person ORDER BY id",
    )
    person_entries = {row["id"]: PersonEntry(**row) for row in people}
    members: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in execute(session, "SELECT role, person_id, unit_id FROM membership ORDER BY 2, 3"):
        members[row["role"]].append((row["person_id"], row["unit_id"]))
    leave = execute(
        session, "SELECT person_id, first_on, last_on, substitute_id FROM leave ORDER BY id"
    )
    endpoints = execute(session, "SELECT id, unit_id FROM endpoint WHERE active ORDER BY id")
    conflicts = execute(
        session,
        "SELECT person_id, CASE WHEN other_unit_id IS NULL THEN 'person' ELSE 'unit' END AS kind,"
        " coalesce(other_person_id, other_unit_id) AS other FROM officer_conflict"
        " WHERE ended_on IS NULL AND outside IS NULL UNION ALL"
        # one's own word binds oneself; the other is bound by what somebody else looked into, or
        # whoever expects to be accused would declare himself related to all who could look into it
        " SELECT other_person_id, 'person', person_id FROM officer_conflict"
        " WHERE ended_on IS NULL AND other_person_id IS NOT NULL AND declared_by <> person_id"
        " ORDER BY 1, 2, 3",
    )
    return Office(
        revision=revision["office_revision"] if revision else 0,
        units=unit_entries,
        people=person_entries,
        members={role: tuple(held) for role, held in members.items()},
        leave=tuple(
            (row["person_id"], row["first_on"], row["last_on"], row["substitute_id"])
            for row in leave
        ),
        endpoints=tuple((row["id"], row["unit_id"]) for row in endpoints),
        conflicts=tuple((row["person_id"], row["kind"], row["other"]) for row in conflicts),
    )

"""The office as the silence proof sees it: who is there, for which units, and who is told instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    T = TypeVar("T")

BELONGING = ("handler", "unit_head")
"""Roles whose bearers belong to the unit they hold them for, wherever their home is."""
CHAIN = ("handler", "unit_head", "deputy", "head", "party_group", "liaison", "discipline")
"""Who is told next when nobody of a role may be told: a push never ends in nothing."""

People = frozenset[str]
NOBODY: People = frozenset()


def _remembered(ask: Callable[..., T]) -> Callable[..., T]:
    """Answer a question to a roster once: a proof asks the same few thousand times over."""

    @wraps(ask)
    def answer(roster: Roster, *about: Any) -> T:
        key = (ask.__name__, *about)
        if key not in roster.answers:
            roster.answers[key] = ask(roster, *about)
        return roster.answers[key]  # type: ignore[no-any-return]

    return answer


@dataclass(frozen=True)
class Roster:
    """Who is in the office on one day.

    ``units`` maps a code to the code above it (None for the bureau), ``people`` an account to its
    home unit, ``away`` those on leave to who stands in (None: nobody); ``memberships`` are
    (account, role, unit of the scope); ``certified`` None means that everybody is.
    """

    units: Mapping[str, str | None]
    people: Mapping[str, str]
    memberships: frozenset[tuple[str, str, str]]
    away: Mapping[str, str | None] = field(default_factory=dict)
    certified: People | None = None

    @cached_property
    def answers(self) -> dict[tuple[Any, ...], Any]:
        """What was asked and answered: a roster never changes."""
        return {}

    @cached_property
    def _members(self) -> dict[tuple[str, str], People]:
        held: dict[tuple[str, str], set[str]] = {}
        for person, role, unit in self.memberships:
            held.setdefault((role, unit), set()).add(person)
        return {key: frozenset(people) for key, people in held.items()}

    @_remembered
    def above(self, unit: str) -> list[str]:
        """The unit itself, then the units above it, up to the bureau."""
        path: list[str] = []
        at: str | None = unit
        while at is not None and at not in path:
            path.append(at)
            at = self.units.get(at)
        return path

    def within(self, unit: str, around: str) -> bool:
        """Whether a unit is another one or lies below it."""
        return around in self.above(unit)

    @_remembered
    def shut_out(self, subject: str | None) -> People:
        """Who belongs to the unit complained of; of the bureau as a whole nobody does."""
        if subject is None or self.units.get(subject) is None:
            return NOBODY
        held = ((p, unit) for p, role, unit in self.memberships if role in BELONGING)
        return frozenset(
            p for p, unit in (*self.people.items(), *held) if self.within(unit, subject)
        )

    def there(self, people: Iterable[str], barred: People) -> People:
        """Those who are present (or their substitutes) and not barred."""
        return (
            frozenset(
                stand_in
                for person in people
                if person not in barred and (stand_in := self._present(person)) is not None
            )
            - barred
        )

    def _present(self, person: str) -> str | None:
        if person not in self.away:
            return person
        substitute = self.away[person]
        return None if substitute is None or substitute in self.away else substitute

    @_remembered
    def members(self, role: str, unit: str, barred: People = NOBODY) -> People:
        """Who is there in a role for a unit: the nearest unit upwards that has anybody."""
        for level in self.above(unit):
            if found := self.there(self._members.get((role, level), NOBODY), barred):
                return found
        return NOBODY

    @_remembered
    def entitled(self, role: str, unit: str, barred: People = NOBODY) -> People:
        """Everybody there who may act in a role for a unit, from whatever level above it."""
        return frozenset().union(
            *(
                self.there(self._members.get((role, level), NOBODY), barred)
                for level in self.above(unit)
            )
        )

    @_remembered
    def everyone(self, role: str, barred: People = NOBODY) -> People:
        """Everybody there who has a role anywhere: who may be named to hold an item."""
        return self.there((p for p, held, _ in self.memberships if held == role), barred)

    def recipients(self, role: str, unit: str, barred: People = NOBODY) -> People:
        """Who is told as a role for a unit: its members, else those of the next role of CHAIN."""
        climb = CHAIN[CHAIN.index(role) :] if role in CHAIN else (role, *CHAIN)
        return next((found for r in climb if (found := self.members(r, unit, barred))), NOBODY)

    def outside(self, person: str, unit: str) -> bool:
        """Whether somebody's home lies outside a unit; at the bureau itself everybody counts."""
        return self.units.get(unit) is None or not self.within(self.people[person], unit)

"""Values the system computes for an act, inside its transaction and before its guards are asked.

A fill is to a value what a guard is to a permission: a named, tested Python function that a workflow
file refers to. It says which fields it gives; what a person gave for them is only a wish it may read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.forms import accept
from engine.machine import Fill

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.calendars import Calendar
    from engine.definition import Transition
    from engine.dossier import Dossier
    from engine.machine import Bound
    from engine.people import Actor, Office
    from engine.rulebook import Rulebook

FILLS: dict[str, Fill] = {}


@dataclass(frozen=True, slots=True)
class Filling:
    """An act about to be filled: all a fill may look at.

    The session is the engine's own, in the act's transaction; a fill reads and never writes.
    """

    session: Session
    bound: Bound
    office: Office
    calendar: Calendar
    now: datetime
    actor: Actor
    held: Mapping[str, Any]  # what is on the item; of one that begins, the derived fields
    given: Mapping[str, Any]  # what this act brings, typed; personal fields included
    dossier: Dossier | None = None  # the item under its lock; None where it only begins

    @property
    def rulebook(self) -> Rulebook:
        """The terms, quantities and lists of the law."""
        return self.bound.rulebook


Compute = Callable[[Filling], Mapping[str, Any]]


def fill(*gives: str) -> Callable[[Compute], Compute]:
    """Register a function under its name, with the fields it gives (or leaves empty)."""

    def register(compute: Compute) -> Compute:
        FILLS[compute.__name__] = Fill(frozenset(gives), compute)
        return compute

    return register


def of_act(
    dossier: Dossier, transition: Transition, actor: Actor, data: Mapping[str, Any]
) -> Filling:
    """The filling of a move of a held item. Raises Invalid where what is given does not fit."""
    given = accept(
        dossier.workflow,
        transition,
        data,
        dossier.data,
        dossier.office,
        demand=False,
        asked=dossier.questionnaire,
    )
    return Filling(
        dossier.session,
        dossier.bound,
        dossier.office,
        dossier.calendar,
        dossier.now,
        actor,
        held=dossier.data,
        given=given.all,
        dossier=dossier,
    )


def filled(fill: Fill, filling: Filling, data: Mapping[str, Any]) -> dict[str, Any]:
    """What an act brings once its fill has computed: of the fields it gives, its values alone.

    KeyError where it computes a field it did not register for.
    """
    computed = fill.compute(filling)
    if strangers := computed.keys() - fill.gives:
        raise KeyError(f"computes {', '.join(sorted(strangers))} without having said so")
    return {**{name: data[name] for name in data if name not in fill.gives}, **computed}

"""Who is shown which figures: those who lead and supervise the bureau all of it, heads of units their own,
and each of them nothing of what they may not know of (ADR-0027).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.database import passing
from engine.errors import Busy, Invalid, NotPermitted
from engine.figures import Figure, Ground, Period, Reader, Scope, Stage, figures_of
from engine.paging import unknown
from engine.sight import sight
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.desk import Desk, House
    from engine.people import Actor, Office

READERS = ("law_hub", "deputy", "head", "auditor", "unit_head")
"""Roles whose holders are shown the figures of the units they hold them for."""

TOO_MUCH = (
    "一次统计的事项太多,请缩小期间或者单位后再查。"
    "Too much to count at once; narrow the period or the unit and ask again."
)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The figures somebody is shown, and what they are of."""

    period: Period
    unit: str
    as_of: datetime
    figures: list[Figure]


def disclose(
    session: Session,
    desk: Desk,
    actor: Actor,
    *,
    period: str | None = None,
    unit: str | None = None,
    as_of: datetime | None = None,
) -> Disclosure:
    """The figures of a period (default: this month) as of a moment (default: now), of a unit with those
    below it (default: all the actor may ask for).

    Raises Invalid for a period or unit that does not exist and for a moment before the period or not
    yet come, NotPermitted for a unit that is not the actor's to ask for.
    """
    house = desk.house(session)
    moment = house.now if as_of is None else as_of
    asked = _period(period, house)
    if moment > house.now:
        raise _wrong("as_of", "时点不能晚于现在。A moment that has come, please.")
    if moment <= asked.begins:
        raise _wrong("as_of", "该时点期间尚未开始。The period had not begun by then.")
    name, units = _units(house.office, actor, unit)
    scope = Scope(Stage(asked, name, moment), units, _reader(desk, house, actor))
    ground = Ground(
        *(session, scope, house.office, house.calendar),
        rulebook=desk.catalog.rulebook,
        services=next(iter(desk.catalog.current.values())).beside.services,
    )
    try:
        figures = figures_of(ground)
    except Exception as error:
        if passing(error):
            raise Busy(TOO_MUCH) from None
        raise
    return Disclosure(asked, name, moment, figures)


def _period(text: str | None, house: House) -> Period:
    if text is None:
        return Period.month_of(house.now.astimezone(SHANGHAI).date())
    try:
        return Period.parse(text)
    except ValueError as error:
        raise _wrong("period", str(error)) from None


def _wrong(parameter: str, sentence: str) -> Invalid:
    return Invalid([(f"/{parameter}", sentence)])


def _units(office: Office, actor: Actor, unit: str | None) -> tuple[str, tuple[int, ...]]:
    """What the figures are of, by name, and the units counted."""
    held = [at for role, at in office.roles(actor.id or 0) if role in READERS]
    if unit is not None:
        found = office.unit_named(unit)
        if found is None:
            raise unknown("unit", "没有这个单位。There is no such unit.")
        if not any(office.within(found.id, each) for each in held):
            raise NotPermitted(
                "只能查看本单位的数字。These are figures of another unit; ask for those of your own."
            )
        return found.code, tuple(office.below(found.id))
    top = [each for each in dict.fromkeys(held) if not set(office.above(each)[1:]) & set(held)]
    name = "+".join(sorted(office.units[each].code for each in top))
    return name, tuple(dict.fromkeys(below for each in top for below in office.below(each)))


def _reader(desk: Desk, house: House, actor: Actor) -> Reader:
    """What somebody may know of: the rule of lists, for sealed work as for any other."""
    look = sight(desk, house, actor)
    sealed = {b.workflow.workflow for b in desk.catalog.current.values() if b.workflow.sealed}
    confided = {
        (workflow, unit)
        for scope in look.scopes
        for workflow in sealed.intersection(scope.workflows)
        for unit in scope.units
    }
    return Reader((look.person,), look.above, tuple(sorted(confided)))

"""Who hears of an item that stands still, and after how long at the latest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache, cached_property
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from engine.calendars import Roll, carried
from engine.checking.naming import fields_of_guard
from engine.notation import BUILT_IN_ROLES, HOLDER
from engine.roster import NOBODY, People
from engine.workdays import SHANGHAI, Moment, Span, Unit, due, monthly, point

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from engine.checking.configurations import Configuration, Step
    from engine.definition import Workflow
    from engine.roster import Roster
    from engine.rulebook import Rule, Rulebook, Rung

IDLE = "idle"
YEARS = 10
"""Published years whose every day is tried as a start when the worst case is looked for."""
STRIDE = 16
"""So many days apart they are tried first."""


class Scene(NamedTuple):
    """Whose item it is, and which unit it complains of: both decide who may hear and act."""

    unit: str
    subject: str | None


class Cover(NamedTuple):
    """A clock that runs out on an item.

    ``fresh``: started by the very move that led here, so that none of its rungs can have rung
    before. ``lapse``: it ends the wait by itself at the due moment. ``dated``: it may be due on a
    date that people name, however far away.
    """

    clock: str
    rules: tuple[str, ...]
    ladder: str | None
    fresh: bool
    lapse: bool = False
    dated: bool = False

    @property
    def sure(self) -> bool:
        """Whether it rings within a time that is known beforehand."""
        return self.fresh and not self.dated


class Wait(NamedTuple):
    """How long until somebody hears: as the law counts it, and in calendar days at the worst."""

    days: int
    chinese: str
    english: str


@dataclass(frozen=True)
class Listening:
    """One workflow under one rulebook in one office."""

    workflow: Workflow
    rulebook: Rulebook
    roster: Roster

    @cached_property
    def _known(self) -> dict[tuple[str, str, People], People]:
        return {}

    def _recipients(self, role: str, unit: str, barred: People) -> People:
        key = (role, unit, barred)
        if key not in self._known:
            self._known[key] = self.roster.recipients(role, unit, barred)
        return self._known[key]

    @cached_property
    def assigned(self) -> frozenset[str]:
        """The roles whose people are named item by item."""
        effects = (e for _, t in self.workflow.moves() for e in t.effects)
        return frozenset(e.assign.role for e in effects if e.assign)

    def rungs(self, ladder: str | None) -> tuple[Rung, ...]:
        """A ladder, the workflow's own before the common one of that name."""
        if ladder is None:
            return ()
        return self.workflow.ladders.get(ladder) or self.rulebook.ladders.get(ladder, ())

    def covers(self, step: Step) -> list[Cover]:
        """The clocks that will ring while an item stands where a step left it."""
        at, found = step.after, []
        for name in sorted(at.running):
            spec = self.workflow.deadlines[name]
            rules = (spec.rule, *(spec.instead.rules.values() if spec.instead else ()))
            lapse = spec.lapses_into is not None and self.ends_by_itself(at, name)
            if self.rungs(spec.ladder) or lapse:
                fresh, is_dated = name in step.started, spec.until is not None
                found.append(Cover(name, rules, spec.ladder, fresh, lapse, is_dated))
        state = self.workflow.states[at.state]
        ladder = self.workflow.idle_ladder_in(at.state)
        if state.idle is not None and self.rungs(ladder):
            found.append(Cover(IDLE, (state.idle,), ladder, fresh=True))
        return found

    def ends_by_itself(self, at: Configuration, clock: str) -> bool:
        """Whether the system moves the item on at the due moment, whatever else is the case."""
        name = self.workflow.deadlines[clock].lapses_into
        variant = self.workflow.variant(name, at.state) if name else None
        if variant is None or variant.to == at.state or "sys" not in variant.by:
            return False
        return all(
            text == f"lapsed.{clock}"
            or (text.startswith("notice_delivered") and _given(fields_of_guard(text), at))
            for text in variant.guards
        )

    def scenes(self) -> Iterator[Scene]:
        """Every unit an item may belong to, with every unit it may complain of."""
        units, home = self.roster.units, self.workflow.home
        subjects = [None, *units] if self.workflow.subject else [None]
        for subject in subjects:
            if home.instead is not None and subject in home.unless_subject:
                belongs = [home.instead]
            elif home.field is not None and home.field == self.workflow.subject:
                belongs = [subject] if subject else [home.unit] if home.unit else [*units]
            elif home.field is None and home.unit is not None:
                belongs = [home.unit]
            else:
                belongs = [*units]
            yield from (Scene(unit, subject) for unit in belongs if unit in units)

    def pool(self, role: str, scene: Scene, barred: People) -> People:
        """Everybody there who may act in a role on an item of this scene."""
        if role in self.assigned:
            return self.roster.everyone(role, barred)
        return self.roster.entitled(role, scene.unit, barred)

    def holders(self, state: str, scene: Scene, barred: People) -> People:
        """Everybody who may be the one to move an item on from a state."""
        roles = self.workflow.holders(state)
        return NOBODY.union(*(self.pool(role, scene, barred) for role in roles))

    def hear(self, rung: Rung, state: str, scene: Scene, barred: People) -> People:
        """Who is told by a rung, after the fallback along CHAIN."""
        told = NOBODY
        for role in rung.tell:
            if role in BUILT_IN_ROLES:
                continue
            if role == HOLDER:
                roles = self.workflow.holders(state)
                members = NOBODY.union(*(self.roster.members(r, scene.unit, barred) for r in roles))
                told |= members or self._recipients("handler", scene.unit, barred)
            else:
                told |= self._recipients(role, scene.unit, barred)
        return told

    def wait(self, cover: Cover, state: str, scene: Scene, barred: People) -> Wait | None:
        """The longest until a cover tells somebody but the holders; None where it never does."""
        holders = self.holders(state, scene, barred)
        for rung in self.rungs(cover.ladder):
            if self.hear(rung, state, scene, barred) - holders:
                return self._until(cover, rung.at)
        return self._until(cover, Moment(100)) if cover.lapse else None

    def _until(self, cover: Cover, at: Moment) -> Wait | None:
        versions = [
            max(self.rulebook.rules[name], key=lambda rule: rule.since)
            for name in cover.rules
            if name in self.rulebook.rules
        ]
        waits = [_wait(rule, at) for rule in versions]
        return max(waits, key=lambda wait: wait.days) if waits else None


def _given(fields: Iterable[str], at: Configuration) -> bool:
    return all(f"field {name}" in at.marks for name in fields)


def _wait(rule: Rule, at: Moment) -> Wait:
    if rule.day_of_month is not None:
        days = _worst_month(rule.day_of_month, rule.roll, at.after)
        after_zh = f"之后{at.after.chinese}" if at.after else ""
        after_en = f" and {at.after}" if at.after else ""
        return Wait(
            days,
            f"至每月{rule.day_of_month}日{after_zh}",
            f"until the {rule.day_of_month}th of the month{after_en}",
        )
    days = _worst(*_plainly(rule.within, rule.roll, at))
    if at.after:
        return Wait(
            days, f"{rule.within.chinese}加{at.after.chinese}", f"{rule.within} and {at.after}"
        )
    part = Span(-(-rule.within.amount * at.percent // 100), rule.within.unit)
    return Wait(days, part.chinese, str(part))


@cache
def _starts() -> list[datetime]:
    """Noon of every day of the last ten published years."""
    last = carried().horizon
    first = last.replace(year=last.year - YEARS + 1, month=1, day=1)
    noon = datetime.combine(first, time(12), SHANGHAI)
    return [noon + timedelta(days=n) for n in range((last - first).days - 40)]


def _plainly(span: Span, roll: Roll, at: Moment) -> tuple[Span, Roll, Moment]:
    """The same moment, said in one way: a share of a term is a day of it, and a working day is never
    rolled. So the worst case of many rules is looked for once.
    """
    if span.unit in {Unit.DAYS, Unit.WORKING_DAYS} and at.after is None:
        counted = -(-span.amount * at.percent // 100)
        if counted < span.amount:
            span, roll = Span(counted, span.unit), Roll.NONE
        at = Moment(100)
    return span, Roll.NONE if span.unit is Unit.WORKING_DAYS else roll, at


@cache
def _worst(span: Span, roll: Roll, at: Moment) -> int:
    """The most calendar days from an event to a moment of the deadline it starts."""
    calendar = carried()

    def end(start: datetime) -> datetime:
        found = point(calendar, start, span, roll, at)
        if found is None:
            raise AssertionError  # nothing pauses it
        return found

    return _longest(end)


@cache
def _worst_month(day: int, roll: Roll, after: Span | None) -> int:
    calendar, longest = carried(), 0
    for start in _starts():
        end = monthly(calendar, start.date(), day, roll).at
        if after:
            beyond = due(calendar, end - timedelta(hours=1), after)
            end = beyond.at if beyond else end
        longest = max(longest, _days(start, end))
    return longest


def _longest(end: Callable[[datetime], datetime]) -> int:
    """The most days from any start to its end, where no later start ends earlier.

    Between two starts nothing takes longer than from the first of them to the end of the second: the
    most promising stretch is halved until none can beat the longest found.
    """
    starts = _starts()
    ends = {at: end(starts[at]) for at in (*range(0, len(starts), STRIDE), len(starts) - 1)}
    longest = max(_days(starts[at], ends[at]) for at in ends)
    stretches: list[tuple[int, int, int]] = []

    def consider(first: int, last: int) -> None:
        if last - first > 1:
            most = _days(starts[first + 1], ends[last])
            heappush(stretches, (-most, first, last))

    for first, last in pairwise(sorted(ends)):
        consider(first, last)
    while stretches and -stretches[0][0] > longest:
        _, first, last = heappop(stretches)
        middle = (first + last) // 2
        ends[middle] = end(starts[middle])
        longest = max(longest, _days(starts[middle], ends[middle]))
        consider(first, middle)
        consider(middle, last)
    return longest


def _days(start: datetime, end: datetime) -> int:
    """Calendar days after that of the start; an end at 24:00 belongs to the day before."""
    return max(0, ((end - timedelta(microseconds=1)).date() - start.date()).days)

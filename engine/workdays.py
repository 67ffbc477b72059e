"""Lengths of time as the law states them, and the day each of them ends.

The day of the event is day 0 in Asia/Shanghai, whatever the hour, and is not counted (民法典 §201);
the last day ends at 24:00 (§203). Working days, days and hours are never turned into one another:
the unit is part of the rule.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from engine.calendars import FIRST, LAST, Roll
from engine.pauses import along, in_order, pause_around
from engine.timetables import BUREAU_HOURS, Timetable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.calendars import Calendar

    Pauses = Sequence[tuple[date, date | None]]
    """From when to when a clock stood still; dates or aware datetimes; None: still does."""

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
DESK_OPENS: Final = time(9)  # when a reminder for a day goes out

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_WHOLE: Final = 100  # percent
_CLOSING: Final = "close of business"
_TICK: Final = timedelta(microseconds=1)


class Unit(StrEnum):
    """What a rule counts in."""

    DAYS = "days"  # 日/自然日
    WORKING_DAYS = "working days"  # 工作日
    HOURS = "hours"  # by the clock, through nights and holidays
    WORKING_HOURS = "working hours"  # by the bureau's timetable
    MONTHS = "months"  # to the corresponding day (民法典 §202)


_CHINESE: Final = {
    Unit.DAYS: "日",
    Unit.WORKING_DAYS: "个工作日",
    Unit.HOURS: "小时",
    Unit.WORKING_HOURS: "个工作小时",
    Unit.MONTHS: "个月",
}
_HOURLY: Final = frozenset({Unit.HOURS, Unit.WORKING_HOURS})


class Span(NamedTuple):
    """A length of time: ``30 days``, ``5 working days``, ``24 hours``, ``3 months``."""

    amount: int
    unit: Unit

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read ``5 working days``; ValueError tells what to write instead."""
        found = re.fullmatch(r"(0|[1-9][0-9]{0,3}) ((?:working )?(?:day|hour)|month)s?", str(text))
        if not found:
            raise ValueError(
                f"{str(text)[:60]!r} is not a length of time; write '5 working days', '30 days', "
                "'24 hours', '4 working hours' or '3 months'"
            )
        return cls(int(found[1]), Unit(f"{found[2]}s"))

    def __str__(self) -> str:
        unit = self.unit.removesuffix("s") if self.amount == 1 else self.unit
        return f"{self.amount} {unit}"

    @property
    def chinese(self) -> str:
        """The same in Chinese: ``5个工作日``."""
        return f"{self.amount}{_CHINESE[self.unit]}"


class Moment(NamedTuple):
    """A point on a deadline: ``70%`` of it, ``2 days before``, ``close of business`` on the due day,
    ``due``, ``5 working days after``.
    """

    percent: int  # 1 to 99; 100 is due
    after: Span | None = None  # how long after due
    before: Span | None = None  # so many calendar days before the due day, as the desks open
    closing: bool = False  # when the desks close on the due day

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read a point as the files write it; ValueError tells what to write."""
        if text == "due":
            return cls(_WHOLE)
        if text == _CLOSING:
            return cls(_WHOLE, closing=True)
        if found := re.fullmatch(r"([1-9][0-9]? days?) before", str(text)):
            return cls(_WHOLE, before=Span.parse(found[1]))
        if found := re.fullmatch(r"([1-9][0-9]?)%", str(text)):
            return cls(int(found[1]))
        if found := re.fullmatch(r"([1-9].*) after", str(text)):
            return cls(_WHOLE, Span.parse(found[1]))
        raise ValueError(
            f"{str(text)[:60]!r} is not a point on a deadline; write '70%' (1 to 99), '2 days before', "
            "'close of business', 'due' or '5 working days after' (1 or more)"
        )

    def __str__(self) -> str:
        if self.after is not None:
            return f"{self.after} after"
        if self.before is not None:
            return f"{self.before} before"
        if self.closing:
            return _CLOSING
        return "due" if self.percent == _WHOLE else f"{self.percent}%"


class Due(NamedTuple):
    """When a clock runs out: within the day ``on``, before the instant ``at`` (Asia/Shanghai).

    For days ``at`` is 24:00, that is 00:00 of the next day. ``provisional``: the notice of a year
    it was counted through is not out, so the date may move.
    """

    on: date
    at: datetime
    provisional: bool


class Day(NamedTuple):
    """One row of the printed working of a due date."""

    date: date
    counts: bool
    why: str


class _Leg(NamedTuple):
    """The limit, or its extension, laid on the calendar."""

    start: date  # day 0
    span: Span  # in days or working days
    last: date  # the last day counted
    on: date  # that day rolled


def due(
    calendar: Calendar,
    start_at: datetime,
    span: Span,
    roll: Roll = Roll.RESTDAY,
    *,
    used_pauses: Pauses = (),
    extension: Span | None = None,
    timetable: Timetable = BUREAU_HOURS,
) -> Due | None:
    """When a clock started by an event at ``start_at`` runs out; None while a pause keeps it open.

    A pause: its first day still counts as used, counting goes on with the day after the resumption,
    so ``remaining = limit - used`` in the clock's own unit; for hours, to the instant. A span of
    months counts as the days up to the corresponding day. An extension is added to the original due
    date, which is the legal one: rolled (民法典 §203). A roll does not end inside a pause either.
    Nothing ("0 days", 当日) ends on the same day, worked or not. Hours are never rolled.

    ValueError: naive times, a pause that ends before it begins, an extension of hours to days or
    the other way round, dates outside 2000 to 2100.
    """
    start = _local(start_at)
    if span.unit in _HOURLY:
        length = _hours(span, extension)
        at = _clock(calendar, timetable, span.unit, start, length, used_pauses)
        if at is None:
            return None
        on = _within_range(max(start.date(), (at - _TICK).date()))
        counted = bool(length) and span.unit is Unit.WORKING_HOURS
        return Due(on, at, provisional=counted and _unpublished(calendar, start.date(), on))
    legs = _legs(calendar, start.date(), (span, extension), roll, tuple(used_pauses))
    if legs is None:
        return None
    on = _within_range(legs[-1].on)
    return Due(on, _midnight_after(on), any(_is_provisional(calendar, leg, roll) for leg in legs))


def point(
    calendar: Calendar,
    start_at: datetime,
    span: Span,
    roll: Roll,
    moment: Moment,
    pauses: Pauses = (),
    extension: Span | None = None,
    *,
    timetable: Timetable = BUREAU_HOURS,
) -> datetime | None:
    """When a rung at ``moment`` of the deadline falls, in Asia/Shanghai; None while it is paused.

    Days ``before``: 09:00 of that day. ``p%`` of days: 09:00 of the k-th counted day, k = limit (with extension) x p / 100 rounded up;
    if that is the last one, of the due day. Of hours: exactly. ``due`` is 24:00 of the due day (for
    hours the instant); so many days ``after`` end at 24:00 of that day. Never before ``start_at``.
    """
    end = due(
        calendar, start_at, span, roll, used_pauses=pauses, extension=extension, timetable=timetable
    )
    if end is None:
        return None
    if moment.after is not None:
        return _after(calendar, timetable, end, moment.after)
    start = _local(start_at)
    if (by_day := on_a_day(end.on, moment, timetable)) is not None:
        return max(start, by_day)
    if moment.percent == _WHOLE:
        return end.at
    if span.unit in _HOURLY:
        part = _hours(span, extension) * moment.percent / _WHOLE
        return _clock(calendar, timetable, span.unit, start, part, pauses)
    legs = _legs(calendar, start.date(), (span, extension), roll, tuple(pauses)) or ()
    limit = sum(leg.span.amount for leg in legs)
    left = -(-limit * moment.percent // _WHOLE)
    day = end.on
    if left < limit:
        for leg in legs:
            if left <= leg.span.amount:
                day = _reach(calendar, leg.start, Span(left, leg.span.unit), pauses) or day
                break
            left -= leg.span.amount
    return max(start, datetime.combine(day, DESK_OPENS, SHANGHAI))


def on_a_day(due_on: date, moment: Moment, timetable: Timetable = BUREAU_HOURS) -> datetime | None:
    """When a rung falls that is told by the due day alone; None for the others."""
    if moment.before is not None:
        return datetime.combine(due_on - moment.before.amount * _DAY, DESK_OPENS, SHANGHAI)
    if moment.closing:
        return datetime.combine(due_on, timetable.closes, SHANGHAI)
    return None


def monthly(calendar: Calendar, month: date, day: int, roll: Roll) -> Due:
    """When something due by the ``day``-th of every month is due in the month of this date.

    A month without such a day ends on its last. "Before the 28th" is ``Roll.BEFORE``: an
    instruction to report is no statutory period, so it moves back.
    """
    wanted = _day_of_month(month.year, month.month, day)
    on = calendar.roll(wanted, roll)
    moves = roll is not Roll.NONE
    return Due(on, _midnight_after(on), provisional=moves and _unpublished(calendar, wanted, on))


def dated(calendar: Calendar, day: date, roll: Roll, extension: Span | None = None) -> Due:
    """When something due by a date that somebody named is due: at its end, rolled; an extension is
    counted from there. Nothing pauses it. ValueError for an extension of hours.
    """
    on = calendar.roll(day, roll)
    provisional = roll is not Roll.NONE and _unpublished(calendar, day, on)
    if extension is None:
        return Due(on, _midnight_after(on), provisional)
    legs = _legs(calendar, on, (extension,), roll, ())
    if legs is None:
        raise AssertionError  # nothing pauses it
    on = _within_range(legs[-1].on)
    provisional = provisional or _is_provisional(calendar, legs[-1], roll)
    return Due(on, _midnight_after(on), provisional)


def working(
    calendar: Calendar,
    start_at: datetime,
    span: Span,
    roll: Roll = Roll.RESTDAY,
    pauses: Pauses = (),
    extension: Span | None = None,
    *,
    timetable: Timetable = BUREAU_HOURS,
) -> list[Day]:
    """Every day from day 0 to the due day and whether it counts, for a person to check by hand.

    Counted one day after another, not as `due` counts. While a pause keeps the due date open the
    rows end where it stops the count.
    """
    end = due(
        calendar, start_at, span, roll, used_pauses=pauses, extension=extension, timetable=timetable
    )
    start = _local(start_at).date()
    if span.unit in _HOURLY:
        return _working_in_hours(calendar, start, span.unit, end, pauses)
    rows = [Day(start, counts=False, why=f"起算日不计 day 0, not counted · {calendar.why(start)}")]
    for part in filter(None, (span, extension)):
        rows += _working_in_days(calendar, rows[-1].date, part, roll, pauses)
    return rows


@lru_cache(maxsize=4096)  # the rungs of one deadline ask for the same legs, one after another
def _legs(
    calendar: Calendar, start: date, spans: tuple[Span | None, ...], roll: Roll, pauses: Pauses
) -> tuple[_Leg, ...] | None:
    legs: list[_Leg] = []
    for span in filter(None, spans):
        if span.unit in _HOURLY:
            raise ValueError(f"a limit in days cannot be extended by {span}: use days")
        counted = _counted(start, span)
        last = _reach(calendar, start, counted, pauses)
        on = last and _land(calendar, last, roll, pauses) if counted.amount else last
        if last is None or on is None:
            return None
        legs.append(_Leg(start, counted, last, max(start, on)))  # BEFORE stays after the event
        start = legs[-1].on
    return tuple(legs)


def _reach(calendar: Calendar, start: date, span: Span, pauses: Pauses) -> date | None:
    """Return the last day counted, before any roll; None if a pause stays open before it."""
    paused = _in_days(pauses)
    if span.unit is Unit.WORKING_DAYS:
        between, add = calendar.working_days_between, calendar.add_working_days
        return along(start, span.amount, paused, between, add)
    return along(start, span.amount, paused, lambda a, b: (b - a).days, lambda a, n: a + n * _DAY)


def _land(calendar: Calendar, day: date, roll: Roll, pauses: Pauses) -> date | None:
    """Roll a last day, on past pauses that began while it rolled; None if one of them is open."""
    while (on := calendar.roll(day, roll)) > day:
        around = pause_around(on, _in_days(pauses))
        if around is None:
            break
        if around[1] is None:
            return None
        day = around[1] + _DAY
    return on


def _counted(start: date, span: Span) -> Span:
    """Return the span in what is counted one by one: months as the days they have from here."""
    if span.unit is not Unit.MONTHS:
        return span
    years, month = divmod(start.month - 1 + span.amount, 12)
    last = _day_of_month(start.year + years, month + 1, start.day)
    return Span((last - start).days, Unit.DAYS)


def _day_of_month(year: int, month: int, day: int) -> date:
    """Return the day of that month, or its last one where it has no such day (民法典 §202)."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + (day - 1) * _DAY, following - _DAY)


def _is_provisional(calendar: Calendar, leg: _Leg, roll: Roll) -> bool:
    if leg.span.unit is Unit.WORKING_DAYS:
        return leg.span.amount > 0 and _unpublished(calendar, leg.start + _DAY, leg.on)
    return (
        leg.span.amount > 0 and roll is not Roll.NONE and _unpublished(calendar, leg.last, leg.on)
    )


def _unpublished(calendar: Calendar, one: date, other: date) -> bool:
    if one.year == other.year:
        return not calendar.published(one)
    years = range(min(one, other).year, max(one, other).year + 1)
    return not all(calendar.published(date(year, 1, 1)) for year in years)


def _hours(span: Span, extension: Span | None) -> timedelta:
    if extension is not None and extension.unit is not span.unit:
        raise ValueError(f"a limit of {span} cannot be extended by {extension}: use {span.unit}")
    return (span.amount + (extension.amount if extension else 0)) * _HOUR


def _clock(
    calendar: Calendar,
    timetable: Timetable,
    unit: Unit,
    start: datetime,
    length: timedelta,
    pauses: Pauses,
) -> datetime | None:
    paused = _in_instants(pauses)
    if unit is Unit.HOURS:
        return along(start, length, paused, lambda a, b: b - a, lambda a, more: a + more)
    return along(
        start,
        length,
        paused,
        lambda a, b: timetable.worked(calendar, a, b),
        lambda a, more: timetable.advance(calendar, a, more),
    )


def _after(calendar: Calendar, timetable: Timetable, end: Due, span: Span) -> datetime | None:
    if span.unit in _HOURLY:
        return _clock(calendar, timetable, span.unit, end.at, _hours(span, None), ())
    on = _reach(calendar, end.on, _counted(end.on, span), ())
    return None if on is None else _midnight_after(on)


def _working_in_days(
    calendar: Calendar, start: date, span: Span, roll: Roll, pauses: Pauses
) -> list[Day]:
    """Rows after day 0 up to the rolled last day, or to where an open pause stops the count."""
    counted, rows, day, number = _counted(start, span), list[Day](), start, 0
    while number < counted.amount:
        day += _DAY
        reason, counts = calendar.why(day), False
        around = pause_around(day, _in_days(pauses))
        if around is not None and around[1] is None:
            return rows
        if around is not None:
            reason = f"中止不计 paused, not counted · {reason}"
        elif counted.unit is Unit.DAYS or calendar.is_workday(day):
            number, counts = number + 1, True
            reason = f"第{number}日 no. {number} · {reason}"
        rows.append(Day(day, counts, reason))
    on = (number and _land(calendar, day, roll, pauses)) or day
    while day < on:
        day += _DAY
        rows.append(
            Day(day, counts=False, why=f"届满日顺延 last day moved on · {calendar.why(day)}")
        )
    return [row for row in rows if row.date <= on]  # Roll.BEFORE goes back


def _working_in_hours(
    calendar: Calendar, start: date, unit: Unit, end: Due | None, pauses: Pauses
) -> list[Day]:
    paused = _in_instants(pauses)
    on = end.on if end else max(start, (paused[-1][0] - _TICK).date())
    rows = []
    for day in (start + number * _DAY for number in range((on - start).days + 1)):
        opens, closes = _midnight_after(day - _DAY), _midnight_after(day)
        reason = calendar.why(day)
        if any(a <= opens and (b is None or closes <= b) for a, b in paused):
            rows.append(Day(day, counts=False, why=f"中止不计 paused, not counted · {reason}"))
        elif unit is Unit.HOURS:
            rows.append(Day(day, counts=True, why=f"按钟点计 by the clock · {reason}"))
        else:
            rows.append(Day(day, calendar.is_workday(day), reason))
    return rows


def _in_days(pauses: Pauses) -> list[tuple[date, date | None]]:
    if not pauses:
        return []

    def on(moment: date) -> date:
        return _local(moment).date() if isinstance(moment, datetime) else moment

    return in_order((on(pause), None if resume is None else on(resume)) for pause, resume in pauses)


def _in_instants(pauses: Pauses) -> list[tuple[datetime, datetime | None]]:
    """The same in local instants; a date is its 24:00, since the day of a pause counts as used."""
    if not pauses:
        return []

    def at(moment: date) -> datetime:
        return _local(moment) if isinstance(moment, datetime) else _midnight_after(moment)

    return in_order((at(pause), None if resume is None else at(resume)) for pause, resume in pauses)


def _local(moment: datetime) -> datetime:
    """Return the time in Asia/Shanghai, where every day since 2000 has 24 hours to add."""
    if moment.utcoffset() is None:
        raise ValueError(f"{moment} has no time zone: give times with one, or day 0 may be wrong")
    local = moment.astimezone(SHANGHAI)
    _within_range(local.date())
    return local


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day + _DAY, time(), SHANGHAI)


def _within_range(day: date) -> date:
    if not FIRST <= day <= LAST:
        raise ValueError(f"{day}: the calendar counts from {FIRST} to {LAST}; check the date")
    return day

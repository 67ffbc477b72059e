"""Working hours: when the bureau is open, and time counted only while it is."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.calendars import Calendar

_NONE: Final = timedelta()
_DAY: Final = timedelta(days=1)


class Timetable:
    """The hours of a working day: periods (opens, closes) in order and apart, within one day.

    ValueError for periods that are empty, overlap or run backwards.
    """

    __slots__ = ("_periods", "closes", "length")

    length: Final[timedelta]
    """Working time of one working day."""
    closes: Final[time]
    """When the last period of a working day ends."""

    def __init__(self, *periods: tuple[time, time]) -> None:
        if not periods or any(a >= b for a, b in pairwise(chain.from_iterable(periods))):
            raise ValueError(
                "a timetable needs periods in order, each opening before it closes: "
                "09:00-12:00, 13:30-17:30"
            )
        self._periods = [(_since_midnight(a), _since_midnight(b)) for a, b in periods]
        self.closes = periods[-1][1]
        self.length = sum((closes - opens for opens, closes in self._periods), _NONE)

    def worked(self, calendar: Calendar, start: datetime, end: datetime) -> timedelta:
        """Working time from ``start`` to a later ``end``, both in the bureau's own zone."""
        full_days = calendar.working_days_between(start.date() - _DAY, end.date() - _DAY)
        return full_days * self.length + self._done(calendar, end) - self._done(calendar, start)

    def advance(self, calendar: Calendar, start: datetime, length: timedelta) -> datetime:
        """Return when so much working time after ``start`` is over; none leaves it as it is.

        The end of a period belongs to it: eight hours from the opening end at the closing.
        """
        if not length:
            return start
        day = start.date()
        # from the opening of the first working day: full days, and a rest that is never nothing
        full_days, rest = divmod(self._done(calendar, start) + length, self.length)
        if not rest:
            full_days, rest = full_days - 1, self.length
        if not calendar.is_workday(day):
            full_days += 1
        day = calendar.add_working_days(day, full_days)
        return datetime.combine(day, time(), start.tzinfo) + self._reached(rest)

    def _done(self, calendar: Calendar, moment: datetime) -> timedelta:
        """Working time of that day gone by at this moment."""
        if not calendar.is_workday(moment.date()):
            return _NONE
        now = _since_midnight(moment.time())
        return sum(
            (min(now, closes) - opens for opens, closes in self._periods if opens < now), _NONE
        )

    def _reached(self, done: timedelta) -> timedelta:
        """Time since midnight at which so much of a working day is done."""
        for opens, closes in self._periods:
            if done <= closes - opens:
                return opens + done
            done -= closes - opens
        raise ValueError("more than a working day")  # advance() asks for one day at most


def _since_midnight(moment: time) -> timedelta:
    return timedelta(
        hours=moment.hour,
        minutes=moment.minute,
        seconds=moment.second,
        microseconds=moment.microsecond,
    )


BUREAU_HOURS: Final = Timetable((time(9), time(12)), (time(13, 30), time(17, 30)))

from __future__ import annotations

from datetime import date, datetime, time

import pytest

from engine.calendars import carried
from engine.timetables import Timetable
from engine.workdays import SHANGHAI, Due, Span, Unit, due, working


def local(text: str) -> datetime:
    """Return a time as the clock in the bureau shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def certain(found: Due | None) -> Due:
    """Return the due date of a clock that no pause keeps open."""
    assert found is not None
    return found


def test_hours_run_by_the_clock_and_stand_still_when_paused() -> None:
    """Through the night and the holiday; a pause is left out to the second."""
    start = local("2026-09-30T17:20:30")
    assert certain(due(carried(), start, Span(24, Unit.HOURS))) == Due(
        date(2026, 10, 1), local("2026-10-01T17:20:30"), provisional=False
    )
    pause = (local("2026-09-30T18:00:00"), local("2026-10-01T08:00:10"))
    found = certain(due(carried(), start, Span(24, Unit.HOURS), used_pauses=[pause]))
    assert found.at == local("2026-10-02T07:20:40")
    assert due(carried(), start, Span(24, Unit.HOURS), used_pauses=[(pause[0], None)]) is None
    assert certain(due(carried(), local("2026-09-30T00:00"), Span(24, Unit.HOURS))).on == date(
        2026, 9, 30
    )


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-11-23T08:00", 2, "2026-11-23T11:00"),  # before opening
        ("2026-11-23T11:00", 2, "2026-11-23T14:30"),  # over lunch
        ("2026-11-23T12:15", 1, "2026-11-23T14:30"),  # at lunch
        ("2026-11-23T09:00", 7, "2026-11-23T17:30"),  # the whole day ends at its close
        ("2026-11-23T17:00", 1, "2026-11-24T09:30"),
        ("2026-11-20T17:00", 1, "2026-11-23T09:30"),  # over a weekend
        ("2026-09-30T17:00", 1, "2026-10-08T09:30"),  # over the National Day
        ("2026-09-18T17:00", 1, "2026-09-20T09:30"),  # on a worked Sunday
        ("2026-11-23T20:00", 70, "2026-12-07T17:30"),
        ("2026-11-23T20:00", 0, "2026-11-23T20:00"),
    ],
)
def test_working_hours_follow_the_timetable(start: str, hours: int, expected: str) -> None:
    """09:00-12:00 and 13:30-17:30 of working days."""
    found = certain(due(carried(), local(start), Span(hours, Unit.WORKING_HOURS)))
    assert found.at == local(expected)
    assert found.on == found.at.date()


def test_working_hours_stand_still_when_paused() -> None:
    """Half an hour used at 09:30, resumed at 14:00: the rest ends at 15:30."""
    pause = (local("2026-11-23T09:30"), local("2026-11-23T14:00"))
    span = Span(2, Unit.WORKING_HOURS)
    found = due(carried(), local("2026-11-23T09:00"), span, used_pauses=[pause])
    assert certain(found).at == local("2026-11-23T15:30")


@pytest.mark.parametrize(
    "periods",
    [
        [],
        [(time(9), time(9))],
        [(time(12), time(9))],
        [(time(9), time(12)), (time(11), time(13))],
    ],
)
def test_a_timetable_must_run_forward(periods: list[tuple[time, time]]) -> None:
    """Empty, backward and overlapping periods are refused."""
    with pytest.raises(ValueError, match="09:00-12:00"):
        Timetable(*periods)


def test_the_working_of_hours_shows_the_days_they_run_through() -> None:
    """Paused days and days off are there, and do not count."""
    pause: list[tuple[date, date | None]] = [(local("2026-11-23T12:00"), local("2026-11-25T12:00"))]
    rows = working(carried(), local("2026-11-23T11:00"), Span(24, Unit.HOURS), pauses=pause)
    assert [(row.date.day, row.counts) for row in rows] == [
        (23, True),
        (24, False),
        (25, True),
        (26, True),
    ]
    rows = working(carried(), local("2026-11-20T17:00"), Span(1, Unit.WORKING_HOURS))
    assert [row.counts for row in rows] == [True, False, False, True]


@pytest.mark.parametrize(
    ("limit", "more"),
    [("5 days", "24 hours"), ("24 hours", "5 days"), ("1 hour", "1 working hour")],
)
def test_hours_and_days_do_not_extend_each_other(limit: str, more: str) -> None:
    """Never one unit for another."""
    with pytest.raises(ValueError, match="cannot be extended"):
        due(carried(), local("2026-03-02T09:30"), Span.parse(limit), extension=Span.parse(more))

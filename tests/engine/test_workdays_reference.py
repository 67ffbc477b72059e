"""The arithmetic against a slow reference, against laws of its own, and against other projects."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calendars import Calendar, Roll, Year, carried
from engine.timetables import Timetable
from engine.workdays import SHANGHAI, Moment, Span, Unit, due, point, working

PEERS = Path(__file__).parents[3] / "shared/data/business-time/peer_cases.json"
DAY = timedelta(days=1)

days = st.dates(date(2019, 12, 1), date(2029, 12, 31))
policies = st.sampled_from([Roll.RESTDAY, Roll.HOLIDAY, Roll.NONE])
units = st.sampled_from([Unit.DAYS, Unit.WORKING_DAYS])
spans = st.builds(Span, st.integers(0, 90), units)
pauses_of_days = st.lists(
    st.tuples(st.integers(-5, 120), st.integers(0, 30)).map(
        lambda offset: (timedelta(offset[0]), timedelta(offset[1]))
    ),
    max_size=4,
)


def noon(day: date) -> datetime:
    """Return noon of that day in the bureau."""
    return datetime.combine(day, time(12), SHANGHAI)


def placed(
    start: date, pauses: list[tuple[timedelta, timedelta]]
) -> list[tuple[date, date | None]]:
    """Return the pauses, drawn as offset and length, on the calendar."""
    return [(start + begin, start + begin + length) for begin, length in pauses]


def slow_due(
    calendar: Calendar,
    start: date,
    span: Span,
    roll: Roll,
    pauses: list[tuple[date, date | None]],
    extension: Span | None = None,
) -> date:
    """Count one day after another, on a set of paused days; nothing shared with the engine."""
    paused = {
        begin + n * DAY for begin, end in pauses if end for n in range(1, (end - begin).days + 1)
    }
    day = start
    for part in (span, extension):
        if part is None or part.amount == 0:
            continue
        left = part.amount
        while left:
            day += DAY
            counts = part.unit is Unit.DAYS or calendar.is_workday(day)
            left -= counts and day not in paused
        while (roll is Roll.HOLIDAY and calendar.is_holiday(day)) or (
            roll is Roll.RESTDAY and not calendar.is_workday(day)
        ):
            day += DAY
            while day in paused:
                day += DAY
    return day


@given(days, spans, policies, pauses_of_days, st.none() | spans)
def test_the_due_day_is_that_of_the_slow_reference(
    start: date,
    span: Span,
    roll: Roll,
    pauses: list[tuple[timedelta, timedelta]],
    extension: Span | None,
) -> None:
    """Any limit, policy, pauses and extension, over published years and provisional ones."""
    stops = placed(start, pauses)
    found = due(carried(), noon(start), span, roll, used_pauses=stops, extension=extension)
    assert found is not None
    assert found.on == slow_due(carried(), start, span, roll, stops, extension)


@given(days, spans, st.sampled_from(Roll), pauses_of_days, st.none() | spans)
def test_the_printed_working_ends_on_the_due_day(
    start: date,
    span: Span,
    roll: Roll,
    pauses: list[tuple[timedelta, timedelta]],
    extension: Span | None,
) -> None:
    """One row a day without gaps, and as many that count as the limit has."""
    stops = placed(start, pauses)
    found = due(carried(), noon(start), span, roll, used_pauses=stops, extension=extension)
    rows = working(carried(), noon(start), span, roll, stops, extension)
    assert found is not None
    assert [row.date for row in rows] == [
        start + n * DAY for n in range((found.on - start).days + 1)
    ]
    counted = sum(row.counts for row in rows)
    if roll is not Roll.BEFORE:
        assert counted == span.amount + (extension.amount if extension else 0)


@given(days, st.integers(1, 200), policies, pauses_of_days)
def test_working_days_end_on_a_working_day(
    start: date, amount: int, roll: Roll, pauses: list[tuple[timedelta, timedelta]]
) -> None:
    """Whatever the policy and the pauses."""
    span = Span(amount, Unit.WORKING_DAYS)
    found = due(carried(), noon(start), span, roll, used_pauses=placed(start, pauses))
    assert found is not None
    assert carried().is_workday(found.on)


@given(days, days, st.integers(1, 60))
def test_one_more_day_off_never_makes_working_days_end_earlier(
    start: date, off: date, amount: int
) -> None:
    """A further holiday can only push the due day on."""
    one = Year(2026, frozenset({date(2026, 1, 1)}), frozenset(), {}, "one")
    two = Year(2026, frozenset({date(2026, 1, 1), off}), frozenset(), {}, "two")
    before = Calendar([one]).add_working_days(start, amount)
    assert Calendar([two]).add_working_days(start, amount) >= before


@given(days, spans, policies, st.integers(-5, 100))
def test_a_pause_of_no_length_changes_nothing(
    start: date, span: Span, roll: Roll, offset: int
) -> None:
    """Stopped and resumed on the same day."""
    day = start + offset * DAY
    paused = due(carried(), noon(start), span, roll, used_pauses=[(day, day)])
    assert paused == due(carried(), noon(start), span, roll)


@given(days, spans, policies, st.integers(0, 40), st.integers(0, 40))
def test_a_longer_limit_or_a_later_start_never_ends_earlier(
    start: date, span: Span, roll: Roll, more: int, later: int
) -> None:
    """Monotone in both."""
    base = due(carried(), noon(start), span, roll)
    longer = due(carried(), noon(start), Span(span.amount + more, span.unit), roll)
    after = due(carried(), noon(start + later * DAY), span, roll)
    assert base is not None
    assert longer is not None
    assert after is not None
    assert base.on <= longer.on
    assert base.on <= after.on


@given(days, spans, policies, pauses_of_days, st.none() | spans)
def test_a_ladder_is_climbed_in_order(
    start: date,
    span: Span,
    roll: Roll,
    pauses: list[tuple[timedelta, timedelta]],
    extension: Span | None,
) -> None:
    """Start, a third, two thirds, due, a day after, a week after: never one before the other."""
    stops = placed(start, pauses)
    moments = [Moment(30), Moment(70), Moment(99), Moment(100), Moment.parse("1 day after")]
    climbed = [
        point(carried(), noon(start), span, roll, moment, stops, extension=extension)
        for moment in moments
    ]
    places = [place for place in climbed if place is not None]
    assert len(places) == len(moments)
    assert places == sorted(places)
    assert places[0] >= noon(start)


@given(days, st.integers(0, 3000))
def test_counting_between_undoes_adding(start: date, amount: int) -> None:
    """As many working days lie between as were added."""
    end = carried().add_working_days(start, amount)
    assert carried().working_days_between(start, end) == amount
    assert carried().working_days_between(end, start) == -amount


moments = st.datetimes(datetime(2025, 12, 1), datetime(2027, 2, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=SHANGHAI)
)


@given(moments, st.integers(1, 200), st.lists(st.tuples(moments, st.integers(0, 99)), max_size=3))
def test_hours_used_up_are_the_hours_of_the_limit(
    start: datetime, amount: int, stops: list[tuple[datetime, int]]
) -> None:
    """From start to due, less what was paused, is the limit; by the clock and by the timetable."""
    pauses = [(begin, begin + timedelta(hours=length)) for begin, length in stops]
    for unit in (Unit.HOURS, Unit.WORKING_HOURS):
        found = due(carried(), start, Span(amount, unit), used_pauses=pauses)
        assert found is not None
        edges = sorted({start, found.at, *(m for pause in pauses for m in pause)})
        edges = [edge for edge in edges if start <= edge <= found.at]
        used = timedelta()
        for begin, end in pairwise(edges):
            if not any(a <= begin and end <= b for a, b in pauses):
                used += slow_hours(begin, end) if unit is Unit.WORKING_HOURS else end - begin
        assert used == timedelta(hours=amount)


def slow_hours(start: datetime, end: datetime) -> timedelta:
    """Working time between two instants, one period after another."""
    total, day = timedelta(), start.date()
    while day <= end.date():
        for opens, closes in ((time(9), time(12)), (time(13, 30), time(17, 30))):
            begin = max(start, datetime.combine(day, opens, SHANGHAI))
            until = min(end, datetime.combine(day, closes, SHANGHAI))
            if carried().is_workday(day) and until > begin:
                total += until - begin
        day += DAY
    return total


# ------------------------------------------------------------- the cases of zendesk/biz, business_time


def opening(hours: dict[str, Any], day: date) -> list[list[str]]:
    """Return their hours of that weekday."""
    found: list[list[str]] = hours.get(f"{day:%a}".lower(), [])
    return found


def calendar_of(hours: dict[str, Any], holidays: list[str], year: int) -> Calendar:
    """Their week and holidays as the notice of one year."""
    every = [date(year, 1, 1) + n * DAY for n in range(366)]
    closed = {date.fromisoformat(day) for day in holidays}
    return Calendar(
        [
            Year(
                year,
                frozenset(day for day in every if day in closed or not opening(hours, day)),
                frozenset(day for day in every if day not in closed and opening(hours, day)),
                {},
                "a case of another project",
            )
        ]
    )


def answer(group: dict[str, Any], case: dict[str, Any]) -> tuple[object, object] | None:
    """What we say and what they say; None where their question is not one of ours.

    Not ours: counting backward, hours that differ among the days touched, 24:00 as closing time,
    breaks and shifts, whether an instant is within hours, moving an instant into hours (nothing
    added), a day counted from the next one because the office had closed.
    """
    if case["op"] not in {"after", "elapsed"} or case.get("amount") == 0:
        return None
    hours = case.get("hours", group["hours"])
    start = datetime.fromisoformat(case["start"]).replace(tzinfo=SHANGHAI)
    end = datetime.fromisoformat(case.get("expected") or case["end"]).replace(tzinfo=SHANGHAI)
    calendar = calendar_of(hours, case.get("holidays", group["holidays"]), start.year)
    if case.get("unit") == "day":
        closed = start.time() > time.fromisoformat(opening(hours, start.date())[-1][1])
        found = due(calendar, start, Span(case["amount"], Unit.WORKING_DAYS))
        return None if closed else (found and found.on, end.date())
    touched = [start.date() + n * DAY for n in range((end.date() - start.date()).days + 1)]
    periods = {tuple(period) for day in touched for period in opening(hours, day)}
    if len(periods) != 1 or "24:00" in str(periods):
        return None
    timetable = Timetable(*((time.fromisoformat(a), time.fromisoformat(b)) for a, b in periods))
    if case["op"] == "elapsed":
        return timetable.worked(calendar, start, end), timedelta(seconds=case["expected_seconds"])
    length = timedelta(**{f"{case['unit']}s": case["amount"]})
    if case["unit"] == "hour":
        span = Span(case["amount"], Unit.WORKING_HOURS)
        by_span = due(calendar, start, span, timetable=timetable)
        assert by_span is not None
        assert by_span.at == timetable.advance(calendar, start, length)
    return timetable.advance(calendar, start, length), end


@pytest.mark.skipif(
    not PEERS.exists(), reason="the cases of other projects are not beside the checkout"
)
def test_other_projects_get_the_same_answers() -> None:
    """Of their 54 cases 17 ask something we answer, and we answer the same."""
    groups = json.loads(PEERS.read_text("utf-8"))
    cases = [(group, case) for group in groups for case in group["cases"]]
    answers = [pair for group, case in cases if (pair := answer(group, case))]
    assert (len(cases), len(answers)) == (54, 17)
    assert [(ours, theirs) for ours, theirs in answers if ours != theirs] == []

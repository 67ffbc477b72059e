from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from engine.calendars import Roll, carried
from engine.workdays import Moment, Span, Unit, due, point, working
from tests.moments import certain, local, morning

Pauses = list[tuple[date, date | None]]


def test_months_stand_still_while_paused() -> None:
    """A pause of ten days moves a month by ten days."""
    pause = [(date(2026, 3, 10), date(2026, 3, 20))]
    span = Span(1, Unit.MONTHS)
    found = certain(due(carried(), morning("2026-03-02"), span, Roll.NONE, used_pauses=pause))
    assert found.on == date(2026, 4, 12)


def test_an_open_pause_leaves_the_due_date_open() -> None:
    """No date while a clock stands still, unless the limit was used up when it stopped."""
    span, start = Span(10, Unit.DAYS), morning("2026-03-02")
    for day, expected in ((11, None), (12, date(2026, 3, 12))):
        found = due(carried(), start, span, used_pauses=[(date(2026, 3, day), None)])
        assert (found and found.on) == expected
    assert (
        point(carried(), start, span, Roll.RESTDAY, Moment(50), [(date(2026, 3, 11), None)]) is None
    )


def test_several_pauses_in_any_order_add_up() -> None:
    """They may touch, overlap or come unsorted; each paused day is left out once."""
    start, span = morning("2026-03-02"), Span(10, Unit.DAYS)
    one, two = (date(2026, 3, 4), date(2026, 3, 6)), (date(2026, 3, 6), date(2026, 3, 9))
    three = (date(2026, 3, 5), date(2026, 3, 8))
    found = certain(due(carried(), start, span, Roll.NONE, used_pauses=[two, one, three]))
    assert found.on == date(2026, 3, 17)


def test_a_pause_in_instants_counts_in_local_days() -> None:
    """Paused 05-20 00:30 and resumed 06-10 23:59 local: the example again, from UTC times."""
    pause = (
        datetime(2026, 5, 19, 16, 30, tzinfo=UTC),
        datetime(2026, 6, 10, 15, 59, tzinfo=UTC),
    )
    found = due(carried(), morning("2026-05-06"), Span(60, Unit.DAYS), used_pauses=[pause])
    assert certain(found).on == date(2026, 7, 27)


def test_a_pause_that_ends_before_it_begins_is_refused() -> None:
    """It would shorten the limit."""
    backwards = [(date(2026, 3, 9), date(2026, 3, 4))]
    with pytest.raises(ValueError, match="before it begins"):
        due(carried(), morning("2026-03-02"), Span(10, Unit.DAYS), used_pauses=backwards)


def test_a_roll_does_not_end_inside_a_pause() -> None:
    """Due Saturday, moved to Monday; paused from Sunday to Wednesday: due Thursday."""
    start, span = morning("2026-03-04"), Span(10, Unit.DAYS)
    sunday, wednesday = date(2026, 3, 15), date(2026, 3, 18)
    found = due(carried(), start, span, used_pauses=[(sunday, wednesday)])
    assert certain(found).on == date(2026, 3, 19)
    touching = [(sunday, wednesday), (wednesday, date(2026, 3, 20))]
    found = due(carried(), start, span, used_pauses=touching)
    assert certain(found).on == date(2026, 3, 23)
    assert due(carried(), start, span, used_pauses=[(sunday, None)]) is None


def test_the_working_ends_where_an_open_pause_stops_the_count() -> None:
    """There is no due day to go on to."""
    open_days: Pauses = [(date(2026, 11, 25), None)]
    rows = working(carried(), morning("2026-11-23"), Span(9, Unit.DAYS), pauses=open_days)
    assert [row.date.day for row in rows] == [23, 24, 25]
    open_hours: Pauses = [(local("2026-11-24T12:00"), None)]
    rows = working(carried(), morning("2026-11-23"), Span(90, Unit.HOURS), pauses=open_hours)
    assert [row.date.day for row in rows] == [23, 24]

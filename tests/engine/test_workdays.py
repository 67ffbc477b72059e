from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from engine.calendars import Calendar, Roll, Year, carried
from engine.workdays import SHANGHAI, Due, Moment, Span, Unit, due, monthly, point, working
from tests.moments import certain, local, morning

Pauses = list[tuple[date, date | None]]

# day 0, limit, policy, pauses, due day: computed from the notices, each checked by hand
EXAMPLES: list[tuple[str, str, Roll, Pauses, str]] = [
    ("2023-09-28", "7 working days", Roll.RESTDAY, [], "2023-10-13"),
    ("2023-09-22", "7 working days", Roll.RESTDAY, [], "2023-10-09"),
    ("2023-12-29", "5 working days", Roll.RESTDAY, [], "2024-01-08"),
    ("2026-02-13", "7 working days", Roll.RESTDAY, [], "2026-03-02"),
    ("2026-02-12", "15 working days", Roll.RESTDAY, [], "2026-03-11"),
    ("2026-04-30", "7 working days", Roll.RESTDAY, [], "2026-05-13"),
    ("2026-09-19", "7 working days", Roll.RESTDAY, [], "2026-09-29"),
    ("2026-09-20", "5 working days", Roll.RESTDAY, [], "2026-09-28"),
    ("2026-09-24", "15 working days", Roll.RESTDAY, [], "2026-10-22"),
    ("2026-09-30", "1 working day", Roll.RESTDAY, [], "2026-10-08"),
    ("2023-09-15", "45 working days", Roll.RESTDAY, [], "2023-11-23"),
    (
        "2023-09-15",
        "45 working days",
        Roll.RESTDAY,
        [(date(2023, 10, 9), date(2023, 10, 27))],
        "2023-12-13",
    ),
    ("2026-05-06", "60 days", Roll.RESTDAY, [], "2026-07-06"),
    ("2026-05-06", "60 days", Roll.HOLIDAY, [], "2026-07-05"),
    ("2026-05-06", "60 days", Roll.NONE, [], "2026-07-05"),
    (
        "2026-05-06",
        "60 days",
        Roll.RESTDAY,
        [(date(2026, 5, 20), date(2026, 6, 10))],
        "2026-07-27",
    ),
    ("2026-05-06", "60 days", Roll.NONE, [(date(2026, 5, 20), date(2026, 6, 10))], "2026-07-26"),
    ("2026-08-03", "60 days", Roll.RESTDAY, [], "2026-10-08"),
    ("2026-08-03", "60 days", Roll.HOLIDAY, [], "2026-10-08"),
    ("2026-08-03", "60 days", Roll.NONE, [], "2026-10-02"),
    ("2026-06-30", "60 days", Roll.RESTDAY, [], "2026-08-31"),
    ("2026-06-30", "60 days", Roll.HOLIDAY, [], "2026-08-29"),
    ("2026-07-22", "60 days", Roll.RESTDAY, [], "2026-09-20"),
    ("2026-07-22", "60 days", Roll.HOLIDAY, [], "2026-09-20"),
    ("2026-12-28", "5 working days", Roll.RESTDAY, [], "2027-01-05"),
]


@pytest.mark.parametrize(("start", "span", "roll", "pauses", "expected"), EXAMPLES)
def test_the_worked_examples_come_out(
    start: str, span: str, roll: Roll, pauses: Pauses, expected: str
) -> None:
    """Every example of the specification, under every policy it names, paused and not."""
    found = certain(due(carried(), morning(start), Span.parse(span), roll, used_pauses=pauses))
    assert found.on.isoformat() == expected
    assert found.at == datetime.combine(found.on + timedelta(days=1), time(), SHANGHAI)
    assert found.provisional == (found.on.year == 2027)


@pytest.mark.parametrize(
    ("month", "roll", "expected"),
    [
        ("2023-10-01", Roll.BEFORE, "2023-10-27"),
        ("2024-01-01", Roll.BEFORE, "2024-01-26"),
        ("2024-04-30", Roll.BEFORE, "2024-04-28"),
        ("2024-02-01", Roll.BEFORE, "2024-02-28"),
        ("2023-10-01", Roll.RESTDAY, "2023-10-30"),
        ("2023-10-01", Roll.NONE, "2023-10-28"),
    ],
)
def test_the_28th_moves_back_to_a_working_day(month: str, roll: Roll, expected: str) -> None:
    """A report due before the 28th goes back over a rest day, but 2024-04-28 is a worked Sunday."""
    found = monthly(carried(), date.fromisoformat(month), 28, roll)
    assert (found.on.isoformat(), found.provisional) == (expected, False)
    assert found.at == datetime.combine(found.on + timedelta(days=1), time(), SHANGHAI)


def test_a_month_without_the_day_ends_on_its_last() -> None:
    """The 31st of February is its last day, and an unpublished year makes it provisional."""
    assert monthly(carried(), date(2024, 2, 9), 31, Roll.NONE).on == date(2024, 2, 29)
    assert monthly(carried(), date(2027, 2, 1), 28, Roll.BEFORE).provisional


def test_the_evening_in_london_is_the_next_day_in_xuchang() -> None:
    """From 16:00 UTC on day 0 is the next day; 15:59 still is this one."""
    span = Span(1, Unit.WORKING_DAYS)
    before, after = datetime(2026, 9, 23, 15, 59, tzinfo=UTC), datetime(2026, 9, 23, 16, tzinfo=UTC)
    assert certain(due(carried(), before, span)).on == date(2026, 9, 24)
    assert certain(due(carried(), after, span)).on == date(2026, 9, 28)
    assert certain(due(carried(), datetime(2026, 9, 23, 23, 59, tzinfo=UTC), span)).on == date(
        2026, 9, 28
    )


def test_a_time_without_a_zone_is_refused() -> None:
    """Nobody can know its day 0."""
    with pytest.raises(ValueError, match="no time zone"):
        due(carried(), datetime(2026, 9, 23, 15), Span(1, Unit.DAYS))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("start", "span", "roll", "expected", "provisional"),
    [
        ("2026-12-28", "3 working days", Roll.RESTDAY, "2026-12-31", False),
        ("2026-12-31", "1 working day", Roll.RESTDAY, "2027-01-04", True),
        ("2026-12-01", "30 days", Roll.RESTDAY, "2026-12-31", False),
        ("2026-12-02", "30 days", Roll.RESTDAY, "2027-01-04", True),
        ("2026-12-02", "30 days", Roll.HOLIDAY, "2027-01-02", True),
        ("2026-12-02", "30 days", Roll.NONE, "2027-01-01", False),
        ("2026-12-31", "0 days", Roll.RESTDAY, "2026-12-31", False),
        ("2026-12-31", "24 hours", Roll.RESTDAY, "2027-01-01", False),
        ("2026-12-31", "8 working hours", Roll.RESTDAY, "2027-01-04", True),
    ],
)
def test_what_an_unpublished_year_may_move_is_provisional(
    start: str, span: str, roll: Roll, expected: str, *, provisional: bool
) -> None:
    """A date is provisional if the notice still to come can change it, and only then."""
    found = certain(due(carried(), morning(start), Span.parse(span), roll))
    assert (found.on.isoformat(), found.provisional) == (expected, provisional)


def test_the_notice_makes_a_provisional_date_firm() -> None:
    """With 2027 published the same clock gives another date, and a firm one."""
    holder = Year(
        2027,
        frozenset({date(2027, 1, 1), date(2027, 1, 4)}),
        frozenset({date(2027, 1, 9)}),
        {},
        "a notice for this test",
    )
    notices = Calendar([*published_2026(), holder])
    found = certain(due(notices, morning("2026-12-28"), Span.parse("5 working days")))
    assert found == Due(date(2027, 1, 6), local("2027-01-07T00:00"), provisional=False)


def test_day_0_makes_no_date_provisional() -> None:
    """Only days that are counted do: the last day of an unpublished year is not."""
    only = Calendar([Year(2027, frozenset({date(2027, 1, 1)}), frozenset(), {}, "only 2027")])
    found = certain(due(only, morning("2026-12-31"), Span(1, Unit.WORKING_DAYS)))
    assert (found.on, found.provisional) == (date(2027, 1, 4), False)


def published_2026() -> list[Year]:
    """Return the carried notice of 2026."""
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    return [
        Year(
            2026,
            frozenset(day for day in days if carried().is_holiday(day)),
            frozenset(day for day in days if carried().is_workday(day) and day.weekday() > 4),
            {},
            "as carried",
        )
    ]


def test_nothing_is_due_the_same_day() -> None:
    """当日 stays on its day, even a Saturday."""
    for text in ("0 days", "0 working days", "0 months"):
        assert certain(due(carried(), morning("2026-08-29"), Span.parse(text))).on == date(
            2026, 8, 29
        )


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ("2026-01-15", 1, "2026-02-15"),
        ("2025-12-31", 2, "2026-02-28"),
        ("2023-11-30", 3, "2024-02-29"),
        ("2025-11-10", 14, "2027-01-10"),
    ],
)
def test_months_end_on_the_corresponding_day(start: str, months: int, expected: str) -> None:
    """Or on the last of the month that has no such day."""
    found = certain(due(carried(), morning(start), Span(months, Unit.MONTHS), Roll.NONE))
    assert found.on.isoformat() == expected


def test_an_extension_is_added_to_the_legal_due_date() -> None:
    """30 days end on Saturday 08-29, legally on Monday 08-31; 20 more end on Sunday 09-20, worked."""
    start, span, more = morning("2026-07-30"), Span(30, Unit.DAYS), Span(20, Unit.DAYS)
    assert certain(due(carried(), start, span, extension=more)).on == date(2026, 9, 20)
    assert certain(due(carried(), start, span, Roll.NONE, extension=more)).on == date(2026, 9, 18)
    weeks = Span(5, Unit.WORKING_DAYS)
    assert certain(due(carried(), start, span, extension=weeks)).on == date(2026, 9, 7)


@pytest.mark.parametrize(
    ("span", "roll", "moment", "expected"),
    [
        # 30 days from Monday 2026-03-02: due Wednesday 04-01
        ("30 days", Roll.RESTDAY, "70%", "2026-03-23T09:00"),  # day 21
        ("30 days", Roll.RESTDAY, "85%", "2026-03-28T09:00"),  # day 25.5, so 26: a Saturday
        ("30 days", Roll.RESTDAY, "99%", "2026-04-01T09:00"),  # day 29.7, so the last
        ("30 days", Roll.RESTDAY, "due", "2026-04-02T00:00"),
        ("30 days", Roll.RESTDAY, "5 working days after", "2026-04-10T00:00"),  # 04-06 off
        ("30 days", Roll.RESTDAY, "10 days after", "2026-04-12T00:00"),
        ("30 days", Roll.RESTDAY, "12 hours after", "2026-04-02T12:00"),
        ("30 days", Roll.RESTDAY, "1 month after", "2026-05-02T00:00"),
        ("30 days", Roll.RESTDAY, "1 working hour after", "2026-04-02T10:00"),
        ("5 working days", Roll.RESTDAY, "70%", "2026-03-06T09:00"),  # day 3.5, so 4
        ("12 days", Roll.RESTDAY, "99%", "2026-03-16T09:00"),  # the last is rolled over a Saturday
        ("12 days", Roll.NONE, "99%", "2026-03-14T09:00"),
        ("0 days", Roll.RESTDAY, "70%", "2026-03-02T09:30"),  # never before the start
        ("24 hours", Roll.RESTDAY, "70%", "2026-03-03T02:18"),
        ("24 hours", Roll.RESTDAY, "due", "2026-03-03T09:30"),
        ("24 hours", Roll.RESTDAY, "1 working day after", "2026-03-05T00:00"),
        ("4 working hours", Roll.RESTDAY, "50%", "2026-03-02T11:30"),
    ],
)
def test_rungs_fall_where_the_ladder_says(
    span: str, roll: Roll, moment: str, expected: str
) -> None:
    """A share of days falls at 09:00 of the day it reaches; days after due end at 24:00."""
    start, at = morning("2026-03-02"), Moment.parse(moment)
    assert point(carried(), start, Span.parse(span), roll, at) == local(expected)


def test_a_share_counts_the_extension_and_leaves_out_pauses() -> None:
    """70% of 30 + 20 days is day 35; 85% of it day 43: the 13th after the legal due date."""
    start, span, more = morning("2026-07-30"), Span(30, Unit.DAYS), Span(20, Unit.DAYS)
    places = [
        point(carried(), start, span, Roll.RESTDAY, Moment(percent), extension=more)
        for percent in (60, 70, 85, 99)
    ]
    assert places == [
        local("2026-08-29T09:00"),  # day 30 itself; its roll matters to the due date only
        local("2026-09-05T09:00"),
        local("2026-09-13T09:00"),
        local("2026-09-20T09:00"),
    ]
    pause: Pauses = [(date(2026, 8, 3), date(2026, 8, 13))]
    paused = point(carried(), start, Span(30, Unit.DAYS), Roll.NONE, Moment(50), pause)
    assert paused == local("2026-08-24T09:00")


def test_the_working_shows_every_day() -> None:
    """From day 0 through the make-up Sunday, the pause and the roll, with the reason for each."""
    rows = working(carried(), morning("2026-09-18"), Span.parse("3 working days"))
    assert [(row.date.day, row.counts) for row in rows] == [
        (18, False),
        (19, False),
        (20, True),
        (21, True),
        (22, True),
    ]
    assert rows[0].why == "起算日不计 day 0, not counted · 周五，工作日 workday"
    assert rows[1].why == "周六休息 weekend"
    assert rows[2].why == "第1日 no. 1 · 周日，调休上班 make-up workday"
    rolled = working(
        carried(),
        morning("2026-09-25"),
        Span(3, Unit.DAYS),
        pauses=[(date(2026, 9, 26), date(2026, 9, 28))],
        extension=Span(1, Unit.DAYS),
    )
    assert [(row.date.day, row.counts, row.why.partition(" ")[0]) for row in rolled] == [
        (25, False, "起算日不计"),
        (26, True, "第1日"),
        (27, False, "中止不计"),
        (28, False, "中止不计"),
        (29, True, "第2日"),
        (30, True, "第3日"),
        (1, True, "第1日"),
        *((day, False, "届满日顺延") for day in range(2, 9)),
    ]


def test_a_last_day_may_move_back() -> None:
    """Roll.BEFORE on a limit: Saturday goes back to Friday, but never before the event."""
    found = certain(due(carried(), morning("2026-03-02"), Span(12, Unit.DAYS), Roll.BEFORE))
    assert found.on == date(2026, 3, 13)
    rows = working(carried(), morning("2026-03-02"), Span(12, Unit.DAYS), Roll.BEFORE)
    assert rows[-1].date == found.on
    saturday = certain(due(carried(), morning("2026-03-14"), Span(1, Unit.DAYS), Roll.BEFORE))
    assert saturday.on == date(2026, 3, 14)


@pytest.mark.parametrize(
    ("text", "span", "chinese"),
    [
        ("5 working days", Span(5, Unit.WORKING_DAYS), "5个工作日"),
        ("1 working day", Span(1, Unit.WORKING_DAYS), "1个工作日"),
        ("30 days", Span(30, Unit.DAYS), "30日"),
        ("24 hours", Span(24, Unit.HOURS), "24小时"),
        ("4 working hours", Span(4, Unit.WORKING_HOURS), "4个工作小时"),
        ("3 months", Span(3, Unit.MONTHS), "3个月"),
        ("0 days", Span(0, Unit.DAYS), "0日"),
    ],
)
def test_a_span_is_written_as_it_is_read(text: str, span: Span, chinese: str) -> None:
    """Both ways, and in Chinese."""
    assert Span.parse(text) == span
    assert (str(span), span.chinese) == (text, chinese)


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "five days",
        "5 workdays",
        "-1 days",
        "05 days",
        "5days",
        "5 days\n",
        "５ days",
        "5 working months",
        "10000 days",
        "",
        "1.5 days",
    ],
)
def test_a_bad_span_is_told_what_to_write(text: str) -> None:
    """The message names the forms that are read."""
    with pytest.raises(ValueError, match="write '5 working days', '30 days'"):
        Span.parse(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("70%", Moment(70)),
        ("due", Moment(100)),
        ("5 working days after", Moment(100, Span(5, Unit.WORKING_DAYS))),
        ("10 days after", Moment(100, Span(10, Unit.DAYS))),
        ("1 hour after", Moment(100, Span(1, Unit.HOURS))),
        ("2 days before", Moment(100, before=Span(2, Unit.DAYS))),
        ("1 day before", Moment(100, before=Span(1, Unit.DAYS))),
        ("close of business", Moment(100, closing=True)),
    ],
)
def test_a_moment_is_written_as_it_is_read(text: str, moment: Moment) -> None:
    """Both ways."""
    assert Moment.parse(text) == moment
    assert str(moment) == text


@pytest.mark.parametrize(
    "text", ["0%", "100%", "7.5%", "after", "0 days after", "5 days", "DUE", None]
)
def test_a_bad_moment_is_told_what_to_write(text: object) -> None:
    """100% is written due, and nothing after due is due itself."""
    with pytest.raises(ValueError, match="write '70%'"):
        Moment.parse(text)


@pytest.mark.parametrize(
    ("start", "span"),
    [("1999-12-31", "1 day"), ("2100-12-31", "1 day"), ("2100-12-31", "1 working day")],
)
def test_dates_out_of_range_are_refused(start: str, span: str) -> None:
    """Outside 2000 to 2100 nothing is counted, rather than counted wrongly."""
    with pytest.raises(ValueError, match="the calendar counts from 2000-01-01 to 2100-12-31"):
        due(carried(), morning(start), Span.parse(span), Roll.NONE)

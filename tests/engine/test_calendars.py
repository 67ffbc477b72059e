from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

import engine.calendars
from engine.calendars import (
    LARGEST_FILE,
    Calendar,
    Roll,
    Year,
    carried,
    load_year,
    parse_holiday_cn,
)

ROOT = Path(__file__).parents[2]
TABLE = ROOT.parent / "shared/data/holidays/workday_table_2007_2026.csv"
CARRIED = sorted((ROOT / "engine/holidays").glob("*.json"))


def a_file(**changes: object) -> dict[str, object]:
    """Return a sound file for 2027, with these keys changed."""
    return {
        "year": 2027,
        "papers": ["https://www.gov.cn/zhengce/2026/example.htm"],
        "days": [
            {"name": "元旦", "date": "2027-01-01", "isOffDay": True},
            {"name": "元旦", "date": "2027-01-03", "isOffDay": False},
        ],
        **changes,
    }


def a_day(day: str, name: str = "元旦", *, off: bool = True) -> dict[str, object]:
    """Return one entry of a file."""
    return {"name": name, "date": day, "isOffDay": off}


def findings(text: str) -> list[str]:
    """Return what is said against a file, line by line."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        load_year(text)
    return str(refused.value).splitlines()


@pytest.mark.skipif(
    not TABLE.exists(), reason="the table of working days is not beside the checkout"
)
def test_every_day_of_twenty_years_is_as_in_the_table() -> None:
    """All 7,305 days from 2007 to 2026, worked or not, and for what reason off."""
    with TABLE.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 7305
    differing = [
        row["date"]
        for row in rows
        if carried().is_workday(day := date.fromisoformat(row["date"]))
        != (row["is_workday"] == "1")
        or carried().is_holiday(day) != (row["kind"] == "holiday")
    ]
    assert differing == []


def test_the_years_have_as_many_working_days_as_published() -> None:
    """Six years counted by hand from the notices."""
    counted = {
        year: carried().working_days_between(date(year - 1, 12, 31), date(year, 12, 31))
        for year in range(2021, 2027)
    }
    assert counted == {2021: 250, 2022: 249, 2023: 249, 2024: 251, 2025: 248, 2026: 248}


def test_the_carried_files_keep_their_licence() -> None:
    """Twenty years, each with its notice, and the licence of the project they come from beside."""
    assert [path.stem for path in CARRIED] == [str(year) for year in range(2007, 2027)]
    assert "MIT License" in (CARRIED[0].parent / "LICENSE").read_text("utf-8")
    assert "NateScarlet/holiday-cn" in (CARRIED[0].parent / "README.md").read_text("utf-8")


@pytest.mark.parametrize("path", CARRIED, ids=lambda path: path.stem)
def test_a_real_file_can_be_loaded(path: Path) -> None:
    """Every carried file passes, but that of 2020: it makes up for 2020-02-03, a Monday."""
    text = path.read_text("utf-8")
    if path.stem == "2020":
        [finding] = findings(text)
        assert finding.startswith("days, no. 13: 2020-02-03 is a Monday, worked anyway; correct")
    else:
        assert load_year(text) == parse_holiday_cn(json.loads(text))


def test_a_notice_reaches_into_the_year_before() -> None:
    """The notice of 2023 gives Saturday 2022-12-31 off, for New Year."""
    assert carried().is_holiday(date(2022, 12, 31))
    assert carried().why(date(2022, 12, 31)) == "元旦 holiday"


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2026-09-20", "周日，调休上班 make-up workday"),
        ("2026-10-01", "国庆节 holiday"),
        ("2026-08-29", "周六休息 weekend"),
        ("2026-11-23", "周一，工作日 workday"),
        ("2027-05-02", "劳动节 holiday（暂定 provisional）"),
        ("2027-02-08", "周一，工作日 workday（暂定 provisional）"),
        ("2027-02-07", "周日休息 weekend（暂定 provisional）"),
    ],
)
def test_a_day_says_why(day: str, why: str) -> None:
    """Chinese first, English beside it, provisional said."""
    assert carried().why(date.fromisoformat(day)) == why


def test_an_unpublished_year_has_its_fixed_days_and_is_not_silent() -> None:
    """2027: no notice yet, so only weekends and the six days of the law are off."""
    assert not carried().published(date(2027, 1, 1))
    assert carried().horizon == date(2026, 12, 31)
    days = [date(2027, 1, 1) + timedelta(days=n) for n in range(365)]
    off = [day for day in days if day.weekday() < 5 and not carried().is_workday(day)]
    assert off == [date(2027, 1, 1), date(2027, 10, 1)]
    assert [day for day in days if carried().is_holiday(day)] == [
        date(2027, 1, 1),
        date(2027, 5, 1),
        date(2027, 5, 2),
        date(2027, 10, 1),
        date(2027, 10, 2),
        date(2027, 10, 3),
    ]


def test_the_later_notice_rules_the_days_around_new_year() -> None:
    """What 2026 said of 2026-12-31 falls to the notice of 2027, in any order."""
    day = date(2026, 12, 31)
    older = Year(2026, frozenset({day}), frozenset(), {}, "older")
    newer = Year(2027, frozenset({date(2027, 1, 1)}), frozenset({day}), {}, "newer")
    for order in ([older, newer], [newer, older]):
        assert Calendar(order).is_workday(day)


def test_an_empty_file_publishes_nothing() -> None:
    """The source keeps a file without days for a year whose notice is not out."""
    empty = parse_holiday_cn({"year": 2027, "papers": [], "days": []})
    years = [parse_holiday_cn(json.loads(path.read_text("utf-8"))) for path in CARRIED]
    calendar = Calendar([*years, empty])
    assert not calendar.published(date(2027, 3, 1))
    assert (calendar.edition, calendar.horizon) == (carried().edition, carried().horizon)


def test_a_calendar_of_nothing_is_provisional_everywhere() -> None:
    """No notice at all: still a calendar, and it says so."""
    calendar = Calendar([])
    assert not calendar.published(date(2026, 1, 1))
    assert calendar.horizon == date(1999, 12, 31)


def test_a_year_loaded_twice_changes_nothing() -> None:
    """The same days, whatever their order, give the same calendar and the same edition."""
    years = [parse_holiday_cn(json.loads(path.read_text("utf-8"))) for path in CARRIED]
    assert Calendar([*years, *reversed(years)]).edition == carried().edition


def test_the_highest_edition_of_a_year_counts() -> None:
    """A corrected notice replaces the first in any order; two of one edition are refused."""
    first = Year(2027, frozenset({date(2027, 2, 8)}), frozenset(), {}, "first")
    second = Year(2027, frozenset({date(2027, 2, 9)}), frozenset(), {}, "second", edition=2)
    for order in ([first, second], [second, first]):
        assert Calendar(order).is_workday(date(2027, 2, 8))
        assert not Calendar(order).is_workday(date(2027, 2, 9))
    assert Calendar([first]).edition != Calendar([second]).edition
    rival = Year(2027, frozenset({date(2027, 2, 10)}), frozenset(), {}, "rival")
    with pytest.raises(ValueError, match="two different calendars for 2027 claim edition 1"):
        Calendar([first, rival])


@pytest.mark.parametrize(
    ("day", "policy", "expected"),
    [
        ("2026-10-02", Roll.RESTDAY, "2026-10-08"),
        ("2026-10-02", Roll.HOLIDAY, "2026-10-08"),
        ("2026-10-02", Roll.NONE, "2026-10-02"),
        ("2026-10-02", Roll.BEFORE, "2026-09-30"),
        ("2026-08-29", Roll.HOLIDAY, "2026-08-29"),
        ("2026-09-20", Roll.BEFORE, "2026-09-20"),
    ],
)
def test_a_last_day_rolls_as_the_policy_says(day: str, policy: Roll, expected: str) -> None:
    """On, on past holidays only, not at all, or back."""
    assert carried().roll(date.fromisoformat(day), policy).isoformat() == expected


def test_counting_does_not_go_backward_or_out_of_range() -> None:
    """Refused with a sentence, never counted wrongly."""
    with pytest.raises(ValueError, match="count forward"):
        carried().add_working_days(date(2026, 1, 1), -1)
    for day in (date(1999, 12, 31), date(2100, 12, 30)):
        with pytest.raises(ValueError, match="from 2000-01-01 to 2100-12-31"):
            carried().add_working_days(day, 3)
    for day, policy in (
        (date(2101, 1, 1), Roll.NONE),
        (date(2000, 1, 1), Roll.BEFORE),
        (date(1999, 12, 31), Roll.HOLIDAY),
    ):
        with pytest.raises(ValueError, match="from 2000-01-01 to 2100-12-31"):
            carried().roll(day, policy)


def test_a_good_file_is_loaded() -> None:
    """A day off, a make-up Sunday, their names and the notice."""
    year = load_year(json.dumps(a_file()))
    assert year.off == {date(2027, 1, 1)}
    assert year.work == {date(2027, 1, 3)}
    assert year.names[date(2027, 1, 3)] == "元旦"
    assert (year.source, year.edition) == ("https://www.gov.cn/zhengce/2026/example.htm", 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"year": "2027"}, "year: write a whole number"),
        ({"year": True}, "year: write a whole number"),
        ({"year": 1927}, "year: write a whole number"),
        ({"papers": "a notice"}, "papers: write a list of texts"),
        ({"papers": [""]}, "papers: write a list of texts"),
        ({"papers": []}, "papers: empty"),
        ({"days": {}}, "days: write a list"),
        ({"days": []}, "days: empty; wait until the notice is published"),
        ({"days": [a_day("2027-01-01")] * 367}, "days: 367 of them"),
        ({"days": ["2027-01-01"]}, "days, no. 1: write an object"),
        ({"days": [a_day("2027-01-01"), a_day("2027-01-01")]}, "2027-01-01 is there twice"),
        ({"days": [a_day("2027-01-01"), a_day("2027-01-01", off=False)]}, "is there twice"),
        ({"days": [a_day("2026-12-24")]}, "2026-12-24 is not in 2027 nor in the week around it"),
        ({"days": [a_day("2028-01-08")]}, "2028-01-08 is not in 2027 nor in the week around it"),
        ({"days": [a_day("2027-01-04", off=False)]}, "2027-01-04 is a Monday, worked anyway"),
        ({"days": [a_day("2027-02-29")]}, "date: write a day of the calendar"),
        ({"days": [a_day("20270101")]}, "date: write a day of the calendar"),
        ({"days": [a_day("2027-W01-1")]}, "date: write a day of the calendar"),
        ({"days": [a_day("2027-01-01", name="")]}, "name: write the name"),
        ({"days": [a_day("2027-01-01", name="a\u202eb")]}, "name: write the name"),
        ({"days": [a_day("2027-01-01", name="\ud800")]}, "name: write the name"),
        ({"days": [{**a_day("2027-01-01"), "isOffDay": 1}]}, "isOffDay: write true"),
        ({"days": [{**a_day("2027-01-01"), "half": True}]}, "unknown key 'half'"),
        ({"days": [{"date": "2027-01-01", "isOffDay": True}]}, "name is missing"),
        ({"region": "许昌"}, "the file: unknown key 'region'"),
    ],
)
def test_a_wrong_file_is_told_what_to_do(changes: dict[str, object], expected: str) -> None:
    """Each fault by itself, in a sentence that names the place and the remedy."""
    told = findings(json.dumps(a_file(**changes)))
    assert any(expected in finding for finding in told)


def test_all_faults_are_told_at_once() -> None:
    """Nobody corrects one line to be refused for the next."""
    wrong = {"year": 27, "days": [a_day("2027-13-01"), {"x": 1}], "extra": None}
    told = findings(json.dumps(wrong))
    assert [finding.partition(";")[0] for finding in told] == [
        "the file: unknown key 'extra'",
        "the file: papers is missing",
        "year: write a whole number from 2000 to 2100",
        "days, no. 1: date: write a day of the calendar as YYYY-MM-DD",
        "days, no. 2: unknown key 'x'",
        "days, no. 2: date is missing",
        "days, no. 2: isOffDay is missing",
        "days, no. 2: name is missing",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1, column 1: not JSON"),
        ("{'year': 2027}", "line 1, column 2: not JSON"),
        ("[]", "the file must be one object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"year": ' + "9" * 5000 + "}", "a number too long"),
        ('{"year": 2027, "year": 2026}', "a key is there twice among year"),
        (" " * (LARGEST_FILE + 1), "262145 bytes"),
    ],
)
def test_what_is_no_calendar_file_is_refused(text: str, expected: str) -> None:
    """Before anything in it is believed."""
    assert any(expected in finding for finding in findings(text))


def test_the_carried_calendar_is_read_once() -> None:
    """The files are read at the first question, not at every one."""
    assert engine.calendars.carried() is carried()

"""A clock may be due on a date the item names: that date and no counting decides, for as long as it runs."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
import pytest

from engine.calendars import Calendar, carried_years
from engine.catalog import install
from engine.errors import Exhausted, Invalid
from engine.stalls import reproject, sweep
from engine.verification import spot_check
from engine.workdays import SHANGHAI
from tests.casebook import MONDAY, PERMITS, Casebook, day
from workflows import catalog

if TYPE_CHECKING:
    from pathlib import Path

EDITS = (
    ("  reason:        {", "  wanted_on:     {title: 期望日期, title_en: Wanted on, type: date}\n  reason:        {"),
    ("    optional: [contact, respondent, place, urgency]", "    optional: [contact, respondent, place, urgency, wanted_on]"),
    ("requires: [opinion]\n    known", "requires: [opinion]\n    optional: [wanted_on, place]\n    known"),
    ("    known: [channel, received_on]\n    optional: [place]\n", "    known: [channel, received_on]\n"),
    ("rule: permit.decide, ladder: standard,", "rule: permit.decide, until: wanted_on, ladder: standard,"),
    ("version: 1", "version: 2"),
)  # fmt: skip


@pytest.fixture
def dated(book: Casebook, tmp_path: Path) -> Casebook:
    """The office, its permits decided by the day that is wanted."""
    shutil.copytree(PERMITS, tmp_path / "law")
    path = tmp_path / "law" / "permit.yaml"
    text = path.read_text("utf-8")
    for old, new in EDITS:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    book.casework.catalog = catalog(tmp_path / "law")
    book.do(lambda s: install(s, book.casework.catalog))
    return book


def at(text: str) -> datetime:
    """A moment here."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("wanted", "due"),
    [
        ("2026-03-13", "2026-03-13"),
        ("2026-03-14", "2026-03-16"),  # a Saturday: the rule rolls to the next working day
        ("2026-05-01", "2026-05-06"),  # the holiday of 2026
        ("2026-03-02", "2026-03-02"),  # today is not over yet
        ("2026-02-24", "2026-02-24"),  # over before it began
    ],
)
def test_it_is_due_at_the_end_of_the_day_that_is_named(
    dated: Casebook, wanted: str, due: str
) -> None:
    """Rolled like a legal date; rule and weight stay what the file says."""
    clock = dated.clocks(dated.submit(wanted_on=wanted).number)["decide"]
    assert (str(clock["until"]), str(clock["due_on"])) == (wanted, due)
    assert clock["due_at"] == at(due) + timedelta(days=1)
    assert (clock["rule"], clock["span"]) == ("permit.decide", "20 working days")


def test_without_a_date_the_span_of_the_rule_counts(dated: Casebook) -> None:
    """The field is empty: twenty working days, as ever."""
    clock = dated.clocks(dated.submit().number)["decide"]
    assert (clock["until"], str(clock["due_on"])) == (None, "2026-03-30")


def test_its_ladder_is_climbed_towards_the_date_and_after_it(dated: Casebook) -> None:
    """70 % of the time to the date, 85 %, the date itself, then so many working days after."""
    number = dated.submit(wanted_on="2026-03-12").number
    whole = at("2026-03-13") - MONDAY
    moments = [
        MONDAY + whole * 0.7,
        MONDAY + whole * 0.85,
        at("2026-03-13"),
        at("2026-03-20"),  # the fifth working day after the 12th is the 19th
        at("2026-03-27"),
    ]
    for moment in moments:
        clock = dated.clocks(number)["decide"]
        assert clock["next_rung_at"] == moment
        sweep(dated.database, dated.casework, now=moment)
    assert dated.clocks(number)["decide"]["next_rung"] == len(moments)


def test_a_date_gone_by_rings_at_once(dated: Casebook) -> None:
    """Every rung whose moment is past is climbed by the next sweep, each once."""
    number = dated.submit(wanted_on="2026-02-24").number
    sweep(dated.database, dated.casework, now=MONDAY)
    climbs = dated.rows("SELECT act FROM climb JOIN deadline d ON d.id = deadline_id"
                        " WHERE d.name = 'decide' ORDER BY climb.rung")  # fmt: skip
    assert [climb["act"] for climb in climbs] == ["remind", "urge", "demand"]
    assert dated.clocks(number)["decide"]["next_rung_at"] == at("2026-03-03")  # the 28th was worked


def test_what_the_field_says_later_moves_no_running_clock(dated: Casebook) -> None:
    """A clock keeps what it was started with."""
    number = dated.assigned(wanted_on="2026-03-13")
    dated.go(number, "check", "handler1", opinion="可", wanted_on="2026-04-30")
    assert dated.item(number)["data"]["wanted_on"] == "2026-04-30"
    assert str(dated.clocks(number)["decide"]["due_on"]) == "2026-03-13"


def test_a_pause_silences_it_and_moves_nothing(dated: Casebook) -> None:
    """The day is fixed: after the pause it is the same day."""
    number = dated.assigned(wanted_on="2026-03-13")
    dated.go(number, "pause", "unit_head", day(1), reason="等")
    paused = dated.clocks(number)["decide"]
    assert (paused["next_rung_at"], str(paused["due_on"])) == (None, "2026-03-13")
    dated.go(number, "resume", "handler1", day(21))
    clock = dated.clocks(number)["decide"]
    assert str(clock["due_on"]) == "2026-03-13"
    assert clock["next_rung_at"] is not None


def test_an_extension_is_counted_from_the_date(dated: Casebook) -> None:
    """Ten working days after the 13th is the 27th; a day beyond is refused."""
    number = dated.assigned(wanted_on="2026-03-13")
    dated.refused(Exhausted, lambda: dated.extend(number, "handler1", date(2026, 3, 28)))
    dated.refused(Exhausted, lambda: dated.extend(number, "handler1", date(2026, 3, 13)))
    request = dated.extend(number, "handler1", date(2026, 3, 27))
    dated.go(request, "grant", "head", day(2))
    clock = dated.clocks(number)["decide"]
    assert (clock["extension"], str(clock["due_on"])) == ("10 working days", "2026-03-27")


def test_a_date_the_calendar_cannot_count_to_is_refused(dated: Casebook) -> None:
    """With a sentence, and nothing is written."""
    for wanted in ("2000-01-01", "2100-12-31"):
        dated.refused(Invalid, lambda w=wanted: dated.submit(wanted_on=w), "2001年至2095年")  # type: ignore[misc]


def test_a_calendar_that_comes_later_moves_it_with_an_event_only(dated: Casebook) -> None:
    """The day itself stays; where it turns out to be off, the roll follows, and is told."""
    number = dated.submit(wanted_on="2027-02-08").number
    before = dated.clocks(number)["decide"]
    assert (str(before["due_on"]), before["provisional"]) == ("2027-02-08", True)
    days = [{"name": "春节", "date": f"2027-02-{n:02}", "isOffDay": True} for n in range(5, 12)]
    document = {"year": 2027, "papers": ["国办发明电"], "days": days}
    dated.run(
        "INSERT INTO calendar_year VALUES (2027, 1, %s, sha256(''), now())",
        orjson.dumps(document).decode(),
    )
    dated.run("UPDATE bureau SET calendar_revision = calendar_revision + 1")
    assert reproject(dated.database, dated.casework) >= 1
    after = dated.clocks(number)["decide"]
    assert (str(after["until"]), str(after["due_on"])) == ("2027-02-08", "2027-02-12")
    assert "projection" in [event["act"] for event in dated.events(number)]


def test_the_row_derives_again_and_a_date_put_there_by_hand_shows(dated: Casebook) -> None:
    """`banjie verify` finds a clock due on a day that no act ever named."""
    number = dated.assigned(wanted_on="2026-03-13")
    assert spot_check(dated.database, dated.casework.catalog) == []
    dated.run(
        "UPDATE deadline SET until = until + 3, due_on = due_on + 3, due_at = due_at + interval '3 days',"
        " next_rung_at = started_at + (due_at + interval '3 days' - started_at) * 0.7"
        " WHERE name = 'decide'"
    )
    dated.run("UPDATE item SET due_at = (SELECT min(due_at) FROM deadline WHERE item_id = item.id)")
    assert any(number in fault for fault in spot_check(dated.database, dated.casework.catalog))


def test_a_printed_working_names_the_day(dated: Casebook) -> None:
    """The day it started, the day that was named, and the day it moved to."""
    bound = dated.casework.catalog.named("permit")
    clockwork = dated.casework.clockwork(bound, Calendar(carried_years()))
    clock = clockwork.start("decide", "permit.decide", MONDAY, until=date(2026, 3, 14))
    days = clockwork.printed_working(clock)
    assert [(str(row.date), row.counts) for row in days] == [
        ("2026-03-02", False), ("2026-03-14", False), ("2026-03-16", True),
    ]  # fmt: skip
    assert "指定的日期" in days[1].why

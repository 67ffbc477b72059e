"""The sweep: what rings is climbed once, in order, by those who may hear, and never too late."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
import pytest

from engine import stalls
from engine.calendars import carried_years
from engine.casework import Casework
from engine.database import execute
from engine.people import PUBLIC
from tests.casebook import MONDAY, day

if TYPE_CHECKING:
    from datetime import datetime

    from tests.casebook import Casebook


def sweep(book: Casebook, at: datetime) -> int:
    """Climb what is due at a moment."""
    return stalls.sweep(book.database, book.casework, now=at)


def rungs(book: Casebook, number: str) -> list[tuple[str, str, int]]:
    """What was climbed of an item: (clock, kind, level), in order."""
    return [
        (event["data"]["deadline"], event["data"]["kind"], event["data"]["level"])
        for event in book.events(number)
        if event["act"] == "rung"
    ]


def quiet(book: Casebook, *names: str) -> None:
    """Silence every clock but these, to look at one alone."""
    book.run("UPDATE deadline SET next_rung_at = NULL WHERE NOT name = ANY(%s)", list(names))


def test_every_rung_is_told_to_the_systems_that_listen_to_the_unit(book: Casebook) -> None:
    """One webhook row a rung for an endpoint of the bureau, none for one of another branch."""
    for code in ("BUR", "BR2"):
        book.run(
            "INSERT INTO endpoint (url, secret, unit_id)"
            " SELECT 'https://' || code, 'whsec_', id FROM unit WHERE code = %s",
            code,
        )
    number = book.assigned()
    quiet(book, "decide")
    sweep(book, day(37))
    told = book.rows(
        "SELECT e.url, m.rung FROM message m JOIN endpoint e ON e.id = m.endpoint_id"
        " WHERE m.channel = 'webhook' AND m.status = 'ready' ORDER BY m.rung"
    )
    assert len(rungs(book, number)) == 4
    assert [(row["url"], row["rung"]) for row in told] == [("https://BUR", at) for at in range(4)]


def test_a_sweeper_leaves_what_it_cannot_read_to_one_that_can(book: Casebook) -> None:
    """A process still on the old folder puts unknown versions off and goes on with the rest."""
    number = book.assigned()
    quiet(book, "decide")
    old = Casework(replace(book.casework.catalog, bound={}))
    assert stalls.sweep(book.database, old, now=day(18)) == 0
    assert rungs(book, number) == []
    assert sweep(book, day(18)) == 0
    assert sweep(book, day(18) + timedelta(hours=2)) == 1


# --- the four kinds -------------------------------------------------------------------------


def test_an_overdue_item_climbs_its_ladder_in_order(book: Casebook) -> None:
    """Five rungs at 70 %, 85 %, due, 5 and 10 working days after, each at its own moment."""
    number = book.assigned()
    quiet(book, "decide")
    for at, count in (
        (14, 0),
        (18, 1),
        (23, 2),
        (28, 2),
        (29, 3),
        (36, 3),
        (37, 4),
        (44, 5),
        (90, 5),
    ):
        sweep(book, day(at, 9))
        assert len(rungs(book, number)) == count, at
    assert [level for _, _, level in rungs(book, number)] == [0, 1, 2, 3, 4]
    climbs = book.rows(
        "SELECT rung, due_at, climbed_at FROM climb WHERE item_id ="
        " (SELECT id FROM item WHERE number = %s) ORDER BY rung",
        number,
    )
    assert [row["rung"] for row in climbs] == [0, 1, 2, 3, 4]
    assert all(row["due_at"] <= row["climbed_at"] for row in climbs)
    assert book.item(number)["rung"] == 4
    letters = book.rows(
        "SELECT template, title FROM document d JOIN item i ON i.id = d.item_id WHERE number = %s",
        number,
    )
    assert letters == [{"template": "demand", "title": "催办通知书"}]
    candidate = book.children(number, "inquiry")
    assert [row["data"].get("candidate") for row in candidate] == [True]


def test_after_an_outage_every_missed_rung_is_climbed_once_in_order(book: Casebook) -> None:
    """One sweep after two months finds them all, with the moments at which they were due."""
    number = book.assigned()
    quiet(book, "decide")
    assert sweep(book, day(70)) >= 5
    assert [level for _, _, level in rungs(book, number)] == [0, 1, 2, 3, 4]
    clock = "deadline_id = (SELECT min(id) FROM deadline)"
    dues = [
        row["due_at"] for row in book.rows(f"SELECT due_at FROM climb WHERE {clock} ORDER BY rung")
    ]
    assert dues == sorted(dues)
    assert dues[0] < day(30)
    sweep(book, day(71))
    assert len(rungs(book, number)) == 5


def test_an_idle_item_is_noticed_in_every_state(book: Casebook) -> None:
    """Three working days without a move in intake, five in the work: the holder and the head."""
    number = book.submit().number
    sweep(book, day(3, 9))
    assert rungs(book, number) == []
    sweep(book, day(4, 0))
    assert rungs(book, number) == [("idle", "idle", 1)]
    assert book.told(number, "urge") == {"unit_head", "head"}  # who can move it on from there


def test_looking_writing_and_handing_over_do_not_end_idleness(book: Casebook) -> None:
    """A note, another holder and a request for time leave the idle clock as it stands."""
    number = book.assigned()
    before = book.clocks(number)["idle"]
    book.do(lambda s: book.casework.note(s, number, book.who("handler1"), "看了", at=day(2)))
    people = ["handler1", "law_handler"]
    book.reassign(number, "unit_head", people, day(2))
    assert book.clocks(number)["idle"] == before


def back_and_forth(book: Casebook, number: str, at: datetime) -> None:
    """Concluded, and sent back."""
    book.go(number, "check", "handler1", at, opinion="可")
    book.go(number, "return", "unit_head", at, reason="再查")


def test_the_second_return_is_ping_pong(book: Casebook) -> None:
    """One return is work; the second is told to the head at once, until the item moves on."""
    number = book.assigned()
    back_and_forth(book, number, day(1))
    assert "ping_pong" not in book.clocks(number)
    back_and_forth(book, number, day(2))
    assert book.clocks(number)["ping_pong"]["kind"] == "ping_pong"
    sweep(book, day(2, 11))
    assert ("ping_pong", "ping_pong", 3) in rungs(book, number)
    assert "head" in book.told(number, "supervise")
    book.go(number, "check", "handler1", day(3), opinion="可")
    assert "ping_pong" not in book.clocks(number)


def test_giving_an_item_round_counts_like_returning_it(book: Casebook) -> None:
    """Two other holders without a move in between are ping-pong as well."""
    number = book.assigned()
    for people in (["handler1", "law_handler"], ["handler2", "law_handler"]):
        book.reassign(number, "unit_head", people, day(1))
    assert "ping_pong" in book.clocks(number)


def test_a_second_pause_is_abuse_once_however_many_clocks_stand_still(book: Casebook) -> None:
    """Two limits pause together: the first time nothing, the second time one clock of abuse."""
    number = book.assigned()
    book.go(number, "pause", "unit_head", day(1), reason="等")
    assert "clock_abuse" not in book.clocks(number)
    book.go(number, "resume", "handler1", day(2))
    book.go(number, "pause", "unit_head", day(3), reason="再等")
    abuse = book.rows("SELECT FROM deadline WHERE name = 'clock_abuse' AND stopped_at IS NULL")
    assert len(abuse) == 1
    sweep(book, day(3, 11))
    assert rungs(book, number).count(("clock_abuse", "clock_abuse", 3)) == 1


def test_a_pause_that_never_ends_is_abuse(book: Casebook) -> None:
    """What stands still beside a paused limit is clocked itself, as abuse, after 30 days."""
    number = book.assigned()
    book.go(number, "pause", "unit_head", day(1), reason="等")
    assert book.clocks(number)["idle"]["kind"] == "clock_abuse"
    quiet(book, "idle")
    sweep(book, day(31))
    assert rungs(book, number) == []
    sweep(book, day(32))
    assert rungs(book, number) == [("idle", "clock_abuse", 3)]


@pytest.mark.parametrize(("asked", "abused"), [(day(20), False), (day(28), True)])
def test_asking_for_time_at_the_last_moment_is_abuse(
    book: Casebook, asked: datetime, *, abused: bool
) -> None:
    """A request in the last tenth of the limit starts the clock of abuse; an earlier one not."""
    number = book.assigned()
    book.do(
        lambda s: book.casework.extend(
            s, number, book.who("handler1"), "decide", date(2026, 4, 3), "忙", at=asked
        )
    )
    assert ("clock_abuse" in book.clocks(number)) is abused


@pytest.mark.parametrize(
    ("done", "undone", "abused"),
    [
        (timedelta(minutes=-5), timedelta(hours=1), True),
        (timedelta(minutes=-5), timedelta(minutes=-1), False),
        (timedelta(minutes=-11), timedelta(hours=1), False),
        (timedelta(minutes=5), timedelta(hours=1), False),
    ],
)
def test_moving_on_just_before_the_limit_and_back_after_it_is_abuse(
    book: Casebook, done: timedelta, undone: timedelta, *, abused: bool
) -> None:
    """A clock stopped in its last ten minutes by a move that is taken back was dodged."""
    number = book.assigned()
    due = book.clocks(number)["check"]["due_at"]
    book.go(number, "check", "handler1", due + done, opinion="可")
    book.go(number, "return", "unit_head", due + undone, reason="没查")
    assert ("clock_abuse" in book.clocks(number)) is abused


# --- moving cancels -------------------------------------------------------------------------


def test_moving_cancels_what_would_have_rung(book: Casebook) -> None:
    """Due and not yet swept, then moved: the stall is over and no rung is ever climbed for it."""
    number = book.submit().number
    at = day(4, 9)
    book.go(
        number,
        "assign",
        "unit_head",
        at,
        handlers=["handler1", "handler2"],
        declarations_signed=True,
    )
    sweep(book, at)
    assert rungs(book, number) == []
    book.go(number, "check", "handler1", at, opinion="可")
    book.go(number, "grant", "head", at)
    sweep(book, day(300))
    assert rungs(book, number) == []


def test_a_paused_clock_never_rings(book: Casebook) -> None:
    """However long the pause, the limit rings only with what was left of it after it."""
    number = book.assigned()
    book.go(number, "pause", "unit_head", day(1), reason="等")
    sweep(book, day(59))
    assert {name for name, _, _ in rungs(book, number)} == {"idle", "check"}
    book.go(number, "resume", "handler1", day(60))
    assert book.clocks(number)["decide"]["due_on"] > day(80).date()


# --- lapses ---------------------------------------------------------------------------------


def test_an_item_lapses_only_where_the_notice_was_delivered(book: Casebook) -> None:
    """Without a record of delivery the system asks again every day; with it, it closes."""
    items = []
    delivered: dict[str, Any] = {"delivered_at": MONDAY.isoformat()}
    for given in ({}, delivered):
        number = book.submit().number
        book.go(number, "ask_supplement", "intake", missing_items=["照片"], **given)
        items.append(number)
    open_one, lapsed = items
    sweep(book, day(8))
    assert book.item(lapsed)["state"] == "refused"
    assert book.item(open_one)["state"] == "supplementing"
    clock = book.clocks(open_one)["supplement"]
    assert day(8) < clock["next_rung_at"] <= day(9)
    book.go(open_one, "record_delivery", "intake", day(8, 12), delivered_at=day(8).isoformat())
    sweep(book, day(9, 12))
    assert book.item(open_one)["state"] == "refused"
    assert book.events(open_one)[-1]["role"] == "sys"


def test_a_period_runs_out_once(book: Casebook) -> None:
    """What lapses into staying where it is does so once, and the idle clock rings on."""
    number = book.assigned()
    for at in range(1, 40):
        sweep(book, day(at))
    acts = [event["act"] for event in book.events(number)]
    assert acts.count("stands") == 1
    assert "decline" not in book.clocks(number)
    assert {level for name, _, level in rungs(book, number) if name == "idle"} == {1, 3}


# --- the calendar ---------------------------------------------------------------------------


def test_a_new_calendar_moves_dates_by_an_event_and_keeps_what_was_climbed(book: Casebook) -> None:
    """A working day made a holiday moves the due date, which the journal says; rungs stay climbed."""
    number = book.assigned()
    quiet(book, "decide")
    sweep(book, day(18, 9))
    before = book.clocks(number)["decide"]
    load_holiday(book, "2026-03-27")
    assert stalls.reproject(book.database, book.casework) >= 1
    after = book.clocks(number)["decide"]
    assert (before["due_on"], after["due_on"]) == (date(2026, 3, 30), date(2026, 3, 31))
    assert after["next_rung"] == before["next_rung"] == 1
    event = next(e for e in book.events(number) if e["act"] == "projection")
    assert (event["data"]["deadline"], event["data"]["due_on"]) == ("decide", "2026-03-31")
    assert stalls.reproject(book.database, book.casework) == 0
    assert len(rungs(book, number)) == 1


def load_holiday(book: Casebook, holiday: str) -> None:
    """A new edition of 2026 with one more holiday."""
    year = next(each for each in carried_years() if each.year == 2026)
    told = {**dict.fromkeys(map(str, year.off), True), **dict.fromkeys(map(str, year.work), False)}
    days = [
        {"name": "休", "date": on, "isOffDay": off} for on, off in (told | {holiday: True}).items()
    ]
    document = {"year": 2026, "papers": ["https://www.gov.cn/x"], "days": days}
    book.run(
        "INSERT INTO calendar_year VALUES (2026, 2, %s, sha256(''), now())",
        orjson.dumps(document).decode(),
    )
    book.run("UPDATE bureau SET calendar_revision = calendar_revision + 1")


# --- the sweep itself -----------------------------------------------------------------------


def test_a_broken_item_stops_nothing(book: Casebook, capsys: pytest.CaptureFixture[str]) -> None:
    """Its clocks are put off for an hour and its number is logged; all others are climbed."""
    good = [book.submit().number for _ in range(3)]
    broken = book.submit().number
    # a rule the office has since struck from its files
    book.run(
        "UPDATE deadline SET ladder = 'gone' WHERE name = 'idle'"
        " AND item_id = (SELECT id FROM item WHERE number = %s)",
        broken,
    )
    sweep(book, day(5))
    assert all(rungs(book, number) for number in good)
    assert rungs(book, broken) == []
    assert book.clocks(broken)["idle"]["next_rung_at"] == day(5, 11)
    assert broken in capsys.readouterr().err
    book.run("UPDATE deadline SET ladder = 'idle' WHERE ladder = 'gone'")
    sweep(book, day(5, 12))
    assert rungs(book, broken) == [("idle", "idle", 1)]


def test_an_item_the_database_refuses_stops_nothing(book: Casebook) -> None:
    """A rung that violates a constraint is that item's own trouble."""
    good, broken = book.submit().number, book.submit().number
    book.run(
        "INSERT INTO climb SELECT c.id, 0, c.item_id, 1, 1, 'urge', now(), now() FROM deadline c"
        " JOIN item i ON i.id = c.item_id WHERE i.number = %s AND c.name = 'idle'",
        broken,
    )
    sweep(book, day(5))
    assert rungs(book, good)
    assert rungs(book, broken) == []
    assert book.item(broken)["seq"] == 1


def test_a_sweep_passes_over_what_somebody_holds(book: Casebook) -> None:
    """An item in somebody's hands is neither waited for nor are its clocks held from them."""
    number, other = book.submit().number, book.submit().number
    with psycopg.connect(book.url) as holder:
        holder.execute("SELECT FROM item WHERE number = %s FOR NO KEY UPDATE", [number])
        claimed = threading.Event()
        done = threading.Event()

        def claim() -> None:
            with book.database.transaction() as session:
                rows = execute(session, stalls.CLAIM, (day(5), 100)).fetchall()
                assert len(rows) == 1
                claimed.set()
                done.wait(10)

        thread = threading.Thread(target=claim)
        thread.start()
        assert claimed.wait(10)
        holder.execute("SET lock_timeout = '500ms'")
        holder.execute(
            "UPDATE deadline SET next_rung = 0 WHERE item_id ="
            " (SELECT id FROM item WHERE number = %s)",
            [number],
        )
        done.set()
        thread.join()
    sweep(book, day(5))
    assert rungs(book, number)
    assert rungs(book, other)


def test_alarms_lie_ahead_after_a_sweep(book: Casebook) -> None:
    """After a sweep no clock of the office rings before the moment swept to."""
    for _ in range(3):
        book.assigned()
    number = book.submit(by=PUBLIC, data={"wish": "摆摊"}).number
    book.go(number, "ask_supplement", "intake", missing_items=["照片"])
    for at in (1, 5, 9, 30, 31, 100):
        sweep(book, day(at))
        late = book.rows("SELECT FROM deadline WHERE next_rung_at <= %s", day(at))
        assert late == []

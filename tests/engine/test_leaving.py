"""Leaving the office: what somebody held goes to lawful hands or is told upwards, never nowhere."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

from engine import stalls
from engine.administration import conflicts, leaving
from engine.errors import Busy, NotPermitted, Refused
from engine.workdays import SHANGHAI
from tests.casebook import MONDAY, day
from tests.officebook import change, count_told, holders

if TYPE_CHECKING:
    from datetime import date

    from tests.casebook import Casebook

ITEMS = 30


def today(book: Casebook) -> date:
    """The office's date."""
    found: date = book.rows("SELECT (now() + practice_offset)::date AS today FROM bureau")[0][
        "today"
    ]
    return found


def leave(book: Casebook, account: str, *successors: str, days: int = 0) -> dict[str, Any]:
    """Somebody leaves, by the hand of the administrator."""
    on = today(book) + timedelta(days=days)
    told: dict[str, Any] = change(
        book, "admin", lambda r: leaving.leave(r, book.casework, account, on, successors)
    )
    return told


def another_handler(book: Casebook, account: str, unit: str = "AUD") -> None:
    """Somebody becomes a handler of a section besides."""
    book.run(
        "INSERT INTO membership SELECT p.id, 'handler', u.id FROM person p, unit u"
        f" WHERE p.account = '{account}' AND u.code = '{unit}'"
    )


def test_a_leaver_with_thirty_items_leaves_none_orphaned(book: Casebook) -> None:
    """Every item has two lawful holders again, who are told of it once; nobody barred is among them."""
    another_handler(book, "law_handler")
    another_handler(book, "office_handler")
    numbers = [book.assigned() for _ in range(ITEMS)]
    for number in numbers[:5]:
        book.go(number, "name", "head", officers=["law_handler"])
    told = leave(book, "handler1")
    assert (told["handed_over"], told["told_upward"], told["unheard"]) == (ITEMS, 0, 0)
    assert sum(each["items"] for each in told["successors"]) == ITEMS
    for at, number in enumerate(numbers):
        (taker,) = holders(book, number) - {"handler2"}
        assert taker in ({"office_handler"} if at < 5 else {"law_handler", "office_handler"})
        assert count_told(book, number, taker, "assigned") == 1
        assert count_told(book, number, "handler2", "assigned") == 0
        (last,) = book.events(number)[-1:]
        assert (last["act"], last["role"], last["actor_id"]) == ("assignment", "sys", None)
    book.go(numbers[9], "check", "handler2", opinion="可")


def test_work_is_spread_and_those_named_come_first(book: Casebook) -> None:
    """Whoever is named takes over where they may; without a name whoever holds least does."""
    for account in ("law_handler", "office_handler"):
        another_handler(book, account)
    numbers = [book.assigned() for _ in range(4)]
    told = leave(book, "handler1", "law_handler2")
    assert told["successors"] == [{"account": "law_handler2", "items": 4}]
    told = leave(book, "handler2")
    assert {each["items"] for each in told["successors"]} == {2}
    assert all("handler1" not in holders(book, n) for n in numbers)


def test_where_nobody_may_take_over_the_head_of_the_unit_is_told(book: Casebook) -> None:
    """The desk falls to the role, the head hears, the head assigns anew, and no game was played."""
    number = book.assigned()
    told = leave(book, "handler1")
    assert (told["handed_over"], told["told_upward"], told["unheard"]) == (0, 1, 0)
    assert holders(book, number) == {"handler2"}
    assert book.told(number, "handed_back") == {"unit_head"}
    book.reassign(number, "unit_head", ["handler2", "law_handler"])
    assert holders(book, number) == {"handler2", "law_handler"}
    assert "ping_pong" not in book.clocks(number)


def test_a_declared_conflict_keeps_an_item_from_a_successor(book: Casebook) -> None:
    """Whoever declared a conflict with the accused is passed over, even where they are named."""
    another_handler(book, "law_handler")
    number = book.assigned()
    declared = conflicts.Declared("near_relative", person="branch1_head")
    change(book, "law_handler", lambda r: conflicts.declare(r, "law_handler", declared))
    book.go(number, "name", "head", officers=["branch1_head"])
    assert leave(book, "handler1", "law_handler")["told_upward"] == 1
    assert "law_handler" not in holders(book, number)


def test_nobody_takes_over_what_they_approved(book: Casebook) -> None:
    """A duty of another kind in the family keeps somebody from it, as in any assignment."""
    another_handler(book, "revisitor")
    book.run("UPDATE person SET certified_until = '2030-01-01' WHERE account = 'revisitor'")
    number = book.assigned()
    book.run(
        "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at, ended_at)"
        " SELECT id, family_id, %s, 'revisitor', 'revisit', now(), now() FROM item WHERE number = %s",
        book.id("revisitor"),
        number,
    )
    assert leave(book, "handler1", "revisitor")["told_upward"] == 1


def test_messages_that_wait_for_a_leaver_reach_somebody_else(book: Casebook) -> None:
    """What was queued is withdrawn, and told to whoever takes over or answers for the unit."""
    number = book.assigned()
    stalls.sweep(book.database, book.casework, now=day(8))
    assert "unit_head" in book.told(number, "urge")
    leave(book, "unit_head")
    rows = book.rows(
        "SELECT i.number, m.text, m.status, p.account FROM message m JOIN item i ON i.id = m.item_id"
        " JOIN person p ON p.id = m.recipient_id"
    )
    mine = [row for row in rows if row["account"] == "unit_head"]
    assert {row["status"] for row in mine} == {"withdrawn"}
    for row in mine:
        heard = {
            r["account"] for r in rows if (r["number"], r["text"]) == (row["number"], row["text"])
        }
        assert heard - {"unit_head"}
    assert {row["number"] for row in mine} == {number}


def test_a_day_to_come_is_worked_off_by_the_worker_once(book: Casebook) -> None:
    """Nothing moves before the day; on it the work is handed over, and a second run does nothing."""
    another_handler(book, "law_handler")
    number = book.assigned()
    told = leave(book, "handler1", "law_handler", days=2)
    assert not told["done"]
    assert leaving.depart_all(book.database, book.casework) == 0
    assert "handler1" in holders(book, number)
    book.run("UPDATE bureau SET practice_offset = practice_offset + interval '2 days'")
    assert leaving.depart_all(book.database, book.casework) == 1
    assert holders(book, number) == {"handler2", "law_handler"}
    assert leaving.depart_all(book.database, book.casework) == 0
    assert count_told(book, number, "law_handler", "assigned") == 1
    by = book.rows("SELECT entry ->> 'by' AS by FROM office_event ORDER BY seq DESC LIMIT 1")
    assert by[0]["by"].startswith("person:")  # the worker changed items, not the office


def test_a_leaver_is_logged_out_and_leaves_once(book: Casebook) -> None:
    """Their tokens are gone at once; nobody lets himself go, and nobody leaves twice."""
    book.run(
        "INSERT INTO login (token_digest, person_id, expires_at) VALUES ('x', %s, now() + interval '1 h')",
        book.id("handler1"),
    )
    book.refused(NotPermitted, lambda: leave(book, "admin"))
    book.refused(
        NotPermitted,
        lambda: change(
            book, "head", lambda r: leaving.leave(r, book.casework, "handler1", today(book))
        ),
    )
    leave(book, "handler1")
    assert book.rows("SELECT FROM login") == []
    book.refused(Refused, lambda: leave(book, "handler1"))


def test_a_leaver_and_an_advance_at_once_both_come_to_an_end(book: Casebook) -> None:
    """While items move, their holder leaves: each item ends with lawful holders, none is lost."""
    another_handler(book, "law_handler")
    numbers = [book.assigned() for _ in range(8)]
    faults: list[Exception] = []

    def check() -> None:
        for number in reversed(numbers):
            try:
                book.go(number, "check", "handler2", MONDAY + timedelta(hours=1), opinion="可")
            except Busy as error:
                faults.append(error)

    thread = Thread(target=check)
    thread.start()
    leave(book, "handler1")
    thread.join()
    assert faults == []
    for number in numbers:
        assert "handler1" not in holders(book, number)
        assert book.item(number)["state"] == "deciding"


def test_the_time_of_an_event_is_the_offices(book: Casebook) -> None:
    """A handover bears the office's clock, which never runs behind what the item has seen."""
    number = book.assigned()
    leave(book, "handler1")
    before, after = book.events(number)[-2:]
    assert after["at"] >= before["at"]
    assert after["at"].astimezone(SHANGHAI).date() == max(today(book), MONDAY.date())

"""Races with real sessions and threads: one wins, nobody gets in between, nothing happens twice."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine import answers, journal, stalls
from engine.births import Birth
from engine.database import Database, execute
from engine.errors import BanjieError, GuardRefused, NotFound, Repeated, Stale
from tests.casebook import MONDAY, day

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from tests.casebook import Casebook

DUTY = (
    "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
    " VALUES (%s, %s, %s, %s, %s, now())"
)


def together(*deeds: Callable[[], Any]) -> list[Any]:
    """Start deeds in threads at one moment; each answer is what it returned or raised."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return deed()
        except BanjieError as error:
            return error

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def test_of_two_moves_from_one_revision_one_wins(book: Casebook) -> None:
    """Two people at once: one moves the item, the other is told that it moved on."""
    for _ in range(15):
        number = book.assigned()
        outcomes = together(
            lambda n=number: book.go(n, "check", "handler1", revision=2, opinion="可"),  # type: ignore[misc]
            lambda n=number: book.go(n, "pause", "unit_head", revision=2, reason="等"),  # type: ignore[misc]
        )
        assert sum(isinstance(answer, Stale) for answer in outcomes) == 1, outcomes
        assert len(book.events(number)) == 3


def test_three_hundred_races_between_revisit_and_work_are_all_lost_by_one(
    book: Casebook,
) -> None:
    """Two sessions give one person both duties of a family at once: never do both commit."""
    born = book.do(
        lambda s: book.casework.submit_many(
            s, "permit", book.who("intake"), [Birth({"wish": "x"})] * 300, at=MONDAY
        )
    )
    person = book.id("handler1")
    gate = threading.Barrier(2)

    def session(duty: str) -> list[str]:
        found = []
        with psycopg.connect(book.url) as connection:
            for each in born:
                gate.wait()
                try:
                    with connection.transaction():
                        values = [each.id, each.id, person, duty, duty]
                        connection.execute(DUTY.encode(), values)
                    found.append("committed")
                except (
                    psycopg.errors.ExclusionViolation,
                    psycopg.errors.DeadlockDetected,
                ) as error:
                    found.append(type(error).__name__)
        return found

    with ThreadPoolExecutor(2) as pool:
        work, revisit = pool.map(session, ("work", "revisit"))
    both = [pair for pair in zip(work, revisit, strict=True) if pair == ("committed", "committed")]
    assert both == []
    assert "committed" in work + revisit
    held = book.rows("SELECT item_id FROM item_duty GROUP BY item_id HAVING count(*) > 1")
    assert held == []


def test_naming_an_accused_while_he_acts_lets_one_of_both_happen_first(book: Casebook) -> None:
    """Either he acted before he was named, or he finds no item; never does he act after it."""
    for _ in range(15):
        number = book.assigned()
        outcomes = together(
            lambda n=number: book.go(n, "open_inquiry", "handler1", opinion="另查"),  # type: ignore[misc]
            lambda n=number: book.go(n, "name", "head", officers=["handler1"]),  # type: ignore[misc]
        )
        assert not isinstance(outcomes[1], BanjieError), outcomes
        acts = [(event["act"], event["actor_id"]) for event in book.events(number)]
        if isinstance(outcomes[0], BanjieError):
            assert isinstance(outcomes[0], NotFound)
            assert [act for act, _ in acts] == ["submit", "assign", "name"]
        else:
            assert [act for act, _ in acts] == ["submit", "assign", "open_inquiry", "name"]
        active = book.rows(
            "SELECT duty FROM item_duty WHERE person_id = %s AND ended_at IS NULL"
            " AND family_id = (SELECT family_id FROM item WHERE number = %s)",
            book.id("handler1"),
            number,
        )
        assert {row["duty"] for row in active} == {"accused"}


def test_twins_with_one_key_are_one_act(book: Casebook) -> None:
    """The same request at once under one Idempotency-Key: one item, one answer, given twice."""
    for turn in range(10):
        ask = answers.Ask("intake", f"key-{turn}", sha256(b"body").digest())

        def request(session: Session, ask: answers.Ask = ask) -> bytes:
            if kept := answers.claim(session, ask):
                return kept.body
            born = book.casework.submit(session, "permit", book.who("intake"), {"wish": "x"})
            answers.settle(session, ask, answers.Given(201, born.number.encode()))
            return born.number.encode()

        one, two = together(lambda r=request: book.do(r), lambda r=request: book.do(r))  # type: ignore[misc]
        assert one == two
    assert len(book.rows("SELECT FROM item")) == 10
    other = answers.Ask("intake", "key-0", sha256(b"another body").digest())
    with pytest.raises(Repeated):
        book.do(lambda s: answers.claim(s, other))


def test_four_sweepers_climb_every_rung_of_two_hundred_items_once(book: Casebook) -> None:
    """Each of 200 stalled items gets its rungs, its messages and its events exactly once."""
    book.do(
        lambda s: book.casework.submit_many(
            s, "permit", book.who("intake"), [Birth({"wish": "x"})] * 200, at=MONDAY
        )
    )
    offices = [Database(book.url, size=2) for _ in range(4)]
    try:
        climbed = together(
            *(
                lambda office=office: stalls.sweep(office, book.casework, now=day(5), limit=20)
                for office in offices
            )
        )
    finally:
        for office in offices:
            office.close()
    assert sum(climbed) == 200
    assert min(climbed) >= 0
    events = book.rows("SELECT item_id FROM event WHERE act = 'rung'")
    assert len(events) == len({row["item_id"] for row in events}) == 200
    assert len(book.rows("SELECT FROM climb")) == 200
    urged = book.rows("SELECT count(*) AS n FROM message WHERE text = 'urge' GROUP BY item_id")
    assert {row["n"] for row in urged} == {2}


def test_no_rung_is_climbed_after_the_move_that_ended_the_stall(book: Casebook) -> None:
    """While sweepers run, items are moved: what was moved first has no rung, and none is lost."""
    numbers = [book.submit().number for _ in range(40)]
    stop = threading.Event()

    def move() -> None:
        for number in random.Random(7).sample(numbers, len(numbers)):
            book.go(number, "refuse", "unit_head", day(5), reason="撤")
        stop.set()

    def climb() -> None:
        office = Database(book.url, size=2)
        while not stop.is_set():
            stalls.sweep(office, book.casework, now=day(5), limit=3)
        office.close()

    outcomes = together(move, climb)
    assert outcomes == [None, None]
    late = book.rows(
        "SELECT FROM event r JOIN event m ON m.item_id = r.item_id AND m.act = 'refuse'"
        " WHERE r.act = 'rung' AND r.seq > m.seq"
    )
    assert late == []
    assert len(book.rows("SELECT FROM event WHERE act = 'refuse'")) == len(numbers)
    assert book.do(journal.verify)[1] == []


def test_a_deadlock_is_tried_again_and_succeeds(book: Casebook) -> None:
    """Two transactions that lock two items crosswise both end well."""
    one, two = book.submit().number, book.submit().number
    gate = threading.Barrier(2, timeout=5)
    tries: list[str] = []

    def cross(first: str, second: str) -> Callable[[Session], None]:
        def deed(session: Session) -> None:
            tries.append(first)
            lock = "SELECT FROM item WHERE number = %s FOR NO KEY UPDATE"
            execute(session, lock, (first,))
            if len(tries) <= 2:
                gate.wait()
            execute(session, lock, (second,))

        return deed

    outcomes = together(
        lambda: book.do(cross(one, two)),
        lambda: book.do(cross(two, one)),
    )
    assert outcomes == [None, None]
    assert len(tries) == 3


def test_a_handler_and_a_revisitor_of_one_family_cannot_both_be_made_at_once(
    book: Casebook,
) -> None:
    """Through the verbs too: of two acts in two items of one family one is refused."""
    book.run(
        "INSERT INTO membership SELECT p.id, 'revisitor', u.id FROM person p, unit u"
        " WHERE p.account = 'law_handler' AND u.code = 'BUR'"
    )
    people = ["handler1", "law_handler"]
    for _ in range(10):
        number = book.submit().number
        visit = book.submit("survey", "unit_head", data={"case": number}).number
        outcomes = together(
            lambda n=number: book.go(  # type: ignore[misc]
                n, "assign", "unit_head", handlers=people, declarations_signed=True
            ),
            lambda n=visit: book.go(n, "visit", "law_handler", answers="好"),  # type: ignore[misc]
        )
        refused = [answer for answer in outcomes if isinstance(answer, BanjieError)]
        assert len(refused) == 1
        assert isinstance(refused[0], GuardRefused)


def test_an_act_that_waited_happens_after_the_one_it_waited_for(book: Casebook) -> None:
    """A transaction that began before another one moved the item still writes the later moment."""
    casework, head, handler = book.casework, book.who("unit_head"), book.who("handler1")
    number = book.submit(at=None).number
    handlers = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
    book.do(lambda s: casework.advance(s, number, "assign", head, handlers))

    def late(session: Session) -> None:
        execute(session, "SELECT now()")  # what the database calls now stands still from here
        book.do(lambda s: casework.advance(s, number, "pause", head, {"reason": "等"}))
        casework.advance(session, number, "resume", handler)

    book.do(late)
    moments = [event["at"] for event in book.events(number)]
    assert len(moments) == 4
    assert moments == sorted(moments)

"""Acts of the past run through the same verbs, each at its own moment, and what rings between rings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.journal import verify
from engine.replaying import Outcome, Replay
from tests.casebook import day

if TYPE_CHECKING:
    from datetime import datetime

    from tests.casebook import Casebook

ASSIGNED = {"handlers": ["handler1", "handler2"], "declarations_signed": True}


def act(item: str, name: str, at: datetime, actor: str, **data: Any) -> dict[str, Any]:
    """One act of a permit."""
    return {
        "item": item,
        "workflow": "permit",
        "act": name,
        "at": at.isoformat(),
        "actor": actor,
        "data": data,
    }


def replayed(book: Casebook, *acts: object) -> list[Outcome]:
    """What came of acts (or of lines as they are)."""
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in acts]
    return list(Replay(book.database, book.casework).run(lines))


def number_of(book: Casebook, key: str) -> str:
    """The number of an item by its outside key."""
    return str(book.rows("SELECT number FROM item WHERE outside_key = %s", key)[0]["number"])


def test_acts_are_made_in_order_at_their_own_moments(book: Casebook) -> None:
    """A year of work can be told in a second, and the journal has its true times."""
    found = replayed(
        book,
        act("A", "submit", day(0), "public", wish="摆摊"),
        act("A", "assign", day(1), "unit_head", **ASSIGNED),
        act("A", "check", day(2), "handler1", opinion="可以"),
        act("A", "grant", day(3), "head"),
    )
    assert found == [
        Outcome("A", ok=True, state=state)
        for state in ("received", "checking", "deciding", "granted")
    ]
    events = book.events(number_of(book, "A"))
    assert [event["at"] for event in events] == [day(n) for n in range(4)]
    assert book.do(lambda session: verify(session)[1]) == []


def test_a_refused_act_is_told_with_its_code_and_the_next_goes_on(book: Casebook) -> None:
    """Each line has its answer: the state the item is left in, a sentence, a stable code."""
    found = replayed(
        book,
        act("A", "submit", day(0), "public", wish="摆摊"),
        act("A", "grant", day(0), "head"),
        act("A", "assign", day(0), "handler1", **ASSIGNED),
        act("A", "assign", day(0), "unit_head", handlers=["handler1"], declarations_signed=True),
        act("A", "assign", day(0), "unit_head", handlers=["handler1", "handler2"]),
        act("A", "assign", day(0), "nobody", **ASSIGNED),
        act("A", "submit", day(0), "public", wish="再来"),
        act("B", "assign", day(0), "unit_head", **ASSIGNED),
        act("A", "assign", day(0), "unit_head", **ASSIGNED),
    )
    assert [outcome.code for outcome in found] == [
        None,
        "transition-not-available",
        "not-permitted",
        "guard-refused",
        "invalid",
        "invalid",
        "idempotency-conflict",
        "not-found",
        None,
    ]
    assert [outcome.state for outcome in found[1:7]] == ["received"] * 6
    assert found[7].state is None
    assert all(outcome.ok is (outcome.error is None) for outcome in found)
    assert found[-1].state == "checking"


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b'{"item": "A"}',
        json.dumps({**act("A", "submit", day(0), "public"), "at": "2026-03-02"}).encode(),
        json.dumps({**act("A", "submit", day(0), "public"), "data": [1]}).encode(),
        json.dumps({**act("A", "submit", day(0), "public"), "extra": 1}).encode(),
        json.dumps({**act("A", "submit", day(0), "public"), "workflow": "none"}).encode(),
    ],
)
def test_a_malformed_line_is_an_answer_not_an_end(book: Casebook, line: bytes) -> None:
    """One outcome for every line; blank lines are none."""
    found = replayed(book, line, b"\n", act("B", "submit", day(0), "public", wish="x"))
    assert [outcome.ok for outcome in found] == [False, True]
    assert found[0].code in {"invalid", "not-found"}


def test_what_was_due_before_an_act_rings_first_and_at_its_own_time(book: Casebook) -> None:
    """Rungs, escalations and their children stand where a sweeper on duty would have put them."""
    replayed(
        book,
        act("A", "submit", day(0), "public", wish="摆摊"),
        act("B", "submit", day(60), "public", wish="后来"),
    )
    climbs = book.rows("SELECT due_at, climbed_at, level FROM climb ORDER BY climbed_at")
    assert {climb["level"] for climb in climbs} == {0, 1, 2, 3, 4}
    assert all(climb["climbed_at"] == climb["due_at"] <= day(60) for climb in climbs)
    children = book.children(number_of(book, "A"), "inquiry")
    assert [child["data"]["candidate"] for child in children] == [True]
    assert children[0]["received_at"] < day(60)


def test_a_clock_that_lapsed_has_moved_the_item_before_the_next_act(book: Casebook) -> None:
    """The system's own moves happen in the order of time, too."""
    found = replayed(
        book,
        act("A", "submit", day(0), "public", wish="摆摊"),
        act("A", "ask_supplement", day(1), "intake", missing_items=["照片"]),
        act("A", "record_delivery", day(1), "intake", delivered_at=day(1).isoformat()),
        act("A", "supplement", day(20), "public", materials="迟了"),
    )
    assert [outcome.ok for outcome in found] == [True, True, True, False]
    assert (found[3].state, found[3].code) == ("refused", "transition-not-available")
    lapse = book.events(number_of(book, "A"))[-1]
    assert lapse["act"] == "lapse"
    assert day(6) < lapse["at"] < day(10)


def test_an_item_spawned_by_another_answers_to_its_familys_key(book: Casebook) -> None:
    """Children have no key of their own: the key of the case and their workflow name them."""
    found = replayed(
        book,
        act("A", "submit", day(0), "public", wish="摆摊"),
        act("A", "assign", day(0), "unit_head", **ASSIGNED),
        act("A", "open_inquiry", day(0), "handler1", opinion="可疑"),
        {
            **act("A", "assign", day(0), "head", handlers=["squad_handler"]),
            "workflow": "inquiry",
        },
    )
    assert [outcome.ok for outcome in found] == [True] * 4
    assert found[-1].state == "verifying"


def test_an_act_at_an_earlier_moment_rings_nothing_again(book: Casebook) -> None:
    """Files need not be sorted; what rang stays rung, once."""
    replayed(
        book,
        act("A", "submit", day(0), "public", wish="摆摊"),
        act("B", "submit", day(60), "public", wish="后来"),
    )
    before = book.rows("SELECT count(*) AS n FROM climb")
    replayed(book, act("C", "submit", day(59), "public", wish="补记"))
    of_a = book.rows(
        "SELECT count(*) AS n FROM climb c JOIN item i ON i.id = c.item_id"
        " WHERE i.outside_key = 'A'"
    )
    assert of_a[0]["n"] <= before[0]["n"]
    assert book.rows("SELECT deadline_id, rung FROM climb GROUP BY 1, 2 HAVING count(*) > 1") == []


def test_a_database_without_items_is_empty(book: Casebook) -> None:
    """Outside a sample office only such a database may be written by a replay."""
    replay = Replay(book.database, book.casework)
    assert replay.empty()
    replayed(book, act("A", "submit", day(0), "public", wish="摆摊"))
    assert not replay.empty()

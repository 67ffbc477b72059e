"""Whether an item can still be worked by lawful people, said before the act that would take them."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from engine.births import Birth
from engine.errors import GuardRefused, NotFound
from engine.foresight import foresee_absence, foresee_item
from engine.workability import gap
from tests.casebook import MONDAY

if TYPE_CHECKING:
    from tests.casebook import Casebook

DECIDERS = ["head", "deputy", "deputy2", "unit_head", "chief_of_staff"]
"""Everybody who may decide on a permit of the audit section."""


def what_if(book: Casebook, number: str, by: str = "head", **change: Any) -> list[dict[str, Any]]:
    """What would be lacking in the family of an item."""
    found: list[dict[str, Any]] = book.do(
        lambda s: foresee_item(s, book.casework, number, book.who(by), **change)
    )
    return found


def away(book: Casebook, account: str, *days: str, by: str = "head") -> list[dict[str, Any]]:
    """What would be lacking while somebody is away."""
    first, last = (date.fromisoformat(day) for day in days) if days else (None, None)
    found: list[dict[str, Any]] = book.do(
        lambda s: foresee_absence(s, book.casework, book.who(by), account, first, last)
    )
    return found


def test_an_item_with_its_people_lacks_nothing(book: Casebook) -> None:
    """As it stands, and with one of many gone, nobody needs to be warned."""
    number = book.submit().number
    assert what_if(book, number) == []
    assert what_if(book, number, left=["handler1"]) == []


def test_losing_a_handler_asks_for_another_and_says_who_could(book: Casebook) -> None:
    """Of two handlers one would be barred: the remedy names the other with a certified third."""
    number = book.assigned()
    (told,) = what_if(book, number, barred=["handler1"])
    assert (told["number"], told["kind"]) == (number, "reassign")
    remedy = told["remedy"]
    assert remedy["kind"] == "reassign"
    assert "handler2" in remedy["people"]
    assert len(remedy["people"]) == 2
    book.go(number, "name", "head", officers=["handler1"])
    book.reassign(number, "unit_head", remedy["people"])  # what it says can be done
    assert what_if(book, number) == []


def test_a_remedy_that_gives_a_role_makes_the_item_workable(book: Casebook) -> None:
    """With both deciders barred the smallest change is a role for somebody near, and it helps."""
    number = book.assigned()
    book.go(number, "check", "handler1", opinion="可")
    deciders = DECIDERS
    (told,) = what_if(book, number, by="liaison", barred=deciders)
    assert told["kind"] == "nobody"
    assert told["remedy"]["kind"] == "role"
    (account,) = told["remedy"]["people"]
    book.run(
        "INSERT INTO membership SELECT %s, %s, unit_id FROM item WHERE number = %s",
        book.id(account),
        told["remedy"]["role"],
        number,
    )
    assert what_if(book, number, by="liaison", barred=deciders) == []


def test_handlers_are_no_remedy_for_a_decision_on_their_own_work(book: Casebook) -> None:
    """Whoever ever worked on the family is not proposed to approve it."""
    number = book.assigned()
    book.go(number, "check", "handler1", opinion="可")
    (told,) = what_if(book, number, by="liaison", barred=DECIDERS)
    assert not {"handler1", "handler2"} & set(told["remedy"]["people"])


def test_an_absence_is_foreseen_with_the_substitute_that_would_help(book: Casebook) -> None:
    """While the last decider is away nobody could decide: a substitute is proposed, and suffices."""
    number = book.assigned()
    assert away(book, "handler1", "2026-12-01", "2026-12-05")[0]["kind"] == "reassign"
    book.go(number, "name", "unit_head", officers=[p for p in DECIDERS if p != "unit_head"])
    book.go(number, "check", "handler1", opinion="可")
    (told,) = away(book, "unit_head", "2026-12-01", "2026-12-05", by="liaison")
    assert (told["number"], told["kind"]) == (number, "nobody")
    assert told["remedy"]["kind"] == "substitute"
    days = date(2026, 12, 1), date(2026, 12, 5)
    helped = book.do(
        lambda s: foresee_absence(
            s, book.casework, book.who("liaison"), "unit_head", *days, *told["remedy"]["people"]
        )
    )
    assert helped == []
    gone = away(book, "unit_head", by="liaison")  # for good
    assert gone[0]["kind"] == "nobody"


def test_nothing_is_told_of_items_the_asker_may_not_know_of(book: Casebook) -> None:
    """A handler of another branch hears of no gap, and finds no item to ask about."""
    number = book.assigned()
    assert away(book, "handler1", by="branch1_handler") == []
    with pytest.raises(NotFound):
        what_if(book, number, by="branch1_handler", barred=["handler1"])


def test_where_nobody_is_left_the_outside_is_told_or_the_act_refused(book: Casebook) -> None:
    """With a channel outside the item goes there at once; without one the act says what would help."""
    number = book.submit().number
    everybody = ["unit_head", "chief_of_staff"]  # the head, who names them, may not refuse alone
    outside = book.rows("SELECT * FROM membership WHERE role = 'discipline'")
    book.run("DELETE FROM membership WHERE role = 'discipline'")
    book.refused(
        GuardRefused,
        lambda: book.go(number, "name", "head", officers=everybody),
        match="Give .* the role unit_head.*no channel outside",
    )
    for row in outside:
        values = (row["person_id"], row["role"], row["unit_id"])
        book.run("INSERT INTO membership VALUES (%s, %s, %s)", *values)
    book.go(number, "name", "head", officers=everybody)
    assert book.told(number, "holder_gone") == {"discipline", "discipline2"}


def test_a_thousand_open_items_are_judged_in_two_seconds(book: Casebook) -> None:
    """The listing for a leave over 1,000 open items, a third of them assigned."""
    born = book.do(
        lambda s: book.casework.submit_many(
            s, "permit", book.who("intake"), [Birth({"wish": "x"})] * 1000, at=MONDAY
        )
    )
    for each in born[:60]:
        book.go(
            each.number, "assign", "unit_head", handlers=["handler1", "handler2"],
            declarations_signed=True,
        )  # fmt: skip
    book.run(
        "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, assigned, began_at)"
        " SELECT i.id, i.id, p.id, 'handler', 'work', true, now() FROM item i, person p"
        " WHERE i.state = 'received' AND i.id %% 3 = 0 AND p.account = ANY(%s)",
        ["handler1", "handler2"],
    )
    began = time.monotonic()
    told = away(book, "handler1", "2026-12-01", "2026-12-05")
    took = time.monotonic() - began
    assert len(told) >= 60
    assert {line["kind"] for line in told} == {"reassign"}
    assert took < 2, took


def test_a_gap_says_nothing_of_an_item_that_waits_for_the_public(book: Casebook) -> None:
    """Ended, or waiting for a child, the public or time: nobody is lacking."""
    number = book.submit().number
    book.go(number, "refuse", "unit_head", reason="撤")
    assert gap(book.do(lambda s: book.casework.look(s, number, book.who("head")))) is None

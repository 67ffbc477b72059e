"""Who hears of a stall: present, allowed to know, and never nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine import stalls
from tests.casebook import day

if TYPE_CHECKING:
    from datetime import datetime

    from tests.casebook import Casebook


def sweep(book: Casebook, at: datetime) -> int:
    """Climb what is due at a moment."""
    return stalls.sweep(book.database, book.casework, now=at)


def test_recipients_are_present_and_may_know(book: Casebook) -> None:
    """Barred people are skipped, absent ones replaced, and the nearest unit that has anybody hears."""
    number = book.assigned()
    book.run(
        "INSERT INTO leave (person_id, first_on, last_on, substitute_id)"
        " VALUES (%s, '2026-03-01', '2026-04-30', %s)",
        book.id("handler2"),
        book.id("law_handler"),
    )
    book.go(number, "name", "head", officers=["handler1"])
    sweep(book, day(8))
    assert book.told(number, "urge") == {"law_handler", "unit_head"}


@pytest.mark.parametrize(
    ("gone", "heard"),
    [
        ([], {"head"}),
        (["head"], {"party_member", "deputy", "deputy2"}),
        (["head", "deputy", "deputy2", "party_member"], {"liaison", "liaison2"}),
        (
            ["head", "deputy", "deputy2", "party_member", "liaison", "liaison2"],
            {"discipline", "discipline2"},
        ),
    ],
)
def test_where_nobody_of_a_role_may_hear_the_next_higher_does(
    book: Casebook, gone: list[str], heard: set[str]
) -> None:
    """A push goes up the chain until somebody is left, at last outside the bureau."""
    number = book.assigned()
    if gone:
        book.go(number, "name", "unit_head", officers=gone)
    book.run("UPDATE deadline SET next_rung_at = NULL WHERE name <> 'decide'")
    sweep(book, day(37))
    assert book.told(number, "supervise") == heard


def test_a_sealed_item_is_pushed_to_nobody_who_may_not_see_it(book: Casebook) -> None:
    """With its only handler away, the other handlers of the section still hear nothing."""
    number = book.submit("inquiry", "liaison", data={}).number
    book.go(number, "assign", "head", handlers=["handler1"])
    book.run(
        "INSERT INTO leave (person_id, first_on, last_on) VALUES (%s, '2026-03-03', '2026-06-30')",
        book.id("handler1"),
    )
    sweep(book, day(60))
    told = book.told(number, "sealed_stall")
    assert told
    assert not told & {"handler2", "handler1"}
    assert not book.told(number, "urge") | book.told(number, "demand")

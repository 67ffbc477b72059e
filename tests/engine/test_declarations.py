"""What those who are given an item say of themselves: signed, or by their first act on it."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import psycopg
import pytest

from engine.errors import GuardRefused, NotFound, NotPermitted
from engine.record import STATEMENT
from tests.casebook import MONDAY

if TYPE_CHECKING:
    from tests.casebook import Casebook


def said(book: Casebook, number: str) -> dict[str, str]:
    """Who declared how."""
    rows = book.rows(
        "SELECT p.account, n.how FROM item_declaration n JOIN person p ON p.id = n.person_id"
        " WHERE n.item_id = (SELECT id FROM item WHERE number = %s)",
        number,
    )
    return {row["account"]: row["how"] for row in rows}


def sign(book: Casebook, number: str, account: str) -> None:
    """Sign for an item."""
    book.do(lambda s: book.casework.declare(s, number, book.who(account), at=MONDAY))


def test_the_head_vouches_and_each_signs_for_himself(book: Casebook) -> None:
    """What the head ticks opens the assignment and is nobody's signature; signing is an act."""
    number = book.assigned()
    assert said(book, number) == {}
    sign(book, number, "handler1")
    sign(book, number, "handler1")  # twice is once
    assert said(book, number) == {"handler1": "signed"}
    event = book.events(number)[-1]
    assert event["act"] == "declaration"
    assert event["data"] == {"statement": sha256(STATEMENT.encode()).hexdigest()}
    assert [each["act"] for each in book.events(number)].count("declaration") == 1


def test_a_first_act_is_a_declaration(book: Casebook) -> None:
    """Whoever acts on an item given to them without having signed declares by acting; no act of
    others, and no later one, is counted.
    """
    number = book.assigned()
    book.go(number, "pause", "unit_head", reason="等")
    assert said(book, number) == {}
    book.go(number, "resume", "handler2")
    book.go(number, "check", "handler2", opinion="可")
    assert said(book, number) == {"handler2": "acted"}
    (row,) = book.rows("SELECT seq FROM item_declaration")
    assert book.events(number)[row["seq"] - 1]["act"] == "resume"


def test_signatures_take_the_place_of_the_head_s_word(book: Casebook) -> None:
    """Where all who are named signed before, an assignment needs no tick; without both it is refused."""
    number = book.assigned()
    who = book.who("unit_head")
    with pytest.raises(GuardRefused, match="must first sign"):
        book.do(
            lambda s: book.casework.assign(
                s, number, who, "handler", ["handler1", "handler2"], {"declarations_signed": False}
            )
        )
    sign(book, number, "handler1")
    sign(book, number, "handler2")
    book.do(
        lambda s: book.casework.assign(
            s, number, who, "handler", ["handler1", "handler2"], {"declarations_signed": False}
        )
    )


def test_only_who_works_on_an_item_signs_for_it(book: Casebook) -> None:
    """Others have nothing to declare here, and whoever may not know of it finds nothing."""
    number = book.assigned()
    with pytest.raises(NotPermitted):
        sign(book, number, "intake")
    with pytest.raises(NotFound):
        sign(book, number, "branch1_handler")


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM item_declaration", "UPDATE item_declaration SET how = 'signed'"],
)
def test_a_declaration_is_never_rewritten(book: Casebook, statement: str) -> None:
    """The table is append-only, like the journal it stands beside."""
    number = book.assigned()
    sign(book, number, "handler1")
    with pytest.raises(psycopg.errors.RestrictViolation):
        book.run(statement)

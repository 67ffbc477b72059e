"""What an item tells of a sealed matter it led to is for those who would see the item if it were sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine import views
from engine.fieldspecs import FieldSpec
from engine.people import PUBLIC
from tests.casebook import day
from tests.workflows.test_mediation import mediating

if TYPE_CHECKING:
    from tests.casebook import Casebook


def page(book: Casebook, number: str, account: str) -> dict[str, Any]:
    """An item's page as somebody sees it."""
    found: dict[str, Any] = book.do(
        lambda s: views.item_view(s, book.casework, book.who(account), number, personal=True)
    )
    return found


def journal(book: Casebook, number: str, account: str) -> list[dict[str, Any]]:
    """An item's journal as somebody sees it."""
    found: list[dict[str, Any]] = book.do(
        lambda s: views.events(s, book.casework, book.who(account), number).items
    )
    return found


def test_a_mediator_reads_nothing_of_what_was_reported_about_one_of_them(book: Casebook) -> None:
    """Where nobody is named, all of them go on; page and journal say nothing of the finding."""
    number = mediating(book)
    before = page(book, number, "mediator")["data"], journal(book, number, "mediator")
    told: dict[str, Any] = {
        "misconduct_codes": ["M07"],
        "misconduct_facts": "甲称一名调解员收礼",
        "mediators_concerned": "unknown",
    }
    book.go(number, "report_misconduct", "unit_head", day(4), **told)
    assert (page(book, number, "mediator")["data"], journal(book, number, "mediator")) == before
    seen = page(book, number, "unit_head")["data"]
    assert {name: seen[name] for name in told} == told
    assert journal(book, number, "unit_head")[-1]["act"] == "report_misconduct"


def test_a_unit_that_was_rated_does_not_read_that_a_finding_was_begun(book: Casebook) -> None:
    """Whoever decides on it and above sees what follows of a bad rating; the counter does not."""
    data: dict[str, Any] = {"level": "dissatisfied", "item_code": "GTDJ-01", "owner_unit": "BR1"}
    number = book.submit("review", PUBLIC, data=data).number
    book.go(number, "verify_with_rater", "branch1_head", contact_log="电话", facts="索要香烟")
    book.go(number, "explain", "branch1_head", explanation_no_legal_basis="无依据")
    book.go(number, "follow_up", "revisitor", second_satisfaction="dissatisfied")
    book.go(number, "close", "branch1_head", follow_ups=["misconduct"], category_codes=["V03"])
    assert book.children(number, "misconduct")
    for account in ("intake", "revisitor", "law_hub"):
        assert not {"follow_ups", "category_codes"} & page(book, number, account)["data"].keys()
        last = journal(book, number, account)[-1]
        assert (last["act"], last["data"]) == ("close", {})
    assert page(book, number, "deputy")["data"]["follow_ups"] == ["misconduct"]


def test_what_is_confided_is_not_personal() -> None:
    """The two are shown to different people; a field is one or the other."""
    with pytest.raises(ValueError, match="vault"):
        FieldSpec(title="甲", title_en="A", type="text", personal=True, confided=True)

"""Nobody stuffs the box: who answers, how often, until when, and by whose hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import BanjieError, GuardRefused, Invalid
from engine.people import PUBLIC
from tests.casebook import MONDAY, day
from tests.workflows.test_questionnaire import CLEAN, answer, invite

if TYPE_CHECKING:
    from tests.casebook import Casebook

LATE = day(9)


def given(book: Casebook, number: str, **more: Any) -> dict[str, Any]:
    """A clean answer as it is sent."""
    label = book.item(number)["data"]["template_version"]
    return {"answers": CLEAN, "template_version": label, "channel": "portal", **more}


def test_an_invitation_that_ran_out_takes_no_answer(book: Casebook) -> None:
    """Not even before the system came by to close it."""
    number = invite(book)
    book.go(number, "open", PUBLIC, MONDAY)
    with pytest.raises(GuardRefused) as refused:
        book.go(number, "submit_answers", PUBLIC, LATE, **given(book, number))
    assert refused.value.members["guard"] == "within_deadline.answer"
    with pytest.raises(GuardRefused):
        book.go(number, "submit_answers", "revisitor", LATE, **given(book, number))


def grievance(book: Casebook) -> str:
    """A grievance that two handlers investigate."""
    number = book.submit(
        "grievance", PUBLIC, data={"narrative": "收费不开票", "respondent": "第一分局"}
    ).number
    book.go(number, "register", "intake", matter="conduct")
    book.go(
        number,
        "accept",
        "unit_head",
        risk_level="low",
        category_codes=["M03"],
        subject_officers_or_unknown="unknown",
    )
    book.go(
        number,
        "assign",
        "unit_head",
        handlers=["handler1", "handler2"],
        declarations_signed=True,
    )
    return number


@pytest.mark.parametrize("account", ["handler1", "unit_head"])
def test_whoever_handled_the_matter_answers_for_nobody(book: Casebook, account: str) -> None:
    """Nor does whoever approved it: an answer put in by hand comes from somebody apart."""
    number = invite(book, source_item=grievance(book), source_kind="grievance")
    book.run(
        "INSERT INTO membership SELECT p.id, 'revisitor', u.id FROM person p, unit u"
        " WHERE p.account = %s AND u.code = 'BUR' ON CONFLICT DO NOTHING",
        account,
    )
    before = book.item(number)["state"]
    with pytest.raises(BanjieError) as refused:
        book.go(number, "submit_answers", account, **given(book, number))
    assert getattr(refused.value, "members", {}).get("guard") == "not_case_handler"
    assert book.item(number)["state"] == before


def test_one_matter_is_asked_about_once_at_a_time(book: Casebook) -> None:
    """A second invitation to the same person would be a second vote."""
    number = grievance(book)
    first = invite(book, source_item=number)
    with pytest.raises(GuardRefused) as refused:
        invite(book, source_item=number)
    assert refused.value.members["guard"] == "asked_once"
    answer(book, first, CLEAN)
    with pytest.raises(GuardRefused):
        invite(book, source_item=number)
    invite(book, source_item=number, party="respondent")


RATING: dict[str, Any] = {"level": "satisfied", "item_code": "GTDJ-01"}


@pytest.mark.parametrize(
    "again",
    [
        "a1",
        "Ａ１",
        "A\u200b1",
        "A.1",
        "A1。",
        "A1\u0301",
        "A１\ufe0f",
        "A_1",
        "A/1",
        "“A1”",
        "\u04101",
    ],
)
def test_one_transaction_is_rated_once_however_its_number_is_written(
    book: Casebook, again: str
) -> None:
    """Stops, marks nobody sees and letters that look alike make no second transaction of it."""
    book.submit("review", PUBLIC, data=RATING | {"transaction_ref": "A1"})
    with pytest.raises((GuardRefused, Invalid)):
        book.submit("review", PUBLIC, data=RATING | {"transaction_ref": again})
    book.submit("review", PUBLIC, data=RATING | {"transaction_ref": "许食许〔2026〕〇一2"})
    assert len(book.rows("SELECT FROM item")) == 2

"""Nobody steers who is asked: neither by the month, nor by what is registered, corrected or begun by hand."""

from __future__ import annotations

import contextlib
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from engine import draws
from engine.errors import BanjieError, GuardRefused, NotPermitted
from tests.casebook import day
from tests.workflows.test_revisits import CALL, campaign, register, running

if TYPE_CHECKING:
    from tests.casebook import Casebook

APRIL = day(30)


def listed(book: Casebook, number: str) -> dict[str, str]:
    """The cases of a list that was closed, with their strata."""
    lines = book.item(number)["data"]["population"].splitlines()
    return {line.split(" ")[0]: line.split(" ")[1] for line in lines}


@pytest.mark.parametrize("workflow", ["revisit_campaign", "monthly_report"])
def test_no_month_is_begun_before_it_is_there(book: Casebook, workflow: str) -> None:
    """A list closed months ahead would never hold what ends until then."""
    with pytest.raises(GuardRefused) as refused:
        book.submit(workflow, "law_hub", data={"unit": "BR1", "month": "2026-04"})
    assert refused.value.members["guard"] == "month_named"
    begun = book.submit(workflow, "law_hub", data={"unit": "BR1", "month": "2026-02"})
    assert begun.state == book.casework.catalog.named(workflow).workflow.initial


def test_a_unit_takes_no_case_of_its_own_off_the_list(book: Casebook) -> None:
    """By a visit its head begins by hand, or by having a colleague's case struck out or put right."""
    (case,) = register(book, procedure="ordinary")
    with pytest.raises(NotPermitted):
        book.submit("revisit", "branch1_head", data={"case": case, "revisit_unit": "BR1"})
    book.go(case, "reopen", "reporter", reason="重复登记")
    for act in ("strike", "register"):
        with pytest.raises(NotPermitted):
            book.go(case, act, "branch1_head", reason="重复登记", closed_on="2019-01-01")
    book.go(case, "register", "law_hub")
    number = campaign(book)
    book.go(number, "close_list", "branch1_head")
    assert [*listed(book, number)] == [case]


def test_a_case_registered_after_its_month_was_drawn_is_drawn_as_a_new_one(book: Casebook) -> None:
    """Kept back until the list is closed it does not sink into the backlog, of which few are drawn."""
    (early,) = register(book, procedure="ordinary")
    first = campaign(book)
    book.go(first, "close_list", "reporter")
    assert listed(book, first) == {early: "penalty.ordinary.recent"}
    (late,) = register(book, procedure="ordinary")
    (old,) = register(book, procedure="ordinary", closed_on="2025-12-31")
    second = book.submit(
        "revisit_campaign", "law_hub", APRIL, data={"unit": "BR1", "month": "2026-04"}
    ).number
    book.go(second, "close_list", "reporter", APRIL)
    assert listed(book, second) == {
        early: "penalty.ordinary.backlog",
        late: "penalty.ordinary.recent",
        old: "penalty.ordinary.backlog",  # from before the first draw of all
    }


def test_what_a_cancelled_campaign_had_drawn_is_drawn_as_new_again(book: Casebook) -> None:
    """A sample that pleases nobody is not got rid of by cancelling it."""
    (case,) = register(book, procedure="ordinary")
    first = campaign(book)
    book.go(first, "close_list", "reporter")
    book.go(first, "cancel", "deputy", reason="人手不足")
    second = book.submit(
        "revisit_campaign", "law_hub", APRIL, data={"unit": "BR1", "month": "2026-04"}
    ).number
    book.go(second, "close_list", "reporter", APRIL)
    assert listed(book, second) == {case: "penalty.ordinary.recent"}


@pytest.mark.committed
def test_of_two_who_begin_a_month_at_once_one_does(book: Casebook) -> None:
    """By hand as by the sweep: the schema lets one item of a unit and month begin."""
    begun: list[str] = []

    def begin() -> None:
        with contextlib.suppress(BanjieError):
            begun.append(campaign(book))

    threads = [Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1
    assert book.rows("SELECT outside_key FROM item") == [{"outside_key": "opens BR1 2026-03"}]


@pytest.mark.parametrize("handlers", [["branch2_handler"], "unknown"])
def test_who_a_unit_says_handled_its_case_lets_none_of_its_own_ask(
    book: Casebook, handlers: object
) -> None:
    """A wrong name or none on an outside case, and the one who handled it would visit it."""
    (case,) = register(book, procedure="ordinary", handlers=handlers)
    visit = running(book, campaign(book))[case]
    book.run(
        "INSERT INTO membership SELECT p.id, 'revisitor', u.id FROM person p, unit u"
        " WHERE p.account = 'branch1_handler' AND u.code = 'BUR'"
    )
    with pytest.raises(GuardRefused) as refused:
        book.go(visit, "attempt", "branch1_handler", **CALL)
    assert refused.value.members["guard"] == "not_of_case_unit"
    assert book.go(visit, "attempt", "revisitor", **CALL).state == "contacting"


def test_whoever_flags_everything_does_not_crowd_out_the_lot() -> None:
    """More key cases than a sample holds leave the drawn ones half of it; fewer take nothing away."""
    flagged = [draws.Case(f"甲{at:03d}", "penalty.ordinary.recent", must=True) for at in range(12)]
    others = [draws.Case(f"乙{at:03d}", "penalty.ordinary.recent", must=False) for at in range(8)]
    percents = {"penalty.ordinary.recent": 100}
    crowded = draws.draw("ab", [*flagged, *others], percents, 10).numbers
    assert (len(crowded), sum(number[0] == "甲" for number in crowded)) == (10, 5)
    roomy = draws.draw("ab", [*flagged, *others[:3]], percents, 10).numbers
    assert (len(roomy), sum(number[0] == "甲" for number in roomy)) == (10, 7)
    assert len(draws.draw("ab", [*flagged, *others], percents, 300).numbers) == 20

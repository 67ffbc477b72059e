"""Telling and guiding: every way with its limit, cost and risk, and mediation where it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import GuardRefused, Invalid, NotPermitted
from tests.casebook import MONDAY
from tests.workflows.test_grievance import letters

if TYPE_CHECKING:
    from tests.casebook import Casebook

DISPUTE = "摊主与市场方就摊位费发生争议"
TOLD: dict[str, Any] = {
    "routes_told": ["settlement", "mediation", "litigation"],
    "time_limits_told": ["协商没有期限", "调解六十日", "诉讼时效三年"],
    "cost_told": ["不收费", "不收费", "预交案件受理费"],
    "risk_told": ["没有强制力", "一方可以不同意", "可能败诉"],
    "told_at": MONDAY.isoformat(),
    "method": "spot",
}


def identified(book: Casebook, **more: Any) -> str:
    """A handler finds a dispute in a case."""
    given = {"dispute": DISPUTE, "dispute_kind": "other", "respondent": "某市场", **more}
    return book.submit("guidance", "branch1_handler", data=given).number


def test_the_application_begins_a_mediation_that_carries_the_dispute(book: Casebook) -> None:
    """Identified, told, applied for at the window: the mediation holds claim, dispute and kind."""
    number = identified(book, contact={"name": "柳如烟", "phone": "13900004242"})
    book.go(number, "inform", "branch1_handler", **TOLD)
    assert "guidance_letter" in letters(book, number)
    book.go(number, "apply", "intake", application="请求调解摊位费")
    mediation = book.children(number, "mediation")[0]
    assert book.item(number)["state"] == "applied"
    assert (mediation["data"]["dispute_kind"], mediation["data"]["respondent"]) == (
        "other",
        "某市场",
    )
    assert mediation["data"]["unit"] == "BR1"
    personal = book.personal(mediation["number"])
    assert (personal["claim"], personal["facts"]) == ("请求调解摊位费", DISPUTE)
    assert personal["contact"]["name"] == "柳如烟"


@pytest.mark.parametrize(
    ("name", "given", "state"),
    [
        ("decline", {"statement": "自行协商"}, "declined"),
        ("route", {"route": "litigation"}, "other_route"),
    ],
)
def test_whoever_will_not_is_let_go(
    book: Casebook, name: str, given: dict[str, Any], state: str
) -> None:
    """Declining and another route end it without a mediation."""
    number = identified(book)
    book.go(number, "inform", "branch1_handler", **TOLD)
    book.go(number, name, "branch1_handler", **given)
    assert book.item(number)["state"] == state
    assert not book.children(number, "mediation")


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"routes_told": ["litigation"]}, GuardRefused, "须包括行政调解"),
        ({"risk_told": ["没有强制力"]}, GuardRefused, "都须告知"),
        ({"cost_told": []}, Invalid, "/data/"),
        ({"routes_told": ["prayer"]}, Invalid, "/data/"),
        ({"told_at": "昨天"}, Invalid, "/data/"),
    ],
)
def test_half_a_telling_is_none(
    book: Casebook, change: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    """Mediation must be among the ways, and each way comes with limit, cost and risk."""
    number = identified(book)
    told = {**TOLD, **change}
    book.refused(error, lambda: book.go(number, "inform", "branch1_handler", **told), sentence)
    book.refused(NotPermitted, lambda: book.go(number, "inform", "law_hub", **TOLD))

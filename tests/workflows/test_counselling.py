"""Counselling: people who are angry are listened to, never asked to give anything up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine import stalls
from engine.errors import GuardRefused, Invalid, NotPermitted
from engine.views import item_view
from tests.casebook import MONDAY, day
from tests.workflows.test_grievance import REPLIED, complain, follow, letters
from workflows import HERE

if TYPE_CHECKING:
    from tests.casebook import Casebook

NOTE = "他说夜里睡不着"
SESSION: dict[str, Any] = {"session_note": NOTE, "channel": "phone"}
SOMEBODY: dict[str, Any] = {"person_ref": "甲", "reason": "flagged", "risk_level": "normal"}


def triggered(book: Casebook, by: str = "handler1", **more: Any) -> str:
    """Somebody flags a person who is beside himself."""
    return book.submit("counselling", by, data={**SOMEBODY, **more}).number


def engaged(book: Casebook) -> str:
    """Assigned and talked to once."""
    number = triggered(book)
    book.go(number, "assign", "unit_head", counsellor=["counsellor"])
    book.go(number, "engage", "counsellor", **SESSION)
    return number


def test_the_main_path_leads_over_two_follow_ups(book: Casebook) -> None:
    """Assigned, talked to, stable, followed up on the 7th and the 30th day, settled by another."""
    number = engaged(book)
    book.go(number, "session", "counsellor", day(1), session_note="好一些")
    book.go(number, "stabilise", "counsellor", day(2), assessment="平稳")
    clocks = book.clocks(number)
    due = {name: clocks[name]["due_on"].isoformat() for name in ("follow_up_7", "follow_up_30")}
    assert due == {"follow_up_7": "2026-03-11", "follow_up_30": "2026-04-03"}
    book.go(
        number,
        "follow_up_first",
        "counsellor",
        day(9),
        session_note="稳",
        first_follow_up_on="2026-03-11",
    )
    with pytest.raises(Invalid):
        book.go(number, "settle", "unit_head", day(9), follow_up_result="stable")
    book.go(
        number,
        "follow_up_second",
        "counsellor",
        day(32),
        session_note="稳",
        second_follow_up_on="2026-04-03",
    )
    book.go(number, "settle", "unit_head", day(32), follow_up_result="stable")
    assert book.item(number)["state"] == "settled"
    assert {"counselling_notice", "counselling_record"} <= letters(book, number)


def test_the_clocks_are_one_and_two_working_days(book: Casebook) -> None:
    """Assigning and the first contact both count from the trigger."""
    clocks = book.clocks(triggered(book))
    assert [str(clocks[name]["due_on"]) for name in ("assign", "contact")] == [
        "2026-03-03",
        "2026-03-04",
    ]


def test_a_risk_reaches_the_deputy_within_the_hour(book: Casebook) -> None:
    """Deputy and head are told at once, the report is drafted, and after an hour it climbs."""
    number = engaged(book)
    book.go(number, "raise_risk", "counsellor", risk_facts="扬言跳楼", risk_kind="self")
    assert {"deputy", "head"} <= book.told(number, "risk_raised")
    assert "risk_report" in letters(book, number)
    assert book.clocks(number)["risk"]["due_at"] - MONDAY == timedelta(hours=1)
    stalls.sweep(book.database, book.casework, now=MONDAY + timedelta(hours=1))
    assert "head" in book.told(number, "supervise")
    report: dict[str, Any] = {"reported_to": "区委区政府", "reported_at": MONDAY.isoformat()}
    ways: list[tuple[str, dict[str, Any]]] = [
        ("plan", {"plan": "专人陪护"}),
        ("hand_over", {"body": "市精神卫生中心", "handover_reason": "须专业干预"}),
    ]
    for name, given in ways:
        with pytest.raises(GuardRefused, match="尚未登记“报告时间”"):
            book.go(number, name, "deputy", **given)
    book.go(number, "report_up", "deputy", **report)
    book.go(number, "plan", "deputy", plan="专人陪护")
    assert book.item(number)["state"] == "engaged"


def test_who_handled_the_case_never_counsels_the_person(book: Casebook) -> None:
    """The counselling joins the family of its case: the handler is refused, a clean counsellor is not."""
    grievance = complain(book)
    follow(book, grievance, REPLIED)
    number = triggered(book, by="law_hub", source_item=grievance, respondent="第一分局")
    assert book.item(number)["family_id"] == book.item(grievance)["family_id"]
    book.refused(
        GuardRefused,
        lambda: book.go(number, "assign", "unit_head", counsellor=["handler1"]),
        "曾承办",
    )
    book.go(number, "assign", "unit_head", counsellor=["counsellor"])
    assert book.item(number)["state"] == "assigned"


def test_who_may_raise_an_alarm_reads_no_notes(book: Casebook) -> None:
    """A handler of the section can raise the risk, and is shown no word of what was said."""
    number = engaged(book)

    def seen(account: str) -> Any:
        return book.do(
            lambda s: item_view(s, book.casework, book.who(account), number, personal=True)
        )["data"]

    assert seen("counsellor")["session_note"] == NOTE
    assert "session_note" not in seen("service_handler")
    book.go(number, "raise_risk", "service_handler", risk_facts="持刀到大厅")
    assert book.item(number)["state"] == "risk_raised"


REFUSED: list[tuple[str, str, dict[str, Any], type[Exception]]] = [
    ("assign", "counsellor", {"counsellor": ["counsellor"]}, NotPermitted),
    ("assign", "unit_head", {}, Invalid),
    ("engage", "counsellor", SESSION, Exception),
    ("settle", "unit_head", {"follow_up_result": "stable"}, Exception),
]


@pytest.mark.parametrize(("name", "by", "given", "error"), REFUSED)
def test_what_is_out_of_turn_is_refused_and_writes_nothing(
    book: Casebook, name: str, by: str, given: dict[str, Any], error: type[Exception]
) -> None:
    """Wrong person, missing field, wrong state."""
    number = triggered(book)
    book.refused(error, lambda: book.go(number, name, by, **given))


def test_no_letter_asks_anybody_to_withdraw() -> None:
    """The notice and the record both say that nobody may be asked, led or hinted to withdraw."""
    for name in ("counselling_notice", "counselling_record"):
        text = (HERE / "documents" / f"{name}.txt").read_text(encoding="utf-8")
        assert any(
            word in text for word in ("不得要求、劝说、暗示您撤回", "未要求、劝说、暗示其撤回")
        )

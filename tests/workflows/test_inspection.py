"""Inspections: every month, every unit, unannounced, by others, and what is found is put right."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine import stalls
from engine.errors import GuardRefused, Invalid, NotFound, NotPermitted
from engine.people import SYS
from engine.workdays import SHANGHAI
from tests.casebook import MONDAY, day
from tests.workflows.test_grievance import letters

if TYPE_CHECKING:
    from tests.casebook import Casebook

HEADINGS = ("service_rules", "attitude", "hall", "online", "efficiency", "told_once", "rating")
BEGUN: dict[str, Any] = {
    "item_code": "企业设立登记",
    "role_played": "个体户",
    "channel": "hall",
    "unannounced": True,
}
ISSUES = [{"problem": "两次告知材料", "kind": "simple"}, {"problem": "无评价器", "kind": "complex"}]
FIRST = datetime(2026, 4, 1, 0, 5, tzinfo=SHANGHAI)


def checklist(*bad: str) -> list[dict[str, str]]:
    """Every heading looked at; these are not as they should be."""
    return [{"heading": name, "result": "issue" if name in bad else "good"} for name in HEADINGS]


def recorded(book: Casebook, *bad: str, unit: str = "第一分局", by: str = "inspector") -> str:
    """Planned, held and written down."""
    number = book.submit("inspection", by, data={"unit": unit}).number
    book.go(number, "plan", by, planned_on="2026-03-03", plan_note="上午到大厅")
    book.go(number, "begin", by, **BEGUN)
    timings = [{"step": "取号", "minutes": 3}]
    book.go(number, "record", by, checklist=checklist(*bad), timings=timings, evidence=["照片1"])
    return number


def rectified(book: Casebook, number: str) -> None:
    """Cancelled for the purposes of this test: an end like another."""
    book.go(number, "cancel", "deputy", day(2), reason="已当场改正")


def test_each_issue_is_rectified_and_rechecked(book: Casebook) -> None:
    """Two issues, two mandatory rectifications; the last one's end asks the inspector back."""
    number = recorded(book, "told_once", "rating")
    assert {"inspection_plan", "inspection_record"} <= letters(book, number)
    book.go(number, "dispatch", "unit_head", day(1), issues=ISSUES)
    assert {"inspection_issues", "rectification_ledger"} <= letters(book, number)
    first, second = book.children(number, "rectification")
    assert {first["data"]["owner_unit"], first["data"]["source_kind"]} == {"BR1", "inspection"}
    rectified(book, first["number"])
    assert book.item(number)["state"] == "dispatched"
    rectified(book, second["number"])
    assert book.item(number)["state"] == "verifying"
    assert book.events(number)[-1]["role"] == "sys"
    assert "inspector" in book.told(number, "work_arrived")
    book.go(number, "dispatch_again", "inspector", day(3), issues=ISSUES[:1])
    rectified(book, book.children(number, "rectification")[2]["number"])
    book.go(number, "verify", "inspector", day(4), recheck_result="均已改正")
    assert book.item(number)["state"] == "closed"


def test_an_issue_that_is_misconduct_begins_a_finding(book: Casebook) -> None:
    """Sealed, mandatory, about the unit inspected."""
    number = recorded(book, "attitude")
    more: dict[str, Any] = {"category_codes": ["V03"], "facts": "窗口索要烟酒"}
    book.go(number, "dispatch", "unit_head", issues=ISSUES[:1], **more)
    (finding,) = book.children(number, "misconduct")
    assert (finding["sealed"], finding["mandatory"]) == (True, True)
    assert finding["data"]["respondent"] == "BR1"
    assert finding["data"]["source_kind"] == "inspection"
    rectified(book, book.children(number, "rectification")[0]["number"])
    assert book.item(number)["state"] == "dispatched", "the finding is still open"


def test_nothing_found_is_said_by_another(book: Casebook) -> None:
    """A clean checklist is closed with a statement; one that holds an issue is not."""
    number = recorded(book)
    book.go(number, "no_issue", "law_hub", statement="各项符合")
    assert book.item(number)["state"] == "closed"
    other = recorded(book, "hall")
    book.refused(
        GuardRefused,
        lambda: book.go(other, "no_issue", "law_hub", statement="各项符合"),
        "存在问题",
    )


def test_nobody_inspects_the_own_unit_or_knows_of_it(book: Casebook) -> None:
    """The service section's inspector finds nothing of its inspection; the law section's does it."""
    number = book.submit("inspection", SYS, data={"unit": "SVC"}).number
    for account in ("inspector", "service_head", "unit_head"):
        if account in {"inspector", "unit_head"}:
            with pytest.raises(NotFound):
                book.go(number, "begin", account, **BEGUN)
    book.go(number, "begin", "inspector2", **BEGUN)
    branch = book.submit("inspection", "inspector", data={"unit": "BR1"}).number
    with pytest.raises(NotFound):
        book.do(lambda s: book.casework.look(s, branch, book.who("branch1_head")))


def test_the_month_climbs_and_ends(book: Casebook) -> None:
    """Nothing planned by the 10th: first level; by the 20th: second; the month over: missed, and the head knows."""
    number = book.submit("inspection", SYS, FIRST, {"unit": "BR1", "month": "2026-04"}).number

    def swept(month: int, on: int) -> int:
        at = datetime(2026, month, on, 0, 1, tzinfo=SHANGHAI)
        stalls.sweep(book.database, book.casework, now=at)
        return int(book.item(number)["rung"])

    assert swept(4, 10) == 0
    assert swept(4, 11) == 1
    assert swept(4, 20) == 1
    assert swept(4, 21) == 2
    assert book.item(number)["state"] == "planned"
    assert book.clocks(number)["hold"]["due_on"].isoformat() == "2026-04-30"
    swept(5, 1)
    assert book.item(number)["state"] == "missed"
    levels = [e["data"]["level"] for e in book.events(number) if e["act"] == "rung"]
    assert levels == sorted(levels)
    assert levels[-1] == 3
    assert {"head", "law_hub", "deputy"} <= book.told(number, "inspection_missed")
    assert "supervision_order" in letters(book, number)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (checklist()[:-1], "不缺不重"),
        ([*checklist(), checklist()[0]], "不缺不重"),
        ([{"heading": "weather", "result": "good"}], "应从下列各项中选择"),
        ([{**row, "result": "fine"} for row in checklist()], "应从下列各项中选择"),
    ],
)
def test_a_checklist_is_whole_or_refused(
    book: Casebook, rows: list[dict[str, str]], complaint: str
) -> None:
    """Every heading once, each with a result there is."""
    number = book.submit("inspection", "inspector", data={"unit": "BR1"}).number
    book.go(number, "begin", "inspector", **BEGUN)
    timings = [{"step": "取号", "minutes": 3}]

    def written() -> None:
        book.go(number, "record", "inspector", checklist=rows, timings=timings, evidence=["x"])

    book.refused(Invalid, written, complaint)
    book.refused(NotPermitted, lambda: book.go(number, "record", "law_hub", MONDAY))

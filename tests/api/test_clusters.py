"""Six complaints of one kind about one unit, to the plan that was carried out and measured, by HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.clusters import tally_daily

if TYPE_CHECKING:
    from tests.api.conftest import Desk

ROWS = [{"cluster_id": "1", "problem": "收费不开票", "unit": "第一分局", "count": "6"}]
PLAN: dict[str, Any] = {
    "problem": "收费不开票据",
    "measures": [
        {
            "measure_id": "专1",
            "measure_title": "票据留痕",
            "lead_unit": "BR1",
            "due_at": "2027-03-31",
        }
    ],
    "owners": ["第一分局"],
    "deadlines": "2027-06-30",
    "targets": ["同类投诉减半"],
    "rectifications": [{"problem": "窗口无票据", "owner_unit": "BR1", "kind": "complex"}],
}
ANALYSED = {"clusters": ROWS, "method": "逐件阅卷"}
COMPARED = {"before_after": [{"measure": "三十日内同类投诉", "before": "6", "after": "2"}]}


def counted(desk: Desk) -> int:
    """The worker's daily count."""
    return tally_daily(desk.worker, desk.app.state.counter.casework)


def next_day(desk: Desk, span: str = "1 day") -> None:
    """The practice clock goes on."""
    assert desk.send("head", "/practice/clock", {"advance": span}).status_code == 200


def found(desk: Desk) -> dict[str, Any]:
    """The one analysis the law section's hub sees."""
    (entry,) = desk.look("law_hub", "/items", workflow="analysis").json()["items"]
    item: dict[str, Any] = desk.look("law_hub", f"/items/{entry['number']}").json()
    return item


def test_six_grievances_lead_to_a_plan_that_is_evaluated(desk: Desk) -> None:
    """Counted by the system, analysed, planned, reviewed, signed, launched, evaluated."""
    assert counted(desk) == 0
    numbers = {desk.submit()["number"] for _ in range(6)}
    next_day(desk)
    assert counted(desk) == 1
    analysis = found(desk)
    number, data = analysis["number"], analysis["data"]
    assert (data["trigger"], data["about_unit"]) == ("category_unit", "BR1")
    behind = desk.look("law_hub", f"/items/{number}/cluster").json()
    assert {row["number"] for row in behind["items"]} == numbers
    assert desk.look("branch1_head", f"/items/{number}/cluster").status_code == 404
    assert desk.look("branch1_head", "/items", workflow="analysis").json()["items"] == []
    desk.move("law_hub", number, "start")
    desk.move("law_hub", number, "analyse", ANALYSED)
    desk.move("deputy", number, "make_plan", {"cluster_ids": ["1"]})
    (plan,) = desk.look("law_head", "/items", workflow="special_plan").json()["items"]
    plan = plan["number"]
    desk.move("law_head", plan, "submit", PLAN)
    desk.move("law_reviewer", plan, "pass", {"opinion": "可行"})
    desk.move("head", plan, "approve", {"doc_number": "许市监〔2026〕8号"})
    desk.move("law_head", plan, "launch")
    (row,) = desk.look("law_hub", "/items", workflow="ledger").json()["items"]
    assert desk.look("law_hub", f"/items/{row['number']}").json()["data"]["measure_id"] == "专1"
    (mend,) = desk.look("law_hub", "/items", workflow="rectification").json()["items"]
    moved = desk.move("law_hub", plan, "evaluate", COMPARED)
    assert moved["state"] == "evaluating"
    assert (moved["data"]["complaints_before"], moved["data"]["complaints_after"]) == (6, 6)
    letters = desk.look("law_hub", f"/items/{plan}/documents").json()["items"]
    assert {"special_plan", "evaluation_report"} <= {letter["template"] for letter in letters}
    desk.move("deputy", mend["number"], "cancel", {"reason": "并入台账"})
    assert desk.move("head", plan, "close", {"summary": "达标"})["state"] == "closed"


def test_a_count_is_asked_for_by_those_who_may(desk: Desk) -> None:
    """The hub at any hour, a handler never; each is shown the items they may know of, page by page."""
    counted(desk)
    numbers = [desk.submit()["number"] for _ in range(5)]
    assert desk.send("handler1", "/clusters", {}).status_code == 403
    begun = desk.send("law_hub", "/clusters", {}).json()["numbers"]
    assert begun == [found(desk)["number"]]
    assert desk.send("law_hub", "/clusters", {}).json() == {"numbers": []}
    path = f"/items/{begun[0]}/cluster"
    first = desk.look("law_hub", path, limit=3).json()
    rest = desk.look("law_hub", path, limit=3, cursor=first["next"]).json()
    assert [row["number"] for row in first["items"] + rest["items"]] == numbers
    assert rest["next"] is None
    assert desk.look("law_hub", path, cursor="made-up").status_code == 422
    assert desk.look("law_hub", f"/items/{numbers[0]}/cluster").json()["items"] == []
    assert desk.look("law_hub", "/items/研判2026-0000000000/cluster").status_code == 404


def test_who_is_accused_in_one_of_them_hears_nothing_of_the_count(desk: Desk) -> None:
    """A count of five beside a list of four would tell him: he finds no analysis and no message."""
    counted(desk)
    numbers = [desk.submit()["number"] for _ in range(5)]
    desk.move("intake", numbers[0], "register", {"matter": "conduct"})
    accused: dict[str, Any] = {"category_codes": ["M03"], "risk_level": "low"}
    accused["subject_officers_or_unknown"] = ["law_hub2"]
    desk.move("unit_head", numbers[0], "accept", accused)
    (begun,) = desk.send("law_hub", "/clusters", {}).json()["numbers"]
    assert len(desk.look("law_hub", f"/items/{begun}/cluster").json()["items"]) == 5
    for rest in ("", "/cluster", "/events"):
        assert desk.look("law_hub2", f"/items/{begun}{rest}").status_code == 404
    assert desk.look("law_hub2", "/items", workflow="analysis").json()["items"] == []
    assert begun not in desk.look("law_hub2", "/inbox").text

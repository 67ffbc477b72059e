"""From concentrated complaints to a plan that was carried out and measured, and names nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import GuardRefused, Invalid
from tests.casebook import day
from tests.workflows.test_grievance import letters

if TYPE_CHECKING:
    from tests.casebook import Casebook

CLUSTERS = [
    {
        "cluster_id": "1",
        "problem": "收费不开票",
        "unit": "第一分局",
        "count": "6",
        "cause": "票据缺",
    }
]
PLAN: dict[str, Any] = {
    "problem": "收费不开票据",
    "measures": [
        {
            "measure_id": "专1",
            "measure_title": "票据全程留痕",
            "lead_unit": "第一分局",
            "due_at": "2026-04-30",
            "deliverables": ["台账", "通报"],
        },
        {
            "measure_id": "专2",
            "measure_title": "票据抽查",
            "lead_unit": "AUD",
            "due_at": "2026-05-29",
        },
    ],
    "owners": ["第一分局", "执法稽查科"],
    "deadlines": "2026-06-30",
    "targets": ["同类投诉减半"],
    "rectifications": [{"problem": "窗口无票据", "owner_unit": "BR1", "kind": "complex"}],
}
COMPARED = [{"measure": "三十日内同类投诉", "before": "6", "after": "2"}]


def analysed(book: Casebook, **more: Any) -> str:
    """An analysis somebody opened, up to its clusters."""
    given = {"scope": "第一分局票据", "period_from": "2026-02-01", "topics": ["票据"], **more}
    number = book.submit("analysis", "law_hub", data={"scope": given["scope"]}).number
    book.go(number, "start", "law_hub", **given)
    book.go(
        number, "analyse", "law_hub", clusters=CLUSTERS, method="逐件阅卷", data_snapshot_id="s1"
    )
    return number


def drafted(book: Casebook) -> str:
    """The plan an analysis led to."""
    number = analysed(book)
    book.go(number, "make_plan", "deputy", day(1), cluster_ids=["1"])
    plan = book.children(number, "special_plan")[0]
    assert plan["data"]["source_item"] == number
    return str(plan["number"])


def approved(book: Casebook) -> str:
    """Drafted, sent back once, passed and signed."""
    number = drafted(book)
    book.go(number, "submit", "law_head", day(2), **PLAN)  # also: submit
    book.go(number, "return", "law_reviewer", day(2), defects="期限太长")
    book.go(number, "submit_plan", "law_head", day(3), **PLAN)
    with pytest.raises(GuardRefused, match="法制审核"):
        book.go(number, "approve", "head", day(3), doc_number="许市监〔2026〕8号")
    book.go(number, "pass", "law_reviewer", day(3), opinion="可行")
    book.go(number, "approve", "head", day(4), doc_number="许市监〔2026〕8号")
    return number


def test_a_plan_is_reviewed_signed_carried_out_and_measured(book: Casebook) -> None:
    """Its problems become rectifications; it is extended once, and closed when they are done."""
    number = approved(book)
    assert "special_plan" in letters(book, number)
    book.go(number, "launch", "law_head", day(4))
    (rectification,) = book.children(number, "rectification")
    assert (rectification["data"]["source_kind"], rectification["mandatory"]) == ("plan", True)
    rows = book.children(number, "ledger")
    assert [(row["data"]["measure_id"], row["data"]["lead_unit"]) for row in rows] == [
        ("专1", "BR1"),
        ("专2", "AUD"),
    ]
    assert book.clocks(number)["execute"]["due_on"].isoformat() == "2026-06-30"
    book.go(number, "report_progress", "law_head", day(20), progress="已抽查三次")
    book.go(number, "evaluate", "law_hub", day(30), before_after=COMPARED)
    assert "evaluation_report" in letters(book, number)
    book.go(number, "extend", "deputy", day(31), reason="再看两个月", deadlines="2026-08-31")
    assert book.clocks(number)["execute"]["due_on"].isoformat() == "2026-08-31"
    book.go(number, "evaluate", "law_hub", day(60), before_after=COMPARED)
    book.refused(
        GuardRefused, lambda: book.go(number, "close", "head", day(61), summary="达标"), "尚有1件"
    )
    book.go(rectification["number"], "cancel", "deputy", day(61), reason="并入台账")
    book.go(number, "close", "head", day(62), summary="达标")
    assert book.item(number)["state"] == "closed"


def test_the_plan_has_fifteen_working_days(book: Casebook) -> None:
    """From the decision to make one."""
    assert book.clocks(drafted(book))["issue"]["due_on"].isoformat() == "2026-03-24"


@pytest.mark.parametrize(
    "words",
    ["应约谈李晓峰", "应约谈 李 晓 峰", "branch1_handler 须离岗", [{"problem": "刘海燕态度差"}]],
)
def test_no_officer_is_named(book: Casebook, words: Any) -> None:
    """By name or by account, in a text or deep in a record: refused, nothing written."""
    number = book.submit("analysis", "law_hub", data={"scope": "第一分局票据"}).number
    started: dict[str, Any] = {"period_from": "2026-02-01", "topics": ["票据"]}
    book.go(number, "start", "law_hub", **started)
    given: dict[str, Any] = {"clusters": CLUSTERS, "method": "逐件", "data_snapshot_id": "s1"}
    given |= {"clusters": words} if isinstance(words, list) else {"method": words}
    book.refused(
        GuardRefused, lambda: book.go(number, "analyse", "law_hub", **given), "姓名或者账号"
    )
    if isinstance(words, str):
        book.refused(
            GuardRefused,
            lambda: book.submit("analysis", "law_hub", data={"scope": words}),
            "姓名或者账号",
        )
        plan = drafted(book)
        book.refused(
            GuardRefused,
            lambda: book.go(plan, "submit_plan", "law_head", **{**PLAN, "problem": words}),
            "姓名或者账号",
        )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"deadlines": "月底"}, "应为日期"),
        ({"measures": [{**PLAN["measures"][0], "lead_unit": "第九分局"}]}, "没有这个单位"),
        ({"measures": [{**PLAN["measures"][0], "due_at": "2026-13-01"}]}, "应为日期"),
        ({"rectifications": [{**PLAN["rectifications"][0], "kind": "soon"}]}, "应从下列各项中选择"),
        ({"targets": []}, "预期目标"),
    ],
)
def test_a_wrong_plan_is_refused_where_it_is_written(
    book: Casebook, change: dict[str, Any], complaint: str
) -> None:
    """A date, a unit or a kind that is none is told before anybody signs."""
    plan = drafted(book)
    book.refused(
        Invalid, lambda: book.go(plan, "submit_plan", "law_head", **{**PLAN, **change}), complaint
    )

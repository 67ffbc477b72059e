"""The office's own work from end to end, through HTTP: the sixth scenario of the plan, and a month of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from adapters import sample
from engine.openings import Openings
from engine.replaying import Replay
from engine.workdays import SHANGHAI
from workflows import programmes

if TYPE_CHECKING:
    from tests.api.conftest import Desk

ITEM: dict[str, Any] = {
    "measure_id": "M1.2",
    "action": "电话回访办结案件",
    "result": "当事人均表示满意",
    "figures": ["revisit-interviewed", "发放宣传单300份"],
    "evidence_ids": ["回访台账"],
}
ROW = {"measure_id": "M1.2", "lead_unit": "第一分局", "unit": "第一分局"}


def told(key: str, workflow: str, act: str, at: str, actor: str, **data: Any) -> bytes:
    """A line of a replay."""
    line = {"item": key, "workflow": workflow, "act": act, "at": at, "actor": actor, "data": data}
    return orjson.dumps(line)


def replay(desk: Desk, *lines: bytes) -> None:
    """Acts of days gone by, each at its own moment; all must succeed."""
    counter = desk.app.state.counter
    for outcome in Replay(desk.worker, counter.casework).run(lines):
        assert outcome.ok, outcome


def reported(month: str, submitted: str) -> list[bytes]:
    """A branch's report of a month, submitted at a moment."""
    first, report = f"{month}-01T09:00:00+08:00", "monthly_report"
    return [
        told("row", "ledger", "submit", first, "law_hub", **ROW),
        told(month, report, "submit", first, "sys", unit="BR1", month=month),
        told(month, report, "draft", f"{month}-20T10:00:00+08:00", "reporter", items=[ITEM]),
        told(month, report, "sign", f"{month}-24T10:00:00+08:00", "branch1_head"),
        told(month, report, "submit_report", submitted, "reporter"),
    ]


@pytest.mark.parametrize(
    ("month", "submitted", "due", "late"),
    [
        ("2024-04", "2024-04-28T23:00:00+08:00", "2024-04-28", False),
        ("2024-01", "2024-01-28T23:00:00+08:00", "2024-01-26", True),
    ],
)
def test_a_sunday_that_is_a_workday_is_in_time_and_one_that_is_not_is_late(
    desk: Desk, month: str, submitted: str, due: str, *, late: bool
) -> None:
    """Scenario 6: 2024-04-28 (Sunday) 23:00 on time; 2024-01-28 (Sunday) late, due was 01-26."""
    replay(desk, *reported(month, submitted))
    (listed,) = desk.look("law_hub", "/items", workflow="monthly_report").json()["items"]
    item = desk.look("law_hub", f"/items/{listed['number']}").json()
    assert item["state"] == "submitted"
    assert item["data"]["due_on"] == due
    assert item["data"]["submitted_late"] is late
    assert datetime.fromisoformat(item["data"]["submitted_at"]) == datetime.fromisoformat(submitted)
    whole = desk.look("law_hub", f"/reports/{month}").json()
    assert whole["reports_due_on"] == due
    assert [(each["unit"], each["submitted_late"]) for each in whole["reports"]] == [("BR1", late)]
    assert ("逾期报送：第一分局" in whole["letter"]) is late
    assert ("逾期报送：第一分局" in whole["circular"]) is late
    supervised = {"unit": "BR1", "unit_name": "第一分局", "count": 1}  # the row nobody assigned
    assert whole["supervised"] == [supervised]


def test_a_month_of_the_office(desk: Desk) -> None:
    """The plan in the ledger; reports open on the 1st; one is in time, one is missing, and the law
    section hands them up.
    """
    counter = desk.app.state.counter
    assert sample.load_programmes(desk.worker, counter.casework, programmes()) == 58
    rows = desk.look("law_hub", "/items", workflow="ledger", limit=100).json()["items"]
    assert len(rows) == 58
    now = datetime.now(SHANGHAI)
    first = (now.replace(day=28) + timedelta(days=4)).replace(day=1, hour=9)
    assert desk.send("admin", "/practice/clock", {"now": first.isoformat()}).status_code == 200
    Openings(desk.worker, counter.casework).sweep()
    month = f"{first:%Y-%m}"
    mine = desk.look("branch1_head", "/items", workflow="monthly_report").json()["items"]
    assert len(mine) == 1
    number = mine[0]["number"]
    refused = desk.send(
        "reporter",
        f"/items/{number}/transitions/draft",
        {"data": {"items": [{**ITEM, "measure_id": "M9.9"}]}},
        If_Match=f'"{mine[0]["revision"]}"',
    )
    assert refused.status_code == 409
    assert "M1.1改进执法方式、M1.2做好案件回访" in refused.json()["detail"]
    desk.move("reporter", number, "draft", {"items": [ITEM]})
    desk.move("branch1_head", number, "sign")
    desk.move("reporter", number, "submit")
    desk.move("law_hub", number, "accept")
    page = desk.look("law_hub", f"/items/{number}").json()
    assert (page["state"], page["data"]["submitted_late"]) == ("archived", False)
    whole = desk.look("law_hub", f"/reports/{month}").json()
    assert [report["unit"] for report in whole["reports"]] == ["BR1"]
    assert len(whole["missing"]) == 7
    counted, typed = whole["reports"][0]["items"][0]["figures"]
    assert (counted["query"], counted["value"], counted["typed"]) == ("acts-of-unit/1", 0, None)
    assert (typed["query"], typed["typed"]) == (None, "发放宣传单300份")
    assert "发放宣传单300份〔手填〕" in whole["letter"]
    own = desk.look("branch2_head", f"/reports/{month}").json()
    assert [each["unit"] for each in [*own["reports"], *own["missing"]]] == ["BR2"]


@pytest.mark.parametrize(
    ("account", "month", "status"),
    [
        ("law_hub", "2026-13", 422),
        ("law_hub", "2026", 422),
        ("handler1", "2026-03", 403),
        ("deputy", "2026-03", 200),
    ],
)
def test_who_may_read_them_together_and_for_which_month(
    desk: Desk, account: str, month: str, status: int
) -> None:
    """Those who lead and supervise, for a month that is one."""
    assert desk.look(account, f"/reports/{month}").status_code == status


Act = tuple[str, str, dict[str, Any]]
YEAR: dict[str, Any] = {
    "indicator_set": [{"indicator": "按时报送", "formula": "K-MRP-1", "floor": 10}],
    "weights": [{"indicator": "按时报送", "weight": "1"}],
    "approved_by": "局长办公会纪要",
}
YESTERDAY = (datetime.now(SHANGHAI) - timedelta(days=1)).replace(microsecond=0)
PATHS: dict[str, tuple[Act, list[Act], str]] = {
    "ledger": (
        ("law_hub", "ledger", {**ROW, "co_units": ["第一分局", "SQD"], "due_at": "2030-01-31"}),
        [
            ("law_hub", "assign", {"deliverables": ["回访制度"]}),
            ("branch1_head", "accept", {"responsible_person": "branch1_handler", "plan": "建立"}),
            ("branch1_head", "establish", {"deliverable_files": ["制度"]}),
            ("law_hub", "confirm", {"confirm_note": "已建立"}),
        ],
        "long_term",
    ),
    "training": (
        ("reporter", "training", {"unit": "BR1", "topic": "轻微免罚"}),
        [
            (
                "reporter",
                "hold",
                {
                    "date": str(YESTERDAY.date()),
                    "minutes": 30,
                    "speaker": "孙慧敏",
                    "attendees": ["branch1_handler"],
                    "frontline_count": 1,
                    "material": ["讲义"],
                },
            ),
            ("branch1_head", "evaluate", {"quiz_or_feedback": "良好"}),
        ],
        "evaluated",
    ),
    "administrative_guidance": (
        (
            "branch1_handler",
            "administrative_guidance",
            {"unit": "BR1", "subject_matter": "明码标价"},
        ),
        [
            (
                "branch1_head",
                "approve",
                {"kind": "advice", "legal_basis": "价格法", "voluntary_notice": True},
            ),
            (
                "branch1_handler",
                "issue",
                {"document": "许市监指1号", "delivered_at": YESTERDAY.isoformat()},
            ),
            ("branch1_handler", "follow_up", {"accepted_or_not": "accepted", "result": "已改正"}),
            ("branch1_head", "close", {}),
        ],
        "closed",
    ),
    "risk_point": (
        (
            "branch1_handler",
            "risk_point",
            {"unit": "BR1", "behaviour": "未明码标价", "legal_basis": "价格法"},
        ),
        [
            (
                "law_reviewer",
                "rate",
                {"consequence": "summary", "frequency": "rare", "level": "low"},
            ),
            ("branch1_head", "set_measures", {"guidance_measures": ["提示"]}),
            ("law_reviewer", "pass", {"opinion": "可以公布"}),
            ("deputy", "publish", {"follow_ups": ["guidance"]}),
        ],
        "monitored",
    ),
    "complaint_channel": (
        (
            "reporter",
            "complaint_channel",
            {"unit": "BR1", "kind": "phone", "value": "0374-1234567"},
        ),
        [
            ("branch1_head", "publish", {"where_published": "网站", "proof_url_or_photo": "照片1"}),
            ("inspector", "test", {"tested_at": YESTERDAY.isoformat(), "answered": False}),
            ("branch1_head", "repair", {"tested_at": YESTERDAY.isoformat()}),
        ],
        "tested",
    ),
    "assessment": (
        ("law_hub", "assessment", {"unit": "BR1", "year": 2026}),
        [
            ("law_hub", "open_year", YEAR),
            (
                "branch1_head",
                "self_assess",
                {
                    "scores": [{"indicator": "按时报送", "score": "95.5", "sample": 12}],
                    "evidence": ["月报"],
                },
            ),
            ("audit1", "verify", {"verification": "属实"}),
            ("deputy", "publish", {}),
        ],
        "published",
    ),
}


@pytest.mark.parametrize("workflow", PATHS)
def test_each_machine_walks_its_path_at_the_counter(desk: Desk, workflow: str) -> None:
    """Begun and moved by the people it names; the page shows what comes next, the letters what was said."""
    (account, name, data), acts, state = PATHS[workflow]
    begun = desk.send(account, "/items", {"workflow": name, "data": data})
    assert begun.status_code == 201, begun.text
    number = begun.json()["number"]
    for actor, transition, given in acts:
        desk.move(actor, number, transition, given)
    page = desk.look("head", f"/items/{number}").json()
    assert page["state"] == state
    assert desk.look("head", f"/items/{number}/documents").json()["items"]

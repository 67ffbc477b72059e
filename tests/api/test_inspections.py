"""An inspection the system opened, to its end with a rectification, by HTTP and the practice clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.openings import Openings
from tests.workflows.test_inspection import BEGUN, ISSUES, checklist

if TYPE_CHECKING:
    from tests.api.conftest import Desk

RECORD: dict[str, Any] = {
    "checklist": checklist("told_once"),
    "timings": [{"step": "取号", "minutes": 3}],
    "evidence": ["照片1"],
}


def about(desk: Desk, unit: str) -> str:
    """The number of the inspection of a unit that the month brought."""
    found: str = desk.one(
        "SELECT i.number FROM item i JOIN item_data d ON d.item_id = i.id"
        " WHERE i.workflow = 'inspection' AND d.data ->> 'unit' = %s",
        unit,
    )
    return found


def test_the_months_inspection_is_held_and_what_it_found_put_right(desk: Desk) -> None:
    """Opened for both branches and the service section; planned, held, dispatched, mended, rechecked."""
    casework = desk.app.state.counter.casework
    Openings(desk.worker, casework).sweep()
    units = desk.one(
        "SELECT array_agg(d.data ->> 'unit' ORDER BY 1) FROM item i JOIN item_data d"
        " ON d.item_id = i.id WHERE workflow = 'inspection'"
    )
    assert sorted(units) == ["BR1", "BR2", "SVC"]
    number = about(desk, "BR1")
    assert desk.look("branch1_head", f"/items/{number}").status_code == 404
    desk.move("inspector", number, "plan", {"planned_on": "2027-01-05", "plan_note": "上午"})
    desk.move("inspector", number, "begin", BEGUN)
    desk.move("inspector", number, "record", RECORD)
    moved = desk.move("unit_head", number, "dispatch", {"issues": ISSUES[:1]})
    assert moved["state"] == "dispatched"
    (mend,) = desk.look("branch1_head", "/items", workflow="rectification").json()["items"]
    mend = mend["number"]
    due = {"due_at": "2026-11-27", "handlers": ["branch1_handler"]}
    desk.move("branch1_head", mend, "assign", due)
    plan = {
        "root_cause": "清单不全",
        "measures": "一次列清",
        "responsible_person": "branch1_handler",
    }
    desk.move("branch1_handler", mend, "plan", plan)
    desk.move("branch1_head", mend, "start")
    desk.move("branch1_handler", mend, "submit", {"result": "已改", "evidence_files": ["照片2"]})
    desk.move("law_hub", mend, "verify", {"verify_note": "属实"})
    given = {"delivered_at": desk.one("SELECT (now() + practice_offset)::text FROM bureau")}
    given["delivered_at"] = given["delivered_at"].replace(" ", "T")[:19] + "+08:00"
    desk.move("branch1_head", mend, "close", given)
    assert desk.look("inspector", f"/items/{number}").json()["state"] == "verifying"
    closed = desk.move("inspector", number, "verify", {"recheck_result": "已改正"})
    assert closed["state"] == "closed"


def test_who_belongs_there_inspects_nothing_there(desk: Desk) -> None:
    """The service section's own inspector is answered like a number never given."""
    Openings(desk.worker, desk.app.state.counter.casework).sweep()
    number = about(desk, "SVC")
    path = f"/items/{number}/transitions/begin"
    assert desk.send("inspector", path, {"data": BEGUN}, If_Match='"1"').status_code == 404
    assert desk.move("inspector2", number, "begin", BEGUN)["state"] == "conducting"

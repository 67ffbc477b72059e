"""What opens by itself each month is there for whoever works on it, and follows the practice clock."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from engine.openings import Openings
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from engine.casework import Casework
    from tests.api.conftest import Desk


def _open(desk: Desk) -> int:
    """A worker of this office comes by."""
    casework: Casework = desk.app.state.counter.casework
    return Openings(desk.worker, casework).sweep()


def _reports(desk: Desk, account: str) -> set[tuple[str, str]]:
    listed = desk.look(account, "/items", workflow="monthly_report", limit=100).json()["items"]
    found = [desk.look(account, f"/items/{each['number']}").json()["data"] for each in listed]
    return {(data["unit"], data["month"]) for data in found}


def test_on_the_first_of_a_month_every_unit_has_its_report(desk: Desk) -> None:
    """Practice moves the clock past midnight: one report a unit begins, once, for the new month."""
    _open(desk)
    before = _reports(desk, "law_hub")
    now = desk.one("SELECT now() + practice_offset FROM bureau").astimezone(SHANGHAI)
    first = (now.replace(day=28) + timedelta(days=4)).replace(day=1, hour=0, minute=5)
    told = desk.send("intake", "/practice/clock", {"now": first.isoformat()})
    assert told.status_code == 200, told.text
    assert _open(desk) > 0
    assert _open(desk) == 0
    new = _reports(desk, "law_hub") - before
    assert {month for _, month in new} == {f"{first:%Y-%m}"}
    assert {"BR1", "BR2", "LAW", "AUD"} <= {unit for unit, _ in new}
    assert {unit for unit, _ in _reports(desk, "branch1_head")} == {"BR1"}

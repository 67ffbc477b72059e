"""Figures over HTTP: who may ask for which, what a wrong question is told, and what every answer holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.workdays import SHANGHAI
from tests.api.conftest import ACCEPTANCE

if TYPE_CHECKING:
    from tests.api.conftest import Desk


def asked(desk: Desk, account: str, **query: Any) -> dict[str, dict[str, Any]]:
    """The figures somebody is shown, by id."""
    answer = desk.look(account, "/figures", **query)
    assert answer.status_code == 200, answer.text
    return {figure["id"]: figure for figure in answer.json()["figures"]}


@pytest.mark.parametrize(
    ("account", "unit", "status"),
    [
        ("law_hub", "BR1", 200),
        ("deputy", "BUR", 200),
        ("head", None, 200),
        ("auditor", "AUD", 200),
        ("branch1_head", "第一分局", 200),
        ("branch1_head", None, 200),
        ("branch1_head", "BR2", 403),
        ("branch1_head", "BUR", 403),
        ("handler1", None, 403),
        ("reporter", "BR1", 403),
        ("admin", None, 403),
        ("law_hub", "nowhere", 422),
    ],
)
def test_everybody_asks_for_their_own(
    desk: Desk, account: str, unit: str | None, status: int
) -> None:
    """Those who lead, supervise or audit ask for all units, heads of units for theirs, nobody else."""
    query = {} if unit is None else {"unit": unit}
    assert desk.look(account, "/figures", **query).status_code == status


@pytest.mark.parametrize("period", ["2026-13", "2026-Q5", "26", "2026-9", "1999", "2026-09-01", ""])
def test_a_period_that_is_none_is_refused(desk: Desk, period: str) -> None:
    """The sentence says how a period is written."""
    answer = desk.look("law_hub", "/figures", period=period)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/period"


def test_a_moment_that_has_not_come_is_refused(desk: Desk) -> None:
    """Neither a moment to come, nor one before the period, nor one without an offset has figures."""
    tomorrow = datetime.now(SHANGHAI) + timedelta(days=1)
    for moment in (tomorrow.isoformat(), "2020-01-01T00:00:00+08:00", "2026-11-23T10:00:00", "now"):
        answer = desk.look("law_hub", "/figures", as_of=moment)
        assert answer.status_code == 422, moment
        assert answer.json()["errors"][0]["pointer"] == "/as_of"


def test_an_answer_holds_all_that_a_figure_rests_on(desk: Desk) -> None:
    """Unit, period and moment; for each figure what was counted and what it can be asked again by."""
    number = desk.submit(respondent="第二分局")["number"]
    desk.move("intake", number, "register")
    desk.move("unit_head", number, "accept", ACCEPTANCE)
    answer = desk.look("law_hub", "/figures").json()
    assert answer["unit"] == "BUR"
    assert answer["period"]["name"] == f"{datetime.now(SHANGHAI):%Y-%m}"
    for figure in answer["figures"]:
        assert figure["value"] is not None or figure["notes"] or figure["spreads"], figure["id"]
    again = asked(desk, "law_hub", **answer["figures"][0]["query"]["parameters"])
    assert list(again.values()) == answer["figures"]
    sealed = asked(desk, "law_hub")["K-QLT-3"]
    assert sealed["notes"][0]["name"] == "not_told"
    assert asked(desk, "head")["K-QLT-3"]["notes"][0]["name"] == "nothing_due"
    assert asked(desk, "branch1_head")["K-QLT-4"]["notes"][0]["name"] == "not_told"

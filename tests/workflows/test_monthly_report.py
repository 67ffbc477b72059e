"""The monthly report: opened by the system, filled with counted figures, due before the 28th is over."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from engine import journal, stalls
from engine.errors import BanjieError, GuardRefused, NotFound, NotPermitted
from engine.openings import Openings
from engine.people import PUBLIC, SYS
from engine.workdays import SHANGHAI
from tests.workflows.test_grievance import COMPLAINT
from tests.workflows.test_ledger import KEPT, ROW, follow

if TYPE_CHECKING:
    from tests.casebook import Casebook

ITEM: dict[str, Any] = {
    "measure_id": "M1.2",
    "action": "电话回访办结案件",
    "result": "当事人均表示满意",
    "figures": ["training-held", "发放宣传单300份"],
    "evidence_ids": ["回访台账"],
}


def on(month: int, number: int, hour: int = 10, year: int = 2026) -> datetime:
    """A moment of that year in Xuchang."""
    return datetime(year, month, number, hour, tzinfo=SHANGHAI)


def ledger(book: Casebook, at: datetime) -> str:
    """A row of the ledger that the first branch keeps up."""
    number = book.submit("ledger", "law_hub", at, ROW).number
    follow(book, number, KEPT, at)
    return number


def begun(book: Casebook, month: str, at: datetime, unit: str = "BR1") -> str:
    """A unit's report for a month."""
    return book.submit("monthly_report", "law_hub", at, {"unit": unit, "month": month}).number


def signed(book: Casebook, number: str, at: datetime, *items: dict[str, Any]) -> None:
    """Drafted by the unit's reporter, signed by its head."""
    book.go(number, "draft", "reporter", at, items=list(items or (ITEM,)))
    book.go(number, "sign", "branch1_head", at)


@pytest.mark.parametrize(
    ("month", "draft", "target", "due"),
    [
        ("2023-10", "2023-10-24", "2023-10-27", "2023-10-27"),  # the 28th is a Saturday
        ("2024-01", "2024-01-24", "2024-01-26", "2024-01-26"),  # a Sunday
        ("2024-02", "2024-02-24", "2024-02-27", "2024-02-28"),
        ("2024-04", "2024-04-24", "2024-04-26", "2024-04-28"),  # a Sunday that is a workday
        ("2026-03", "2026-03-24", "2026-03-27", "2026-03-27"),
    ],
)
def test_the_days_of_a_report_are_those_of_section_6_6(
    book: Casebook, month: str, draft: str, target: str, due: str
) -> None:
    """Draft by the 24th, internal target the 27th, due the 28th; rest days move the last two back."""
    at = datetime.fromisoformat(f"{month}-01T08:00:00+08:00")
    number = begun(book, month, at)
    data = book.item(number)["data"]
    assert (data["draft_on"], data["internal_target"], data["due_on"]) == (draft, target, due)
    assert str(book.clocks(number)["report"]["due_on"]) == due


def test_the_system_opens_one_for_each_unit_on_the_first(book: Casebook) -> None:
    """Eight responsible units, once a month, already filled; the reporters hear of it."""
    openings = Openings(book.database, book.casework)
    reports = (
        "SELECT i.number, i.state, d.data FROM item i JOIN item_data d ON d.item_id = i.id"
        " WHERE i.workflow = 'monthly_report'"
    )
    openings.sweep(on(3, 1, 0))
    rows = book.rows(reports)
    assert sorted(row["data"]["unit"] for row in rows) == [
        *("AUD", "BR1", "BR2", "IPR", "LAW", "OFF", "SQD", "SVC")
    ]
    assert {row["state"] for row in rows} == {"collecting"}
    assert {"reporter", "reporter2"} <= book.told(rows[0]["number"], "new_item")
    assert openings.sweep(on(3, 20)) == 0
    openings.sweep(on(4, 1))
    assert len(book.rows(reports)) == 16


def test_a_unit_has_one_report_a_month(book: Casebook) -> None:
    """A second one is refused, and so is a month that is none."""
    begun(book, "2026-03", on(3, 1))
    book.refused(GuardRefused, lambda: begun(book, "2026-03", on(3, 2)), "已经开启")
    book.refused(GuardRefused, lambda: begun(book, "2026-3", on(3, 2)), "2026-09")
    begun(book, "2026-03", on(3, 2), "BR2")


def test_every_figure_tells_where_it_came_from(book: Casebook) -> None:
    """Counted in the journal since the last cut-off and not after this month's; told with its query."""
    ledger(book, on(2, 25))
    for when in (on(2, 26), on(3, 5), on(3, 25, 23), on(3, 26)):
        talk = book.submit(
            "training", "reporter", when, {"unit": "BR1", "topic": "轻微免罚"}
        ).number
        held: dict[str, Any] = {"date": str(when.date()), "minutes": 30, "speaker": "孙慧敏"}
        people = ["branch1_handler", "branch1_handler2"]
        book.go(
            talk,
            "hold",
            "reporter",
            when,
            **held,
            attendees=people,
            frontline_count=2,
            material=["讲义"],
        )
    number = begun(book, "2026-03", on(3, 1))
    book.go(number, "draft", "reporter", on(3, 20), items=[ITEM])
    book.go(number, "sign", "branch1_head", on(3, 27))
    book.go(number, "submit", "reporter", on(3, 27))
    data = book.item(number)["data"]
    assert data["figures_until"] == "2026-03-26T00:00:00+08:00"
    figure = next(each for each in data["figures"] if each["figure"] == "training-held")
    assert figure["value"] == 3
    assert figure["query"] == "acts-of-unit/1"
    assert orjson.loads(figure["parameters"]) == {
        "unit": "BR1",
        "workflow": "training",
        "acts": ["hold"],
        "since": "2026-02-26T00:00:00+08:00",
        "until": "2026-03-26T00:00:00+08:00",
    }
    (letter,) = [
        r["body"] for r in book.rows("SELECT body FROM document WHERE template = 'unit_report'")
    ]
    assert "开展服务型执法培训（场） 3〔系统 acts-of-unit/1〕" in letter
    assert "发放宣传单300份〔手填〕" in letter
    assert "现将本单位2026年3月开展" in letter
    assert "1．M1.2 做好案件回访\n" in letter
    assert data["measures"] == [{"measure_id": "M1.2", "measure_title": "做好案件回访"}]
    trained = next(each for each in data["figures"] if each["figure"] == "K-SOE-1")
    assert trained["query"].startswith("K-SOE-1/")
    assert orjson.loads(trained["parameters"])["period"] == "2026-03"
    assert 0 < trained["value"] <= trained["of"]


@pytest.mark.parametrize(
    ("respondent", "unit", "counted"),
    [("第一分局", "AUD", 1), ("执法稽查科", "OFF", 1), ("法规科", "OFF", 0)],
)
def test_no_figure_counts_what_a_reader_of_the_report_may_not_know_of(
    book: Casebook, respondent: str, unit: str, counted: int
) -> None:
    """The hub of the law section reads all reports: what complains of that section is in none."""
    complaint = {**COMPLAINT, "respondent": respondent}
    number = book.submit("grievance", PUBLIC, on(3, 2), complaint).number
    book.go(number, "register", "intake", on(3, 2), matter="conduct")
    report = begun(book, "2026-03", on(3, 3), unit)
    figures = {each["figure"]: each for each in book.item(report)["data"]["figures"]}
    assert figures["grievance-registered"]["value"] == counted


def test_figures_are_the_systems_alone(book: Casebook) -> None:
    """What a reporter gives for them is not kept; nor is a moment of submission."""
    ledger(book, on(2, 25))
    number = begun(book, "2026-03", on(3, 1))
    forged = [{"figure": "training-held", "title": "培训", "query": "acts-of-unit/1", "value": 99}]
    book.go(number, "draft", "reporter", on(3, 20), items=[ITEM], figures=forged)
    assert all(each["value"] != 99 for each in book.item(number)["data"]["figures"])
    book.go(number, "sign", "branch1_head", on(3, 27))
    book.go(number, "submit", "reporter", on(3, 30), submitted_at=on(3, 27).isoformat())
    data = book.item(number)["data"]
    assert data["submitted_at"] == on(3, 30).isoformat()
    assert data["submitted_late"] is True


@pytest.mark.parametrize(
    ("month", "at", "late"),
    [
        ("2024-04", datetime(2024, 4, 28, 23, tzinfo=SHANGHAI), False),
        ("2024-01", datetime(2024, 1, 28, 23, tzinfo=SHANGHAI), True),
        ("2024-01", datetime(2024, 1, 26, 23, 59, tzinfo=SHANGHAI), False),
        ("2024-01", datetime(2024, 1, 27, 0, tzinfo=SHANGHAI), True),
    ],
)
def test_late_is_what_comes_after_the_due_day(
    book: Casebook, month: str, at: datetime, *, late: bool
) -> None:
    """Until its 24:00 a report is in time; a return and a second submission change nothing of it."""
    first = datetime.fromisoformat(f"{month}-01T08:00:00+08:00")
    ledger(book, first)
    number = begun(book, month, first)
    signed(book, number, first + timedelta(days=20))
    book.go(number, "submit", "reporter", at)
    assert book.item(number)["data"]["submitted_late"] is late
    book.go(number, "return", "law_hub", at + timedelta(hours=12), defects="成效请写具体")
    book.go(number, "resubmit", "reporter", at + timedelta(days=1), items=[ITEM])
    data = book.item(number)["data"]
    assert (data["submitted_late"], data["submitted_at"]) == (late, at.isoformat())
    book.go(number, "accept", "law_hub", at + timedelta(days=2))
    assert book.item(number)["state"] == "archived"
    assert book.events(number)[-1]["role"] == "sys"
    assert book.do(journal.verify)[1] == []


def test_a_report_that_does_not_come_is_asked_for_on_its_days(book: Casebook) -> None:
    """26th L0, 27th L1, 28th at close of business L2, a working day after L3 (2024-02)."""
    number = begun(book, "2024-02", datetime(2024, 2, 1, 8, tzinfo=SHANGHAI))
    for when, level in (
        ((26, 8), None),
        ((26, 10), 0),
        ((27, 10), 1),
        ((28, 17), 1),
        ((28, 18), 2),
        ((29, 23), 2),
    ):
        stalls.sweep(book.database, book.casework, now=datetime(2024, 2, *when, tzinfo=SHANGHAI))
        assert book.clocks(number)["report"]["rung"] == level, when
    stalls.sweep(book.database, book.casework, now=datetime(2024, 3, 1, 1, tzinfo=SHANGHAI))
    assert book.clocks(number)["report"]["rung"] == 3
    assert {"reporter", "branch1_head", "deputy", "law_hub"} <= book.told(number, "demand")


def test_evidence_of_a_report_reaches_the_ledger(book: Casebook) -> None:
    """The row of the same measure and unit, with month and report; without evidence nothing moves."""
    kept = ledger(book, on(3, 1))
    other = book.submit("ledger", "law_hub", on(3, 1), ROW | {"unit": "BR2"}).number
    number = begun(book, "2026-03", on(3, 1))
    signed(book, number, on(3, 20), {**ITEM, "evidence_ids": []})
    book.go(number, "submit", "reporter", on(3, 27))
    assert "evidence_month" not in book.item(kept)["data"]
    book.go(number, "return", "law_hub", on(3, 27), defects="请附佐证")
    book.go(number, "resubmit", "reporter", on(3, 27), items=[ITEM])
    data = book.item(kept)["data"]
    assert (data["evidence_month"], data["evidence_ids"], data["source_report"]) == (
        "2026-03",
        ["回访台账"],
        number,
    )
    assert book.clocks(kept)["evidence"]["due_on"] == date(2026, 4, 30)
    assert book.events(kept)[-1]["act"] == "record_evidence"
    assert book.item(other)["state"] == "registered"


def test_a_report_counts_as_progress_where_nothing_is_established_yet(book: Casebook) -> None:
    """A row in progress records it; its clock of standing still starts anew."""
    row = book.submit("ledger", "law_hub", on(3, 1), ROW).number
    follow(book, row, KEPT[:2], on(3, 1))
    number = begun(book, "2026-03", on(3, 1))
    signed(book, number, on(3, 20))
    book.go(number, "submit", "reporter", on(3, 27))
    assert [event["act"] for event in book.events(row)][-1] == "record_progress"
    assert book.clocks(row)["idle"]["started_at"] == on(3, 27)


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        ([{**ITEM, "measure_id": "M9.9"}], "台账中没有本单位承担的措施"),
        ([ITEM, ITEM], "同一措施只写一条"),
        ([{**ITEM, "action": ""}], "举措"),
        ([{**ITEM, "result": "x" * 20001}], "成效"),
        ([{**ITEM, "signature": "x"}], "columns"),
        ("M1.2", "记录"),
        ([], "条目"),
    ],
)
def test_what_is_no_item_is_refused_with_a_sentence(
    book: Casebook, items: Any, sentence: str
) -> None:
    """Measures the ledger does not hold, one twice, columns left out or made up: nothing is written."""
    ledger(book, on(3, 1))
    number = begun(book, "2026-03", on(3, 1))
    book.refused(
        BanjieError, lambda: book.go(number, "draft", "reporter", on(3, 20), items=items), sentence
    )


def test_each_acts_in_their_own_turn(book: Casebook) -> None:
    """Reporters draft, heads sign, the law section accepts; the system alone fills and archives."""
    ledger(book, on(3, 1))
    number = begun(book, "2026-03", on(3, 1))
    with pytest.raises(NotPermitted):
        book.go(number, "draft", "branch1_head", on(3, 20), items=[ITEM])
    book.go(number, "draft", "reporter", on(3, 20), items=[ITEM])
    book.go(number, "revise", "reporter", on(3, 21), items=[{**ITEM, "result": "更具体的成效"}])
    with pytest.raises(NotFound):
        book.go(number, "sign", "branch2_head", on(3, 21))
    book.go(number, "sign", "branch1_head", on(3, 21))
    book.go(number, "submit", "reporter", on(3, 27))
    with pytest.raises(NotPermitted):
        book.go(number, "accept", "reporter", on(3, 27))
    with pytest.raises(NotPermitted):
        book.go(number, "return", "deputy", on(3, 27), defects="请重写")
    with pytest.raises(NotPermitted):
        book.submit("monthly_report", "reporter", on(3, 1), {"unit": "BR2", "month": "2026-03"})
    opened = book.submit("monthly_report", SYS, on(4, 1), {"unit": "BR2", "month": "2026-04"})
    assert book.item(opened.number)["state"] == "collecting"


def test_a_trend_the_law_section_sees_is_analysed(book: Casebook) -> None:
    """Accepting a report that shows one begins an analysis; accepting any other begins nothing."""
    ledger(book, on(3, 1))
    for month, trend, begun_after in ((3, "none", 0), (4, "concentrated", 1)):
        number = begun(book, f"2026-{month:02d}", on(month, 1))
        signed(book, number, on(month, 20))
        book.go(number, "submit", "reporter", on(month, 27))
        told = {"trend": trend, "trend_scope": "收费投诉集中"}
        book.go(number, "accept", "law_hub", on(month, 28), None, **told)
        found = book.children(number, "analysis")
        assert len(found) == begun_after
    assert (found[0]["data"]["trigger"], found[0]["data"]["scope"]) == ("report", "收费投诉集中")

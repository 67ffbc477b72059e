"""The task ledger: the plan's measures, unit by unit, from registering to keeping them up."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from adapters import sample
from engine import journal, stalls
from engine.errors import GuardRefused, Invalid, NotPermitted
from engine.people import SYS
from engine.programmes import read_programme
from engine.workdays import SHANGHAI
from tests.casebook import MONDAY, day
from tests.workflows.sample import document
from workflows import programmes

if TYPE_CHECKING:
    from tests.casebook import Casebook

ROW: dict[str, Any] = {
    "measure_id": "M1.2",
    "measure_title": "做好案件回访",
    "lead_unit": "BR1",
    "unit": "BR1",
    "co_units": ["BR1", "SQD"],
    "due_at": "2026-03-31",
    "deliverables": ["回访制度"],
}
TAKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("assign", "law_hub", {}),
    ("accept", "branch1_head", {"responsible_person": "branch1_handler", "plan": "三月建立"}),
    ("establish", "branch1_head", {"deliverable_files": ["回访制度.pdf"]}),
]
KEPT = [*TAKEN, ("confirm", "law_hub", {"confirm_note": "制度已建立"})]


def follow(
    book: Casebook, number: str, steps: list[tuple[str, str, dict[str, Any]]], at: datetime = MONDAY
) -> str:
    """Make one transition after the other; the state reached."""
    for name, by, given in steps:
        book.go(number, name, by, at, **given)
    return str(book.item(number)["state"])


def pointers(refusal: Invalid) -> list[str]:
    """The fields a refusal points to."""
    errors: Any = refusal.members["errors"]
    return [each["pointer"] for each in errors]


def row(book: Casebook, **more: Any) -> str:
    """A row of the ledger for the first branch."""
    return book.submit("ledger", "law_hub", data=ROW | more).number


def test_the_notice_of_a_task_names_units_and_leaves_no_empty_number(book: Casebook) -> None:
    """A letter writes units by their names, and has no line for a number that it has not got."""
    number = row(book)
    book.go(number, "assign", "law_hub")
    (letter,) = [
        each["body"]
        for each in book.rows("SELECT body FROM document WHERE template = 'task_notice'")
    ]
    assert "二、牵头单位：第一分局（拟定）" in letter
    assert "三、全部责任单位：第一分局、综合行政执法支队\n" in letter
    assert letter.startswith("事项编号：")


def test_loading_the_plan_makes_a_row_for_each_measure_and_unit(book: Casebook) -> None:
    """Seven measures and four duties, as section 1.2 of the domain gives them; twice is once."""
    told = programmes()
    assert sample.load_programmes(book.database, book.casework, told) == 58
    assert sample.load_programmes(book.database, book.casework, told) == 0
    rows = [each["data"] for each in book.rows("SELECT d.data FROM item_data d")]
    found: dict[str, list[str]] = {}
    for each in rows:
        found.setdefault(each["measure_id"], []).append(each["unit"])
    dues = {each["measure_id"]: each.get("due_at") for each in rows}
    everybody = ["AUD", "BR1", "BR2", "IPR", "LAW", "OFF", "SQD", "SVC"]
    assert {name: sorted(units) for name, units in found.items()} == {
        "M1.1": ["AUD", "BR1", "BR2", "LAW", "SQD", "SVC"],
        "M1.2": ["AUD", "BR1", "BR2", "LAW", "SQD", "SVC"],
        "M1.3": ["AUD", "BR1", "BR2", "LAW", "OFF", "SQD"],
        "M2.1": ["BR1", "BR2", "SVC"],
        "M2.2": ["BR1", "BR2", "SVC"],
        "M3.1": ["BR1", "BR2", "IPR"],
        "M3.2": ["AUD", "BR1", "BR2", "LAW", "OFF", "SQD"],
        **dict.fromkeys(("D4.1", "D4.3", "D4.4b"), everybody),
        "D4.4a": ["BUR"],
    }
    assert {name: due for name, due in dues.items() if due} == {
        "M1.1": "2023-08-30",
        **dict.fromkeys(("M1.2", "M1.3"), "2023-08-20"),
        **dict.fromkeys(("M2.1", "M2.2", "M3.1", "M3.2"), "2023-10-31"),
    }
    assert {each["lead_status"] for each in rows} == {"proposed"}
    homes = book.rows(
        "SELECT u.code, d.data FROM item JOIN item_data d ON d.item_id = item.id"
        " JOIN unit u ON u.id = item.unit_id"
    )
    assert all(home["code"] == home["data"]["unit"] for home in homes)
    assert book.do(journal.verify)[1] == []


def test_the_programme_says_what_the_plan_says() -> None:
    """Titles, and who goes on with them for ever, are the document's own words."""
    (plan,) = programmes()
    assert [(m.id, m.title, m.then) for m in plan.measures] == [
        ("M1.1", "改进执法方式", "长期坚持"),
        ("M1.2", "做好案件回访", "长期坚持"),
        ("M1.3", "完善投诉举报制度", "长期坚持"),
        ("M2.1", "全面落实“好差评”制度", "持续坚持"),
        ("M2.2", "开展办事体验督导", "持续坚持"),
        ("M3.1", "健全矛盾纠纷化解体系", "长期坚持"),
        ("M3.2", "及时回应群众诉求", "持续坚持"),
    ]
    assert [duty.id for duty in plan.duties] == ["D4.1", "D4.3", "D4.4a", "D4.4b"]


def test_a_programme_that_is_none_is_told_with_its_line() -> None:
    """A file with a date that is none, or a key nobody knows, is refused."""
    text = "programme: P\ntitle: 甲\nsince: 2023-07-20\nstart: 2023-07\nend: 2024-06\nmeasures:\n"
    bad = text + "  - {id: M1.1, title: 乙, owners: [市局], due: 八月}\n"
    with pytest.raises(Exception, match="date"):
        read_programme(document(bad, "p.yaml"))
    with pytest.raises(Exception, match="permitted"):
        read_programme(document(text.replace("title", "name") + "  []\n", "p.yaml"))


def test_a_row_is_established_confirmed_and_kept_up(book: Casebook) -> None:
    """Two phases: established by the date it names, then open for ever with its monthly evidence."""
    number = row(book)
    book.go(number, "assign", "law_hub")
    establish = book.clocks(number)["establish"]
    assert establish["due_on"] == date(2026, 3, 31)
    assert follow(book, number, KEPT[1:]) == "long_term"
    clocks = book.clocks(number)
    assert "establish" not in clocks
    assert clocks["evidence"]["due_on"] == date(2026, 4, 30)
    assert clocks["review"]["due_on"] == date(2027, 3, 2)
    book.go(number, "review", "law_hub", day(300), period="2026", evidence="月报佐证齐全")
    assert book.go(number, "keep", "deputy", day(301)).state == "long_term"
    with pytest.raises(GuardRefused, match="minutes"):
        book.go(number, "close", "head", day(302), reason="方案终止")
    closed = book.go(
        number, "close", "head", day(302), reason="方案终止", minutes="纪要〔2027〕1号"
    )
    assert closed.state == "closed"
    letters = book.rows("SELECT template, body FROM document ORDER BY id")
    assert [each["template"] for each in letters] == ["task_notice", "task_review"]
    assert "2026年3月31日前" in letters[0]["body"]


def test_a_month_without_evidence_stalls_and_the_next_weighs_more(book: Casebook) -> None:
    """L1 at the end of the first month, L2 a month later; evidence clears it and starts the next."""
    number = row(book)
    follow(book, number, KEPT)

    def level(on: datetime) -> int:
        stalls.sweep(book.database, book.casework, now=on)
        return int(book.clocks(number)["evidence"]["rung"] or 0)

    assert level(datetime(2026, 4, 30, 23, tzinfo=SHANGHAI)) == 0
    assert level(datetime(2026, 5, 1, 1, tzinfo=SHANGHAI)) == 1
    assert "law_hub" in book.told(number, "urge")
    assert level(datetime(2026, 5, 31, 1, tzinfo=SHANGHAI)) == 2
    told: dict[str, Any] = {"evidence_month": "2026-05", "evidence_ids": ["照片1"]}
    book.go(number, "record_evidence", SYS, datetime(2026, 5, 31, 2, tzinfo=SHANGHAI), **told)
    clock = book.clocks(number)["evidence"]
    assert (clock["due_on"], clock["rung"]) == (date(2026, 6, 30), None)
    late: dict[str, Any] = {"evidence_month": "2026-03", "evidence_ids": ["旧照片"]}
    book.go(number, "record_evidence", SYS, datetime(2026, 5, 31, 3, tzinfo=SHANGHAI), **late)
    assert book.clocks(number)["evidence"]["due_on"] == date(2026, 6, 30)


def test_the_lead_is_the_one_named_first_only_if_the_bureau_says_so(book: Casebook) -> None:
    """A proposal until a deputy or the head confirms it, on a basis; others may not."""
    number = row(book, lead_status="proposed")
    lead: dict[str, Any] = {
        "lead_unit": "SQD",
        "lead_status": "confirmed",
        "lead_basis": "局长办公会纪要",
    }
    with pytest.raises(NotPermitted):
        book.go(number, "confirm_lead", "law_hub", **lead)
    book.go(number, "confirm_lead", "deputy", **lead)
    data = book.item(number)["data"]
    assert (data["lead_unit"], data["lead_status"]) == ("SQD", "confirmed")


def test_a_row_of_a_special_plan_belongs_to_its_lead(book: Casebook) -> None:
    """Without a unit of its own a row is the lead unit's; what is missing is given as it is assigned."""
    number = book.submit("ledger", SYS, data={"measure_id": "S1", "lead_unit": "SQD"}).number
    units = book.rows("SELECT u.code FROM item JOIN unit u ON u.id = item.unit_id")
    assert units == [{"code": "SQD"}]
    with pytest.raises(Invalid) as refused:
        book.go(number, "assign", "law_hub")
    assert set(pointers(refused.value)) == {
        "/data/co_units",
        "/data/due_at",
        "/data/deliverables",
    }


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"lead_unit": None}, "/data/lead_unit"),
        ({"measure_id": ""}, "/data/measure_id"),
        ({"co_units": ["第一分局", "没有的单位"]}, "/data/co_units"),
        ({"co_units": []}, None),
        ({"due_at": "2023年8月"}, "/data/due_at"),
    ],
)
def test_a_row_is_refused_with_the_field_that_is_wrong(
    book: Casebook, given: dict[str, Any], pointer: str | None
) -> None:
    """Nothing is written where a unit does not exist or a date is none."""
    if pointer is None:
        row(book, **given)
        return

    def begin() -> None:
        row(book, **given)

    with pytest.raises(Invalid) as refused:
        begin()
    assert pointers(refused.value) == [pointer]
    assert book.rows("SELECT FROM item") == []


def test_who_reported_it_does_not_confirm_it(book: Casebook) -> None:
    """Returned with defects it goes on; the clock of establishing is due on the date it always was."""
    number = row(book)
    follow(book, number, TAKEN)
    with pytest.raises(NotPermitted):
        book.go(number, "confirm", "branch1_head", confirm_note="自己确认")
    assert book.go(number, "return", "law_hub", defects="缺附件").state == "in_progress"
    assert book.clocks(number)["establish"]["due_on"] == date(2026, 3, 31)

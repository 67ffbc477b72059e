"""Revisits: who is asked is drawn by lot that anybody can count over, and nobody asks about his own case."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine import draws, stalls
from engine.draws import commitment_of, faults
from engine.errors import GuardRefused, Invalid, NotPermitted
from engine.importing import Import, Row
from engine.loader import load
from engine.mapping import Mapper, read_map
from engine.people import SYS
from tests.casebook import MONDAY, day

if TYPE_CHECKING:
    from tests.casebook import Casebook

DOCS = Path(__file__).parents[2] / "docs"
CASE: dict[str, Any] = {
    "unit": "BR1",
    "case_kind": "penalty",
    "procedure": "simple",
    "closed_on": "2026-02-10",
    "handlers": ["branch1_handler"],
}
CALL: dict[str, Any] = {
    "method": "phone",
    "attempted_at": MONDAY.isoformat(),
    "declarations_signed": True,
}


def register(book: Casebook, count: int = 1, **more: Any) -> list[str]:
    """Cases closed elsewhere, as the reporter registers them."""
    numbers = []
    for at in range(count):
        told = CASE | {"case_no": f"许市监罚〔2026〕{at}号", "party_ref": f"甲{at}"} | more
        numbers.append(book.submit("closed_case", "reporter", data=told).number)
    return numbers


def campaign(book: Casebook, unit: str = "BR1", month: str = "2026-03") -> str:
    """A campaign as the system begins it on the first of the month."""
    told = {"unit": unit, "month": month}
    return book.submit("revisit_campaign", SYS, data=told).number


def drawn(book: Casebook, number: str) -> list[str]:
    """The cases of a sample, in their order."""
    return [row["case"] for row in book.item(number)["data"].get("sample_list", [])]


def running(book: Casebook, number: str) -> dict[str, str]:
    """Close the list, approve and launch; the visits by their cases."""
    book.go(number, "close_list", "reporter")
    book.go(number, "approve", "law_hub")
    book.go(number, "launch", "branch1_head")
    return visits(book, number)


def visits(book: Casebook, number: str) -> dict[str, str]:
    """The visits of a campaign by their cases."""
    return {row["data"]["case"]: row["number"] for row in book.children(number, "revisit")}


def lose(book: Casebook, visit: str) -> None:
    """Three attempts on two days, and nobody there."""
    book.go(visit, "attempt", "revisitor", **CALL)
    for at in (1, 2):
        again: dict[str, Any] = {"method": "wechat", "attempted_at": day(at).isoformat()}
        book.go(visit, "attempt_again", "revisitor", day(at), **again)
    book.go(visit, "give_up", "revisitor", day(2), attempts_log="三次未接")


def test_the_system_draws_after_the_seed_was_committed_to(book: Casebook) -> None:
    """Begun, committed, registered, lapsed into the draw; what was committed to is what was drawn by."""
    number = campaign(book)
    before = book.item(number)["data"]
    assert "seed" not in before
    assert "salt" not in before
    register(book, 5)
    stalls.sweep(book.database, book.casework, now=book.clocks(number)["list"]["due_at"])
    item = book.item(number)
    assert item["state"] == "sampled"
    assert commitment_of(item["data"]["seed"]) == before["seed_commitment"]
    assert item["data"]["strata"] == ["penalty.simple.recent 5 40% 2"]
    (record,) = book.rows("SELECT body FROM document WHERE template = 'sampling_record'")
    assert "1．行政处罚·简易程序·上月办结　5　40%　2\n七、必选案件：\n无\n" in record["body"]
    assert len(drawn(book, number)) == 2
    assert [event["act"] for event in book.events(number)][-1] == "draw"
    assert book.events(number)[-1]["role"] == "sys"
    assert faults(item["data"]) == []


def test_anybody_can_count_a_draw_over(book: Casebook) -> None:
    """By hand, from what stands on the item: hash each number with the seed, take the first ones."""
    register(book, 7)
    number = campaign(book)
    book.go(number, "close_list", "reporter")
    data = book.item(number)["data"]
    assert hashlib.sha256(data["population"].encode()).hexdigest() == data["population_digest"]
    listed = [line.split(" ")[0] for line in data["population"].splitlines()]
    order = sorted(listed, key=lambda n: hashlib.sha256(f"{data['seed']}|{n}".encode()).digest())
    assert drawn(book, number) == order[:3]  # 40 % of 7, a begun one whole


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("salt", "00"),
        ("seed", "00" * 32),
        ("seed_commitment", "00" * 32),
        ("population_digest", "00" * 32),
        ("strata", ["penalty.simple.recent 5 40% 1"]),
        ("sample_list", []),
        ("most", 1),
        ("month", "2026-04"),
    ],
)
def test_a_draw_that_was_touched_is_told(book: Casebook, field: str, value: Any) -> None:
    """Whatever of the record is changed, counting it over finds it."""
    register(book, 5)
    number = campaign(book)
    book.go(number, "close_list", "reporter")
    data = book.item(number)["data"]
    assert faults(data) == []
    assert faults(data | {field: value})


def test_only_what_may_be_asked_about_is_drawn_from(book: Casebook) -> None:
    """Of this unit, since 2021, up to the month before, not struck out, not visited yet."""
    inside = register(book, 2, procedure="ordinary")
    register(book, 1, unit="BR2", handlers=["branch2_handler"])
    register(book, 1, closed_on="2020-12-31")
    register(book, 1, closed_on="2026-03-01")
    (struck,) = register(book, 1, procedure="ordinary")
    book.go(struck, "reopen", "law_hub", reason="重复登记")
    book.go(struck, "strike", "deputy", reason="重复登记")
    (visited,) = register(book, 1, procedure="ordinary")
    book.submit("revisit", "law_hub", data={"case": visited})
    number = campaign(book)
    book.go(number, "close_list", "reporter")
    listed = [line.split(" ")[0] for line in book.item(number)["data"]["population"].splitlines()]
    assert listed == sorted(inside)
    assert sorted(drawn(book, number)) == sorted(inside)


def test_old_cases_are_drawn_little_by_little_and_key_cases_always(book: Casebook) -> None:
    """Of the backlog five in a hundred; what has a ground or was named goes before all others."""
    old = register(book, 21, closed_on="2022-05-05")
    (heard,) = register(book, 1, closed_on="2021-01-01", must_include=["hearing"])
    number = campaign(book)
    named = old[4]
    book.go(number, "close_list", "reporter", key_cases=[named])
    item = book.item(number)["data"]
    assert item["strata"] == ["penalty.simple.backlog 20 5% 1"]
    assert set(drawn(book, number)[:2]) == {heard, named}
    assert len(drawn(book, number)) == 3


def test_a_key_case_must_be_one_that_can_be_drawn(book: Casebook) -> None:
    """A number that is none of the list is refused with a sentence, and nothing is drawn."""
    register(book, 1)
    number = campaign(book)
    book.refused(
        Invalid,
        lambda: book.go(number, "close_list", "reporter", key_cases=["许市监罚〔1999〕9号"]),
        match="核对",
    )
    book.go(number, "close_list", "reporter", key_cases=["许市监罚〔2026〕0号"])
    assert book.item(number)["data"]["strata"] == ["penalty.simple.recent 0 40% 0"]


def test_nobody_draws_by_hand_and_nobody_changes_what_was_drawn(book: Casebook) -> None:
    """The draw is the system's; whoever closed the list does not approve; a month is a month."""
    register(book, 2)
    number = campaign(book)
    with pytest.raises(NotPermitted):
        book.go(number, "draw", "reporter", seed="ab12")
    book.go(number, "close_list", "branch1_head")
    with pytest.raises(Invalid):
        book.go(number, "approve", "law_hub", sample_list=[])
    with pytest.raises(GuardRefused, match="2026-09"):
        book.submit("revisit_campaign", "law_hub", data={"unit": "BR1", "month": "三月"})


@pytest.mark.parametrize("account", ["branch1_handler", "law_reviewer", "branch1_head"])
def test_whoever_had_a_part_in_an_outside_case_never_visits_it(
    book: Casebook, account: str
) -> None:
    """Handler, reviewer and approver of a case of another system are refused; a clean officer is not."""
    told = {"approvers": ["branch1_head"], "reviewers": ["law_reviewer"], "procedure": "ordinary"}
    (case,) = register(book, 1, **told)
    visit = running(book, campaign(book))[case]
    book.run(
        "INSERT INTO membership SELECT p.id, 'revisitor', u.id FROM person p, unit u"
        " WHERE p.account = %s AND u.code = 'BUR'",
        account,
    )
    with pytest.raises(GuardRefused) as refused:
        book.go(visit, "attempt", account, **CALL)
    assert refused.value.members["guard"] == "not_case_handler"
    home = CALL | {"method": "home_visit", "companions": [account]}
    with pytest.raises(GuardRefused):
        book.go(visit, "attempt", "revisitor", **home)
    assert book.go(visit, "attempt", "revisitor", **CALL).state == "contacting"


def test_a_home_visit_takes_two(book: Casebook) -> None:
    """Alone nobody goes; the companion becomes a revisitor of the case."""
    (case,) = register(book, 1, procedure="ordinary")
    visit = running(book, campaign(book))[case]
    home = CALL | {"method": "home_visit"}
    with pytest.raises(GuardRefused, match="同行"):
        book.go(visit, "attempt", "revisitor", **home)
    book.go(visit, "attempt", "revisitor", **home, companions=["revisitor2"])
    rows = book.rows(
        "SELECT p.account FROM item_duty d JOIN person p ON p.id = d.person_id"
        " WHERE duty = 'revisit' ORDER BY 1"
    )
    assert [row["account"] for row in rows] == ["revisitor", "revisitor2"]


def test_the_next_of_the_stratum_stands_in_for_one_who_is_not_found(book: Casebook) -> None:
    """Once for each, in the order of the seed, until the stratum is empty."""
    register(book, 3)
    number = campaign(book)
    found = running(book, number)
    data = book.item(number)["data"]
    order = [case.number for case in draws.in_order(data["seed"], draws.read(data["population"]))]
    assert [*found] == order[:2]
    with pytest.raises(GuardRefused, match="无法联系"):
        book.go(number, "replace", "law_hub", replaced_case=order[0])
    lose(book, found[order[0]])
    book.go(number, "replace", "law_hub", day(3), replaced_case=order[0])
    assert [*visits(book, number)] == order
    with pytest.raises(GuardRefused):
        book.go(number, "replace", "law_hub", day(3), replaced_case=order[0])
    lose(book, found[order[1]])
    with pytest.raises(GuardRefused, match="没有可以替补"):
        book.go(number, "replace", "law_hub", day(4), replaced_case=order[1])


def test_nothing_is_summed_up_before_every_visit_is_done(book: Casebook) -> None:
    """A refusal to be asked is a proper end; then the month is summed up and closed."""
    register(book, 2, procedure="ordinary")
    number = campaign(book)
    found = running(book, number)
    with pytest.raises(GuardRefused):
        book.go(number, "summarise", "law_hub", findings="好", rates=["100%"])
    for visit in found.values():
        book.go(visit, "attempt", "revisitor", **CALL)
        book.go(visit, "party_refuses", "revisitor", statement="不愿受访")
    book.go(number, "summarise", "law_hub", findings="拒访两件", rates=["0%"])
    assert book.go(number, "close", "deputy").state == "closed"


def test_a_signal_opens_a_finding_at_once_and_a_complaint_where_it_is_wished(
    book: Casebook,
) -> None:
    """Analysed: the finding is there in the same second, and the person's grievance with it."""
    (case,) = register(book, 1, procedure="ordinary")
    visit = running(book, campaign(book))[case]
    contact = {"name": "柳如烟", "phone": "13900004242"}
    book.go(visit, "attempt", "revisitor", **CALL, contact=contact)
    told: dict[str, Any] = {
        "answers": "收了烟",
        "satisfaction": "dissatisfied",
        "identity_confirmed": True,
    }
    book.go(visit, "interview", "revisitor", **told)
    form: dict[str, Any] = {"record_form": "回访1", "signature_or_audio_or_chat_export": "录音1"}
    book.go(visit, "record", "revisitor", **form)
    signals: dict[str, Any] = {
        "signal_codes": ["V03"],
        "facts": "甲称被索要香烟",
        "respondent": "BR1",
        "follow_ups": ["grievance"],
        "grievance_text": "我要投诉",
    }
    book.go(visit, "analyse", "law_hub", **signals)
    (finding,) = book.children(visit, "misconduct")
    assert (finding["mandatory"], finding["data"]["category_codes"]) == (True, ["V03"])
    assert finding["entered_at"] == book.item(visit)["entered_at"]
    (grievance,) = book.children(visit, "grievance")
    assert book.personal(grievance["number"])["contact"] == contact
    with pytest.raises(GuardRefused):
        book.go(visit, "close", "unit_head")


def test_a_stranger_counts_a_draw_over_with_one_file(book: Casebook, tmp_path: Path) -> None:
    """docs/verify_draw.py needs the item's page and nothing of ours; a changed page does not pass."""
    register(book, 5)
    number = campaign(book)
    book.go(number, "close_list", "reporter")
    data = book.item(number)["data"]
    page = tmp_path / "item.json"
    for told, status in ((data, 0), (data | {"sample_list": data["sample_list"][1:]}, 1)):
        page.write_text(json.dumps({"number": number, "data": told}))
        script = [sys.executable, str(DOCS / "verify_draw.py"), str(page)]
        run = subprocess.run(script, check=False, capture_output=True)
        assert run.returncode == status, run.stderr.decode()


def test_a_table_of_closed_cases_is_taken_in_with_the_example_map(book: Casebook) -> None:
    """The example reads what a case system gives; a case of tomorrow and an unknown officer are refused."""
    declared = book.casework.catalog.named("closed_case").workflow
    document = load(DOCS / "examples" / "closed_cases.map.yaml")
    mapper = Mapper(read_map(document, declared), declared)
    cells = {
        "案件文号": "许市监罚〔2026〕8号",
        "办案单位": "第一分局",
        "案件种类": "行政处罚",
        "程序": "一般程序",
        "办结日期": "2026/02/10",
        "当事人代号": "甲",
        "办案人员": "branch1_handler、branch1_handler2",
        "审批人员": "branch1_head",
        "审核人员": "law_reviewer",
        "重点情形": "hearing",
    }
    run = Import(book.database, book.casework, mapper, b"1" * 32, book.who("reporter"))
    later = {"案件文号": "9号", "办结日期": "2099/01/01"}
    stranger = {"案件文号": "10号", "办案人员": "nobody"}
    rows = [cells, cells | later, cells | stranger]
    done = run.take(Row(at, row) for at, row in enumerate(rows, 1))
    assert (done.read, done.accepted, done.refused) == (3, 1, 2)
    (item,) = book.rows("SELECT d.data FROM item_data d JOIN item i ON i.id = d.item_id")
    assert item["data"]["procedure"] == "ordinary"
    duties = book.rows("SELECT duty, count(*) AS n FROM item_duty GROUP BY 1 ORDER BY 1")
    assert [(row["duty"], row["n"]) for row in duties] == [("approve", 2), ("work", 2)]

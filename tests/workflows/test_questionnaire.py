"""Questionnaires: one invitation one answer, validated, void only by two, coded into signals."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine import journal, stalls
from engine.catalog import install
from engine.errors import DefinitionError, GuardRefused, Invalid, NotAvailable, NotPermitted
from engine.people import AT_DESK, PUBLIC, Actor
from tests.casebook import MONDAY, day
from workflows import HERE, catalog

if TYPE_CHECKING:
    from pathlib import Path

    from tests.casebook import Casebook

ANSWERS: dict[str, Any] = {
    "Q1": {"chosen": [2], "follow_up": "第一分局和路边小店"},
    "Q2": {"chosen": [3, 4], "follow_up": "第一分局"},
    "Q3": {"chosen": [1]},
    "E1": "王五多次被要求补材料",
}
CLEAN: dict[str, Any] = {"Q1": {"chosen": [4]}, "Q2": {"chosen": [5]}, "Q3": {"chosen": [1]}}
LATER = MONDAY + timedelta(minutes=3)


def invite(book: Casebook, by: str = "law_hub", **more: Any) -> str:
    """Staff invite somebody to answer."""
    return book.submit("questionnaire", by, data={"source_kind": "survey", **more}).number


def answer(
    book: Casebook, number: str, answers: Any = None, by: str | Actor = PUBLIC, **more: Any
) -> str:
    """Somebody answers an invitation; the state reached."""
    given = {
        "answers": ANSWERS if answers is None else answers,
        "template_version": book.item(number)["data"]["template_version"],
        "channel": "portal",
        **more,
    }
    if by == PUBLIC and book.item(number)["state"] == "invited":
        book.go(number, "open", PUBLIC, MONDAY)
    book.go(number, "submit_answers", by, LATER, **given)
    return str(book.item(number)["state"])


def test_an_answer_that_nothing_speaks_against_is_valid_at_once(book: Casebook) -> None:
    """Validated by the system; the words lie in the vault, the options beside."""
    number = invite(book)
    assert answer(book, number) == "validated"
    item = book.item(number)
    assert item["data"]["checks"][-1] == "未见异常"
    assert item["data"]["choices_made"][0] == {
        "question": "Q1",
        "option": "2",
        "issue": "not_handled",
    }
    assert item["data"]["proxy"] is False
    assert "王五" not in str(item["data"])
    assert "路边小店" not in str(item["data"])
    assert book.personal(number)["answers"] == ANSWERS


def test_one_invitation_takes_one_answer(book: Casebook) -> None:
    """The second is refused, whoever brings it, and nothing is written."""
    number = invite(book)
    answer(book, number)
    book.refused(NotAvailable, lambda: answer(book, number, CLEAN))
    book.refused(NotAvailable, lambda: answer(book, number, CLEAN, by=book.who("revisitor")))


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"Q4": {"chosen": [1]}}, "/data/answers/Q4"),
        ({"Q8": {"chosen": [1]}}, "/data/answers/?"),
        ({"Q1": {"chosen": [7]}}, "/data/answers/Q1/chosen/0"),
        ({"Q2": {"chosen": [5, 1]}}, "/data/answers/Q2/chosen"),
        ({"E1": "长" * 2001}, "/data/answers/E1"),
    ],
)
def test_answers_that_do_not_fit_are_pointed_at(
    book: Casebook, wrong: dict[str, Any], pointer: str
) -> None:
    """And nothing of them is written."""
    number = invite(book)
    book.go(number, "open", PUBLIC)
    given = {"template_version": book.item(number)["data"]["template_version"], "channel": "portal"}

    def send() -> None:
        book.go(number, "submit_answers", PUBLIC, answers={**CLEAN, **wrong}, **given)

    book.refused(Invalid, send, pointer.replace("?", r"\?"))


def test_answers_are_to_the_version_that_was_sent(book: Casebook) -> None:
    """Whoever saw another one is told which."""
    number = invite(book)
    other = "XC-YFXZ-2023.2.000000000000"
    book.refused(
        GuardRefused, lambda: answer_opened(book, number, template_version=other), "版问卷"
    )


def test_staff_answer_for_nobody_unmarked(book: Casebook) -> None:
    """A revisitor enters what a person said and it is marked; from a desk of ours nobody answers."""
    number = invite(book)
    book.refused(GuardRefused, lambda: book.go(number, "open", AT_DESK), "须由本人")
    book.refused(NotPermitted, lambda: answer(book, number, by=book.who("law_hub")))
    assert answer(book, number, by=book.who("revisitor"), proxy=False) == "validated"
    assert book.item(number)["data"]["proxy"] is True


def test_who_answers_in_a_hurry_is_looked_at(book: Casebook) -> None:
    """Ten seconds from opening to submitting: the law section judges."""
    number = invite(book)
    book.go(number, "open", PUBLIC, LATER - timedelta(seconds=5))
    assert answer(book, number) == "submitted"
    assert "law_hub" in book.told(number, "work_arrived")
    book.go(number, "validate", "law_hub", LATER)
    assert "不到10秒" in book.item(number)["data"]["checks"][-1]


def test_two_people_make_an_answer_void(book: Casebook) -> None:
    """One proposes, another of the law section decides, with a reason; it stays and is counted."""
    number = invite(book, by="law_hub2")
    book.go(number, "open", PUBLIC, LATER - timedelta(seconds=5))
    answer(book, number)
    book.refused(
        GuardRefused,
        lambda: book.go(number, "void", "law_hub", LATER, reason="刷票"),
        "须先由另一人",
    )
    book.go(number, "propose_void", "law_hub", LATER, doubt="与他卷雷同")
    book.refused(
        GuardRefused, lambda: book.go(number, "void", "law_hub", LATER, reason="刷票"), "另一人"
    )
    book.refused(Invalid, lambda: book.go(number, "void", "law_hub2", LATER), "理由")
    assert book.go(number, "void", "law_hub2", LATER, reason="刷票").state == "void"
    assert book.personal(number)["answers"] == ANSWERS


def test_an_invitation_is_reminded_of_once_and_ends_by_itself(book: Casebook) -> None:
    """One reminder on the fourth day, the end after seven, by the system."""
    number = invite(book)
    for at in (day(1), day(5), day(6)):
        stalls.sweep(book.database, book.casework, now=at)
    acts = [event["act"] for event in book.events(number)]
    assert acts == ["submit", "remind"]
    stalls.sweep(book.database, book.casework, now=day(8, 1))
    assert book.item(number)["state"] == "expired"
    book.refused(NotAvailable, lambda: answer(book, number))


def test_options_become_issue_codes_and_named_units_signals(book: Casebook) -> None:
    """A unit of the office named beside an issue is a signal; a stranger's name is none."""
    number = invite(book)
    answer(book, number)
    book.go(number, "code", "law_hub", LATER)
    data = book.item(number)["data"]
    assert data["issue_codes"] == ["not_handled", "rough", "unlawful_charges"]
    assert data["named_units"] == [{"respondent": "BR1", "categories": "M01,M06,M03,M04"}]
    assert data["signal"] == "analysis"
    (analysis,) = book.children(number, "analysis")
    assert (analysis["data"]["about_unit"], analysis["data"]["trigger"]) == ("BR1", "survey")
    assert "应当办理而不办理" in analysis["data"]["scope"]
    assert book.children(number, "grievance") == []


def test_who_agrees_to_be_contacted_complains(book: Casebook) -> None:
    """Only then a grievance begins, about the unit named, with the person's own words."""
    number = invite(book)
    contact = {"name": "柳如烟", "phone": "13900004242"}
    book.refused(GuardRefused, lambda: answer_opened(book, number, contact=contact), "同意联系")
    answer(book, number, contact=contact, contact_agreed=True)
    book.go(number, "code", "law_hub", LATER)
    (grievance,) = book.children(number, "grievance")
    assert grievance["data"]["respondent"] == "BR1"
    assert set(grievance["data"]["categories"]) == {"M01", "M03", "M04", "M06"}
    told = book.personal(grievance["number"])
    assert told["contact"] == contact
    assert "王五多次被要求补材料" in told["narrative"]
    assert book.do(journal.verify)[1] == []


def answer_opened(book: Casebook, number: str, **more: Any) -> None:
    """Answer without opening first."""
    label = book.item(number)["data"]["template_version"]
    given = {"answers": CLEAN, "channel": "portal", "template_version": label, **more}
    book.go(number, "submit_answers", PUBLIC, LATER, **given)


def test_nothing_wrong_is_no_signal(book: Casebook) -> None:
    """Coded as such, with nobody named."""
    number = invite(book)
    answer(book, number, CLEAN)
    book.go(number, "code", "law_hub", LATER)
    data = book.item(number)["data"]
    assert (data["issue_codes"], data["signal"]) == (["none"], "none")


def test_a_version_that_was_sent_out_stays(book: Casebook, tmp_path: Path) -> None:
    """A file changed quietly, or taken away, while somebody is still asked: no process starts."""
    invite(book)
    shutil.copytree(HERE, tmp_path / "law", ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    file = tmp_path / "law" / "questionnaires" / "xc-yfxz-2023.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("执法简单粗暴,", "执法粗暴,"), encoding="utf-8")
    changed = catalog(tmp_path / "law")
    with pytest.raises(DefinitionError, match="questionnaire-gone"):
        book.do(lambda s: install(s, changed))

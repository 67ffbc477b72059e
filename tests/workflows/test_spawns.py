"""The spawn graph (domain 3.16): who begets whom, by which act, and what a parent has to wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import GuardRefused
from tests.casebook import day
from tests.workflows.test_grievance import (
    ACCEPTED,
    ASSIGNED,
    CONCLUDED,
    DECIDED,
    complain,
    follow,
    misconduct,
)
from workflows import catalog

if TYPE_CHECKING:
    from tests.casebook import Casebook

MANDATORY, LOOSE = True, False
SPAWNS: set[tuple[str, str, str, bool]] = {
    ("grievance", "submit", "misconduct", MANDATORY),  # retaliation, R01
    ("grievance", "hand_to_liaison", "misconduct", MANDATORY),
    ("grievance", "ask_again", "misconduct", LOOSE),  # a candidate, V05
    ("grievance", "open_misconduct", "misconduct", MANDATORY),
    ("grievance", "conclude", "misconduct", MANDATORY),  # where nobody opened one
    ("grievance", "split_consumer_part", "mediation", LOOSE),
    ("grievance", "decide", "rectification", LOOSE),
    ("grievance", "close", "revisit", LOOSE),
    ("grievance", "close", "questionnaire", LOOSE),
    ("grievance", "close", "counselling", LOOSE),  # not supported
    ("grievance", "ask_counselling", "counselling", LOOSE),
    ("misconduct", "refer", "referral", MANDATORY),
    ("misconduct", "refer_directly", "referral", MANDATORY),
    ("misconduct", "refer_past_head", "referral", MANDATORY),
    ("misconduct", "record_result", "rectification", LOOSE),
    ("misconduct", "result", "rectification", LOOSE),
    ("mediation", "ask_again", "misconduct", LOOSE),
    ("mediation", "report_misconduct", "misconduct", LOOSE),
    ("mediation", "performed", "revisit", LOOSE),
    ("mediation", "performed", "questionnaire", LOOSE),  # one for each party
    ("mediation", "close", "questionnaire", LOOSE),
    ("mediation", "not_performed", "counselling", LOOSE),
    ("mediation", "close", "counselling", LOOSE),
    ("revisit_campaign", "launch", "revisit", MANDATORY),
    ("revisit_campaign", "replace", "revisit", MANDATORY),
    ("revisit_campaign", "close", "rectification", LOOSE),
    ("revisit_campaign", "close", "analysis", LOOSE),
    ("revisit", "analyse", "misconduct", MANDATORY),
    ("revisit", "analyse", "rectification", LOOSE),
    ("revisit", "analyse", "counselling", LOOSE),
    ("revisit", "analyse", "questionnaire", LOOSE),
    ("revisit", "analyse", "guidance", LOOSE),
    ("revisit", "analyse", "grievance", LOOSE),
}
"""(parent, act, child, whether the parent waits) of the workflows of sections 3.1 to 3.5."""
PARENTS = {parent for parent, _, _, _ in SPAWNS}
WAITING = {
    ("grievance", "close"),
    ("grievance", "uphold"),
    ("revisit_campaign", "summarise"),
    ("revisit", "close"),
}
"""The acts that a mandatory child holds up; a misconduct finding waits in `referring` itself."""


def test_the_files_beget_what_the_table_says() -> None:
    """Parent, act, child and whether it is mandatory, of every spawn there is, and no other."""
    declared = {
        (workflow.workflow, name, effect.spawn.workflow, effect.spawn.mandatory)
        for workflow, _ in catalog().files
        if workflow.workflow in PARENTS
        for name, move in workflow.moves()
        for effect in move.effects
        if effect.spawn
    }
    assert declared == SPAWNS


def test_a_mandatory_child_holds_up_the_closing() -> None:
    """Every workflow that begets one has an act that asks whether it is done, or waits on it."""
    for workflow, _ in catalog().files:
        if workflow.workflow not in PARENTS:
            continue
        children = {
            child for parent, _, child, must in SPAWNS if must and parent == workflow.workflow
        }
        asked = {name for name, move in workflow.moves() if "children_done" in move.guards}
        assert {(workflow.workflow, name) for name in asked} == {
            each for each in WAITING if each[0] == workflow.workflow
        }
        waited = {child for state in workflow.states.values() for child in state.waits_on}
        assert not children or asked or children <= waited, workflow.workflow


def test_an_open_finding_holds_up_its_grievance_and_a_referred_one_does_not(
    book: Casebook,
) -> None:
    """Neither closes while the finding is being verified; once it is referred, the complaint may end."""
    number = complain(book)
    follow(book, number, ASSIGNED)
    finding = misconduct(book, number)
    steps: list[Any] = [CONCLUDED, *DECIDED[-2:]]
    follow(book, number, steps)
    reply: dict[str, Any] = {
        "reply_document": "许市监答〔2026〕1号",
        "delivered_at": day(0).isoformat(),
    }
    book.go(number, "reply", "handler1", **reply)
    with pytest.raises(GuardRefused, match="关联事项"):
        book.go(number, "close", "unit_head", day(31), closure_summary="已答复")
    people: dict[str, Any] = {"handlers": ["handler1", "law_handler"], "declarations_signed": True}
    book.go(finding, "assign", "head", **people)
    report: dict[str, Any] = {
        "facts": "甲收取摊主钱物",
        "evidence_list": ["转账记录"],
        "subject_statement_or_reason_absent": "本人承认",
        "party_member": True,
        "cadre_grade": "一级科员",
        "proposal": "discipline",
    }
    book.go(finding, "report", "handler1", **report)
    (referral,) = book.children(finding, "referral")
    book.go(
        referral["number"],
        "submit",
        "liaison",
        target_body="市纪委监委",
        subject_basic_info="某",
    )
    book.go(referral["number"], "pass", "law_reviewer", opinion="可")
    signed: dict[str, Any] = {"doc_number": "许市监函1号", "signed_at": day(0).isoformat()}
    book.go(referral["number"], "sign", "head", **signed)
    sent: dict[str, Any] = {
        "delivery_method": "by_hand",
        "carrier": "联络员",
        "sealed_envelope_no": "1",
    }
    book.go(referral["number"], "dispatch", "liaison", **sent)
    assert book.item(finding)["state"] == "awaiting_result"
    closed = book.go(number, "close", "unit_head", day(31), closure_summary="已答复")
    assert closed.state == "closed"


def test_a_child_keeps_the_root_and_computes_its_readers_afresh(book: Casebook) -> None:
    """The family is the grievance's for the finding and its referral; who reads a grievance does not
    therefore read them.
    """
    number = complain(book)
    follow(book, number, ASSIGNED)
    finding = misconduct(book, number)
    root = book.item(number)["family_id"]
    assert book.item(finding)["family_id"] == root
    seen = book.do(lambda s: book.casework.look(s, number, book.who("law_hub"))).number
    assert seen == number
    for account in ("law_hub", "intake", "auditor"):
        found = book.rows(
            "SELECT i.number FROM message m JOIN item i ON i.id = m.item_id"
            " WHERE i.number = %s AND recipient_id = %s",
            finding,
            book.id(account),
        )
        assert found == []


def test_substantiated_facts_open_a_finding_where_nobody_did(book: Casebook) -> None:
    """Concluded as true and of a listed kind: the system opens the finding; where one is, no second."""
    number = complain(book)
    accept: dict[str, Any] = {**ACCEPTED[1][2], "category_codes": ["M06"]}
    steps: list[Any] = [ACCEPTED[0], ("accept", "unit_head", accept), ASSIGNED[-1], CONCLUDED]
    follow(book, number, steps)
    (finding,) = book.children(number, "misconduct")
    assert finding["data"]["facts"] == CONCLUDED[2]["findings"]
    book.go(number, "return", "law_reviewer", defects="证据不足")
    follow(book, number, [CONCLUDED])
    assert len(book.children(number, "misconduct")) == 1


def test_a_complaint_about_a_leader_goes_to_the_liaison_at_once(book: Casebook) -> None:
    """Only with a name, who is shut out from that moment; the finding leaves past the head."""
    number = complain(book)
    with pytest.raises(GuardRefused, match="哪一位"):
        book.go(number, "register", "intake", matter="leader")
    told: dict[str, Any] = {"matter": "leader", "subject_officers_or_unknown": ["head"]}
    book.go(number, "register", "intake", **told)
    assert book.item(number)["state"] == "transferred_out"
    (finding,) = book.children(number, "misconduct")
    assert finding["data"]["leader"] is True
    assert "liaison" in book.told(finding["number"], "sealed_work")
    assert "head" not in book.told(finding["number"], "sealed_work")
    assert not book.casework.sees(
        book.do(lambda s: book.casework.look(s, finding["number"], book.who("liaison"))),
        book.who("head"),
    )
    moved = book.go(
        finding["number"], "refer_past_head", "liaison", ground_urgent_or_leader="反映主要负责人"
    )
    assert moved.state == "referring"

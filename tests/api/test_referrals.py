"""The discipline office: what was referred to it lies there, and it signs for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.conftest import ACCEPTANCE

if TYPE_CHECKING:
    from tests.api.conftest import Desk

REPORT = {
    "facts": "甲收取摊主钱物",
    "evidence_list": ["转账记录"],
    "subject_statement_or_reason_absent": "本人承认",
    "party_member": True,
    "cadre_grade": "一级科员",
    "proposal": "discipline",
}
PEOPLE = {"handlers": ["handler1", "squad_handler"], "declarations_signed": True}
TARGET = {
    "annex_list": ["转账记录"],
    "target_body": "市纪委监委案件监督管理室",
    "subject_basic_info": "甲,一级科员",
}


def _child(desk: Desk, account: str, number: str) -> str:
    found: list[str] = desk.look(account, f"/items/{number}").json()["children"]
    return found[-1]


def _dispatched(desk: Desk) -> str:
    """A referral on its way to the discipline office, from a grievance on."""
    grievance = desk.submit()["number"]
    desk.move("intake", grievance, "register")
    desk.move("unit_head", grievance, "accept", ACCEPTANCE)
    desk.move("unit_head", grievance, "assign", PEOPLE)
    said = {"facts": "甲收取摊主钱物", "category_codes": ["M07"]}
    desk.move("handler1", grievance, "open_misconduct", said)
    finding = _child(desk, "liaison", grievance)
    desk.move("head", finding, "assign", PEOPLE)
    desk.move("handler1", finding, "report", REPORT)
    referral = _child(desk, "liaison", finding)
    desk.move("liaison", referral, "submit", TARGET)
    desk.move("law_reviewer", referral, "pass", {"opinion": "同意"})
    signed = {"doc_number": "市监移〔2026〕1号", "signed_at": "2026-11-23T10:00:00+08:00"}
    desk.move("head", referral, "sign", signed)
    sent = {"delivery_method": "by_hand", "carrier": "联络员", "sealed_envelope_no": "1"}
    desk.move("liaison", referral, "dispatch", sent)
    return referral


def test_the_discipline_office_acknowledges_what_was_referred(desk: Desk) -> None:
    """It lists the referral, signs for it with one call, and the item waits for feedback; nobody of
    the bureau's ordinary staff sees either.
    """
    number = _dispatched(desk)
    listed = desk.look("discipline", "/referrals").json()["items"]
    assert [(each["number"], each["state"]) for each in listed] == [(number, "dispatched")]
    for account in ("handler2", "branch1_head", "admin"):
        assert desk.look(account, "/referrals").json()["items"] == []
        refused = desk.send(account, f"/referrals/{number}/acknowledge", {}, If_Match='"1"')
        assert refused.status_code == 404
    revision = desk.look("discipline", f"/items/{number}").headers["etag"]
    assert desk.send("discipline", f"/referrals/{number}/acknowledge", {}).status_code == 428
    answer = desk.send("discipline", f"/referrals/{number}/acknowledge", {}, If_Match=revision)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "in_process"
    assert answer.json()["data"]["receipt_scan"] == f"电子回执 {number}"
    again = desk.send(
        "discipline", f"/referrals/{number}/acknowledge", {}, If_Match=answer.headers["etag"]
    )
    assert again.status_code == 409

"""Acceptance scenarios 1, 2, 3, 4, 7, 8, 9 and 12 of the specification, through the HTTP API with the
practice clock, from the first word to what the law asks for.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine import stalls
from engine.openings import Openings
from tests.api.conftest import NAME, PHONE

if TYPE_CHECKING:
    from httpx import Response

    from tests.api.conftest import Desk

ROOT = Path(__file__).parents[2]
BRANCH = ("branch1_head", "branch1_handler", "branch1_handler2")
HANDLERS = {"handlers": ["handler1", "law_handler"], "declarations_signed": True}
DISPUTE = {"claim": "退款", "respondent": "某超市", "dispute_kind": "consumer", "unit": "IPR"}
PENALTY = {
    "unit": "BR1",
    "case_no": "许市监罚〔2026〕7号",
    "case_kind": "penalty",
    "procedure": "ordinary",
    "closed_on": "2026-08-20",
    "party_ref": "甲",
    "handlers": ["branch1_handler"],
    "approvers": ["branch1_head"],
    "reviewers": ["law_reviewer"],
}
DIES = """
import os, sys
from engine.database import Database
from engine.entries import Entries
from engine.casework import Casework
from engine.stalls import sweep
from engine.walls import ENGINE, SYS
from workflows import catalog
write = Entries.write
def dies(self, session):
    write(self, session)
    os.kill(os.getpid(), 9)
Entries.write = dies
sweep(Database(sys.argv[1], 2, role=ENGINE, principal=SYS), Casework(catalog()))
"""
"""A sweeper that is killed when its rows are written and not committed."""


def begin_at(desk: Desk, moment: str) -> None:
    """The office's clock at a day gone by, before anything happens in it."""
    with psycopg.connect(desk.url, autocommit=True) as connection:
        connection.execute("UPDATE bureau SET practice_offset = %s::timestamptz - now()", (moment,))


def later(desk: Desk, span: str) -> None:
    """Move the practice clock forward; what is due then rings."""
    moved = desk.send("head", "/practice/clock", {"advance": span})
    assert moved.status_code == 200, moved.text
    stalls.sweep(desk.worker, desk.app.state.counter.casework)


def refused(desk: Desk, account: str, number: str, name: str, data: dict[str, Any]) -> Response:
    """A transition that must not succeed."""
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    path = f"/items/{number}/transitions/{name}"
    answer = desk.send(account, path, {"data": data}, If_Match=f'"{revision}"')
    assert answer.status_code >= 400, answer.text
    return answer


def child(desk: Desk, number: str, workflow: str) -> str:
    """The number of the youngest child of a kind."""
    found = desk.one(
        "SELECT c.number FROM item c JOIN item p ON p.id = c.parent_id"
        " WHERE p.number = %s AND c.workflow = %s ORDER BY c.id DESC",
        number,
        workflow,
    )
    assert found, f"{number} has no {workflow}"
    return str(found)


def deadline(desk: Desk, account: str, number: str, name: str) -> dict[str, Any]:
    """A deadline of an item as somebody is shown it."""
    shown = desk.look(account, f"/items/{number}").json()["deadlines"]
    found: dict[str, Any] = next(each for each in shown if each["name"] == name)
    return found


def test_1_a_grievance_against_a_branch_is_out_of_its_reach_and_ends_in_a_referral(
    desk: Desk,
) -> None:
    """Filed on 2026-09-24: due on 2026-10-09, unknown to the branch; the finding opens on first facts,
    the referral in the same second as the report, and refusing it needs the head and minutes.
    """
    begin_at(desk, "2026-09-24 10:00+08")
    number = desk.submit(categories=["M07"])["number"]
    assert deadline(desk, "intake", number, "answer")["due_on"] == "2026-10-09"
    for account in BRANCH:
        assert desk.look(account, f"/items/{number}").status_code == 404
        assert desk.look(account, "/items").json()["items"] == []
        assert desk.look(account, "/items", q=number).json()["items"] == []
        assert desk.look(account, "/stalls").json()["items"] == []
        assert refused(desk, account, number, "assign", HANDLERS).status_code == 404
    desk.move("intake", number, "register")
    accepted = {"category_codes": ["M07"], "subject_officers_or_unknown": ["branch1_handler"]}
    desk.move("unit_head", number, "accept", {**accepted, "risk_level": "normal"})
    desk.move("unit_head", number, "assign", HANDLERS)
    desk.move("handler1", number, "open_misconduct", {"facts": "甲收取摊主财物"})
    finding = child(desk, number, "misconduct")
    desk.move("head", finding, "assign", HANDLERS)
    report = {
        "facts": "甲收取摊主财物",
        "evidence_list": ["转账记录"],
        "subject_statement_or_reason_absent": "本人承认",
        "party_member": True,
        "cadre_grade": "一级科员",
        "proposal": "discipline",
    }
    desk.move("handler1", finding, "report", report)
    referral = child(desk, finding, "referral")
    same = (
        "SELECT (SELECT at FROM event e JOIN item i ON i.id = e.item_id WHERE i.number = %s"
        " AND act = 'report') = (SELECT received_at FROM item WHERE number = %s)"
    )
    assert desk.one(same, finding, referral) is True
    letters = desk.look("liaison", f"/items/{referral}/documents").json()["items"]
    assert "referral_letter" in {letter["template"] for letter in letters}
    for hidden in (finding, referral):
        assert [desk.look(a, f"/items/{hidden}").status_code for a in BRANCH] == [404] * 3
    filled = {"target_body": "市纪委监委", "subject_basic_info": "某，男，中共党员，一级科员"}
    desk.move("liaison", referral, "submit", filled)
    desk.move("law_reviewer", referral, "pass", {"opinion": "事实清楚"})
    reason = {"refusal_reason": "证据不足"}
    assert refused(desk, "head", referral, "refuse", reason).status_code in {409, 422}
    with_minutes = {**reason, "minutes": "局党组2026年第9次会议纪要"}
    assert refused(desk, "deputy", referral, "refuse", with_minutes).status_code == 403
    assert desk.move("head", referral, "refuse", with_minutes)["state"] == "refused"
    assert desk.look("head", f"/items/{finding}").json()["state"] == "assessed"


def test_2_nobody_revisits_a_case_he_had_a_part_in(desk: Desk) -> None:
    """The system begins the month's campaign and draws; handler, approver and reviewer of the penalty
    case are refused, a clean officer is not, and every revisit there is was made by one.
    """
    begin_at(desk, "2026-08-28 10:00+08")
    form = {"workflow": "closed_case", "data": PENALTY}
    assert desk.send("reporter", "/items", form).status_code == 201
    later(desk, "4 days")
    Openings(desk.worker, desk.app.state.counter.casework).sweep()
    campaign = desk.one(
        "SELECT i.number FROM item i JOIN unit u ON u.id = i.unit_id"
        " WHERE workflow = 'revisit_campaign' AND u.code = 'BR1'"
    )
    told = desk.look("law_hub", f"/items/{campaign}").json()
    assert told["data"]["month"] == "2026-09"
    assert "seed" not in told["data"]
    later(desk, "4 working days")
    drawn = desk.look("law_hub", f"/items/{campaign}").json()
    assert drawn["state"] == "sampled"
    assert len(drawn["data"]["sample_list"]) == 1
    desk.move("law_hub", campaign, "approve")
    desk.move("branch1_head", campaign, "launch")
    visit = child(desk, campaign, "revisit")
    with psycopg.connect(desk.url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO membership SELECT p.id, 'revisitor', u.id FROM person p, unit u"
            " WHERE p.account = ANY(%s) AND u.code = 'BUR'",
            (["branch1_handler", "branch1_head", "law_reviewer"],),
        )
        connection.execute("UPDATE bureau SET office_revision = office_revision + 1")
    call: dict[str, Any] = {"method": "phone", "attempted_at": "2026-09-07T09:00:00+08:00"}
    call["declarations_signed"] = True
    for account in ("branch1_handler", "branch1_head", "law_reviewer"):
        answer = refused(desk, account, visit, "attempt", call)
        assert answer.status_code in {404, 409}, answer.text
    assert desk.move("revisitor", visit, "attempt", call)["state"] == "contacting"
    mixed = (
        "SELECT count(*) FROM item_duty r JOIN item_duty w ON w.family_id = r.family_id"
        " AND w.person_id = r.person_id WHERE r.duty = 'revisit' AND w.duty IN ('work', 'approve')"
    )
    assert desk.one(mixed) == 0
    figures = desk.look("law_hub", "/figures", period="2026-09").json()["figures"]
    (apart,) = [figure for figure in figures if figure["id"] == "K-RVT-4"]
    assert (apart["numerator"], apart["denominator"], apart["value"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("received", "span"), [("2026-04-14", "45 working days"), ("2026-04-15", "60 days")]
)
def test_3_the_day_of_receipt_chooses_the_law(desk: Desk, received: str, span: str) -> None:
    """Received under Order 20 or Order 121, accepted days later: the clock is that of the receipt, and
    the item says which order it is.
    """
    begin_at(desk, f"{received} 16:00+08")
    number = desk.send("intake", "/items", {"workflow": "mediation", "data": DISPUTE}).json()[
        "number"
    ]
    later(desk, "3 working days")
    desk.move("intake", number, "register", {"applicant_identity": "已核"})
    desk.move("unit_head", number, "accept", {"basis": "属于本局职责"})
    assert deadline(desk, "mediator", number, "settle")["span"] == span
    law = desk.look("mediator", f"/items/{number}").json()["data"]["law_version"]
    assert ("20号" if span == "45 working days" else "121号") in law


def test_4_a_recusal_stops_a_mediation_and_no_investigation(desk: Desk) -> None:
    """The same application: the mediation stands still and its clock with it; an investigation goes on."""
    mediation = desk.send("intake", "/items", {"workflow": "mediation", "data": DISPUTE}).json()[
        "number"
    ]
    desk.move("intake", mediation, "register", {"applicant_identity": "已核"})
    desk.move("unit_head", mediation, "accept", {"basis": "属于本局职责"})
    desk.move("mediator", mediation, "ask_consent")
    both = {"applicant_consents": True, "respondent_consents": True}
    meeting = {"time": "2026-12-01T09:00:00+08:00", "place_or_channel": "市局", **both}
    people = {"mediators": ["mediator"], "declarations_signed": True}
    desk.move("mediator", mediation, "schedule", {**meeting, **people})
    grievance = desk.submit()["number"]
    desk.move("intake", grievance, "register")
    accepted = {"category_codes": ["M03"], "subject_officers_or_unknown": "unknown"}
    desk.move("unit_head", grievance, "accept", {**accepted, "risk_level": "low"})
    desk.move("unit_head", grievance, "assign", HANDLERS)
    for account, number, officer in (
        ("mediator2", mediation, "mediator"),
        ("handler1", grievance, "law_handler"),
    ):
        revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
        body = {"ground": "interest", "reason": "有利害关系", "officer": officer}
        path = f"/items/{number}/recusals"
        asked = desk.send(account, path, body, If_Match=f'"{revision}"')
        assert asked.status_code == 201, asked.text
    assert desk.look("unit_head", f"/items/{mediation}").json()["state"] == "paused_recusal"
    assert deadline(desk, "unit_head", mediation, "settle")["paused"] is True
    assert desk.look("handler1", f"/items/{grievance}").json()["state"] == "investigating"
    assert deadline(desk, "handler1", grievance, "investigate")["paused"] is False
    concluded = {
        "findings": "查无此事",
        "evidence_list": ["录像"],
        "disposition": "not_substantiated",
        "proposal": "答复",
    }
    assert desk.move("handler1", grievance, "conclude", concluded)["state"] == "law_review"


def test_7_an_anonymous_report_leaves_no_trace_and_a_named_one_no_name(desk: Desk) -> None:
    """No address and no device of an anonymous reporter anywhere; the case row of a named one holds
    nothing that leads to the person.
    """
    device = "AnonymousPhone/7.7"
    body = {"narrative": "匿名举报", "respondent": "第一分局"}
    answer = desk.client.post(
        "/api/v1/submissions",
        json={"workflow": "grievance", "data": body},
        headers={"User-Agent": device, "X-Forwarded-For": "203.0.113.77"},
    )
    assert answer.status_code == 201
    named = desk.submit()["number"]
    with psycopg.connect(desk.url) as connection:
        tables = connection.execute(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema IN ('public', 'vault')"
        ).fetchall()
        rows = "\n".join(
            row[0]
            for table in tables
            for row in connection.execute(f"SELECT t::text FROM {table[0]} t".encode())
        )
        columns = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name IN"
            " ('item', 'item_data', 'event') AND table_schema = 'public'"
        ).fetchall()
        case = connection.execute(
            "SELECT i::text || d::text FROM item i JOIN item_data d ON d.item_id = i.id"
            " WHERE i.number = %s",
            (named,),
        ).fetchone()
    for trace in (device, "203.0.113.77", NAME, PHONE):
        assert trace not in rows
    assert not {name for (name,) in columns} & {"ip", "address", "device", "user_agent"}
    assert case is not None
    assert "contact" not in case[0]
    shown = desk.look("handler1", f"/items/{named}").text
    assert NAME not in shown
    assert PHONE not in shown


def test_8_a_second_list_of_what_is_missing_is_blocked_and_its_override_is_a_signal(
    desk: Desk,
) -> None:
    """Told once; again nobody may; the head of the unit may by an act of his own, which opens a
    candidate finding V05 that the liaison has to confirm.
    """
    receipt = desk.submit()
    number = receipt["number"]
    desk.move("intake", number, "register")
    desk.move("intake", number, "ask_supplement", {"missing_items": ["收据"]})
    given = {**receipt, "transition": "supplement", "data": {"materials": "收据照片"}}
    assert desk.client.post("/api/v1/submissions/act", json=given).status_code == 200
    again = {"missing_items": ["录音"]}
    for account in ("intake", "unit_head"):
        answer = refused(desk, account, number, "ask_supplement", again)
        assert answer.json()["guard"] == "complete_once"
    assert desk.one("SELECT count(*) FROM item WHERE workflow = 'misconduct'") == 0
    desk.move("unit_head", number, "ask_again", {**again, "reason": "收据看不清"})
    finding = child(desk, number, "misconduct")
    shown = desk.look("liaison", f"/items/{finding}").json()["data"]
    assert shown["category_codes"] == ["V05"]
    assert shown["candidate"] is True


def test_9_a_worker_killed_in_mid_escalation_leaves_exactly_one_letter(desk: Desk) -> None:
    """Killed when the rung is written and not committed: nothing of it is there; the next sweepers
    write one letter and one message for each person, however often they come.
    """
    begin_at(desk, "2026-09-14 10:00+08")
    number = desk.submit()["number"]
    moved = desk.send("head", "/practice/clock", {"advance": "3 working days"})
    assert moved.status_code == 200
    run = subprocess.run(
        [sys.executable, "-c", DIES, desk.url], cwd=ROOT, check=False, capture_output=True
    )
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()
    letters = (
        "SELECT count(*) FROM document d JOIN item i ON i.id = d.item_id"
        " WHERE i.number = %s AND template = 'demand_notice'"
    )
    assert desk.one(letters, number) == 0
    for _ in range(3):
        stalls.sweep(desk.worker, desk.app.state.counter.casework)
    assert desk.one(letters, number) == 1
    twice = (
        "SELECT count(*) FROM (SELECT recipient_id FROM message m JOIN item i ON i.id = m.item_id"
        " WHERE i.number = %s AND m.text = 'demand' GROUP BY 1, m.deadline_id, m.rung"
        " HAVING count(*) > 1) t"
    )
    assert desk.one(twice, number) == 0


def test_12_a_classified_clue_takes_neither_words_nor_files(desk: Desk) -> None:
    """Number, date and custodian only: a narrative and an attachment are refused, and it moves to paper."""
    stub = {"paper_only": True, "paper_register_no": "密〔2026〕3号", "paper_custodian": "冯守正"}
    told = {"workflow": "misconduct", "data": {**stub, "facts": "某事"}}
    answer = desk.send("liaison", "/items", told)
    assert answer.status_code == 409
    assert answer.json()["guard"] == "paper_stub"
    number = desk.send("liaison", "/items", {"workflow": "misconduct", "data": stub}).json()[
        "number"
    ]
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    sent = desk.client.post(
        f"/api/v1/items/{number}/attachments",
        files={"file": ("a.txt", b"words", "text/plain")},
        headers=desk.headers("liaison", If_Match=f'"{revision}"'),
    )
    assert sent.status_code == 409, sent.text
    noted = desk.send(
        "liaison", f"/items/{number}/notes", {"text": "某人某事"}, If_Match=f'"{revision}"'
    )
    assert desk.one("SELECT count(*) FROM attachment") == 0
    assert noted.status_code == 409
    people = {"handlers": ["handler1", "law_handler"], "declarations_signed": True}
    known = {"subject_officers": "unknown", "category_codes": ["M07"], "source_item": "密件"}
    answer = refused(desk, "head", number, "assign", {**people, **known})
    assert answer.json()["guard"] == "not_paper_only"
    assert desk.move("head", number, "keep_on_paper")["state"] == "on_paper"

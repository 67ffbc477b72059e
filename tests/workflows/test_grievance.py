"""The bureau's own paths, from the first word to the last, with what the law hangs on them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine import journal, stalls
from engine.errors import Exhausted, GuardRefused, NotFound, NotPermitted, Refused
from engine.people import PUBLIC
from engine.workdays import SHANGHAI
from tests.casebook import MONDAY, day

if TYPE_CHECKING:
    from tests.casebook import Casebook

Step = tuple[str, Any, dict[str, Any]]
COMPLAINT = {
    "narrative": "执法人员辱骂摊主",
    "respondent": "第一分局",
    "categories": ["M06"],
    "contact": {"name": "柳如烟", "phone": "13900004242"},
}
ACCEPTED: list[Step] = [
    ("register", "intake", {"matter": "conduct"}),
    (
        "accept",
        "unit_head",
        {
            "subject_officers_or_unknown": ["branch1_handler"],
            "risk_level": "normal",
            "category_codes": ["M99"],
        },
    ),
]
ASSIGNED: list[Step] = [
    *ACCEPTED,
    ("assign", "unit_head", {"handlers": ["handler1", "handler2"], "declarations_signed": True}),
]
CONCLUDED: Step = (
    "conclude",
    "handler1",
    {
        "findings": "甲确有辱骂",
        "evidence_list": ["现场录像"],
        "disposition": "substantiated",
        "proposal": "批评教育",
    },
)
DECIDED: list[Step] = [
    *ASSIGNED,
    CONCLUDED,
    ("pass", "law_reviewer", {"opinion": "程序合法"}),
    ("decide", "deputy", {"decision": "责令改正", "problem": "执法用语不规范"}),
]
REPLIED: list[Step] = [
    *DECIDED,
    (
        "reply",
        "handler1",
        {"reply_document": "许市监答〔2026〕1号", "delivered_at": MONDAY.isoformat()},
    ),
]


def follow(book: Casebook, number: str, steps: list[Step], at: datetime = MONDAY) -> str:
    """Make one transition after the other; the state reached."""
    for transition, by, given in steps:
        book.go(number, transition, by, at, **given)
    return str(book.item(number)["state"])


def complain(book: Casebook, at: datetime = MONDAY, **more: Any) -> str:
    """A citizen complains of the first branch."""
    return book.submit("grievance", PUBLIC, at, COMPLAINT | more).number


def letters(book: Casebook, number: str) -> set[str]:
    """The templates of the letters drafted for an item."""
    rows = book.rows(
        "SELECT template FROM document d JOIN item i ON i.id = d.item_id WHERE number = %s", number
    )
    return {row["template"] for row in rows}


def test_the_main_path_leads_to_an_answer_and_closes_by_itself(book: Casebook) -> None:
    """Complained, accepted, investigated, reviewed, decided, replied; closed after the window."""
    number = complain(book)
    assert follow(book, number, REPLIED) == "replied"
    assert {"acceptance_notice", "decision_letter", "reply_letter"} <= letters(book, number)
    rectification = book.children(number, "rectification")
    assert [row["data"]["problem"] for row in rectification] == ["执法用语不规范"]
    due = book.clocks(number)["objection"]["due_at"]
    stalls.sweep(book.database, book.casework, now=due)
    assert book.item(number)["state"] == "closed"
    assert book.events(number)[-1]["role"] == "sys"
    assert not book.clocks(number)
    assert len(book.children(number, "revisit")) == 1
    assert book.do(journal.verify)[1] == []


def test_the_officers_of_the_unit_complained_of_find_nothing(book: Casebook) -> None:
    """Neither the accused nor his head, at any step; nor is either of them told a thing."""
    number = complain(book)
    for step in REPLIED:
        follow(book, number, [step])
        for account in ("branch1_handler", "branch1_head", "mediator2"):
            with pytest.raises(NotFound):
                book.do(lambda s, a=account: book.casework.look(s, number, book.who(a)))  # type: ignore[misc]
    heard = book.rows(
        "SELECT i.workflow FROM message m JOIN item i ON i.id = m.item_id"
        " WHERE recipient_id = ANY(%s)",
        [book.id("branch1_handler"), book.id("branch1_head")],
    )
    assert {row["workflow"] for row in heard} == {"rectification"}  # what the branch is to mend
    accused = book.rows("SELECT FROM message WHERE recipient_id = %s", book.id("branch1_handler"))
    assert accused == []


def misconduct(book: Casebook, number: str) -> str:
    """The finding a handler opens beside an investigation."""
    book.go(number, "open_misconduct", "handler1", facts="甲收取摊主钱物", category_codes=["M07"])
    return str(book.children(number, "misconduct")[0]["number"])


REPORT: dict[str, Any] = {
    "facts": "甲收取摊主钱物",
    "evidence_list": ["转账记录"],
    "subject_statement_or_reason_absent": "本人承认",
    "party_member": True,
    "cadre_grade": "一级科员",
}


def test_a_finding_is_referred_in_the_transaction_of_its_report(book: Casebook) -> None:
    """The report is the last human act: letter, clock and liaison are there when it commits."""
    number = complain(book)
    follow(book, number, ASSIGNED)
    finding = misconduct(book, number)
    people = ["handler1", "law_handler"]
    book.go(finding, "assign", "head", handlers=people, declarations_signed=True)
    book.go(finding, "report", "handler1", day(1), proposal="discipline", **REPORT)
    assert book.item(finding)["state"] == "referring"
    assert [event["act"] for event in book.events(finding)][-2:] == ["report", "refer"]
    referral = book.children(finding, "referral")[0]
    assert (referral["mandatory"], referral["sealed"]) == (True, True)
    assert "referral_letter" in letters(book, referral["number"])
    assert "overall" in book.clocks(referral["number"])
    assert {"liaison", "liaison2"} <= book.told(referral["number"], "sealed_work")
    with pytest.raises(NotFound):
        book.do(lambda s: book.casework.look(s, referral["number"], book.who("branch1_head")))


def test_a_report_whose_referral_fails_is_no_report(book: Casebook) -> None:
    """Break the referral, and the report that should have caused it is undone whole."""
    number = complain(book)
    follow(book, number, ASSIGNED)
    finding = misconduct(book, number)
    people = ["handler1", "law_handler"]
    book.go(finding, "assign", "head", handlers=people, declarations_signed=True)
    book.run(
        "ALTER TABLE item ADD CONSTRAINT no_referral_today CHECK (workflow <> 'referral') NOT VALID"
    )
    before = book.everything()
    with pytest.raises(Exception, match="no_referral_today"):
        book.go(finding, "report", "handler1", proposal="discipline", **REPORT)
    assert book.everything() == before


def test_whoever_handled_a_case_never_visits_it(book: Casebook) -> None:
    """The guard refuses with a sentence, the database for good; another person may."""
    number = complain(book)
    follow(book, number, REPLIED)
    stalls.sweep(book.database, book.casework, now=book.clocks(number)["objection"]["due_at"])
    visit = book.children(number, "revisit")[0]
    assert visit["family_id"] == book.item(number)["family_id"]
    book.run(
        "INSERT INTO membership SELECT p.id, 'revisitor', u.id FROM person p, unit u"
        " WHERE p.account IN ('handler1', 'law_reviewer') AND u.code = 'BUR'"
    )
    contact: dict[str, Any] = {
        "method": "phone",
        "attempted_at": day(30).isoformat(),
        "declarations_signed": True,
    }
    for account in ("handler1", "law_reviewer"):
        with pytest.raises(GuardRefused):
            book.go(visit["number"], "attempt", account, day(30), **contact)
        with (
            pytest.raises(psycopg.errors.ExclusionViolation) as caught,
            psycopg.connect(book.url) as connection,
        ):
            connection.execute(
                "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
                " VALUES (%s, %s, %s, 'revisitor', 'revisit', now())",
                [visit["id"], visit["family_id"], book.id(account)],
            )
        assert str(caught.value.diag.constraint_name).startswith("duty_never_two")
    assert (
        book.go(visit["number"], "attempt", "revisitor", day(30), **contact).state == "contacting"
    )


def test_a_rectification_is_verified_by_somebody_else_and_told(book: Casebook) -> None:
    """From the decision's problem to 销号: handler, head, hub; no feedback, no closing."""
    number = complain(book)
    follow(book, number, DECIDED)
    work = book.children(number, "rectification")[0]["number"]
    steps: list[Step] = [
        (
            "assign",
            "branch1_head",
            {"due_at": day(4).date().isoformat(), "handlers": ["branch1_handler2"]},
        ),
        (
            "plan",
            "branch1_handler2",
            {
                "root_cause": "培训不足",
                "measures": "开展培训",
                "responsible_person": "branch1_handler2",
            },
        ),
        ("start", "branch1_head", {}),
        ("submit", "branch1_handler2", {"result": "已培训", "evidence_files": ["签到表"]}),
        ("verify", "law_hub", {"verify_note": "属实"}),
    ]
    assert follow(book, work, steps) == "verified"
    with pytest.raises(GuardRefused):
        book.go(work, "close", "branch1_head")
    dossier = book.go(work, "close", "branch1_head", delivered_at=day(9).isoformat())
    assert dossier.state == "closed"


def test_the_deputy_grants_time_before_expiry_and_once(book: Casebook) -> None:
    """30 days, 20 more at the most; neither the head of the unit nor the asker decides it."""
    number = complain(book)
    follow(book, number, ASSIGNED)
    due = book.clocks(number)["investigate"]["due_on"]
    until = date(2026, 4, 10)

    def ask(at: datetime, to: date = until) -> str:
        born = book.do(
            lambda s: book.casework.extend(
                s, number, book.who("handler1"), "investigate", to, "取证需要", at=at
            )
        )
        return str(born.number)

    with pytest.raises(Exhausted):
        ask(day(5), date(2026, 6, 1))
    request = ask(day(5))
    told: dict[str, Any] = {"notice_to_person": "延长至4月10日"}
    with pytest.raises(NotPermitted):
        book.go(request, "grant", "unit_head", day(6), **told)
    book.go(request, "grant", "deputy", day(6), **told)
    assert book.clocks(number)["investigate"]["due_on"] == until > due
    assert "extension_notice" in letters(book, request)
    with pytest.raises(Exhausted):
        ask(day(7))


@pytest.mark.parametrize(
    ("received", "span", "rule_since"),
    [
        (datetime(2026, 4, 14, 16, tzinfo=SHANGHAI), "45 working days", date(2020, 1, 1)),
        (datetime(2026, 4, 15, 9, tzinfo=SHANGHAI), "60 days", date(2026, 4, 15)),
    ],
)
def test_a_mediation_follows_the_law_of_the_day_it_came(
    book: Casebook, received: datetime, span: str, rule_since: date
) -> None:
    """Received a day earlier or later, accepted on the same day: another order counts."""
    data = {"claim": "退款", "respondent": "某超市", "dispute_kind": "consumer", "unit": "IPR"}
    number = book.submit("mediation", PUBLIC, received, data).number
    accepted = datetime(2026, 4, 20, 9, tzinfo=SHANGHAI)
    book.go(number, "register", "intake", accepted, applicant_identity="已核")
    book.go(number, "accept", "unit_head", accepted, basis="令121号第十四条")
    clock = book.clocks(number)["settle"]
    assert (clock["span"], clock["rule_since"]) == (span, rule_since)


def test_a_mediation_ends_in_an_agreement_and_a_visit(book: Casebook) -> None:
    """Both consent, both are told, they agree, it is performed."""
    data = {"claim": "退款", "respondent": "某超市", "dispute_kind": "consumer", "unit": "IPR"}
    number = book.submit("mediation", PUBLIC, data=data).number
    consents = {"applicant_consents": True, "respondent_consents": True}
    steps: list[Step] = [
        ("register", "intake", {"applicant_identity": "已核"}),
        ("accept", "unit_head", {"basis": "令20号第十一条"}),
        ("ask_consent", "mediator", {}),
        (
            "schedule",
            "mediator",
            {
                "time": day(3).isoformat(),
                "place_or_channel": "调解室",
                "mediators": ["mediator"],
                "declarations_signed": True,
            }
            | consents,
        ),
        ("begin", "mediator", {"delivered_at": MONDAY.isoformat()}),
        ("agree", "mediator", {"terms": "退款一百元"}),
        ("issue", "mediator", {"agreement_or_record": "agreement"}),
        ("performed", "mediator", {"performed_at": MONDAY.isoformat()}),
    ]
    assert follow(book, number, steps) == "closed"
    assert "mediation_agreement" in letters(book, number)
    assert len(book.children(number, "revisit")) == 1


def test_a_candidate_of_the_ladder_waits_for_the_liaison(book: Casebook) -> None:
    """A grievance nobody touches opens one candidate, which nobody is given before confirmation, and
    nobody ever of the section that let it lie.
    """
    number = complain(book)
    for at in range(0, 60, 5):
        stalls.sweep(book.database, book.casework, now=day(at))
    candidates = book.children(number, "misconduct")
    assert len(candidates) == 1
    candidate = candidates[0]["number"]
    assert candidates[0]["data"]["candidate"] is True
    assign: dict[str, Any] = {
        "handlers": ["squad_handler", "squad_handler2"],
        "declarations_signed": True,
    }
    with pytest.raises(Refused):
        book.go(candidate, "assign", "head", day(60), subject_officers="unknown", **assign)
    book.go(candidate, "confirm", "liaison", day(60), subject_officers="unknown")
    own = {**assign, "handlers": ["handler1", "handler2"]}
    with pytest.raises(GuardRefused, match="被投诉单位"):
        book.go(candidate, "assign", "head", day(60), **own)
    assert book.go(candidate, "assign", "head", day(60), **assign).state == "verifying"

"""A mediation from both parties' consent to performance, and every way it is refused or ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine import stalls
from engine.errors import GuardRefused, Invalid, NotPermitted
from engine.people import PUBLIC
from tests.casebook import MONDAY, day
from workflows import catalog

if TYPE_CHECKING:
    from tests.casebook import Casebook

CLAIM: dict[str, Any] = {
    "claim": "退款",
    "respondent": "某超市",
    "dispute_kind": "consumer",
    "unit": "IPR",
}
MEETING: dict[str, Any] = {
    "time": day(3).isoformat(),
    "place_or_channel": "调解室",
    "mediators": ["mediator"],
    "declarations_signed": True,
}
BOTH: dict[str, Any] = {"applicant_consents": True, "respondent_consents": True}


def accepted(book: Casebook, **more: Any) -> str:
    """A complaint that is accepted."""
    number = book.submit("mediation", PUBLIC, data=CLAIM | more).number
    book.go(number, "register", "intake", applicant_identity="已核")
    book.go(number, "accept", "unit_head", basis="属于本局职责")
    return number


def asking(book: Casebook, **more: Any) -> str:
    """A complaint whose parties are asked whether they agree to mediation."""
    number = accepted(book, **more)
    book.go(number, "ask_consent", "mediator")
    return number


def mediating(book: Casebook, mode: str = "on_site", **more: Any) -> str:
    """A mediation that has begun."""
    number = asking(book, **more)
    book.go(number, "schedule", "mediator", mode=mode, **MEETING, **BOTH)
    book.go(number, "begin", "mediator", day(3), delivered_at=day(1).isoformat())
    return number


def test_both_parties_consent_each_for_itself(book: Casebook) -> None:
    """The applicant answers by code, the mediator records the trader; the applicant cannot answer for
    the trader, and without both nothing is scheduled.
    """
    number = asking(book)
    book.go(number, "consent", PUBLIC, applicant_consents=True)
    with pytest.raises(Invalid):
        book.go(number, "consent", PUBLIC, applicant_consents=True, respondent_consents=True)
    with pytest.raises(NotPermitted):
        book.go(number, "record_consent", PUBLIC, respondent_consents=True)
    with pytest.raises(GuardRefused, match="双方"):
        book.go(number, "schedule", "mediator", **MEETING)
    contact: dict[str, Any] = {"name": "某超市", "phone": "0374-1234567"}
    book.go(
        number, "record_consent", "mediator", respondent_consents=True, respondent_contact=contact
    )
    assert book.go(number, "schedule", "mediator", **MEETING).state == "scheduled"


def test_a_meeting_on_the_spot_is_announced_before_its_time(book: Casebook) -> None:
    """A notice that came after the meeting announces nothing; by telephone nobody has to be told so."""
    number = asking(book)
    book.go(number, "schedule", "mediator", mode="on_site", **MEETING, **BOTH)
    with pytest.raises(GuardRefused, match="之前"):
        book.go(number, "begin", "mediator", day(4), delivered_at=day(4).isoformat())
    begun = book.go(number, "begin", "mediator", day(4), delivered_at=day(2).isoformat())
    assert begun.state == "mediating"


def test_the_time_of_a_test_does_not_count(book: Casebook) -> None:
    """The limit stands still while the thing is being tested and is due so much later (art. 22)."""
    number = mediating(book)
    due = book.clocks(number)["settle"]["due_on"]
    told: dict[str, Any] = {"test_body": "省检测院", "cost_bearer": "shared"}
    book.go(number, "start_test", "mediator", day(4), **told)
    assert book.clocks(number)["settle"]["paused_at"] is not None
    book.go(number, "end_test", "mediator", day(14), report="检〔2026〕1号")
    assert (book.clocks(number)["settle"]["due_on"] - due).days >= 7  # six working days


def test_representatives_concede_nothing_alone(book: Casebook) -> None:
    """A joint complaint has at most two representatives, and those they stand for must consent."""
    people: dict[str, Any] = {
        "complainants": 12,
        "representative_1": {"name": "甲"},
        "representative_2": {"name": "乙"},
    }
    number = mediating(book, **people)
    with pytest.raises(GuardRefused, match="被代表"):
        book.go(number, "agree", "mediator", day(5), terms="退款一百元")
    agreed = book.go(number, "agree", "mediator", day(5), terms="退款一百元", others_consent=True)
    assert agreed.state == "agreed"
    with pytest.raises(Invalid):
        book.submit("mediation", PUBLIC, data=CLAIM | {"representative_3": {"name": "丙"}})


def test_an_agreement_on_the_spot_is_written_down_unless_waived(book: Casebook) -> None:
    """A record alone needs a reason: performed at once, or both waive the document (art. 24)."""
    number = mediating(book)
    book.go(number, "agree", "mediator", day(5), terms="退款一百元")
    with pytest.raises(GuardRefused, match="调解书"):
        book.go(number, "issue", "mediator", day(5), agreement_or_record="record")
    waived: dict[str, Any] = {
        "agreement_or_record": "record",
        "document_waived": "performed_at_once",
    }
    assert book.go(number, "issue", "mediator", day(5), **waived).state == "performing"
    told: dict[str, Any] = {"followed_up_at": day(6).isoformat(), "follow_up_note": "已催告"}
    book.go(number, "follow_up", "mediator", day(6), **told)
    done = book.go(number, "performed", "mediator", day(8), performed_at=day(7).isoformat())
    assert done.state == "closed"
    asked = [row["data"]["party"] for row in book.children(number, "questionnaire")]
    assert asked == ["petitioner", "respondent"]


def test_there_are_seven_grounds_to_refuse_and_eight_to_end_and_no_others() -> None:
    """Typed: whoever refuses or ends a mediation chooses the item of the article (arts. 16, 17, 23)."""
    fields = catalog().named("mediation").workflow.fields
    assert len(fields["reason_item"].choices) == 7
    assert len(fields["not_daily_factors"].choices) == 5
    assert len(fields["ground_item"].choices) == 8


def test_a_refusal_names_its_ground_and_its_letter_says_it(book: Casebook) -> None:
    """No ground of one's own; the factors that were weighed stand in the decision."""
    number = book.submit("mediation", PUBLIC, data=CLAIM).number
    book.go(number, "register", "intake", applicant_identity="已核")
    with pytest.raises(Invalid):
        book.go(number, "reject", "unit_head", reason_item="不想受理", other_routes="诉讼")
    told: dict[str, Any] = {
        "reason_item": "not_daily_life",
        "not_daily_factors": ["coordinated", "no_purchase"],
    }
    book.go(number, "reject", "unit_head", other_routes="可以诉讼", **told)
    (letter,) = book.rows("SELECT body FROM document WHERE template = 'mediation_refusal'")
    assert "不是为生活消费需要" in letter["body"]
    assert "没有真实购买" in letter["body"]


@pytest.mark.parametrize("state", ["accepted", "consent", "scheduled", "mediating", "paused_test"])
def test_a_mediation_can_be_ended_wherever_it_stands(book: Casebook, state: str) -> None:
    """Ended with a ground, told within the time, closed by the system if nobody does."""
    ways = {
        "accepted": accepted,
        "consent": asking,
        "mediating": mediating,
        "paused_test": mediating,
        "scheduled": asking,
    }
    number = ways[state](book)
    if state == "scheduled":
        book.go(number, "schedule", "mediator", **MEETING, **BOTH)
    if state == "paused_test":
        told: dict[str, Any] = {"test_body": "省检测院", "cost_bearer": "shared"}
        book.go(number, "start_test", "mediator", day(4), **told)
    book.go(number, "terminate", "mediator", day(5), ground_item="withdrawn")
    book.go(number, "notify", "mediator", day(6), termination_delivered_at=day(6).isoformat())
    due = book.clocks(number)["filing"]["due_at"]
    stalls.sweep(book.database, book.casework, now=due)
    assert book.item(number)["state"] == "closed"


def test_a_limit_that_runs_out_while_consent_is_asked_ends_it_too(book: Casebook) -> None:
    """The system ends what was not settled in time, in whatever state it stands."""
    number = asking(book)
    due = book.clocks(number)["settle"]["due_at"]
    stalls.sweep(book.database, book.casework, now=due)
    assert book.item(number)["state"] == "terminating"
    (letter,) = book.rows(
        "SELECT body FROM document d JOIN item i ON i.id = d.item_id"
        " WHERE number = %s AND template = 'mediation_termination'",
        number,
    )
    assert "期限届满" in letter["body"]


def test_a_mediator_who_misbehaves_is_reported_and_loses_the_case(book: Casebook) -> None:
    """The head of the unit opens a sealed finding; the mediator named knows of neither any more."""
    number = mediating(book)
    told: dict[str, Any] = {
        "misconduct_codes": ["M07"],
        "misconduct_facts": "甲称调解员收礼",
        "mediators_concerned": ["mediator"],
    }
    with pytest.raises(NotPermitted):
        book.go(number, "report_misconduct", "mediator", day(4), **told)
    book.go(number, "report_misconduct", "unit_head", day(4), **told)
    (finding,) = book.children(number, "misconduct")
    assert finding["sealed"]
    dossier = book.do(lambda s: book.casework.look(s, number, book.who("unit_head")))
    assert not book.casework.sees(dossier, book.who("mediator"))


def test_the_law_of_the_day_of_receipt_is_written_on_the_item(book: Casebook) -> None:
    """Filled by the system at registration, whatever somebody would have it be."""
    number = book.submit("mediation", PUBLIC, MONDAY, CLAIM).number
    book.go(number, "register", "intake", applicant_identity="已核", law_version="随便")
    assert book.item(number)["data"]["law_version"].startswith("总局令20号")

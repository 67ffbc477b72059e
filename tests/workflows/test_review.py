"""Good and bad reviews: nothing preselected, every bad one dealt with, and none ever deleted."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine import journal, stalls
from engine.errors import GuardRefused, Invalid, NotAvailable, NotPermitted
from engine.people import AT_DESK, PUBLIC
from engine.workdays import SHANGHAI
from tests.casebook import MONDAY
from tests.workflows.test_grievance import letters

if TYPE_CHECKING:
    from tests.casebook import Casebook

FRIDAY = datetime(2026, 9, 18, 16, 50, tzinfo=SHANGHAI)
NAMED: dict[str, Any] = {"contact": {"name": "柳如烟", "phone": "13900004242"}}
VERIFIED: dict[str, Any] = {
    "contact_log": "当日下午电话联系,已核实",
    "facts": "甲办理变更,材料分三次告知",
}


def rate(
    book: Casebook, level: str = "very_dissatisfied", at: datetime = MONDAY, **more: Any
) -> str:
    """Somebody of the public rates a window of the first branch."""
    data = {"level": level, "item_code": "GTDJ-01", "window_or_channel": "BR1-01", **more}
    born = book.do(lambda s: book.casework.submit(s, "review", PUBLIC, data, channel="hall", at=at))
    return str(born.number)


def verified(book: Casebook, at: datetime = MONDAY, **more: Any) -> str:
    """A bad rating whose unit has spoken with whoever gave it."""
    number = rate(book, at=at, **more)
    book.go(number, "verify_with_rater", "branch1_head", at, **VERIFIED)
    return number


def mend(book: Casebook, number: str, at: datetime = MONDAY) -> None:
    """The branch mends what is wrong, and somebody else verifies it."""
    child = book.children(number, "rectification")[-1]["number"]
    given: list[tuple[str, str, dict[str, Any]]] = [
        ("assign", "branch1_head", {"due_at": "2026-03-05", "handlers": ["branch1_handler"]}),
        (
            "plan",
            "branch1_handler",
            {
                "root_cause": "清单不全",
                "measures": "重印清单",
                "responsible_person": "branch1_head",
            },
        ),
        ("start", "branch1_head", {}),
        ("submit_result", "branch1_handler", {"result": "已换", "evidence_files": ["清单"]}),
        ("verify", "law_hub", {"verify_note": "属实"}),
        ("close", "branch1_head", {"delivered_at": at.isoformat()}),
    ]
    for name, by, data in given:
        book.go(child, name, by, at, **data)


@pytest.mark.parametrize("level", ["very_satisfied", "satisfied", "fairly_satisfied"])
def test_a_good_rating_is_filed_at_once(book: Casebook, level: str) -> None:
    """By the system, in the transaction that brought it."""
    number = rate(book, level)
    assert book.item(number)["state"] == "closed_good"
    assert [event["act"] for event in book.events(number)] == ["submit", "classify", "file_good"]
    assert not book.clocks(number)


@pytest.mark.parametrize("level", ["dissatisfied", "very_dissatisfied"])
def test_a_bad_rating_is_with_its_unit_at_once(book: Casebook, level: str) -> None:
    """The head of the unit that serves the window hears of it, and the revisitors."""
    number = rate(book, level)
    item = book.item(number)
    assert (item["state"], item["data"]["owner_unit"]) == ("dispatched", "BR1")
    assert {"branch1_head", "revisitor"} <= book.told(number, "bad_rating")
    assert "contact" not in book.clocks(number)  # whoever stays anonymous cannot be contacted


def test_where_it_goes_is_the_offices_to_know(book: Casebook) -> None:
    """A window goes before its item, both before what the rater thinks; else it is the service section."""
    of_item = rate(book, window_or_channel="网站", owner_unit="第二分局")
    assert book.item(of_item)["data"]["owner_unit"] == "BR1"
    of_rater = rate(book, item_code="X", window_or_channel="Y", owner_unit="第二分局")
    assert book.item(of_rater)["data"]["owner_unit"] == "BR2"
    of_nobody = rate(book, item_code="X", window_or_channel="Y")
    assert book.item(of_nobody)["data"]["owner_unit"] == "SVC"
    assert book.item(of_nobody)["data"]["rater_type"] == "unstated"


def test_nothing_is_preselected(book: Casebook) -> None:
    """Without a level there is no rating."""
    data = {"item_code": "GTDJ-01"}
    book.refused(Invalid, lambda: book.submit("review", PUBLIC, data=data), "评价等次")


def test_staff_rate_nothing(book: Casebook) -> None:
    """Neither by their account nor from a browser they are logged in at; a default is marked as one."""
    data = {"level": "very_satisfied", "item_code": "GTDJ-01"}
    book.refused(GuardRefused, lambda: book.submit("review", "intake", data=data), "须由本人")
    book.refused(GuardRefused, lambda: book.submit("review", AT_DESK, data=data), "须由本人")
    book.refused(NotPermitted, lambda: book.submit("review", "branch1_head", data=data))
    default = book.submit("review", "intake", data=data | {"is_default": True}).number
    assert book.item(default)["data"]["is_default"] is True


def test_nobody_of_the_public_gives_a_default_rating(book: Casebook) -> None:
    """What a person gives is an active rating, whatever they say of it."""
    assert book.item(rate(book, "satisfied", is_default=True))["data"]["is_default"] is False


def test_a_transaction_is_rated_once(book: Casebook) -> None:
    """However it is written; nothing is written for the second, and the sentence says what to do."""
    first = rate(book, "satisfied", transaction_ref="许食许 2026-0088")
    book.refused(GuardRefused, lambda: rate(book, transaction_ref="许食许2026-0088"), "只收一次")
    rate(book, transaction_ref="许食许2026-0089")
    assert "0088" not in str(book.item(first)["data"])  # who was served could be found by it
    assert "0088" not in str(book.rows("SELECT outside_key FROM item"))


def test_a_default_keeps_nobody_from_rating(book: Casebook) -> None:
    """The real rating comes in after a default; a default after a real one does not."""
    data = {"level": "fairly_satisfied", "item_code": "GTDJ-01", "is_default": True}
    book.submit("review", "intake", data=data | {"transaction_ref": "A1"})
    rate(book, transaction_ref="A1")
    again = data | {"transaction_ref": "A1"}
    book.refused(GuardRefused, lambda: book.submit("review", "intake", data=again), "只收一次")


def test_no_rating_is_ever_deleted(book: Casebook) -> None:
    """Not by the application's roles and not by the owner of the tables: the schema refuses."""
    number = rate(book)
    for statement in (
        "DELETE FROM item WHERE number = %s",
        "DELETE FROM event WHERE item_id = (SELECT id FROM item WHERE number = %s)",
    ):
        for role in (None, "banjie_app", "banjie_engine"):
            with psycopg.connect(book.url) as connection:
                if role:
                    connection.execute(f"SET ROLE {role}".encode())
                    connection.execute("SELECT set_config('banjie.principal', 'sys', true)")
                with pytest.raises(psycopg.Error):
                    connection.execute(statement.encode(), (number,))
    with psycopg.connect(book.url) as connection, pytest.raises(psycopg.Error):
        connection.execute("TRUNCATE item CASCADE")
    assert book.item(number)["state"] == "dispatched"


def test_the_unit_mends_and_somebody_else_asks_again(book: Casebook) -> None:
    """Verified, mended by a mandatory child, answered in writing, followed up, closed."""
    number = verified(book, **NAMED)
    book.go(number, "rectify", "branch1_head", kind="simple")
    assert str(book.clocks(number)["mend"]["due_on"]) == "2026-03-09"
    book.refused(
        GuardRefused,
        lambda: book.go(number, "feed_back", "branch1_head", result="已换清单"),
        "尚有1件",
    )
    mend(book, number)
    book.go(number, "feed_back", "branch1_head", result="已换清单")
    book.go(number, "follow_up", "revisitor", second_satisfaction="satisfied")
    assert book.go(number, "close", "branch1_head").state == "closed"
    assert letters(book, number) == {
        *("review_verification", "review_rectification", "review_feedback")
    }
    assert book.do(journal.verify)[1] == []


def test_what_is_still_bad_is_mended_again(book: Casebook) -> None:
    """A second child, and it cannot be closed before."""
    number = verified(book)
    book.go(number, "explain", "branch1_head", explanation_no_legal_basis="法律未规定")
    book.go(number, "follow_up", "revisitor", second_satisfaction="dissatisfied")
    book.go(number, "still_bad", "revisitor", reason="清单仍旧")
    assert len(book.children(number, "rectification")) == 1
    mend(book, number)
    book.go(number, "feed_back", "branch1_head", result="已换")
    book.go(number, "follow_up", "revisitor", second_satisfaction="satisfied")
    misconduct: dict[str, Any] = {"follow_ups": ["misconduct"], "category_codes": ["V05"]}
    assert book.go(number, "close", "branch1_head", **misconduct).state == "closed"
    assert len(book.children(number, "misconduct")) == 1


def test_who_is_still_angry_may_be_counselled(book: Casebook) -> None:
    """By choice of whoever closes it; the counsellor gets the contact, and no name stands anywhere."""
    number = verified(book, **NAMED)
    book.go(number, "explain", "branch1_head", explanation_no_legal_basis="法律未规定")
    book.go(number, "follow_up", "revisitor", second_satisfaction="very_dissatisfied")
    given: dict[str, Any] = {"follow_ups": ["counselling"], "risk_level": "normal"}
    book.go(number, "close", "branch1_head", **given)
    (counselling,) = book.children(number, "counselling")
    assert counselling["data"]["person_ref"] == number
    assert book.personal(counselling["number"])["contact"] == NAMED["contact"]


def test_who_handled_it_does_not_follow_it_up(book: Casebook) -> None:
    """The head who explained is no revisitor, and the revisitor is none of the unit's."""
    number = verified(book)
    book.go(number, "explain", "branch1_head", explanation_no_legal_basis="法律未规定")
    given: dict[str, Any] = {"second_satisfaction": "satisfied"}
    book.refused(NotPermitted, lambda: book.go(number, "follow_up", "branch1_head", **given))


def test_what_takes_longer_has_a_reason_and_a_day(book: Casebook) -> None:
    """Fifteen working days at most; the clock ends on the day the unit fixed."""
    number = verified(book)
    far: dict[str, Any] = {"kind": "complex", "complex_reason": "须改系统"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"kind": "complex"}, "须写明理由"),
        (far, "须写明理由"),
        (far | {"fixed_on": "2026-03-24"}, "15个工作日内"),
        (far | {"fixed_on": "2026-03-01"}, "15个工作日内"),
    ]
    for given, said in cases:
        rectify = partial(book.go, number, "rectify", "branch1_head", **given)
        book.refused(GuardRefused, rectify, said)
    book.go(number, "rectify", "branch1_head", **far, fixed_on="2026-03-20")
    assert book.clocks(number)["mend"]["due_on"] == date(2026, 3, 20)


def test_two_people_make_a_rating_invalid_and_it_stays(book: Casebook) -> None:
    """The head of the unit appeals with evidence, the law section rules with a reason."""
    number = verified(book, **NAMED)
    book.refused(
        NotAvailable,
        lambda: book.go(number, "rule_invalid", "law_hub", ruling="误点"),
        "不能“认定评价无效”",
    )
    book.refused(
        Invalid,
        lambda: book.go(number, "appeal", "branch1_head", claim_kind="mistaken"),
        "申诉证据",
    )
    book.go(number, "appeal", "branch1_head", claim_kind="mistaken", evidence=["评价人书面说明"])
    book.refused(NotPermitted, lambda: book.go(number, "rule_invalid", "branch1_head", ruling="误"))
    book.refused(Invalid, lambda: book.go(number, "rule_invalid", "law_hub"), "复核意见")
    assert book.go(number, "rule_invalid", "law_hub", ruling="误点").state == "closed_invalid"
    item = book.item(number)
    assert item["data"]["level"] == "very_dissatisfied"
    assert book.personal(number)["contact"]["name"] == "柳如烟"
    assert "review_ruled_invalid" in letters(book, number)


def test_nobody_rules_on_a_rating_of_their_own_unit(book: Casebook) -> None:
    """A hub of the law section keeps out where its own window was rated; another one rules."""
    number = rate(book, item_code="X", window_or_channel="Y", owner_unit="法规科")
    book.go(number, "verify_with_rater", "law_head", **VERIFIED)
    book.go(number, "appeal", "law_head", claim_kind="malicious", evidence=["录像"])
    book.refused(
        GuardRefused,
        lambda: book.go(number, "rule_invalid", "law_hub", ruling="恶意"),
        "被投诉单位",
    )
    assert book.go(number, "rule_invalid", "law_hub2", ruling="恶意").state == "closed_invalid"


def test_an_appeal_that_fails_leads_back(book: Casebook) -> None:
    """The rating counts, and the unit has to answer it."""
    number = verified(book)
    book.go(number, "appeal", "branch1_head", claim_kind="malicious", evidence=["录像"])
    assert book.go(number, "rule_valid", "law_hub", ruling="有据").state == "contacted"
    assert "review_ruled_valid" in letters(book, number)


def test_a_named_rater_is_contacted_within_a_working_day(book: Casebook) -> None:
    """Friday 16:50 before a Sunday that is worked: due that Sunday, on Monday it is supervised."""
    number = rate(book, at=FRIDAY, **NAMED)
    clocks = book.clocks(number)
    assert clocks["contact"]["due_on"] == date(2026, 9, 20)
    assert clocks["idle"]["due_at"] == datetime(2026, 9, 20, 13, 50, tzinfo=SHANGHAI)
    stalls.sweep(book.database, book.casework, now=datetime(2026, 9, 20, 13, 50, tzinfo=SHANGHAI))
    assert book.item(number)["rung"] == 1
    stalls.sweep(book.database, book.casework, now=datetime(2026, 9, 21, 0, 5, tzinfo=SHANGHAI))
    assert book.item(number)["rung"] == 3
    assert "head" in book.told(number, "supervise")


def test_who_contacts_in_time_stops_the_clock(book: Casebook) -> None:
    """The revisitor or the head of the unit, within the day."""
    number = rate(book, at=FRIDAY, **NAMED)
    book.go(number, "verify_with_rater", "revisitor", FRIDAY + timedelta(hours=1), **VERIFIED)
    assert "contact" not in book.clocks(number)


def test_a_unit_appeals_once(book: Casebook) -> None:
    """Ruled valid, a rating is put right or answered; a second appeal would only put that off."""
    data: dict[str, Any] = {"level": "dissatisfied", "item_code": "GTDJ-01", "owner_unit": "BR1"}
    number = book.submit("review", PUBLIC, data=data).number
    book.go(number, "verify_with_rater", "branch1_head", contact_log="电话", facts="催了三次")
    claim: dict[str, Any] = {"evidence": ["证1"], "claim_kind": "mistaken"}
    book.go(number, "appeal", "branch1_head", **claim)
    book.go(number, "rule_valid", "law_hub", ruling="评价属实")
    with pytest.raises(GuardRefused) as refused:
        book.go(number, "appeal", "branch1_head", **claim)
    assert refused.value.members["guard"] == "only_once.appeal"
    assert book.go(number, "rectify", "branch1_head", kind="simple").state == "rectifying"

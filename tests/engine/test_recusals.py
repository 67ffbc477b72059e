"""Who must stay out of an item: asked, decided, and carried into everything of the family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine import leases, stalls
from engine.errors import GuardRefused, Invalid, NotAvailable, NotFound, NotPermitted
from engine.leases import Lane, Outcome
from engine.people import PUBLIC
from engine.recusals import Application
from tests.casebook import MONDAY, day

if TYPE_CHECKING:
    from engine.people import Actor
    from tests.casebook import Casebook

BROTHER = Application(("handler1",), "party_or_relative", "当事人是其弟弟")


def ask(book: Casebook, number: str, by: str | Actor, asked: Application = BROTHER) -> str:
    """Ask for recusal; the number of the application."""
    actor = book.who(by) if isinstance(by, str) else by
    born = book.do(lambda s: book.casework.ask_recusal(s, number, actor, asked, at=MONDAY))
    number_: str = born.number
    return number_


def duties(book: Casebook, number: str, account: str) -> set[tuple[str, bool]]:
    """Somebody's duties in the family of an item: (duty, active)."""
    rows = book.rows(
        "SELECT duty, ended_at IS NULL AS active FROM item_duty WHERE person_id = %s"
        " AND family_id = (SELECT family_id FROM item WHERE number = %s)",
        book.id(account),
        number,
    )
    return {(row["duty"], row["active"]) for row in rows}


def acts(book: Casebook, number: str) -> list[str]:
    """The acts of an item's journal."""
    return [event["act"] for event in book.events(number)]


def only_to(book: Casebook, account: str) -> Lane:
    """The lane of the messages that leave the house, with nobody else's in it."""
    book.run(
        "UPDATE message SET status = 'withdrawn' WHERE recipient_id IS DISTINCT FROM %s",
        book.id(account),
    )
    return Lane(book.casework.outward, None)


def alone(book: Casebook) -> str:
    """A permit of which one handler is left."""
    number = book.assigned()
    book.go(number, "hand_over", "handler1", handlers=["handler1"])
    return number


def test_a_granted_recusal_ends_every_duty_and_hides_the_family(book: Casebook) -> None:
    """From the decision on the officer bears one duty, recused, and finds nothing."""
    number = book.assigned()
    book.go(number, "open_inquiry", "handler1", opinion="另查")
    request = ask(book, number, "handler2")
    assert book.item(request)["state"] == "asked"
    book.go(number, "open_inquiry", "handler1", opinion="再查")  # it stops no investigation
    book.go(request, "grant", "deputy", decision="确系近亲属")
    assert duties(book, number, "handler1") == {("work", False), ("recused", True)}
    with pytest.raises(NotFound):
        book.go(number, "check", "handler1", opinion="可")
    assert acts(book, number)[-2:] == ["open_inquiry", "recusal_grant"]
    assert book.told(number, "recusal_outcome") == {"handler2"}
    assert book.told(number, "holder_gone") == {"unit_head", "handler2"}  # who may assign it
    assert book.item(request)["state"] == "granted"


def test_the_item_of_an_only_handler_comes_to_whoever_assigns_it(book: Casebook) -> None:
    """With its only holder recused, the head of the unit is told at once and the idle clock runs."""
    number = alone(book)
    book.go(ask(book, number, "handler1"), "grant", "deputy", decision="同意")
    assert "unit_head" in book.told(number, "holder_gone")
    assert book.clocks(number)["idle"]["next_rung_at"] is not None
    stalls.sweep(book.database, book.casework, now=day(8))
    assert "handler1" not in book.told(number, "urge")
    assert "unit_head" in book.told(number, "urge")
    book.reassign(number, "unit_head", ["handler2", "law_handler"])


def test_a_refused_recusal_changes_nothing_and_says_so(book: Casebook) -> None:
    """The officer goes on; the journal of the item and whoever asked hear of the refusal."""
    number = book.assigned()
    book.go(ask(book, number, "handler2"), "refuse", "deputy", decision="并非亲属")
    assert duties(book, number, "handler1") == {("work", True)}
    assert acts(book, number)[-2:] == ["recusal_request", "recusal_refuse"]
    book.go(number, "check", "handler1", opinion="可")


@pytest.mark.parametrize(
    ("officer", "state", "decides", "refused"),
    [
        ("handler1", "asked", "deputy", "unit_head"),
        ("unit_head", "asked", "deputy2", "unit_head"),
        ("deputy", "asked_of_head", "head", "deputy2"),
        ("head", "asked_of_group", "party_member", "deputy"),
    ],
)
def test_the_right_level_decides(
    book: Casebook, officer: str, state: str, decides: str, refused: str
) -> None:
    """A head in charge about staff, the main head about other heads, the heads together about him."""
    number = book.assigned()
    request = ask(book, number, "handler2", Application((officer,), "interest", "有利害关系"))
    assert book.item(request)["state"] == state
    given: dict[str, Any] = {
        "decision": "同意",
        **({"minutes": "纪要"} if state == "asked_of_group" else {}),
    }
    if refused != "deputy":  # he sits in the party group as well
        with pytest.raises((NotPermitted, NotFound)):
            book.go(request, "grant", refused, **given)
    with pytest.raises((NotPermitted, GuardRefused, NotFound)):
        book.go(request, "grant", officer, **given)
    book.go(request, "grant", decides, **given)
    assert ("recused", True) in duties(book, number, officer)


def test_nobody_decides_on_what_they_asked_for(book: Casebook) -> None:
    """Whoever asked cannot grant it: no one person bars anybody by recusal."""
    number = book.assigned()
    request = ask(book, number, "deputy")
    with pytest.raises(GuardRefused, match="Whoever asked"):
        book.go(request, "grant", "deputy", decision="同意")
    book.go(request, "grant", "deputy2", decision="同意")


def test_it_takes_two_to_let_somebody_back(book: Casebook) -> None:
    """What bars an officer is lifted by an application and the decision of somebody else."""
    number = book.assigned()
    book.go(number, "name", "unit_head", officers=["handler1"])
    lift = Application(("handler1",), "ended", "经查并非此人", lift=True)
    request = ask(book, number, "unit_head", lift)
    assert book.item(request)["state"] == "asked_of_head"
    with pytest.raises(NotPermitted):
        book.go(request, "grant", "unit_head", decision="同意")
    book.go(request, "grant", "head", decision="同意")
    assert duties(book, number, "handler1") == {("work", False), ("accused", False)}
    book.reassign(number, "unit_head", ["handler1", "handler2"])
    with pytest.raises(NotAvailable):
        ask(book, number, "unit_head", lift)


def test_the_petitioner_asks_about_whoever_holds_the_item(book: Casebook) -> None:
    """By name or as `my handlers`, without knowing an account; the decision is told in the track."""
    number = book.submit(by=PUBLIC).number
    with pytest.raises(NotAvailable):
        ask(book, number, PUBLIC, Application((), "other", "态度偏袒"))
    book.go(
        number, "assign", "unit_head", handlers=["handler1", "handler2"], declarations_signed=True
    )
    request = ask(book, number, PUBLIC, Application((), "other", "态度偏袒"))
    assert book.item(request)["data"]["officers"] == ["handler1", "handler2"]
    assert book.item(request)["data"]["asked_by"] == "petitioner"
    with pytest.raises(NotAvailable):
        ask(book, number, PUBLIC, Application(("陈志远",), "other", "再次申请"))
    with pytest.raises(Invalid):
        ask(book, number, PUBLIC, Application(("查无此人",), "other", "x"))
    book.go(request, "refuse", "deputy", decision="没有依据")
    told = book.rows("SELECT text FROM message WHERE channel = 'track'")
    assert "recusal_decided" in {row["text"] for row in told}


def test_an_application_is_as_hidden_as_its_item(book: Casebook) -> None:
    """Of a sealed item neither its colleagues nor the officer's section see the application."""
    number = book.submit("inquiry", "liaison", data={}).number
    book.go(number, "assign", "head", handlers=["handler1", "handler2"])
    request = ask(book, number, "handler2")
    assert book.item(request)["sealed"]
    for account in ("handler1", "handler2", "law_handler", "intake", "auditor"):
        with pytest.raises(NotFound):
            book.do(lambda s, a=account: book.casework.look(s, request, book.who(a)))  # type: ignore[misc]
    book.go(request, "grant", "deputy", decision="同意")
    assert ("recused", True) in duties(book, number, "handler1")


def test_an_undecided_application_climbs_the_ladder(book: Casebook) -> None:
    """Nobody can let it lie: after its time the main head and the liaison hear of it."""
    request = ask(book, book.assigned(), "handler2")
    stalls.sweep(book.database, book.casework, now=day(30))
    assert {"head", "liaison"} <= book.told(request, "demand")
    assert book.told(request, "escalate")


def test_an_application_needs_no_decision_once_the_officer_is_accused(book: Casebook) -> None:
    """Named as accused, the officer is barred anyway: the open application ends by itself."""
    number = book.assigned()
    request = ask(book, number, "handler2")
    book.go(number, "name", "head", officers=["handler1"])
    assert book.item(request)["state"] == "lapsed"
    assert duties(book, number, "handler1") == {("work", False), ("accused", True)}


def test_the_recused_may_turn_out_to_be_accused(book: Casebook) -> None:
    """Being accused says more and takes the place of being recused."""
    number = book.assigned()
    book.go(ask(book, number, "handler2"), "grant", "deputy", decision="同意")
    book.go(number, "name", "head", officers=["handler1"])
    assert duties(book, number, "handler1") == {
        ("work", False),
        ("recused", False),
        ("accused", True),
    }


def test_naming_an_accused_relieves_him_in_the_whole_family(book: Casebook) -> None:
    """A handler of the child is named in the parent: the child tells who may assign it anew."""
    number = book.assigned()
    book.go(number, "open_inquiry", "handler1", opinion="另查")
    (child,) = book.children(number, "inquiry")
    book.go(child["number"], "assign", "head", handlers=["law_handler"])
    book.go(number, "name", "unit_head", officers=["law_handler"])
    assert duties(book, number, "law_handler") == {("work", False), ("accused", True)}
    assert acts(book, child["number"])[-1] == "conflict"
    assert book.told(child["number"], "holder_gone") == {"head", "deputy", "deputy2"}
    with pytest.raises(NotFound):
        book.go(child["number"], "close", "law_handler", result="无事")


def test_somebody_besides_the_one_who_names_hears_of_it(book: Casebook) -> None:
    """A head who bars a handler of his own section does not do so unnoticed."""
    number = book.assigned()
    book.go(number, "name", "unit_head", officers=["handler1"])
    assert book.told(number, "holder_gone") - {"unit_head"}


@pytest.mark.parametrize("leased", [False, True])
def test_a_message_on_its_way_to_the_accused_is_withdrawn(book: Casebook, *, leased: bool) -> None:
    """Queued or already taken by a sender: it never leaves once he is named."""
    number = book.assigned()
    lane = only_to(book, "handler1")
    taken = book.do(lambda s: leases.claim(s, MONDAY, 10, lane)) if leased else []
    assert bool(taken) is leased
    book.go(number, "name", "head", officers=["handler1"])
    for claimed in taken:
        assert not book.do(lambda s, c=claimed: leases.may_leave(s, c))  # type: ignore[misc]
    left = book.rows("SELECT status FROM message WHERE recipient_id = %s", book.id("handler1"))
    assert {row["status"] for row in left} == {"withdrawn"}


def test_a_message_that_was_gone_already_says_so(book: Casebook) -> None:
    """Named while his mail is being handed over: the row tells the truth about it."""
    number = book.assigned()
    lane = only_to(book, "handler1")
    (claimed, *_) = book.do(lambda s: leases.claim(s, MONDAY, 10, lane))
    assert book.do(lambda s: leases.may_leave(s, claimed))
    book.go(number, "name", "head", officers=["handler1"])
    assert book.do(lambda s: leases.settle(s, claimed, Outcome("sent", "250 ok"), MONDAY)) == ""
    (row,) = book.rows("SELECT status, last_result FROM message WHERE id = %s", claimed.id)
    assert row == {"status": "withdrawn", "last_result": "it had left before it was withdrawn"}


def test_a_lease_is_asked_again_right_before_it_is_used(book: Casebook) -> None:
    """A bar that came after the claim, by whatever way, stops the message in the sender's hand."""
    number = book.assigned()
    lane = only_to(book, "handler1")
    (claimed, *_) = book.do(lambda s: leases.claim(s, MONDAY, 10, lane))
    book.run(
        "UPDATE item_duty SET ended_at = now() WHERE person_id = %s AND ended_at IS NULL",
        book.id("handler1"),
    )
    book.run(
        "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
        " SELECT id, family_id, %s, 'recused', 'recused', now() FROM item WHERE number = %s",
        book.id("handler1"),
        number,
    )
    assert not book.do(lambda s: leases.may_leave(s, claimed))
    (row,) = book.rows("SELECT status FROM message WHERE id = %s", claimed.id)
    assert row["status"] == "withdrawn"

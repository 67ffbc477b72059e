"""Who may not know does not know: the accused, the unit concerned, the merely curious."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from engine import stalls
from engine.database import execute
from engine.errors import GuardRefused, NotFound
from engine.people import PUBLIC, SYS, Actor
from engine.sight import sight
from tests.casebook import MONDAY, day

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.casebook import Casebook

CANARY = "红薯摊主柳如烟"
PHONE = "13900004242"


def test_an_item_does_not_exist_for_the_unit_it_concerns(book: Casebook) -> None:
    """People of the unit concerned get the answer for a number that was never given."""
    number = book.submit(respondent="AUD").number
    for account in ("unit_head", "handler1", "audit1"):
        for asked in (number, "占道2026-0000000000"):
            with pytest.raises(NotFound) as caught:
                book.go(asked, "refuse", account, reason="无")
            assert caught.value.detail.startswith("没有这个事项")
    assert book.item(number)["unit_id"] != book.who("unit_head").person.unit_id  # type: ignore[union-attr]


def test_a_unit_named_later_is_shut_out_from_then_on(book: Casebook) -> None:
    """An item learns which unit it concerns: that unit's people lose duty and sight at once."""
    number = book.submit(place="东大街").number
    book.go(
        number,
        "assign",
        "unit_head",
        handlers=["handler1", "law_handler"],
        declarations_signed=True,
    )
    book.go(number, "name", "head", officers=["unknown"], respondent="AUD")
    assert book.item(number)["subject_unit_id"] == book.who("handler1").person.unit_id  # type: ignore[union-attr]
    book.refused(NotFound, lambda: book.go(number, "check", "handler1", opinion="可"))
    active = book.rows("SELECT person_id FROM item_duty WHERE ended_at IS NULL AND assigned")
    assert [row["person_id"] for row in active] == [book.id("law_handler")]
    assert book.go(number, "check", "law_handler", opinion="可").state == "deciding"


def test_naming_a_handler_as_accused_takes_effect_at_once(book: Casebook) -> None:
    """In one transaction duties end, waiting messages are withdrawn, and the ladder goes round."""
    number = book.assigned()
    book.run("UPDATE message SET status = 'sent' WHERE recipient_id <> %s", book.id("handler1"))
    book.go(number, "name", "head", day(1), officers=["handler1"])
    duties = book.rows(
        "SELECT duty, ended_at FROM item_duty WHERE person_id = %s ORDER BY id", book.id("handler1")
    )
    assert [(row["duty"], row["ended_at"]) for row in duties] == [
        ("work", day(1)),
        ("accused", None),
    ]
    statuses = book.rows("SELECT status FROM message WHERE recipient_id = %s", book.id("handler1"))
    assert {row["status"] for row in statuses} == {"withdrawn"}
    book.refused(NotFound, lambda: book.go(number, "check", "handler1", opinion="可"))
    stalls.sweep(book.database, book.casework, now=day(60))
    heard = book.rows(
        "SELECT DISTINCT recipient_id AS id FROM message WHERE created_at = %s", day(60)
    )
    assert heard
    assert book.id("handler1") not in {row["id"] for row in heard}
    assert "handler2" in book.told(number, "urge")


def test_naming_the_only_holder_lets_the_chain_take_over(book: Casebook) -> None:
    """With both handlers accused and no other handler in the section, its head is told."""
    number = book.assigned()
    book.go(number, "name", "head", officers=["handler1", "handler2"])
    stalls.sweep(book.database, book.casework, now=day(8))
    assert book.told(number, "urge") == {"unit_head"}


def test_people_named_as_accused_are_not_judged_as_handlers(book: Casebook) -> None:
    """An officer of the unit concerned may be named; he counts neither as actor nor as handler."""
    number = book.submit(respondent="BR1").number
    dossier = book.go(
        number,
        "assign",
        "unit_head",
        handlers=["handler1", "handler2"],
        declarations_signed=True,
        officers=["branch1_handler"],
    )
    assert dossier.barred == {book.id("branch1_handler")}
    other = book.submit(respondent="BR1").number
    book.refused(
        GuardRefused,
        lambda: book.go(
            other,
            "assign",
            "unit_head",
            handlers=["handler1"],
            declarations_signed=True,
            officers=["branch1_handler", "branch2_handler"],
        ),
        match="两人",
    )


def test_a_request_for_time_is_hidden_like_its_item(book: Casebook) -> None:
    """An extension of a sealed item, or of one about a unit, is no way round the wall."""
    number = book.assigned(respondent="LAW")
    request = book.item(book.extend(number, "handler1", date(2026, 4, 3)))
    assert request["subject_unit_id"] == book.item(number)["subject_unit_id"]
    book.refused(NotFound, lambda: book.go(request["number"], "refuse", "law_head", reason="无"))
    inquiry = book.submit("inquiry", "liaison", data={"respondent": "LAW"}).number
    book.go(inquiry, "assign", "head", handlers=["handler1"])
    sealed = book.item(book.extend(inquiry, "handler1", date(2026, 4, 3), deadline="verify"))
    assert sealed["sealed"]
    book.refused(NotFound, lambda: book.go(sealed["number"], "refuse", "handler2", reason="无"))


def test_personal_values_lie_nowhere_in_clear(book: Casebook) -> None:
    """A canary given in every personal place turns up in no column of any table."""
    contact = {"name": CANARY, "phone": PHONE, "address": CANARY, "email": "liu@mail.example"}
    number = book.submit(
        by=PUBLIC, data={"wish": CANARY, "contact": contact, "respondent": "BR1"}
    ).number
    book.go(
        number, "ask_supplement", "intake", missing_items=["照片"], delivered_at=MONDAY.isoformat()
    )
    book.go(number, "supplement", PUBLIC, materials=CANARY)
    people = ["handler1", "handler2"]
    book.go(number, "assign", "unit_head", handlers=people, declarations_signed=True)
    book.do(lambda s: book.casework.note(s, number, book.who("handler1"), f"{CANARY}{PHONE}"))
    book.go(number, "open_inquiry", "handler1", opinion="另查")
    inquiry = book.children(number, "inquiry")[0]["number"]
    book.go(inquiry, "assign", "head", handlers=["handler2"])
    book.go(inquiry, "close", "handler2", result="查无实据")
    book.go(number, "check", "handler1", opinion="可")
    book.go(number, "grant", "head")
    columns = book.rows(
        "SELECT table_schema AS s, table_name AS t, column_name AS c FROM information_schema.columns"
        " WHERE table_schema IN ('public', 'vault')"
    )
    where = {
        column["t"]
        for column in columns
        for canary in (CANARY, PHONE, "liu@mail")
        if book.rows(
            f'SELECT FROM "{column["s"]}"."{column["t"]}" WHERE "{column["c"]}"::text LIKE %s LIMIT 1',
            f"%{canary}%",
        )
    }
    assert where == set()
    held = book.personal(inquiry)
    assert held == {"contact": contact}, (
        "what a file says is carried arrives, also when it was given in an earlier act"
    )


def test_letters_and_replies_do_not_name_the_petitioner(book: Casebook) -> None:
    """An outgoing text that holds the petitioner's phone is refused, however it is written."""
    number = book.submit(contact={"name": "柳如烟", "phone": PHONE}).number
    for text in (f"电话{PHONE}", "电话 139-0000-4242", "柳 如 烟"):
        book.refused(
            GuardRefused,
            lambda text=text: book.go(number, "refuse", "unit_head", reason=text),  # type: ignore[misc]
            match="身份",
        )
    assert book.go(number, "refuse", "unit_head", reason="不符合条件").state == "refused"


def test_a_child_joins_the_family_of_the_case_it_names(book: Casebook) -> None:
    """Whoever is accused in the case hears nothing of its visit; whoever handled it may not visit."""
    number = book.assigned()
    book.go(number, "name", "head", officers=["revisitor"])
    book.run(
        "INSERT INTO membership SELECT p.id, 'revisitor', u.id FROM person p, unit u"
        " WHERE p.account = 'handler1' AND u.code = 'BUR'"
    )
    visit = book.submit("survey", "unit_head", data={"case": number}).number
    assert book.item(visit)["family_id"] == book.item(number)["family_id"]
    assert book.told(visit, "new_item") == {"handler1", "revisitor2"}
    book.refused(NotFound, lambda: book.go(visit, "visit", "revisitor", answers="好"))
    book.refused(GuardRefused, lambda: book.go(visit, "visit", "handler1", answers="好"))
    assert book.go(visit, "visit", "revisitor2", answers="好").state == "visited"


def test_a_sealed_item_is_seen_by_its_handlers_only_once_it_is_theirs(book: Casebook) -> None:
    """Neither sight nor a message tells the other handlers of the section that it exists."""
    number = book.submit("inquiry", "liaison", data={}).number
    book.refused(NotFound, lambda: book.go(number, "close", "handler1", result="无"))
    book.go(number, "assign", "head", handlers=["handler1"])
    book.go(number, "close", "handler1", result="无")
    with pytest.raises(NotFound):
        book.do(lambda s: book.casework.look(s, number, book.who("handler2")))
    with pytest.raises(NotFound):
        book.do(lambda s: book.casework.look(s, number, book.who("auditor")))


def test_lists_show_exactly_what_may_be_opened(book: Casebook) -> None:
    """For every person and every item the rule of the lists and the rule of the desk agree."""
    number = book.assigned(respondent="LAW")
    book.extend(number, "handler1", date(2026, 4, 3))
    book.go(number, "name", "head", officers=["handler2"])
    book.go(number, "open_inquiry", "handler1", opinion="另查")
    inquiry = book.submit("inquiry", "liaison", data={"respondent": "BR1"}).number
    book.go(inquiry, "assign", "head", handlers=["handler1"])
    book.extend(inquiry, "handler1", date(2026, 4, 3), deadline="verify")
    book.submit("survey", "unit_head", data={"case": number})
    book.submit(respondent="AUD")
    book.run("UPDATE person SET left_on = '2026-01-01' WHERE account = 'intake2'")
    house = book.do(book.casework.house)
    numbers = [row["number"] for row in book.rows("SELECT number FROM item")]
    for account in (person.account for person in house.office.people.values()):
        actor = book.who(account)
        look = sight(book.casework, house, actor)
        with book.database.transaction() as session:
            listed = f"SELECT number FROM item i WHERE {look.visible()}"
            shown = {row["number"] for row in execute(session, listed, look.values)}
            assert shown == seen(session, book, numbers, actor), account


def seen(session: Session, book: Casebook, numbers: list[str], actor: Actor) -> set[str]:
    """What the desk would open for somebody."""
    desk = book.casework
    return {each for each in numbers if desk.sees(desk.look(session, each, SYS), actor)}

"""The verbs: everything is written together or not at all, and only by whom the file lets."""

from __future__ import annotations

import secrets
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import (
    Exhausted,
    GuardRefused,
    Invalid,
    NotAvailable,
    NotFound,
    NotPermitted,
    Stale,
)
from tests.casebook import TABLES, day

if TYPE_CHECKING:
    from tests.casebook import Casebook


def test_an_act_writes_all_its_tables_together(book: Casebook) -> None:
    """State, event, data, clocks, duties, messages and letter of one act share its event."""
    number = book.assigned(respondent="BR1")
    book.go(number, "check", "handler1", day(1), opinion="可以")
    book.go(number, "grant", "head", day(2))
    item, events = book.item(number), book.events(number)
    assert [event["act"] for event in events] == ["submit", "assign", "check", "grant"]
    assert (item["state"], item["seq"], item["revision"]) == ("granted", 4, 4)
    assert item["head"] == events[-1]["hash"]
    assert item["closed_at"] == events[-1]["at"] == day(2)
    assert item["data"]["handlers"] == ["handler1", "handler2"]
    assert not book.clocks(number)
    joined = book.rows(
        "SELECT count(*) AS n FROM item i JOIN event e ON (e.item_id, e.seq) = (i.id, i.seq)"
        " JOIN document d ON (d.item_id, d.seq) = (i.id, i.seq)"
        " JOIN message m ON (m.item_id, m.seq) = (i.id, i.seq)"
        " JOIN item_duty u ON u.item_id = i.id AND u.began_at = e.at"
        " JOIN deadline c ON c.item_id = i.id AND c.stopped_at = e.at AND c.name = 'decide'"
        " WHERE i.number = %s",
        number,
    )
    assert joined[0]["n"] == 1


@pytest.mark.parametrize(
    ("error", "transition", "by", "given"),
    [
        (NotAvailable, "grant", "head", {}),
        (NotAvailable, "no_such_thing", "head", {}),
        (NotPermitted, "check", "law_reviewer", {"opinion": "可"}),
        (NotPermitted, "check", "unit_head", {"opinion": "可"}),
        (NotPermitted, "stands", "unit_head", {}),
        (Invalid, "check", "handler1", {}),
        (Invalid, "check", "handler1", {"opinion": 5}),
        (Invalid, "check", "handler1", {"opinion": "可", "urgency": "urgent"}),
        (Invalid, "check", "handler1", {"opinion": "可", "received_on": "2020-01-01T00:00:00Z"}),
        (Invalid, "check", "handler1", {"opinion": "可", "channel": "web"}),
        (Invalid, "name", "unit_head", {"officers": ["nobody_of_that_name"]}),
        (GuardRefused, "name", "unit_head", {"officers": ["unit_head"]}),
        (NotFound, "check", "branch2_handler", {"opinion": "可"}),
    ],
)
def test_a_refused_act_writes_nothing(
    book: Casebook, error: type[Exception], transition: str, by: str, given: dict[str, Any]
) -> None:
    """Whatever the reason of a refusal, no row of any table differs after it."""
    number = book.assigned(respondent="BR2")
    book.refused(error, lambda: book.go(number, transition, by, **given))


def test_whoever_is_early_hears_what_can_be_done(book: Casebook) -> None:
    """A refusal calls the act by its title and names the acts that leave the state."""
    number = book.assigned()
    with pytest.raises(NotAvailable) as caught:
        book.go(number, "grant", "head")
    sentence = str(caught.value)
    assert sentence.startswith("“审查”环节不能“准予”，可以：移交、退回交办、")
    assert "grant does not leave checking; what does: hand_over, decline, " in sentence


def test_a_stale_revision_is_refused(book: Casebook) -> None:
    """Whoever saw an older item is told the present revision and changes nothing."""
    number = book.assigned()
    book.refused(
        Stale,
        lambda: book.go(number, "check", "handler1", revision=1, opinion="可"),
    )
    assert book.go(number, "check", "handler1", revision=2, opinion="可").revision == 3


def test_a_role_reaches_only_the_units_of_its_scope(book: Casebook) -> None:
    """The head of a branch does not even find the items of a section."""
    number = book.submit().number
    book.refused(
        NotFound,
        lambda: book.go(number, "refuse", "branch1_head", reason="无"),
    )


def test_only_the_assigned_people_act_in_their_role(book: Casebook) -> None:
    """A third handler of the same section does not do what two others were given."""
    book.run(
        "INSERT INTO membership SELECT p.id, 'handler', u.id FROM person p, unit u"
        " WHERE p.account = 'law_handler' AND u.code = 'AUD'"
    )
    number = book.assigned()
    book.refused(NotPermitted, lambda: book.go(number, "check", "law_handler", opinion="可"))
    assert book.go(number, "check", "handler2", opinion="可").state == "deciding"


def absent(book: Casebook, account: str, substitute: str | None, first: int, last: int) -> None:
    """Somebody is away from the first to the last day after Monday."""
    book.run(
        "INSERT INTO leave (person_id, first_on, last_on, substitute_id) VALUES (%s, %s, %s, %s)",
        book.id(account),
        day(first).date(),
        day(last).date(),
        book.id(substitute) if substitute else None,
    )


def test_a_substitute_acts_on_the_days_of_leave_only(book: Casebook) -> None:
    """Whoever stands in for a handler may act while the leave lasts, and bears the duty then."""
    number = book.assigned()
    absent(book, "handler1", "law_handler", 1, 2)
    book.refused(NotFound, lambda: book.go(number, "check", "law_handler", day(0), opinion="可"))
    book.refused(NotFound, lambda: book.go(number, "check", "law_handler", day(3), opinion="可"))
    assert book.go(number, "check", "law_handler", day(2, 23), opinion="可").state == "deciding"
    duties = book.rows("SELECT duty FROM item_duty WHERE person_id = %s", book.id("law_handler"))
    assert [duty["duty"] for duty in duties] == ["work"]


def test_whoever_left_the_office_acts_no_more(book: Casebook) -> None:
    """On and after the day somebody left, the item is not theirs to know of."""
    number = book.assigned()
    book.run("UPDATE person SET left_on = %s WHERE account = 'handler1'", day(3).date())
    assert book.go(number, "check", "handler1", day(2), opinion="可").state == "deciding"
    book.go(number, "return", "head", day(2), reason="再查")
    book.refused(NotFound, lambda: book.go(number, "check", "handler1", day(3), opinion="可"))


def test_one_person_named_twice_is_one_person(book: Casebook) -> None:
    """A repeated account is neither two handlers nor a fault of the database."""
    number = book.submit().number
    twice = ["handler1", "handler1"]
    book.refused(
        GuardRefused,
        lambda: book.go(number, "assign", "unit_head", handlers=twice, declarations_signed=True),
        match="两人",
    )
    book.go(number, "name", "unit_head", officers=["handler2", "handler2"])
    assert book.item(number)["data"]["officers"] == ["handler2"]


def test_a_handler_may_hand_over_and_stay(book: Casebook) -> None:
    """Who acts and is named in one act bears one duty, not two."""
    number = book.assigned()
    dossier = book.go(number, "hand_over", "handler1", handlers=["handler1", "law_handler"])
    assert set(dossier.assigned("handler")) == {book.id("handler1"), book.id("law_handler")}
    book.refused(NotPermitted, lambda: book.go(number, "check", "handler2", opinion="可"))
    assert book.go(number, "check", "law_handler", opinion="可").state == "deciding"


def test_assign_gives_an_item_to_others_under_the_same_guards(book: Casebook) -> None:
    """The item's data name the new holders, who are told; the old ones hold it no longer."""
    number = book.assigned()
    book.refused(GuardRefused, lambda: book.reassign(number, "unit_head", ["law_handler"]))
    book.refused(NotPermitted, lambda: book.reassign(number, "deputy", ["handler1", "handler2"]))
    book.reassign(number, "unit_head", ["handler2", "law_handler"])
    item, event = book.item(number), book.events(number)[-1]
    assert item["data"]["handlers"] == ["handler2", "law_handler"]
    assert (event["act"], event["data"]["handlers"]) == ("assignment", ["handler2", "law_handler"])
    assert item["revision"] == 3
    assert {"handler2", "law_handler"} <= book.told(number, "assigned")
    book.refused(NotFound, lambda: book.go(number, "check", "branch1_handler", opinion="可"))
    book.refused(NotPermitted, lambda: book.go(number, "check", "handler1", opinion="可"))


def test_assign_moves_nothing_that_was_never_assigned(book: Casebook) -> None:
    """The verb changes holders; the first ones come by the transition the file declares."""
    number = book.submit().number
    book.refused(NotAvailable, lambda: book.reassign(number, "unit_head", ["handler1", "handler2"]))


def test_nobody_is_assigned_to_what_has_ended(book: Casebook) -> None:
    """A closed item has no holders to change."""
    number = book.assigned()
    book.go(number, "check", "handler1", opinion="可")
    book.go(number, "grant", "head")
    book.refused(
        NotAvailable, lambda: book.reassign(number, "unit_head", ["handler1", "law_handler"])
    )


def test_a_note_changes_no_clock_and_no_revision(book: Casebook) -> None:
    """A note is an event whose text lies with the personal data, also beside a closed item."""
    number = book.assigned()
    before, clocks = book.item(number), book.clocks(number)
    book.do(lambda s: book.casework.note(s, number, book.who("handler1"), "记一笔", at=day(1)))
    after = book.item(number)
    assert (after["revision"], after["seq"]) == (before["revision"], before["seq"] + 1)
    assert book.clocks(number) == clocks
    book.go(number, "check", "handler1", opinion="可")
    book.go(number, "grant", "head")
    closed = book.item(number)["closed_at"]
    book.do(lambda s: book.casework.note(s, number, book.who("handler1"), "归档", at=day(9)))
    assert book.item(number)["closed_at"] == closed


@pytest.mark.parametrize("text", ["", "   ", "字" * 2001, "a\x00b", "\ud800", "\x1b[31m"])
def test_a_note_takes_no_text_that_cannot_be_kept(book: Casebook, text: str) -> None:
    """Nothing, too much, control characters and lone surrogates are refused with a pointer."""
    number = book.assigned()
    book.refused(
        Invalid,
        lambda: book.do(lambda s: book.casework.note(s, number, book.who("handler1"), text)),
        match="/text",
    )


def test_more_time_is_asked_by_the_holder_and_granted_once_by_the_right_person(
    book: Casebook,
) -> None:
    """20 working days from 2 March end on the 30th; ten more, once, by the head alone."""
    number = book.assigned()
    until = date(2026, 4, 3)
    book.refused(NotPermitted, lambda: book.extend(number, "unit_head", until))
    book.refused(NotAvailable, lambda: book.extend(number, "handler1", until, deadline="close"))
    book.refused(Exhausted, lambda: book.extend(number, "handler1", until, deadline="tell"))
    book.refused(Exhausted, lambda: book.extend(number, "handler1", date(2026, 3, 30)))
    book.refused(Exhausted, lambda: book.extend(number, "handler1", date(2026, 5, 30)))
    first = book.extend(number, "handler1", until)
    second = book.extend(number, "handler2", until)
    book.refused(NotPermitted, lambda: book.go(first, "grant", "handler1", day(2)))
    book.refused(NotPermitted, lambda: book.go(first, "grant", "deputy", day(2)))
    assert book.clocks(number)["decide"]["due_on"] == date(2026, 3, 30)
    book.go(first, "grant", "head", day(2))
    clock = book.clocks(number)["decide"]
    assert (clock["due_on"], clock["extension"]) == (until, "4 working days")
    book.refused(Exhausted, lambda: book.go(second, "grant", "head", day(2)))
    book.refused(Exhausted, lambda: book.extend(number, "handler1", date(2026, 4, 8)))


def test_no_time_is_granted_after_expiry(book: Casebook) -> None:
    """A request of the last day that is decided the day after is refused, and so is a late one."""
    number = book.assigned()
    request = book.extend(number, "handler1", date(2026, 4, 3), day(28, 23))
    book.refused(GuardRefused, lambda: book.go(request, "grant", "head", day(29, 0)))
    book.refused(
        GuardRefused, lambda: book.extend(number, "handler1", date(2026, 4, 3), day(29, 0))
    )


def test_no_time_is_asked_while_the_clock_stands_still(book: Casebook) -> None:
    """A paused limit has no date to extend; it has not expired either."""
    number = book.assigned()
    book.go(number, "pause", "unit_head", day(1), reason="等")
    book.refused(
        GuardRefused,
        lambda: book.extend(number, "handler1", date(2026, 4, 30), day(50)),
        match="中止",
    )


def test_a_number_that_was_taken_is_drawn_again(
    book: Casebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers are random; a collision costs a second draw and nothing else."""
    drawn = iter([7, 7, 8])
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(drawn))
    numbers = [book.submit().number, book.submit().number]
    assert numbers == ["占道2026-0000000007", "占道2026-0000000008"]
    assert len(book.rows("SELECT FROM item")) == 2


def test_the_parent_moves_when_its_child_is_done(book: Casebook) -> None:
    """A mandatory child holds the parent back until it is closed, and tells it then."""
    number = book.assigned()
    book.go(number, "open_inquiry", "handler1", opinion="另查")
    inquiry = book.children(number, "inquiry")[0]
    assert (inquiry["mandatory"], inquiry["sealed"]) == (True, True)
    assert inquiry["family_id"] == book.item(number)["family_id"]
    book.go(inquiry["number"], "assign", "head", handlers=["law_handler"])
    book.go(number, "check", "handler1", opinion="可")
    book.refused(GuardRefused, lambda: book.go(number, "grant", "head"), match="关联事项")
    book.go(number, "return", "unit_head", reason="等线索")
    book.go(inquiry["number"], "close", "law_handler", result="不属实")
    assert [event["act"] for event in book.events(number)][-1] == "inquiry_over"
    assert book.item(number)["data"]["opinion"] == "不属实"


def test_what_is_available_says_what_is_missing_and_why_not(book: Casebook) -> None:
    """The options name the fields still to give and every objection, and nothing the system does."""
    number = book.assigned()
    actor = book.who("unit_head")
    options = {
        option.transition: option
        for option in book.do(
            lambda s: book.casework.available(book.casework.look(s, number, actor), actor)
        )
    }
    assert "stands" not in options
    assert options["pause"].allowed
    assert options["pause"].missing == ["reason"]
    assert not options["check"].allowed
    assert "承办人" in options["check"].reasons[0]


def test_every_table_an_act_writes_is_compared() -> None:
    """The list of tables by which refusals are judged is the list the engine writes."""
    from engine.entries import PARTS

    text = " ".join(PARTS.values())
    assert {table for table in TABLES if f" {table} " in text or f"{table}\n" in text} == set(
        TABLES
    )

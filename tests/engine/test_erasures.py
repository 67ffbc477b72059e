"""Erasing: in two steps, never under a hold, always on record, and leaving a journal that verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine import erasures, journal
from engine.duplicates import duplicates
from engine.errors import NotAvailable, NotPermitted
from engine.people import PUBLIC
from tests.casebook import day

if TYPE_CHECKING:
    from tests.casebook import Casebook

NAME, PHONE, WISH = "柳如烟", "13900004242", "想在桥头卖红薯的那一家"
CONTACT = {"name": NAME, "phone": PHONE}
NEXT_YEAR, LATER = 400, 440


def closed(book: Casebook, **given: Any) -> str:
    """A permit that was asked for by somebody and refused."""
    number = book.submit(by=PUBLIC, wish=WISH, contact=CONTACT, **given).number
    book.go(number, "refuse", "unit_head", day(1), reason="不符合条件")
    return number


def restrict(book: Casebook, number: str, by: str = "liaison") -> dict[str, Any]:
    """The first step."""
    found: dict[str, Any] = book.do(
        lambda s: erasures.restrict(s, book.casework, number, book.who(by), "当事人申请", at=day(3))
    )
    return found


def hold(book: Casebook, number: str, *, held: bool, by: str = "liaison") -> None:
    """Set or lift a hold."""
    book.do(
        lambda s: erasures.hold(
            s, book.casework, number, book.who(by), "诉讼保全", held=held, at=day(4)
        )
    )


def count(book: Casebook, table: str, number: str) -> int:
    """How many rows a table has of an item."""
    rows = book.rows(
        f"SELECT FROM {table} t JOIN item i ON i.id = t.item_id WHERE i.number = %s", number
    )
    return len(rows)


def test_erasing_takes_what_is_personal_and_leaves_the_proof(book: Casebook) -> None:
    """Of many people some are erased: their rows are gone, the others' stay, all chains verify."""
    gone = [closed(book) for _ in range(5)]
    kept = closed(book)
    for number in gone:
        restrict(book, number)
        assert book.personal(number) == {}, "restricted: nothing is shown any more"
    assert erasures.sweep(book.database, book.casework, day(20)) == (0, 0, 0)
    assert book.do(journal.verify)[1] == []
    assert erasures.sweep(book.database, book.casework, day(60)) == (0, 5, 0)
    for number in gone:
        for table in ("vault.payload", "vault.data_key", "vault.trace"):
            assert count(book, table, number) == 0
        steps = [e["data"] for e in book.events(number) if e["act"] == "erasure"]
        assert [each["step"] for each in steps] == ["restrict", "shred"]
        assert steps[1]["seqs"] == [1, 3], "what the petitioner gave, and why it was restricted"
        assert steps[1]["law"] == "个人信息保护法 第四十七条"
    assert book.personal(kept) == {"wish": WISH, "contact": CONTACT}
    events, faults = book.do(journal.verify)
    assert faults == []
    assert events > 20
    assert erasures.sweep(book.database, book.casework, day(61)) == (0, 0, 0)


def test_an_erasure_explains_what_it_names_and_no_more(book: Casebook) -> None:
    """A payload taken away besides is found, though the item has an erasure."""
    number = closed(book)
    restrict(book, number)
    erasures.sweep(book.database, book.casework, day(60))
    note = book.do(
        lambda s: book.casework.note(s, number, book.who("unit_head"), "后记", at=day(61))
    )
    assert book.do(journal.verify)[1] == []
    with psycopg.connect(book.url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM vault.payload WHERE seq = %s", [note.seq])
    (fault,) = book.do(journal.verify)[1]
    assert number in fault
    assert f"event {note.seq}" in fault


def test_a_letter_that_quotes_somebody_goes_with_them(book: Casebook) -> None:
    """Its digest stays, its words are gone; a letter that quotes nobody is kept."""
    number = closed(book)
    item = book.item(number)["id"]
    book.run(
        "INSERT INTO document (item_id, seq, template, title, body, digest, drafted_at)"
        " SELECT %s, 1, 'x', 'x', body, sha256(convert_to(body, 'UTF8')), now()"
        " FROM unnest(ARRAY[%s, '无关']) body",
        item,
        "电话 139-0000-4242 的来电人",
    )
    restrict(book, number)
    erasures.sweep(book.database, book.casework, day(60))
    bodies = [row["body"] for row in book.rows("SELECT body FROM document WHERE template = 'x'")]
    assert sorted(bodies, key=str) == [None, "无关"]
    assert book.do(journal.verify)[1] == []


def test_a_hold_refuses_both_steps_in_the_engine_and_in_the_schema(book: Casebook) -> None:
    """Nothing is erased while it lasts, by nobody; lifted, the erasure goes on."""
    number, other = closed(book), closed(book)
    hold(book, number, held=True)
    with pytest.raises(NotAvailable, match="legal hold"):
        restrict(book, number)
    restrict(book, other)
    hold(book, other, held=True)
    assert erasures.sweep(book.database, book.casework, day(60)) == (0, 0, 1)
    assert count(book, "vault.payload", other) > 0
    with pytest.raises(psycopg.errors.RestrictViolation, match="hold"):
        book.run("DELETE FROM vault.payload")
    hold(book, other, held=False)
    assert erasures.sweep(book.database, book.casework, day(60)) == (0, 1, 0)
    acts = [e["data"]["held"] for e in book.events(other) if e["act"] == "legal_hold"]
    assert acts == [True, False]
    assert book.do(journal.verify)[1] == []


def test_nothing_is_erased_at_one_stroke(book: Casebook) -> None:
    """The schema refuses a payload's deletion that no restriction came before."""
    closed(book)
    for table in ("vault.payload", "vault.data_key"):
        with pytest.raises(psycopg.errors.RestrictViolation, match="restricted first"):
            book.run(f"DELETE FROM {table}")
    with pytest.raises(psycopg.errors.RestrictViolation):
        book.run("UPDATE vault.payload SET salt = sha256('')")


def test_only_keepers_hold_and_erase_and_only_what_is_closed(book: Casebook) -> None:
    """The head of a unit is refused; so is anybody while the matter, or a child of it, is open."""
    number = closed(book)
    for deed in (
        lambda: restrict(book, number, "unit_head"),
        lambda: hold(book, number, held=True, by="unit_head"),
    ):
        book.refused(NotPermitted, deed)
    still = book.submit(wish=WISH, contact=CONTACT).number
    book.refused(NotAvailable, lambda: restrict(book, still), match="open")


def test_what_was_carried_into_a_child_is_erased_with_it(book: Casebook) -> None:
    """The contact that a file carries on goes where it was carried, once that is closed too."""
    number = book.assigned(contact=CONTACT)
    book.go(number, "open_inquiry", "handler1", opinion="另查")
    inquiry = book.children(number, "inquiry")[0]["number"]
    book.go(number, "check", "handler1", day(1), opinion="可")
    book.refused(NotAvailable, lambda: restrict(book, number), match="open")
    book.go(inquiry, "assign", "head", handlers=["handler2"])
    book.go(inquiry, "close", "handler2", result="查无实据")
    book.go(number, "grant", "head", day(2))
    assert book.personal(inquiry) == {"contact": CONTACT}
    restrict(book, number)
    assert erasures.sweep(book.database, book.casework, day(60)) == (0, 2, 0)
    assert book.personal(inquiry) == {}
    assert count(book, "vault.data_key", inquiry) == 0


def test_a_restriction_can_be_undone_until_it_is_too_late(book: Casebook) -> None:
    """Released, the data are shown again; shredded, there is nothing to release."""
    number = closed(book)
    restrict(book, number)
    liaison = book.who("liaison")
    book.do(lambda s: erasures.release(s, book.casework, number, liaison, "申请撤回", at=day(4)))
    assert book.personal(number)["contact"] == CONTACT
    restrict(book, number)
    erasures.sweep(book.database, book.casework, day(60))
    with pytest.raises(NotAvailable):
        book.do(
            lambda s: erasures.release(s, book.casework, number, liaison, "申请撤回", at=day(4))
        )


def test_what_was_kept_long_enough_is_erased_by_itself(book: Casebook) -> None:
    """A year after its end an item is restricted, a month later shredded; an open one is kept."""
    number, still = closed(book), book.submit(wish=WISH, contact=CONTACT).number
    assert erasures.sweep(book.database, book.casework, day(300)) == (0, 0, 0)
    assert erasures.sweep(book.database, book.casework, day(NEXT_YEAR)) == (1, 0, 0)
    assert erasures.sweep(book.database, book.casework, day(LATER)) == (0, 1, 0)
    assert [e["data"]["ground"] for e in book.events(number) if e["act"] == "erasure"] == [
        "retention",
        "retention",
    ]
    assert book.personal(still)["contact"] == CONTACT
    assert book.do(journal.verify)[1] == []


def test_a_possible_duplicate_is_a_hint_among_what_the_asker_may_see(book: Casebook) -> None:
    """The same number in another spelling is met; hidden items and other people's eyes are not."""
    number = book.submit(contact={"name": NAME, "phone": "+86 139-0000-4242"}).number
    alike = book.submit(
        contact={"name": "别人", "phone": "１３９００００４２４２"}, at=day(1)
    ).number
    hidden = book.submit(contact=CONTACT, respondent="OFF", at=day(1)).number
    book.submit(contact={"name": "无关", "phone": "13811112222"})

    def told(account: str) -> list[tuple[str, list[str]]]:
        found = book.do(lambda s: duplicates(s, book.casework, number, book.who(account)))
        return [(each["number"], each["by"]) for each in found]

    assert told("liaison") == [(hidden, ["name", "phone"]), (alike, ["phone"])]
    assert told("intake") == [(alike, ["phone"])], "intake belongs to the office complained of"
    with pytest.raises(NotPermitted):
        told("unit_head")
    marks = book.rows("SELECT mark FROM vault.trace")
    assert PHONE.encode() not in b"".join(row["mark"] for row in marks)

"""The journal: every direct edit is found, and the item named, whatever the hand that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import psycopg
import pytest

from engine import journal
from tests.casebook import day

if TYPE_CHECKING:
    from tests.casebook import Casebook

MINE = "item_id = (SELECT id FROM item WHERE number = %(number)s)"
EDITS = {
    "changed data": f'UPDATE event SET data = data || \'{{"opinion": "不可"}}\' WHERE {MINE} AND seq = 3',
    "changed actor": f"UPDATE event SET actor_id = actor_id + 1 WHERE {MINE} AND seq = 3",
    "no actor": f"UPDATE event SET actor_id = NULL WHERE {MINE} AND seq = 3",
    "changed role": f"UPDATE event SET role = 'head' WHERE {MINE} AND seq = 3",
    "changed time": f"UPDATE event SET at = at - interval '1 microsecond' WHERE {MINE} AND seq = 2",
    "changed act": f"UPDATE event SET act = 'name' WHERE {MINE} AND seq = 2",
    "changed path": f"UPDATE event SET to_state = 'waiting' WHERE {MINE} AND seq = 2",
    "changed version": f"UPDATE event SET version = 2 WHERE {MINE} AND seq = 1",
    "changed hash": f"UPDATE event SET hash = sha256('') WHERE {MINE} AND seq = 2",
    "dropped commitment": f"UPDATE event SET commitment = NULL WHERE {MINE} AND seq = 1",
    "deleted first": f"DELETE FROM event WHERE {MINE} AND seq = 1",
    "deleted middle": f"DELETE FROM event WHERE {MINE} AND seq = 2",
    "cut tail": f"DELETE FROM event WHERE {MINE} AND seq >= 3",
    "cut whole": f"DELETE FROM event WHERE {MINE}",
    "cut tail and set the item back": (
        f"DELETE FROM event WHERE {MINE} AND seq = 4; "
        "UPDATE item SET seq = 3, state = 'deciding' WHERE number = %(number)s"
    ),
    "swapped": (
        "UPDATE event e SET act = o.act, from_state = o.from_state, to_state = o.to_state,"
        " actor_id = o.actor_id, role = o.role, at = o.at, data = o.data, hash = o.hash"
        f" FROM event o WHERE o.item_id = e.item_id AND e.{MINE}"
        " AND (e.seq, o.seq) IN ((2, 3), (3, 2))"
    ),
    "moved item": "UPDATE item SET state = 'refused' WHERE number = %(number)s",
    "renumbered item": "UPDATE item SET number = '占道2020-0000000000' WHERE number = %(number)s",
    "moved version": "UPDATE item SET version = 2 WHERE number = %(number)s",
    "changed head": "UPDATE item SET head = sha256('') WHERE number = %(number)s",
    "removed item": (
        f"DELETE FROM item_data WHERE {MINE}; DELETE FROM vault.payload WHERE {MINE}; "
        f"DELETE FROM vault.data_key WHERE {MINE}; "
        "DELETE FROM item WHERE number = %(number)s"
    ),
    "changed facts": (
        f'UPDATE item_data SET data = data || \'{{"opinion": "不可"}}\' WHERE {MINE}'
    ),
    "added fact": f'UPDATE item_data SET data = data || \'{{"place": "西大街"}}\' WHERE {MINE}',
    "removed facts": f"DELETE FROM item_data WHERE {MINE}",
    "replaced personal payload": (
        f"UPDATE vault.payload SET sealed = jsonb_set(sealed, '{{wish}}', '\"AAAA\"') WHERE {MINE}"
    ),
    "renamed personal field": (
        f"UPDATE vault.payload SET sealed = jsonb_build_object('x', sealed -> 'wish') WHERE {MINE}"
    ),
    "changed salt": f"UPDATE vault.payload SET salt = sha256('') WHERE {MINE}",
    "exchanged key": f"UPDATE vault.data_key SET commitment = sha256('') WHERE {MINE}",
    "rewritten letter": f"UPDATE document SET body = replace(body, '准予', '不予') WHERE {MINE}",
}
"""As a superuser with every trigger and foreign key switched off."""


@pytest.fixture
def numbers(book: Casebook) -> tuple[str, str]:
    """A granted permit that was given to others, extended and noted on, and one just begun."""
    number = book.assigned(respondent="BR1")
    people = ["handler1", "law_handler"]
    book.go(number, "check", "handler1", day(1), opinion="可")
    book.go(number, "grant", "head", day(2))
    other = book.assigned(respondent="BR1")
    book.reassign(other, "unit_head", people, day(1))
    book.do(lambda s: book.casework.note(s, other, book.who("handler1"), "记一笔", at=day(1)))
    return number, other


def verify(book: Casebook) -> tuple[int, list[str]]:
    """What the verifier says."""
    found: tuple[int, list[str]] = book.do(journal.verify)
    return found


def test_an_untouched_journal_verifies(book: Casebook, numbers: tuple[str, str]) -> None:
    """Every event is read and none is complained of; also in batches of one item."""
    assert len(set(numbers)) == 2
    assert verify(book) == (8, [])
    assert book.do(lambda s: journal.verify(s, batch=1)) == (8, [])


@pytest.mark.parametrize("edit", EDITS)
def test_a_direct_edit_is_found(book: Casebook, numbers: tuple[str, str], edit: str) -> None:
    """The item that was touched is named, the other is not."""
    number, other = numbers
    item = book.item(number)["id"]
    with psycopg.connect(book.url) as connection:
        connection.execute("SET session_replication_role = replica")
        for part in EDITS[edit].split("; "):
            changed = connection.execute(part.encode(), {"number": number})
            assert changed.rowcount, part
    _, found = verify(book)
    assert found, edit
    assert all(
        sentence.startswith((number, "占道2020-0000000000", f"#{item}:")) for sentence in found
    )
    assert not any(other in sentence for sentence in found)


def test_a_chain_recomputed_without_the_item_is_found(
    book: Casebook, numbers: tuple[str, str]
) -> None:
    """Whoever rewrites an event and every hash after it still leaves the item's head behind."""
    number, _ = numbers
    previous = journal.birth_digest(
        book.rows(f"SELECT {', '.join(journal.BIRTH)} FROM item WHERE number = %s", number)[0]
    )
    with psycopg.connect(book.url) as connection:
        connection.execute("SET session_replication_role = replica")
        for row in book.events(number):
            data = row["data"] | ({"opinion": "不可"} if row["seq"] == 3 else {})
            kept = {name: value for name, value in row.items() if name in journal.Event.__slots__}
            event = journal.Event(**kept | {"number": number, "data": data})
            previous = journal.digest(event, previous)
            connection.execute(
                "UPDATE event SET data = %s, hash = %s WHERE item_id = %s AND seq = %s",
                [orjson.dumps(data).decode(), previous, row["item_id"], row["seq"]],
            )
    found = verify(book)[1]
    assert found
    assert all(sentence.startswith(number) for sentence in found)


@pytest.mark.parametrize(
    "edit",
    [
        f"DELETE FROM vault.payload WHERE {MINE}",
        f"UPDATE document SET body = NULL WHERE {MINE}",
    ],
)
def test_what_is_missing_without_an_erasure_is_found(
    book: Casebook, numbers: tuple[str, str], edit: str
) -> None:
    """A payload or a letter that is gone must be explained by an event of erasure."""
    with psycopg.connect(book.url) as connection:
        connection.execute("SET session_replication_role = replica")
        assert connection.execute(edit.encode(), {"number": numbers[0]}).rowcount
    (found,) = verify(book)[1]
    assert numbers[0] in found
    assert "erasure" in found

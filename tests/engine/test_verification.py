"""Whoever changes the record by hand is found, whatever they change; whoever works on it is not."""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import orjson
import pytest
from sqlalchemy.orm import Session

from engine import journal, log, merkle, stalls, verification
from engine.checkpoints import publish
from engine.database import Database, execute
from engine.derivation import Derivation
from engine.signatures import Signer
from engine.verification import Evidence, evidence, verify, verify_here
from engine.walls import VERIFIER
from tests.casebook import Casebook, day, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.casework import Casework

SIGNER = Signer(bytes(range(32)))
SOME = "(item_id, seq) = (SELECT item_id, seq FROM log_leaf WHERE position = %(place)s)"
ITEM = "(SELECT item_id FROM log_leaf WHERE position = %(place)s)"
TAIL = f"item_id = {ITEM} AND seq = (SELECT max(seq) FROM event WHERE item_id = {ITEM})"

EDITS = {
    "changed event": f'UPDATE event SET data = data || \'{{"opinion": "不可"}}\' WHERE {SOME}',
    "changed actor": f"UPDATE event SET actor_id = coalesce(actor_id, 0) + 1 WHERE {SOME}",
    "back-dated event": f"UPDATE event SET at = at - interval '1 day' WHERE {SOME}",
    "deleted event": f"DELETE FROM event WHERE {SOME}",
    "inserted event": (
        "INSERT INTO event SELECT item_id, seq + 100, seq + 99, workflow, version, act, to_state,"
        f" to_state, actor_id, role, at, data, commitment, sha256('') FROM event WHERE {SOME}"
    ),
    "swapped events": (
        "UPDATE event e SET act = o.act, from_state = o.from_state, to_state = o.to_state,"
        " actor_id = o.actor_id, role = o.role, at = o.at, data = o.data, hash = o.hash"
        f" FROM event o WHERE o.item_id = e.item_id AND e.item_id = {ITEM}"
        " AND (e.seq, o.seq) IN ((2, 3), (3, 2))"
    ),
    "cut tail": f"DELETE FROM event WHERE {TAIL}",
    "replaced payload": (
        f"UPDATE vault.payload SET sealed = jsonb_build_object('wish', 'x') WHERE item_id = {ITEM}"
    ),
    "removed item": f"DELETE FROM item WHERE id = {ITEM}",
    "item and all of it removed": (
        f"DELETE FROM item_data WHERE item_id = {ITEM}; DELETE FROM item_duty WHERE item_id = {ITEM};"
        f" DELETE FROM deadline WHERE item_id = {ITEM}; DELETE FROM event WHERE item_id = {ITEM};"
        " DELETE FROM item WHERE id NOT IN (SELECT item_id FROM event)"
    ),
    "moved item": f"UPDATE item SET state = 'refused' WHERE id = {ITEM}",
    "item of another unit": f"UPDATE item SET unit_id = unit_id + 1 WHERE id = {ITEM}",
    "item received later": (
        f"UPDATE item SET received_at = received_at + interval '1 day' WHERE id = {ITEM}"
    ),
    "item shown as closed": (
        f"UPDATE item SET closed_at = entered_at WHERE id = {ITEM} AND closed_at IS NULL"
    ),
    "item unsealed or sealed": f"UPDATE item SET sealed = NOT sealed WHERE id = {ITEM}",
    "item about nobody": (
        f"UPDATE item SET subject_unit_id = NULL WHERE subject_unit_id IS NOT NULL AND id = {ITEM}"
    ),
    "due date moved everywhere": (
        "UPDATE deadline SET due_at = due_at + interval '9 days', due_on = due_on + 9, next_rung_at ="
        f" next_rung_at + interval '9 days' WHERE item_id = {ITEM} AND stopped_at IS NULL;"
        f" UPDATE item SET due_at = due_at + interval '9 days' WHERE id = {ITEM}"
        " AND closed_at IS NULL"
    ),
    "clock silenced": (
        f"UPDATE deadline SET next_rung_at = NULL WHERE item_id = {ITEM}"
        " AND next_rung_at IS NOT NULL"
    ),
    "duty removed": f"DELETE FROM item_duty WHERE item_id = {ITEM} AND duty = 'work'",
    "duty back-dated": (
        f"UPDATE item_duty SET began_at = began_at - interval '1 hour' WHERE item_id = {ITEM}"
    ),
    "letter rewritten": f"UPDATE document SET body = body || '。' WHERE item_id = {ITEM}",
    "rung forgotten": f"DELETE FROM climb WHERE item_id = {ITEM}",
    "leaf swapped": (
        "UPDATE log_leaf SET position = position + 1000000"
        " WHERE position IN (%(place)s, %(place)s # 1);"
        " UPDATE log_leaf SET position = (position - 1000000) # 1 WHERE position >= 1000000"
    ),
    "leaf removed": "DELETE FROM log_leaf WHERE position = %(place)s",
    "leaf's node changed": "UPDATE log_node SET hash = sha256(hash) WHERE level = 0 AND rank = %(place)s",
    "node changed": "UPDATE log_node SET hash = sha256(hash) WHERE level = 1 AND rank = %(place)s / 2",
    "log made longer": "UPDATE log_head SET size = size + 1",
    "checkpoint changed": (
        "UPDATE checkpoint SET root = sha256(root) WHERE size = (SELECT size FROM checkpoint"
        " ORDER BY abs(size - %(place)s) LIMIT 1)"
    ),
    "checkpoint removed": (
        "DELETE FROM checkpoint WHERE size = (SELECT size FROM checkpoint"
        " ORDER BY abs(size - %(place)s) LIMIT 1)"
    ),
    "event kept out of the log": (
        "UPDATE log_leaf SET item_id = 0, seq = position WHERE position = %(place)s"
    ),
}
"""As a superuser with every trigger and foreign key switched off."""
ASKED = (
    *("changed event", "changed actor", "back-dated event", "deleted event", "inserted event"),
    *("swapped events", "cut tail", "replaced payload", "removed item", "moved item"),
    *("letter rewritten", "checkpoint changed", "leaf swapped", "duty removed"),
)
"""Those that are made at fifty places each; the others at ten."""


class Archive:
    """An office with a past: its record, what lies outside, and the rules by which it is judged."""

    def __init__(self, book: Casebook, folder: Path) -> None:
        self.book = book
        self.folder = folder
        self.mighty = Database(book.url, 1)
        self.known = Evidence()
        self.numbers: list[str] = []

    def live(self) -> None:
        """A few weeks of work, signed three times."""
        book = self.book
        for week in range(3):
            for _ in range(3):
                number = book.assigned(day(7 * week), respondent="BR1")
                book.go(number, "check", "handler1", day(7 * week + 1), opinion="可")
                self.numbers.append(number)
            book.go(self.numbers[-1], "grant", "head", day(7 * week + 2))
            self.note(self.numbers[-2], 7 * week + 3)
            book.run("UPDATE bureau SET practice_offset = %s - now()", day(7 * week + 6))
            stalls.sweep(book.database, book.casework)
            self.sign()
        self.known = evidence(self.folder)
        self.rules = book.do(lambda s: Derivation(s, book.casework.catalog))

    def note(self, number: str, on: int) -> None:
        """A note with something personal in it."""
        who = self.book.who("handler1")
        self.book.do(lambda s: self.book.casework.note(s, number, who, "记一笔", at=day(on)))

    def sign(self) -> None:
        """What the worker does."""
        log.sequence(self.book.database)
        assert publish(self.book.database, SIGNER, self.folder, every=0)[1] == []

    def faults(self, edit: str, place: int = 0) -> list[str] | None:
        """What is found after an edit that is taken back at once; None where it changed nothing."""
        with taken_back(self.mighty) as session:
            parts = [execute(session, part, {"place": place}) for part in edit.split("; ")]
            if any(part.rowcount for part in parts):
                return verify_here(session, self.rules, self.known).faults
        return None


@contextmanager
def taken_back(database: Database) -> Iterator[Session]:
    """A transaction as a superuser with every trigger switched off, rolled back in the end."""
    with Session(database.pool) as session:
        execute(session, "SET LOCAL session_replication_role = replica")
        yield session
        session.rollback()


@pytest.fixture(scope="module")
def archive(
    _servers: dict[str, str],
    permit_office: str,
    permits: Casework,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Archive]:
    """One for all edits: each is taken back."""
    with opened(_servers["postgres"], permit_office, permits) as book:
        found = Archive(book, tmp_path_factory.mktemp("checkpoints"))
        found.live()
        yield found
        found.mighty.close()


def test_an_untouched_record_verifies(archive: Archive) -> None:
    """Everything is read: events, leaves, checkpoints; on one process and on two."""
    book = archive.book
    events = book.rows("SELECT count(*) AS n FROM event")[0]["n"]
    for processes in (1, 2):
        found = verify(book.database, lambda: book.casework.catalog, archive.known, processes)
        assert found == (events, events, 0, 3, [])


def test_a_moved_clock_is_a_fault_of_a_real_office(archive: Archive) -> None:
    """Only a sample office may move its clock; elsewhere no time limit comes when it is due."""
    book = archive.book
    for practice, count in ((True, 0), (False, 1)):
        known = evidence(archive.folder, practice=practice)
        faults = verify(book.database, lambda: book.casework.catalog, known).faults
        assert len([fault for fault in faults if "clock was moved" in fault]) == count


@pytest.mark.parametrize("edit", EDITS)
def test_a_direct_edit_is_found_wherever_it_is_made(archive: Archive, edit: str) -> None:
    """At places drawn at random, or at all there are."""
    size = len(archive.book.rows("SELECT FROM log_leaf"))
    places = random.Random(edit).sample(range(size), min(50 if edit in ASKED else 10, size))
    found = {place: archive.faults(EDITS[edit], place) for place in places}
    made = {place: faults for place, faults in found.items() if faults is not None}
    assert len(made) >= 2, f"{edit} was made at {len(made)} places only"
    assert [place for place, faults in made.items() if not faults] == []


REWRITE = "UPDATE event SET data = %s, hash = %s WHERE item_id = %s AND seq = %s"


def _rewrite(session: Session, number: str, data: dict[str, object]) -> None:
    """Change an item's first event and compute its whole chain anew, the item's head too."""
    item = execute(
        session, f"SELECT {', '.join(journal.BIRTH)} FROM item WHERE number = %s", (number,)
    ).fetchone()
    assert item is not None
    previous = journal.birth_digest(item)
    rows = execute(session, "SELECT * FROM event WHERE item_id = %s ORDER BY seq", (item["id"],))
    for row in rows.fetchall():
        kept = {name: value for name, value in row.items() if name in journal.Event.__slots__}
        changed = row["data"] | (data if row["seq"] == 1 else {})
        event = journal.Event(**kept | {"number": number, "data": changed})
        previous = journal.digest(event, previous)
        told = orjson.dumps(changed).decode()
        execute(session, REWRITE, (told, previous, row["item_id"], row["seq"]))
    execute(session, "UPDATE item SET head = %s WHERE number = %s", (previous, number))
    execute(
        session,
        "UPDATE item_data SET data = data || %s WHERE item_id = %s",
        (orjson.dumps(data).decode(), item["id"]),
    )


def _rebuild(session: Session, size: int) -> None:
    """Bring leaves, nodes and head into agreement with the first events again."""
    execute(session, "DELETE FROM log_leaf WHERE position >= %s", (size,))
    execute(
        session,
        "UPDATE log_leaf l SET hash = e.hash FROM event e"
        " WHERE (e.item_id, e.seq) = (l.item_id, l.seq)",
    )
    rows = execute(
        session,
        "SELECT i.number, l.seq, l.hash FROM log_leaf l JOIN item i ON i.id = l.item_id"
        " ORDER BY position",
    ).fetchall()
    leaves = [log.leaf_of(row["number"], row["seq"], bytes(row["hash"])) for row in rows]
    execute(session, "DELETE FROM log_node")
    for place, node in merkle.grown(0, {}, leaves).items():
        execute(session, "INSERT INTO log_node VALUES (%s, %s, %s)", (*place, node))
    execute(session, "UPDATE log_head SET size = %s", (len(rows),))


def _forge(archive: Archive, forge: Callable[[Session], None]) -> list[str]:
    """What is found after forgery by somebody who computes everything anew; taken back."""
    with taken_back(archive.mighty) as session:
        forge(session)
        return verify_here(session, archive.rules, archive.known).faults


def test_a_chain_computed_anew_with_its_tree_is_found(archive: Archive) -> None:
    """Item, chain, leaves and nodes agree; what was signed does not."""

    def forge(session: Session) -> None:
        _rewrite(session, archive.numbers[4], {"wish": "卖花"})
        _rebuild(session, len(execute(session, "SELECT FROM log_leaf").fetchall()))

    found = _forge(archive, forge)
    assert found
    assert all(sentence.startswith("检查点") for sentence in found)


def test_a_tail_cut_off_everywhere_is_found_by_the_file(archive: Archive) -> None:
    """The newest items, their leaves, the nodes and the checkpoints over them: all removed, and what
    is left agrees. The file outside knows better, and so does a witness.
    """

    def forge(session: Session) -> None:
        size = archive.book.rows("SELECT size FROM checkpoint ORDER BY size LIMIT 1")[0]["size"]
        gone = "(SELECT item_id FROM log_leaf WHERE position >= %s AND seq = 1)"
        for table, column in (
            *((name, "item_id") for name in ("event", "item_data", "item_duty", "deadline")),
            *((name, "item_id") for name in ("climb", "message", "document")),
            *(("vault.payload", "item_id"), ("vault.data_key", "item_id"), ("item", "id")),
        ):
            execute(session, f"DELETE FROM {table} WHERE {column} IN {gone}", (size,))
        execute(session, "DELETE FROM checkpoint WHERE size > %s", (size,))
        _rebuild(session, size)

    without = archive.known
    found = _forge(archive, forge)
    assert any("文件" in sentence for sentence in found), found
    archive.known = replace(without, notes=None, witnessed=without.notes or ())
    try:
        assert any("见证" in sentence for sentence in _forge(archive, forge))
    finally:
        archive.known = without


def test_the_worker_finds_an_edit_by_itself(book: Casebook) -> None:
    """Every five minutes it looks at some items; in a small office at all of them."""
    number = book.assigned()
    book.assigned()
    catalog = book.casework.catalog
    assert verification.spot_check(book.database, catalog) == []
    book.run("SET session_replication_role = replica")
    book.run("UPDATE event SET role = 'head' WHERE item_id = %s", book.item(number)["id"])
    faults = verification.spot_check(book.database, catalog)
    assert faults
    assert all(fault.startswith(number) for fault in faults)


def test_a_role_that_may_only_read_can_verify(archive: Archive) -> None:
    """Nothing is written, so an auditor needs no more than SELECT."""
    book = archive.book
    role = f"auditor_{uuid4().hex[:8]}"
    book.run(f"CREATE ROLE {role} LOGIN PASSWORD 'only-reads' IN ROLE {VERIFIER}")
    try:
        place = book.url.rpartition("@")[2]
        pool = Database(f"postgresql://{role}:only-reads@{place}", 1)
        try:
            assert verify(pool, lambda: book.casework.catalog, archive.known).faults == []
        finally:
            pool.close()
    finally:
        book.run(f"DROP ROLE {role}")


def test_no_false_alarm_while_people_work(
    book: Casebook, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A hundred runs beside two writers, two sequencers and whoever signs: not one complaint."""
    folder = tmp_path_factory.mktemp("checkpoints")
    enough = threading.Event()
    errors: list[BaseException] = []

    def work() -> None:
        number = book.assigned(respondent="BR1")
        who = book.who("handler1")
        while not enough.is_set():
            book.do(lambda s: book.casework.note(s, number, who, "记一笔"))
            enough.wait(0.1)

    def keep() -> None:
        while not enough.is_set():
            enough.wait(0.01)
            log.sequence(book.database)
            errors.extend(
                AssertionError(each) for each in publish(book.database, SIGNER, folder, every=0)[1]
            )

    def watched(deed: Callable[[], None]) -> None:
        try:
            deed()
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    threads = [threading.Thread(target=watched, args=(deed,)) for deed in (work, work, keep, keep)]
    for thread in threads:
        thread.start()
    rules = book.do(lambda s: Derivation(s, book.casework.catalog))
    try:
        for _ in range(100):
            known = evidence(folder)
            with book.database.transaction() as session:
                verification.hold_still(session)
                assert verify_here(session, rules, known).faults == []
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert errors == []

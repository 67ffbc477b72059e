"""The log: nothing is skipped, whoever commits when; one sequencer at a time, and any may die."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import log, merkle
from engine.checkpoints import CheckpointFile, compare, publish
from engine.database import Database, execute
from engine.errors import Busy, KeyFault, NotFound, Refused
from engine.keys import Keyring
from engine.log import Leaf
from engine.merkle import Span
from engine.signatures import (
    COSIGNED,
    FIRST,
    Signer,
    TreeHead,
    checkpoint_text,
    note_digest,
    read_checkpoint,
    read_verifier,
    receipt,
    receipt_holds,
)
from engine.verification import evidence, verify
from engine.witness import attest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from tests.casebook import Casebook

SIGNER = Signer(bytes(range(32)))
WITNESS = Signer(bytes(range(1, 33)), COSIGNED)
NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)


def leaves(book: Casebook) -> list[int]:
    """The positions of the leaves, in order."""
    return [r["position"] for r in book.rows("SELECT position FROM log_leaf ORDER BY position")]


def sound(book: Casebook, folder: Path | None = None) -> None:
    """Nothing is wrong, every event is in the log, and none waits."""
    found = verify(
        book.database, lambda: book.casework.catalog, evidence(folder) if folder else None
    )
    assert found.faults == []
    assert (found.leaves, found.waiting) == (found.events, 0)
    assert leaves(book) == list(range(found.events))


def grow(book: Casebook, folder: Path) -> None:
    """Somebody works, and the worker signs."""
    book.assigned(respondent="BR1")
    log.sequence(book.database)
    assert publish(book.database, SIGNER, folder, every=0)[1] == []


class Shown:
    """The log of a book as a witness is shown it."""

    def __init__(self, book: Casebook) -> None:
        self.book = book
        self.key = str(SIGNER.verifier)

    def checkpoint(self) -> tuple[str, str]:
        """The newest note."""
        row = self.book.rows("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1")[0]
        return row["note"], self.key

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """The proof of the log."""
        proof: list[bytes] = self.book.do(lambda s: log.consistency(s, first, second))
        return proof


def test_every_event_gets_one_leaf_and_a_proof(book: Casebook) -> None:
    """Batches however small; a proof for each event against the root of all."""
    for _ in range(3):
        book.assigned(respondent="BR1")
    while book.do(lambda s: log.append(s, 2)):
        pass
    sound(book)
    size = book.do(log.size_of)
    root = book.do(lambda s: log.root_at(s, size))
    for row in book.rows("SELECT i.number, l.* FROM log_leaf l JOIN item i ON i.id = l.item_id"):
        for leaf in (Leaf.hashed(row["hash"]), Leaf.numbered(row["item_id"], row["seq"])):
            found = book.do(partial(log.inclusion, condition=leaf, size=size))
            assert found.leaf == log.leaf_of(row["number"], row["seq"], bytes(row["hash"]))
            assert merkle.included(found.leaf, found.position, size, found.hashes, root)


def test_what_commits_late_is_not_skipped(book: Casebook) -> None:
    """An event written first and committed last comes after those that overtook it."""
    number, other = book.submit().number, book.submit().number
    with book.database.transaction() as late:
        book.casework.note(late, number, book.who("intake"), "记一笔")
        log.sequence(book.database)
        book.do(lambda s: book.casework.note(s, other, book.who("intake"), "记一笔"))
        assert log.sequence(book.database) == 1
    assert log.sequence(book.database) == 1
    sound(book)


def test_an_act_that_failed_leaves_nothing_waiting(book: Casebook) -> None:
    """The row of the queue goes with the event it was written with."""
    number = book.submit().number
    log.sequence(book.database)

    def fail(session: Session) -> None:
        book.casework.note(session, number, book.who("intake"), "记一笔")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        book.do(fail)
    assert log.sequence(book.database) == 0
    sound(book)


def test_two_sequencers_and_many_writers_leave_no_gap(book: Casebook) -> None:
    """Whoever has the head appends, the others pass by; positions are contiguous."""
    errors: list[BaseException] = []
    done = threading.Event()

    def write() -> None:
        number = book.assigned(respondent="BR1")
        for _ in range(25):
            book.do(lambda s: book.casework.note(s, number, book.who("handler1"), "记一笔"))

    def keep() -> None:
        while not done.is_set():
            log.sequence(book.database)

    def watched(deed: object) -> None:
        try:
            deed()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    writers = [threading.Thread(target=watched, args=(write,)) for _ in range(3)]
    keepers = [threading.Thread(target=watched, args=(keep,)) for _ in range(3)]
    for thread in (*writers, *keepers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in keepers:
        thread.join()
    assert errors == []
    log.sequence(book.database)
    sound(book)


def test_while_one_sequences_another_passes_by(book: Casebook) -> None:
    """It neither waits nor appends: whoever holds the head goes on."""
    book.submit()
    with book.database.transaction() as session:
        assert log.append(session, 1) == 1
        assert log.sequence(book.database) == 0
    sound(book)


def test_a_sequencer_killed_anywhere_leaves_all_or_nothing(book: Casebook, tmp_path: Path) -> None:
    """Its connection is cut with leaves assigned and not committed, again and again; the next one
    begins where the last whole batch ended. Killed after committing and before signing: signed later.
    """
    for _ in range(12):
        book.assigned(respondent="BR1")
        for most in (1, 2, 3):
            _append_and_die(book, most)
        assert book.do(lambda s: log.append(s, 1)) == 1
    log.sequence(book.database)
    publish(book.database, SIGNER, tmp_path, every=0)
    sound(book, tmp_path)


def _append_and_die(book: Casebook, most: int) -> None:
    """Append without committing, and lose the connection."""

    def die(session: Session) -> None:
        appended = log.append(session, most)
        assert 0 < appended <= most
        row = execute(session, "SELECT pg_backend_pid() AS pid").fetchone()
        assert row is not None
        book.run("SELECT pg_terminate_backend(%s)", row["pid"])
        try:
            execute(session, "SELECT 1")
        finally:
            session.info["driver"].close()

    victim = Database(book.url, 1)
    with pytest.raises(Busy):
        victim.perform(die)
    victim.close()


KILLED = """
import os, sys
from engine import checkpoints
from engine.database import Database
from engine.signatures import Signer
from pathlib import Path
checkpoints.CheckpointFile.add = lambda *_: os.kill(os.getpid(), 9)
checkpoints.publish(Database(sys.argv[1], 1), Signer(bytes(range(32))), Path(sys.argv[2]), every=0)
"""


def test_killed_between_the_database_and_the_file_the_file_is_brought_up_to_date(
    book: Casebook, tmp_path: Path
) -> None:
    """A checkpoint that was committed and not yet written outside is written by whoever comes next."""
    grow(book, tmp_path)
    book.submit()
    log.sequence(book.database)
    done = subprocess.run([sys.executable, "-c", KILLED, book.url, str(tmp_path)], check=False)
    assert done.returncode == -9
    file = CheckpointFile(tmp_path)
    assert [len(file.notes()), len(book.rows("SELECT FROM checkpoint"))] == [1, 2]
    assert publish(book.database, SIGNER, tmp_path)[1] == []
    assert len(file.notes()) == 2
    sound(book, tmp_path)


def test_a_note_half_written_is_cut_off_and_written_again(book: Casebook, tmp_path: Path) -> None:
    """A power cut in the middle of a line spoils nothing."""
    grow(book, tmp_path)
    file = CheckpointFile(tmp_path)
    whole = file.path.read_bytes()
    grow(book, tmp_path)
    both = file.path.read_bytes()
    for cut in range(len(whole), len(both), 7):
        file.path.write_bytes(both[:cut])
        assert file.last() == file.notes()[-1] == whole.decode()[:-1]
        assert publish(book.database, SIGNER, tmp_path)[1] == []
        assert file.path.read_bytes() == both


def test_the_last_note_of_a_long_file_is_read_from_its_end(tmp_path: Path) -> None:
    """Whatever the length of what lies before it."""
    file = CheckpointFile(tmp_path)
    notes = [
        SIGNER.sign(checkpoint_text(TreeHead(SIGNER.name, size, bytes(32), NOW, FIRST)))
        for size in range(1, 60)
    ]
    with file.held() as mine:
        assert mine
        for note in notes:
            file.add([note])
            assert file.last() == note
    assert file.notes() == notes


def test_a_checkpoint_is_made_when_it_is_time_and_the_log_grew(
    book: Casebook, tmp_path: Path
) -> None:
    """Not before a minute has passed, not without an event, and each names the one before."""
    book.submit()
    log.sequence(book.database)
    first, _ = publish(book.database, SIGNER, tmp_path)
    assert first is not None
    assert publish(book.database, SIGNER, tmp_path, every=0) == (None, [])
    book.submit()
    log.sequence(book.database)
    assert publish(book.database, SIGNER, tmp_path) == (None, [])
    second, _ = publish(book.database, SIGNER, tmp_path, every=0)
    assert second is not None
    assert read_checkpoint(second.note).previous == note_digest(first.note)
    assert SIGNER.verifier.signed(second.note)
    assert read_verifier((tmp_path / f"{SIGNER.name}.pub").read_text("utf-8")) == SIGNER.verifier


def test_an_older_copy_put_back_is_not_signed_and_not_believed(
    book: Casebook, tmp_path: Path
) -> None:
    """The file knows more than the database: said at once, signed no more, and verify is red; also
    when the copy has lived on and is longer than what was signed.
    """
    grow(book, tmp_path)
    size = book.do(log.size_of)
    grow(book, tmp_path)
    book.run("SET session_replication_role = replica")
    items = f"(SELECT item_id FROM log_leaf WHERE position >= {size})"
    for table in (
        "item_data",
        "item_duty",
        "deadline",
        "message",
        "vault.payload",
        "vault.data_key",
    ):
        book.run(f"DELETE FROM {table} WHERE item_id IN {items}")
    book.run(f"DELETE FROM item WHERE id IN {items}")
    book.run(f"DELETE FROM event WHERE item_id IN {items}")
    book.run(f"DELETE FROM log_leaf WHERE position >= {size}")
    book.run(f"DELETE FROM log_node WHERE (rank + 1) << level > {size}")
    book.run(f"UPDATE log_head SET size = {size}")
    book.run(f"DELETE FROM checkpoint WHERE size > {size}")
    book.run("SET session_replication_role = DEFAULT")
    assert verify(book.database, lambda: book.casework.catalog).faults == []
    for _ in range(2):
        found = book.do(lambda s: compare(s, CheckpointFile(tmp_path).last()))
        assert len(found) == 1
        assert publish(book.database, SIGNER, tmp_path, every=0) == (None, found)
        assert verify(book.database, lambda: book.casework.catalog, evidence(tmp_path)).faults
        for _ in range(3):
            book.assigned(respondent="BR1")
        log.sequence(book.database)
        assert book.do(log.size_of) > size * 2


def test_a_witness_cosigns_what_only_grew(book: Casebook, tmp_path: Path) -> None:
    """Its file holds both signatures; nothing new is nothing to sign; verify takes its file."""
    office, own = tmp_path / "office", tmp_path / "witness"
    for size in range(1, 4):
        grow(book, office)
        head = attest(Shown(book), WITNESS, CheckpointFile(own), NOW)
        assert head is not None
        assert len(CheckpointFile(own).notes()) == size
        assert attest(Shown(book), WITNESS, CheckpointFile(own), NOW) is None
    for note in CheckpointFile(own).notes():
        assert SIGNER.verifier.signed(note)
        assert WITNESS.verifier.signed(note)
    known = evidence(office, CheckpointFile(own).path)
    assert len(known.witnessed) == 3
    assert verify(book.database, lambda: book.casework.catalog, known).faults == []


def test_a_witness_refuses_another_past(book: Casebook, tmp_path: Path) -> None:
    """A fork signed with the right key, a log that shrank, a lying proof, another key, nonsense: none
    is signed, and the witness's file stays as it was.
    """
    office, own = tmp_path / "office", CheckpointFile(tmp_path / "witness")
    grow(book, office)
    grow(book, office)
    attest(Shown(book), WITNESS, own, NOW)
    before = own.path.read_bytes()
    head = read_checkpoint(Shown(book).checkpoint()[0])

    class Forked(Shown):
        """Shows what it is told to."""

        def __init__(self, note: str) -> None:
            super().__init__(book)
            self.note = note

        def checkpoint(self) -> tuple[str, str]:
            """The forged note."""
            return self.note, str(SIGNER.verifier)

        def consistency(self, first: int, second: int) -> Sequence[bytes]:
            """Whatever the true log would say of its own."""
            return super().consistency(first, min(second, head.size))

    def note(size: int, root: bytes, signer: Signer = SIGNER) -> str:
        return signer.sign(checkpoint_text(head._replace(origin=signer.name, size=size, root=root)))

    other = Signer(bytes(32))
    for forged in (
        note(head.size, bytes(32)),
        note(head.size + 5, bytes(32)),
        note(head.size - 1, head.root),
        note(head.size + 5, head.root, other),
        "nonsense\n\n— nobody AAAA\n",
        Shown(book).checkpoint()[0].replace("\n2\n", "\n3\n").replace(f"\n{head.size}\n", "\n99\n"),
    ):
        with pytest.raises(Refused):
            attest(Forked(forged), WITNESS, own, NOW)
        assert own.path.read_bytes() == before


@given(st.text(max_size=300))
def test_no_text_is_taken_for_a_checkpoint_or_a_key(text: str) -> None:
    """Reading never breaks: it refuses."""
    for read in (read_checkpoint, read_verifier):
        with pytest.raises(Refused):
            read(text)
    assert not SIGNER.verifier.signed(text)


def test_a_receipt_holds_only_as_it_was_given() -> None:
    """Every member counts; another key's receipt is not ours."""
    told = receipt(SIGNER, "占道2026-0000000001", NOW, bytes(32))
    assert receipt_holds(SIGNER.verifier, told)
    assert not receipt_holds(Signer(bytes(32)).verifier, told)
    for name in told:
        assert name == "key_id" or not receipt_holds(SIGNER.verifier, told | {name: "x"}), name
        assert not receipt_holds(SIGNER.verifier, {n: v for n, v in told.items() if n != name})


def test_a_signature_of_one_kind_is_not_one_of_another() -> None:
    """A cosignature is over a time and the text, and says so in its key id."""
    note = SIGNER.sign(checkpoint_text(TreeHead(SIGNER.name, 1, bytes(32), NOW, FIRST)))
    both = WITNESS.cosign(note, NOW)
    assert both.startswith(note)
    assert WITNESS.verifier.signed(both)
    assert not Signer(bytes(range(1, 33)), name=WITNESS.name).verifier.signed(both)
    assert read_verifier(str(WITNESS.verifier)) == WITNESS.verifier
    assert not WITNESS.verifier.signed(both.replace("\n1\n", "\n2\n"))


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """A file of mode 0400 in the folder of keys; one that others may read stops the start."""
    ring = Keyring(tmp_path / "keys")
    key = ring.key("checkpoint", make=True)
    path = tmp_path / "keys" / "checkpoint.key"
    assert path.stat().st_mode & 0o777 == 0o400
    assert Keyring(tmp_path / "keys").key("checkpoint", make=True) == key
    path.chmod(0o440)
    with pytest.raises(KeyFault):
        Keyring(tmp_path / "keys").check()


EDITS = (
    *(
        f"{verb} {table}"
        for verb in ("DELETE FROM", "TRUNCATE")
        for table in ("log_leaf", "log_node")
    ),
    *("DELETE FROM checkpoint", "TRUNCATE checkpoint", "DELETE FROM log_head", "TRUNCATE log_head"),
    *("UPDATE log_leaf SET seq = 9", "UPDATE log_node SET hash = hash"),
    *("UPDATE checkpoint SET size = 9", "UPDATE log_head SET size = size - 1"),
)


@pytest.mark.parametrize("edit", EDITS)
def test_the_schema_refuses_to_rewrite_the_log(book: Casebook, tmp_path: Path, edit: str) -> None:
    """Whoever tries, the log's owner too."""
    grow(book, tmp_path)
    with pytest.raises(psycopg.errors.RestrictViolation):
        book.run(edit)


def test_beyond_its_end_the_log_has_no_root(book: Casebook) -> None:
    """Neither proof nor root is made up."""
    book.submit()
    log.sequence(book.database)

    def beyond(session: Session) -> None:
        log.hashes_over(session, [Span(0, 9)])

    with pytest.raises(NotFound):
        book.do(beyond)

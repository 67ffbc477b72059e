"""kill -9 of the whole PostgreSQL under load: what was acknowledged is there, nothing is half there."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters import sample
from adapters.embedded import Postgres
from engine import journal
from engine.casework import Casework
from engine.database import Database, migrate
from engine.errors import BanjieError, Busy
from tests.casebook import MONDAY, Casebook

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS = 3
WRITERS = 4
HALVES = {
    "an item without its data": (
        "SELECT FROM item i LEFT JOIN item_data d ON d.item_id = i.id WHERE d.item_id IS NULL"
    ),
    "a commitment without its values": (
        "SELECT FROM event e LEFT JOIN vault.payload p ON (p.item_id, p.seq) = (e.item_id, e.seq)"
        " WHERE (e.commitment IS NULL) <> (p.item_id IS NULL)"
    ),
    "an assignment without its two holders": (
        "SELECT FROM event e WHERE act = 'assign' AND 2 <> (SELECT count(*) FROM item_duty u"
        " WHERE u.item_id = e.item_id AND u.assigned AND u.began_at = e.at)"
    ),
    "an open item without a clock": (
        "SELECT FROM item i WHERE closed_at IS NULL AND NOT EXISTS (SELECT FROM deadline c"
        " WHERE c.item_id = i.id AND c.name = 'idle' AND c.stopped_at IS NULL)"
    ),
    "a closed item with a clock": (
        "SELECT FROM item i JOIN deadline c ON c.item_id = i.id"
        " WHERE i.closed_at IS NOT NULL AND c.stopped_at IS NULL"
    ),
    "a grant without its letter": (
        "SELECT FROM event e LEFT JOIN document d ON (d.item_id, d.seq) = (e.item_id, e.seq)"
        " WHERE act = 'grant' AND d.id IS NULL"
    ),
    "a beginning nobody was told of": (
        "SELECT FROM event e WHERE act = 'submit' AND NOT EXISTS (SELECT FROM message m"
        " WHERE m.item_id = e.item_id AND m.seq = 1)"
    ),
    "rows of an event that is not there": (
        "SELECT FROM (SELECT item_id, seq FROM message UNION ALL SELECT item_id, seq FROM document"
        " UNION ALL SELECT item_id, seq FROM vault.payload) r"
        " LEFT JOIN event e ON (e.item_id, e.seq) = (r.item_id, r.seq) WHERE e.item_id IS NULL"
    ),
}


def offspring(pid: int) -> list[int]:
    """The processes a process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def kill(postgres: Postgres) -> None:
    """Every process of a server at once, without a word."""
    pid = postgres.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # lest it notices its children's death and says goodbye
    for each in [*offspring(pid), pid]:
        os.kill(each, signal.SIGKILL)


@pytest.fixture
def durable(home: Path, permits: Casework) -> Iterator[tuple[Postgres, Casebook]]:
    """An office on a server of its own that keeps every promise of durability."""
    with Postgres(home, settings={"shared_buffers": "32MB"}) as postgres:
        url = postgres.url("banjie")
        migrate(url)
        database = Database(url, size=WRITERS + 1)
        book = Casebook(url, Casework(permits.catalog, keyring=permits.keyring), database)
        sample.load(database, book.casework)
        yield postgres, book
        book.close()


def write(book: Casebook, stop: threading.Event, acknowledged: list[tuple[str, int]]) -> int:
    """Move items until told to stop; what was answered is remembered, what was not is counted."""
    unknown = 0
    people = ["handler1", "handler2"]
    while not stop.is_set():
        try:
            number = book.submit(by="intake", at=MONDAY).number
            acknowledged.append((number, 1))
            book.go(number, "assign", "unit_head", handlers=people, declarations_signed=True)
            acknowledged.append((number, 2))
            book.go(number, "check", "handler1", opinion=number)
            acknowledged.append((number, 3))
            book.go(number, "grant", "head")
            acknowledged.append((number, 4))
        except Busy:
            unknown += 1
        except BanjieError as error:  # nothing else may come of a crash
            raise AssertionError(error.code) from error
    return unknown


def test_nothing_acknowledged_is_lost_and_nothing_is_half_written(
    durable: tuple[Postgres, Casebook],
) -> None:
    """After each kill -9 under load every acknowledged act is there, whole, and the chain holds."""
    postgres, book = durable
    with psycopg.connect(book.url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert connection.execute(f"SHOW {setting}".encode()).fetchone() == ("on",)
    acknowledged: list[tuple[str, int]] = []
    unknown = 0
    for _ in range(KILLS):
        stop, before = threading.Event(), len(acknowledged)
        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(write, book, stop, acknowledged) for _ in range(WRITERS)]
            until = time.monotonic() + 15
            while len(acknowledged) < before + 60 and time.monotonic() < until:
                time.sleep(0.01)
            kill(postgres)
            stop.set()
            unknown += sum(writer.result(timeout=30) for writer in writers)
        assert len(acknowledged) >= before + 60
        postgres.start()
    assert unknown
    book.close()  # connections to servers that are no more
    kept = {
        (row["number"], row["seq"])
        for row in book.rows("SELECT number, e.seq FROM event e JOIN item i ON i.id = e.item_id")
    }
    assert set(acknowledged) <= kept
    assert {name: len(book.rows(query)) for name, query in HALVES.items()} == dict.fromkeys(
        HALVES, 0
    )
    events, faults = book.do(journal.verify)
    assert faults == []
    assert events == len(kept) >= len(acknowledged)
    assert book.go(book.submit().number, "refuse", "unit_head", reason="止").state == "refused"

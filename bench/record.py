"""`python -m bench.record [EVENTS]`: how long it takes to append a record to the log and to verify it.

The record is true: ten items live through ten events each by the engine's own verbs, the rest are
copies with chains computed for them, so that verifying finds nothing. Ends with 1 above the limits.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from adapters import sample
from bench.ground import FIRST, grievance, person, server
from engine import journal, log
from engine.casework import Casework
from engine.checkpoints import publish
from engine.database import Database, migrate
from engine.keys import Keyring
from engine.models import Base
from engine.people import PUBLIC
from engine.signatures import Signer
from engine.verification import evidence, verify
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from adapters.embedded import Postgres

    Row = dict[str, Any]

EVENTS = 1_000_000
SECONDS = 60.0
A_SECOND = 2_000
NOTES = 8
COPIED = ("item", "item_data", "event", "item_duty", "deadline")
OWN = {"item": "id", "event": "item_id"}


def lay(postgres: Postgres, events: int) -> str:
    """The address of a database with so many events in it, none of them in the log yet."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE record")
    url = postgres.url("record")
    migrate(url)
    database = Database(url, 2)
    casework = Casework(catalog(), keyring=Keyring(postgres.place.folder / "keys"))
    sample.load(database, casework)
    number = _live(database, casework)
    with psycopg.connect(url, row_factory=dict_row) as connection:
        _copy(connection, number, events // (NOTES + 2))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO log_queue SELECT item_id, seq FROM event")
        connection.execute("VACUUM (ANALYZE, PARALLEL 2)")
    database.close()
    return url


def _live(database: Database, casework: Casework) -> str:
    """One item with a past, as the engine writes it."""
    with database.transaction() as session:
        born = casework.submit(session, "grievance", PUBLIC, grievance("BR1"), channel="web")
        intake = person(casework, session, "intake")
        casework.advance(session, born.number, "register", intake)
        for _ in range(NOTES):
            casework.note(session, born.number, intake, "记一笔")
    return born.number


def _copy(connection: psycopg.Connection[Row], number: str, count: int) -> None:
    """So many items like one, each with a chain of its own."""
    found = connection.execute("SELECT id FROM item WHERE number = %s", [number]).fetchone()
    assert found is not None
    rows = {
        table: connection.execute(
            f"SELECT * FROM {table} WHERE {OWN.get(table, 'item_id')} = %s",  # noqa: S608
            [found["id"]],
        ).fetchall()
        for table in COPIED
    }
    rows["event"].sort(key=lambda row: row["seq"])
    for event in rows["event"]:
        event["commitment"] = None  # personal values are not copied
    connection.execute("SET session_replication_role = replica")
    for table in COPIED:
        columns = [c.name for c in Base.metadata.tables[table].columns]
        names = ", ".join(f'"{name}"' for name in columns)
        with connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in _copies(table, rows, number, count):
                copy.write_row(
                    [Jsonb(v) if isinstance(v, dict | list) else v for v in _of(row, columns)]
                )


def _of(row: Row, columns: Sequence[str]) -> list[Any]:
    return [row[name] for name in columns]


def _copies(table: str, rows: dict[str, list[Row]], number: str, count: int) -> Iterator[Row]:
    item = rows["item"][0]
    serial = FIRST
    for own in range(FIRST, FIRST + count):
        name = f"{number[:-10]}{own:010d}"
        ours = {**item, "id": own, "number": name, "family_id": own, "code_hash": None}
        if table in {"item", "event"}:
            head = journal.birth_digest(ours)
            for row in rows["event"]:
                kept = {k: row[k] for k in journal.Event.__slots__ if k in row}
                head = journal.digest(journal.Event(**{**kept, "number": name}), head)
                if table == "event":
                    yield {**row, "item_id": own, "hash": head}
            if table == "item":
                yield {**ours, "head": head}
        else:
            for row in rows[table]:
                serial += 1
                yield {**row, "item_id": own, "family_id": own, "id": serial}


def main(events: int) -> bool:
    """Lay the record, append it, verify it; whether both were quick enough."""
    with server() as postgres, TemporaryDirectory() as folder:
        url = lay(postgres, events)
        database = Database(url, 2)
        began = perf_counter()
        appended = log.sequence(database)
        rate = appended / (perf_counter() - began)
        publish(database, Signer(bytes(32)), Path(folder), every=0)
        seconds = []
        for processes in (1, 2):
            began = perf_counter()
            found = verify(database, partial(catalog), evidence(Path(folder)), processes)
            seconds.append(perf_counter() - began)
            assert found.faults == [], found.faults[:3]
        database.close()
    sys.stdout.write(
        f"{appended} events appended, {rate:.0f} a second (at least {A_SECOND})\n"
        f"{found.events} events verified in {seconds[0]:.1f} s by one process, {seconds[1]:.1f} s by "
        f"two (at most {SECONDS:.0f})\n"
    )
    return rate >= A_SECOND and seconds[1] <= SECONDS


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS) else 1)

"""The ground every figure stands on: a durable PostgreSQL of its own and as many open items as asked.

Ten items are begun and moved by the engine itself; the rest are copies of their rows, so that every
column is what the engine writes. Only the chains are not true (a copy keeps the hashes of its
pattern), and letters, messages and personal data of the past are left out.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psycopg

from adapters import sample
from adapters.embedded import Postgres
from engine.casework import Casework
from engine.database import Database, migrate
from engine.keys import Keyring
from engine.models import Base
from engine.people import PUBLIC, Actor
from engine.walls import ENGINE, SYS
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

DURABLE = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "fsync": "on",
    "synchronous_commit": "on",
}
FIRST = 1000  # the first copy's id; below it are the ten patterns
RESPONDENTS = ("BR1", "BR2", "SQD", "SVC", "IPR", "BR1", "AUD", "LAW", "BR1", "BR2")
WAITING = 8  # of ten patterns: those that wait for their first move
STRIDE = 7919  # walks the waiting items in an order the heap does not know
CLOCK_IDS = 8  # a copy's clocks are item id x 8, x 8 + 1, ...
SHIFT = "((g * 48271 %% 1728000) * interval '1 second' + interval '1 day')"
MOVE = "register"


@dataclass
class Ground:
    """A database with `size` open items, of which eight in ten wait for their first move; `url` is the
    owner's, `app_url` the one that the programs of the office have.
    """

    url: str
    app_url: str
    size: int
    keyring: Keyring
    taken: int = field(default=0)

    def open(self, connections: int = 8) -> tuple[Database, Casework]:
        """A pool and the verbs, as a process of the office has them."""
        database = Database(self.url, connections, role=ENGINE, principal=SYS)
        return database, Casework(catalog(), keyring=self.keyring)

    @property
    def waiting(self) -> int:
        """How many items wait for their first move when the ground is new."""
        return self.size // 10 * WAITING

    def take(self, count: int) -> int:
        """Set `count` waiting items apart; the place of the first of them."""
        start = self.taken
        self.taken += count
        assert self.taken <= self.waiting, "all waiting items were used; ask for more items"
        return start

    def item(self, place: int) -> int:
        """The id of the waiting item at a place."""
        far = place * STRIDE % self.waiting
        return FIRST + far // WAITING * 10 + far % WAITING


def number(prefix: str, item: int) -> str:
    """The number of a copied item."""
    return f"{prefix}2026-{item:010d}"


@contextmanager
def server() -> Iterator[Postgres]:
    """A PostgreSQL that forgets nothing, in a folder that goes when the benchmark ends."""
    with TemporaryDirectory(prefix="banjie-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        with Postgres(home, settings=DURABLE) as postgres:
            try:
                yield postgres
            finally:
                postgres.stop()


def lay(postgres: Postgres, name: str, size: int) -> Ground:
    """A database with the sample office and `size` open items, vacuumed and checkpointed."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    ground = Ground(
        postgres.url(name), postgres.app_url(name), size, Keyring(postgres.place.folder / "keys")
    )
    migrate(ground.url)
    database, casework = ground.open(2)
    sample.load(database, casework)
    patterns = database.perform(lambda session: _patterns(session, casework))
    database.close()
    prefix = casework.catalog.named("grievance").workflow.number
    parts = 2  # one for each core of the yardstick's machine
    edges = [FIRST + size * part // parts for part in range(parts + 1)]
    threads = [
        threading.Thread(target=_copy, args=(ground.url, prefix, patterns, low, high - 1))
        for low, high in pairwise(edges)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(ground.url, autocommit=True) as connection:
        connection.execute("SELECT setval(pg_get_serial_sequence('item', 'id'), max(id)) FROM item")
        connection.execute(
            "SELECT setval(pg_get_serial_sequence('deadline', 'id'), max(id)) FROM deadline"
        )
        found = connection.execute("SELECT count(*) FROM item WHERE closed_at IS NULL").fetchone()
        assert found is not None
        assert found[0] == size + len(patterns), "the ground is not as large as asked"
        connection.execute("VACUUM (ANALYZE, PARALLEL 2)")
        connection.execute("CHECKPOINT")
    return ground


def person(casework: Casework, session: Session, account: str) -> Actor:
    """Somebody of the sample office."""
    found = casework.house(session).office.person_named(account)
    assert found is not None
    return Actor("person", found)


def _patterns(session: Session, casework: Casework) -> list[int]:
    """Ten items as the engine writes them: eight wait, one is registered, one is accepted."""
    intake = person(casework, session, "intake")
    head = person(casework, session, "unit_head")
    made: list[int] = []
    for at, respondent in enumerate(RESPONDENTS):
        born = casework.submit(session, "grievance", PUBLIC, grievance(respondent), channel="web")
        if at >= WAITING:
            casework.advance(session, born.number, MOVE, intake)
        if at > WAITING:
            known: dict[str, Any] = {
                "subject_officers_or_unknown": "unknown",
                "risk_level": "normal",
            }
            known["category_codes"] = ["M01"]
            casework.advance(session, born.number, "accept", head, known)
        made.append(born.id)
    return made


def grievance(respondent: str) -> dict[str, Any]:
    """What a citizen writes."""
    return {
        "narrative": "申请变更经营范围已两个月,窗口多次要求补交同一份材料,至今没有书面答复。" * 3,
        "respondent": respondent,
        "categories": ["M01"],
        "contact": {"name": "张某", "phone": "13800000000"},
    }


def _copy(url: str, prefix: str, patterns: list[int], low: int, high: int) -> None:
    with psycopg.connect(url) as connection:
        # the rows are copies of rows whose references hold, so that nothing need be looked up again
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET work_mem = '256MB'")
        for table, own in _copied(prefix).items():
            columns = [column.name for column in Base.metadata.tables[table].columns]
            if table == "item_duty":
                columns.remove("id")
            key = "id" if table == "item" else "item_id"
            values = ", ".join(own.get(name, f"t.{name}") for name in columns)
            order = {"deadline": "id", "event": "seq"}.get(table, key)
            connection.execute(
                f"CREATE TEMP TABLE like_{table} AS SELECT *, array_position(%s, {key}) - 1 AS slot,"  # noqa: S608
                f" row_number() OVER (PARTITION BY {key} ORDER BY {order}) - 1 AS n"
                f" FROM {table} WHERE {key} = ANY(%s)",
                (patterns, patterns),
            )
            connection.execute(f"ANALYZE like_{table}")
            connection.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values}"  # noqa: S608
                f" FROM generate_series(%s::bigint, %s::bigint) g"
                f" JOIN like_{table} t ON t.slot = g %% 10",
                (low, high),
            )


def _copied(prefix: str) -> dict[str, dict[str, str]]:
    """By table: the columns in which a copy differs from its pattern."""
    return {
        "item": {
            "id": "g",
            "number": f"'{prefix}2026-' || lpad(g::text, 10, '0')",
            "family_id": "g",
            "due_at": f"t.due_at + {SHIFT}",
            "code_hash": "NULL",
        },
        "item_data": {"item_id": "g"},
        "event": {"item_id": "g"},
        "deadline": {
            "id": f"g * {CLOCK_IDS} + t.n",
            "item_id": "g",
            "due_at": f"t.due_at + {SHIFT}",
            "due_on": f"(t.due_at + {SHIFT})::date",
            "next_rung_at": f"t.next_rung_at + {SHIFT}",
        },
        "item_duty": {"item_id": "g", "family_id": "g"},
    }

"""`python -m bench.figures [ITEMS]`: how long the figures of a month, a quarter and a year take.

Ten grievances are handled by the engine's own verbs, eight of them to their end with some ten events and
nine clocks each; the rest are copies of them, spread evenly over two years. Every statement runs under
the limit of five seconds that the counter's have. Ends with 1 where the figures of a month take longer
than two seconds, or any statement runs into the limit.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Any

import psycopg

from adapters import sample
from bench.ground import grievance, person, server
from engine.casework import Casework
from engine.database import Database, migrate
from engine.disclosure import disclose
from engine.errors import Busy
from engine.keys import Keyring
from engine.models import Base
from engine.people import PUBLIC
from engine.walls import APP
from engine.workdays import SHANGHAI
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.embedded import Postgres

ITEMS = 100_000
SECONDS = 2.0
BORN = datetime(2026, 9, 1, 10, tzinfo=SHANGHAI)
DAYS = 730
FIRST = 1000
DONE = 8  # of ten patterns
BACK = f"(g * 48271 %% {DAYS}) * interval '1 day'"
TIMES = (
    "received_at",
    "entered_at",
    "closed_at",
    "at",
    "started_at",
    "stopped_at",
    "due_at",
    "began_at",
)
STEPS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("register", "intake", {"matter": "conduct"}),
    (
        "accept",
        "unit_head",
        {
            "subject_officers_or_unknown": "unknown",
            "risk_level": "normal",
            "category_codes": ["M01"],
        },
    ),
    ("assign", "unit_head", {"handlers": ["handler1", "handler2"], "declarations_signed": True}),
    (
        "conclude",
        "handler1",
        {
            "findings": "未发现违反规定的情形",
            "evidence_list": ["现场录像"],
            "disposition": "not_substantiated",
            "proposal": "答复当事人",
        },
    ),
    ("pass", "law_reviewer", {"opinion": "程序合法"}),
    ("decide", "deputy", {"decision": "不属实"}),
    ("reply", "handler1", {"reply_document": "许市监答〔2026〕1号"}),
    ("close", "unit_head", {"closure_summary": "已答复"}),
)


def lay(postgres: Postgres, items: int) -> tuple[Database, Casework]:
    """An office that has handled so many grievances."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE figures")
    url = postgres.url("figures")
    migrate(url)
    casework = Casework(catalog(), keyring=Keyring(postgres.place.folder / "keys"))
    owner = Database(url, 2)
    sample.load(owner, casework)
    patterns = [_handle(owner, casework, done=at < DONE) for at in range(10)]
    owner.close()
    with psycopg.connect(url) as connection:
        _copy(connection, patterns, items)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return Database(postgres.app_url("figures"), 2, role=APP), casework


def _handle(database: Database, casework: Casework, *, done: bool) -> int:
    """One grievance, to its end or not; its id."""
    born = database.perform(
        lambda s: casework.submit(s, "grievance", PUBLIC, grievance("BR1"), channel="web", at=BORN)
    )
    for day, (name, account, data) in enumerate(STEPS if done else STEPS[:3]):
        at = BORN + timedelta(days=day, hours=1)
        told = data | ({"delivered_at": BORN.isoformat()} if name == "reply" else {})
        database.perform(
            lambda s, name=name, account=account, told=told, at=at: casework.advance(
                s, born.number, name, person(casework, s, account), told, at=at
            )
        )
    return born.id


def _copy(connection: psycopg.Connection[Any], patterns: list[int], items: int) -> None:
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET synchronous_commit = off")
    for table, own in _copied().items():
        columns = [column.name for column in Base.metadata.tables[table].columns]
        if table == "item_duty":
            columns.remove("id")
        key = "id" if table == "item" else "item_id"
        values = ", ".join(
            own.get(name, f"t.{name} - {BACK}" if name in TIMES else f"t.{name}")
            for name in columns
        )
        connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values}"  # noqa: S608
            " FROM generate_series(%s::bigint, %s::bigint) g JOIN (SELECT *,"
            f" row_number() OVER (PARTITION BY {key} ORDER BY {own.get('-', key)}) AS n FROM {table}) t"
            f" ON t.{key} = (%s::bigint[])[g %% 10 + 1]",
            (FIRST, FIRST + items - 1, patterns),
        )


def _copied() -> dict[str, dict[str, str]]:
    """By table: the columns in which a copy differs from its pattern; `-` is what its rows are numbered by."""
    return {
        "item": {"id": "g", "number": "'执诉2025-' || lpad(g::text, 10, '0')", "family_id": "g"},
        "item_data": {"item_id": "g"},
        "event": {"item_id": "g", "-": "seq"},
        "deadline": {"id": "g * 40 + t.n", "item_id": "g", "-": "id"},
        "item_duty": {"item_id": "g", "family_id": "g", "-": "id"},
    }


def _ask(database: Database, casework: Casework) -> Iterator[tuple[str, str, float | None, int]]:
    """(period, who, seconds or None where it was refused, cases) of each question."""
    for period in ("2026-08", "2026-Q2", "2025"):
        for account in ("law_hub", "unit_head"):
            began = perf_counter()
            try:
                with database.transaction() as session:
                    actor = person(casework, session, account)
                    found = disclose(session, casework, actor, period=period)
            except Busy:
                yield period, account, None, 0
                continue
            took = perf_counter() - began
            cases = next(figure.n for figure in found.figures if figure.id == "K-TIM-2")
            yield period, account, took, cases


def main() -> int:
    """Lay the ground, ask, print; 1 where a month was too slow or anything was refused."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS
    slow = False
    with server() as postgres:
        database, casework = lay(postgres, items)
        with database.transaction() as session:
            session.connection()
        for period, account, took, cases in _ask(database, casework):
            told = "refused: busy" if took is None else f"{took:6.2f} s"
            print(f"{period:8} {account:10} {cases:8,} closed {told}")
            slow |= took is None or (
                len(period) == len("2026-08") and period[5] != "Q" and took > SECONDS
            )
        database.close()
    return int(slow)


if __name__ == "__main__":
    raise SystemExit(main())

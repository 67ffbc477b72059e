"""Nobody waits for ever, and nobody makes others wait for ever."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from engine import database as module
from engine.database import LIMITS, VIOLATIONS, Database, execute
from engine.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

MIGRATIONS = Path(__file__).parents[2] / "engine" / "migrations" / "versions"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Two connections."""
    pool = Database(database_url, 2, longest=30)
    yield pool
    pool.close()


def test_every_connection_has_its_limits(database: Database) -> None:
    """Statement, lock, idle transaction, transaction; UTC is for the server, Shanghai for people."""
    with database.transaction() as session:
        found = {
            name: execute(session, f"SHOW {name}").fetchone()
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "transaction_timeout",
                "timezone",
            )
        }
    assert [next(iter((row or {}).values())) for row in found.values()] == [
        "5s",
        "2s",
        "10s",
        "30s",
        "Asia/Shanghai",
    ]


def test_no_free_connection_is_busy_after_two_seconds(database: Database) -> None:
    """The third who asks while two are at work is told to come again; then it is served."""
    with ExitStack() as held:
        for _ in range(2):
            execute(held.enter_context(database.transaction()), "SELECT 1")
        began = time.monotonic()
        with pytest.raises(Busy), database.transaction() as third:
            execute(third, "SELECT 1")
        assert 1.5 < time.monotonic() - began < 4
    with database.transaction() as third:
        assert execute(third, "SELECT 1 AS one").fetchone() == {"one": 1}


def test_a_client_that_stopped_holds_no_row_for_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is free once the time for an idle transaction is over (here half a second, in an
    office ten); what it does afterwards is busy, and nothing of it stands.
    """
    short = LIMITS.replace("session_timeout = '10s'", "session_timeout = '500ms'")
    assert short != LIMITS
    monkeypatch.setattr(module, "LIMITS", short)
    stopped = Database(database_url, 1)
    lock = "UPDATE bureau SET calendar_revision = calendar_revision + 1 RETURNING calendar_revision"
    seen: list[int] = []
    other = psycopg.connect(database_url, autocommit=True)

    def stop(session: Session) -> None:
        row = execute(session, lock).fetchone() or {}
        seen.append(row["calendar_revision"])
        began = time.monotonic()
        seen.append((other.execute(lock).fetchone() or (0,))[0])
        assert 0.3 < time.monotonic() - began < 3
        execute(session, "SELECT 1")

    with pytest.raises(Busy):
        stopped.perform(stop)
    other.close()
    stopped.close()
    assert seen[0] == seen[1]


def test_a_transaction_that_goes_on_for_ever_is_ended(database_url: str) -> None:
    """Though each of its statements is short."""
    hasty = Database(database_url, 1, longest=1)
    naps = ["SELECT pg_sleep(0.1)"] * 30
    with pytest.raises(Busy):
        hasty.perform(lambda session: [execute(session, nap) for nap in naps])
    hasty.close()


OURS = {
    "endpoint_url_once",
    "event_end_once",
    "item_duty_active_once",
    "log_leaf_event_once",
    "duty_only_ends",
    "event_belongs_to_its_item",
    "item_is_never_removed",
    "item_only_moves_on",
    "journal_is_append_only",
    "legal_hold_once",
    "letters_are_kept",
    "payload_is_erased_in_two_steps",
    "payload_is_held",
    "reveal_asked_once",
    "reveal_by_the_unbarred",
    "reveal_is_decided_once",
    "api_token_token_digest_once",
    "attachment_is_evidence",
    "conflict_only_ends",
    "login_token_digest_once",
    "office_is_never_removed",
}
"""What no act of a person can meet unless the program is wrong (a secret drawn twice, a rule of the
vault that is asked under the item's lock first): answered as a fault of ours."""


def test_every_constraint_that_people_can_meet_has_its_sentence(database_url: str) -> None:
    """Of what is unique, excluded, or refused by a trigger, each has a sentence in VIOLATIONS or is
    held to be our fault by name. Keys of rows, references and checks are ours, but for those that
    have a sentence: what they refuse was not decided by a person.
    """
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT conname, contype FROM pg_constraint k JOIN pg_namespace n ON n.oid = connamespace"
            " WHERE nspname NOT IN ('pg_catalog', 'information_schema')"
            " UNION SELECT c.relname, 'u' FROM pg_index JOIN pg_class c ON c.oid = indexrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE indisunique AND nspname NOT IN ('pg_catalog', 'pg_toast')"
            " AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"
        ).fetchall()
    kinds: dict[str, str] = dict(rows)
    raised = {
        name
        for path in MIGRATIONS.glob("*.py")
        for name in re.findall(r"CONSTRAINT = ''?([a-z_]+)", path.read_text())
    }
    undecided = {name for name, kind in kinds.items() if kind in "ux"} | raised
    assert sorted(undecided - set(VIOLATIONS) - OURS) == []
    assert sorted(OURS - undecided) == []
    assert not OURS & set(VIOLATIONS)
    assert set(VIOLATIONS) <= set(kinds) | raised

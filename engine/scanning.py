"""Scanning attachments for viruses. The rows say what is due, so a worker that dies loses nothing.

Without a scanner nothing is scanned and everything says so (未查毒); nothing is ever called clean. With
one, whatever was not scanned yet is, also what came before there was one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from engine import effects
from engine.attachments import ACT, personal_of, text_for
from engine.database import execute
from engine.entries import Entries
from engine.errors import BanjieError, Busy, Unscannable
from engine.people import SYS
from engine.record import record, settle
from engine.sealing import ORIGINAL, SEALED_WITH, unseal
from engine.telling import tell
from engine.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.database import Database
    from engine.store import Store

MOST_ATTEMPTS = 5
AT_ONCE = 5


class Scanner(Protocol):
    """Whoever looks for viruses. Raises Busy where it is away, Unscannable where it refuses."""

    def scan(self, blocks: Iterable[bytes]) -> bool:
        """Whether a virus was found."""


class Scanned(NamedTuple):
    """What a round of scanning came to."""

    passed: int = 0
    infected: int = 0
    failed: int = 0


def scan(database: Database, store: Store, desk: Casework, scanner: Scanner | None) -> Scanned:
    """Scan what is due; without a scanner, say of what waits that it was not scanned."""
    if scanner is None:
        with database.transaction() as session:
            execute(session, NOBODY_SCANS)
        return Scanned()
    counts = {"scanned": 0, "infected": 0, "failed": 0}
    while True:
        with database.transaction() as session:
            due = execute(session, CLAIM, (AT_ONCE,)).fetchall()
        for row in due:
            found = _judged(database, store, desk, scanner, row)
            if found is None:
                return Scanned(*counts.values())  # it is away: the rest waits as well
            counts[found] += 1
        if len(due) < AT_ONCE:
            return Scanned(*counts.values())


def _judged(
    database: Database, store: Store, desk: Casework, scanner: Scanner, row: Mapping[str, Any]
) -> str | None:
    """Scan one file and keep the outcome; None where scanner or store is away."""
    try:
        with database.transaction() as session:
            vault = Vault(session, desk.keyring, row["item_id"])
            kept = personal_of(vault, [row["seq"]]).get(row["seq"])
        if not kept:
            raise Unscannable("the key of this file is gone")
        key = bytes.fromhex(kept[SEALED_WITH])
        found = scanner.scan(unseal(key, ORIGINAL, store.get(row["original"])))
    except Busy:
        database.perform(lambda session: execute(session, AWAY, (row["id"],)))
        return None
    except BanjieError as error:
        tell("scan.failed", attachment=str(row["id"]), code=error.code)
        last = row["scan_attempts"] >= MOST_ATTEMPTS
        database.perform(lambda session: execute(session, FAILED, (last, row["id"])))
        return "failed"
    if not found:
        database.perform(lambda session: execute(session, PASSED, (row["id"],)))
        return "scanned"
    database.perform(lambda session: _lock_away(session, desk, row))
    return "infected"


def _lock_away(session: Session, desk: Casework, row: Mapping[str, Any]) -> None:
    """An infected file is never served again; whoever holds the item is told."""
    dossier = desk.held(session, row["item_id"], None)
    if not execute(session, INFECTED, (row["id"],)).rowcount:
        return  # erased meanwhile, or told by somebody else
    entries = Entries()
    record(entries, dossier, ACT, SYS, "sys", {"id": str(row["id"]), "scan": "infected"})
    settle(entries, dossier, dossier.entered_at)
    people = effects.holders(dossier)
    effects.tell(entries, dossier, people, text_for(dossier, "attachment_infected"), desk.way, {})
    entries.write(session)


NOBODY_SCANS = """
UPDATE attachment SET scan = 'not_scanned' WHERE scan = 'pending' AND erased_at IS NULL
"""
CLAIM = """
UPDATE attachment SET scan = 'pending', scan_attempts = scan_attempts + 1,
  scan_after = now() + interval '5 minutes'
WHERE id IN (
  SELECT id FROM attachment
  WHERE scan IN ('pending', 'not_scanned') AND erased_at IS NULL AND scan_after <= now()
  ORDER BY scan_after LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, item_id, seq, original, scan_attempts
"""
PASSED = """
UPDATE attachment SET scan = 'scanned', scanned_at = now()
WHERE id = %s AND erased_at IS NULL AND scan <> 'infected'
"""
INFECTED = """
UPDATE attachment SET scan = 'infected', scanned_at = now()
WHERE id = %s AND erased_at IS NULL AND scan <> 'infected'
"""
FAILED = """
UPDATE attachment SET scan = CASE WHEN %s THEN 'failed' ELSE scan END
WHERE id = %s AND erased_at IS NULL
"""
AWAY = """
UPDATE attachment SET scan_attempts = scan_attempts - 1, scan_after = now() + interval '1 minute'
WHERE id = %s AND erased_at IS NULL
"""

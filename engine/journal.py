"""The journal: one event for everything that happens to an item, each chained to the one before.

The hash of an event covers the hash before it and every column of the event, as canonical JSON
(RFC 8785 in spirit: sorted keys, no spaces, UTF-8). Personal values are not part of an event: a
salted commitment stands for them, so that erasing them leaves the chain whole.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from engine.database import execute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

GENESIS = bytes(32)


@dataclass(slots=True)
class Event:
    """One thing that happened; `hash` and `prev_seq` follow from the rest."""

    number: str
    seq: int
    workflow: str
    version: int
    act: str
    from_state: str
    to_state: str
    actor_id: int | None
    role: str
    at: datetime
    data: Mapping[str, Any]
    commitment: bytes | None
    hash: bytes

    @property
    def prev_seq(self) -> int | None:
        """The event before, None for the first."""
        return self.seq - 1 or None


def digest(event: Event, previous: bytes) -> bytes:
    """SHA-256 over the previous hash and the canonical JSON of the event (32 bytes)."""
    return hashlib.sha256(previous + _canonical(event)).digest()


def _canonical(event: Event) -> bytes:
    return orjson.dumps(
        {
            "number": event.number,
            "seq": event.seq,
            "workflow": event.workflow,
            "version": event.version,
            "act": event.act,
            "from": event.from_state,
            "to": event.to_state,
            "actor": event.actor_id,
            "role": event.role,
            "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "data": event.data,
            "commitment": event.commitment.hex() if event.commitment else None,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def commit_to(values: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """A fresh salt and the commitment to personal values: SHA-256(salt + canonical JSON)."""
    salt = secrets.token_bytes(32)
    return salt, hashlib.sha256(salt + orjson.dumps(values, option=orjson.OPT_SORT_KEYS)).digest()


def verify_item(number: str, events: Sequence[Mapping[str, Any]]) -> str | None:
    """What is wrong with an item's events (rows of `event` in order of seq), or None."""
    previous = GENESIS
    for at, row in enumerate(events, 1):
        event = Event(
            number,
            *(
                row[name]
                for name in ("seq", "workflow", "version", "act", "from_state", "to_state")
            ),
            *(row[name] for name in ("actor_id", "role", "at", "data", "commitment", "hash")),
        )
        if event.seq != at:
            return f"{number}: 第{at}条记录缺失。Event {at} is missing."
        if digest(event, previous) != bytes(event.hash):
            return f"{number}: 第{at}条记录与链不符。Event {at} does not match the chain."
        previous = bytes(event.hash)
    return None


VERIFY = """
SELECT i.number, i.state, i.seq AS item_seq, i.head, e.*
FROM item i LEFT JOIN event e ON e.item_id = i.id
WHERE i.id > %(after)s AND i.id <= %(upto)s ORDER BY i.id, e.seq
"""


def verify(session: Session, batch: int = 2000) -> tuple[int, list[str]]:
    """Check every chain, every commitment still held, and every item against its last event.

    Returns the number of events read and a sentence for each fault.
    """
    found: list[str] = []
    count = 0
    row = execute(session, "SELECT coalesce(max(id), 0) AS last FROM item").fetchone()
    last = row["last"] if row else 0
    for after in range(0, last, batch):
        chains: dict[str, list[dict[str, Any]]] = {}
        for event in execute(session, VERIFY, {"after": after, "upto": after + batch}):
            chains.setdefault(event["number"], []).append(event)
        for number, events in chains.items():
            count += len(events)
            tail = events[-1]
            if events[0]["seq"] is None or tail["item_seq"] != tail["seq"]:
                found.append(f"{number}: 记录被截断。The end of its journal is missing.")
            elif fault := verify_item(number, events):
                found.append(fault)
            elif tail["to_state"] != tail["state"] or bytes(tail["head"]) != bytes(tail["hash"]):
                found.append(f"{number}: 事项与末条记录不符。The item differs from its last event.")
        found += _broken_commitments(session, after, after + batch)
    return count, found


def _broken_commitments(session: Session, after: int, upto: int) -> list[str]:
    rows = execute(
        session,
        "SELECT i.number, p.seq, p.data, p.salt, e.commitment FROM personal_data p"
        " JOIN item i ON i.id = p.item_id JOIN event e ON e.item_id = p.item_id AND e.seq = p.seq"
        " WHERE p.item_id > %s AND p.item_id <= %s",
        (after, upto),
    )
    return [
        f"{row['number']}: 第{row['seq']}条记录所附个人信息被改动。"
        f"The personal data of event {row['seq']} were changed."
        for row in rows
        if hashlib.sha256(
            bytes(row["salt"]) + orjson.dumps(row["data"], option=orjson.OPT_SORT_KEYS)
        ).digest()
        != bytes(row["commitment"] or b"")
    ]

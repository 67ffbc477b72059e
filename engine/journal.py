"""The journal: one event for everything that happens to an item, each chained to the one before.

The hash of an event covers the hash before it and every column of the event, as canonical JSON
(RFC 8785 in spirit: sorted keys, no spaces, UTF-8). Before the first event stands a digest of what
the item is for ever: unit, family, parent, channel, receipt. Personal values are not part of an
event: a commitment to what the vault holds stands for them, so that erasing them leaves the chain
whole.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from engine.database import execute
from engine.notation import ENGINE_ACTS
from engine.vault import broken_commitments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    Row = Mapping[str, Any]

BIRTH = (
    *("id", "unit_id", "family_id", "parent_id", "mandatory", "sealed", "channel"),
    *("received_at", "outside_key"),
)
"""What an item is for ever, beside the number, workflow and version that every event names."""


class Chain(NamedTuple):
    """An item's row, with what is known of it, and its events in order."""

    item: Row
    events: Sequence[Row]


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


def birth_digest(item: Mapping[str, Any]) -> bytes:
    """What the chain of an item begins with: SHA-256 over its columns of :data:`BIRTH` (32 bytes)."""
    fixed = {name: item[name] for name in BIRTH}
    fixed["received_at"] = _moment(fixed["received_at"])
    return hashlib.sha256(orjson.dumps(fixed, option=orjson.OPT_SORT_KEYS)).digest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


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
            "at": _moment(event.at),
            "data": event.data,
            "commitment": event.commitment.hex() if event.commitment else None,
        },
        option=orjson.OPT_SORT_KEYS,
    )


_COLUMNS = (
    *("seq", "workflow", "version", "act", "from_state", "to_state", "actor_id", "role", "at"),
    *("data", "commitment", "hash"),
)


def verify_item(number: str, events: Sequence[Mapping[str, Any]], birth: bytes) -> str | None:
    """What is wrong with an item's events (rows of `event` in order of seq) that begin with the
    digest of its birth, or None.
    """
    previous = birth
    for at, row in enumerate(events, 1):
        columns = (row[name] for name in _COLUMNS)
        event = Event(number, *columns)
        if event.seq != at:
            return f"{number}: 第{at}条记录缺失。Event {at} is missing."
        if digest(event, previous) != bytes(event.hash):
            return f"{number}: 第{at}条记录与链不符。Event {at} does not match the chain."
        previous = bytes(event.hash)
    return None


ITEMS = """
SELECT i.id, i.number, i.state, i.seq, i.head, i.workflow, i.version, i.unit_id, i.family_id,
  i.parent_id, i.mandatory, i.sealed, i.channel, i.received_at, i.entered_at, i.outside_key,
  i.closed_at, i.rung, nullif(i.due_at, 'infinity') AS due_at, i.subject_unit_id, d.data AS facts
FROM item i LEFT JOIN item_data d ON d.item_id = i.id
WHERE i.id > %s AND i.id <= %s ORDER BY i.id
"""
EVENTS = """
SELECT item_id, seq, workflow, version, act, from_state, to_state, actor_id, role, at, data,
  commitment, hash FROM event WHERE item_id > %s AND item_id <= %s ORDER BY item_id, seq
"""
ORPHANS = (
    "SELECT DISTINCT item_id FROM event e WHERE NOT EXISTS (SELECT FROM item WHERE id = e.item_id)"
)
LETTERS = """
SELECT DISTINCT i.number, d.seq FROM document d JOIN item i ON i.id = d.item_id
WHERE d.item_id > %s AND d.item_id <= %s AND d.digest <> sha256(convert_to(d.body, 'UTF8'))
"""
NO_FACTS = ENGINE_ACTS - {"assignment"}
"""Acts whose data tell of the act alone; those of all others are what is known of the item."""


def verify(session: Session, batch: int = 2000) -> tuple[int, list[str]]:
    """Check every chain, every commitment still held, every letter, and every item against its
    journal: that it stands where its last event left it, and that its data are what the events say.

    Returns the number of events read and a sentence for each fault.
    """
    found = [
        f"#{row['item_id']}: 事项已被删除,记录尚在。The item was removed, its journal was not."
        for row in execute(session, ORPHANS)
    ]
    count = 0
    for after in range(0, last_item(session), batch):
        chains = chains_of(session, after, after + batch)
        read, faults = examine(session, chains, after, after + batch)
        count += read
        found += faults
    return count, found


def last_item(session: Session) -> int:
    """The highest id of an item, 0 where there is none."""
    row = execute(session, "SELECT coalesce(max(id), 0) AS last FROM item").fetchone()
    return row["last"] if row else 0


def chains_of(session: Session, after: int, upto: int) -> list[Chain]:
    """The items with ids in (after, upto], each with its events in order."""
    events: dict[int, list[Row]] = {}
    for event in execute(session, EVENTS, (after, upto)).fetchall():
        events.setdefault(event["item_id"], []).append(event)
    items = execute(session, ITEMS, (after, upto)).fetchall()
    return [Chain(item, events.get(item["id"], [])) for item in items]


def examine(
    session: Session, chains: Sequence[Chain], after: int, upto: int
) -> tuple[int, list[str]]:
    """Check the items with ids in (after, upto]: events read, and a sentence for each fault."""
    found = [fault for chain in chains if (fault := _item_fault(chain))]
    found += broken_commitments(session, after, upto)
    found += [
        f"{row['number']}: 第{row['seq']}条记录所附文书被改动。"
        f"A letter drafted with event {row['seq']} was changed."
        for row in execute(session, LETTERS, (after, upto))
    ]
    return sum(len(chain.events) for chain in chains), found


def _item_fault(chain: Chain) -> str | None:
    """What is wrong with an item and its events together, or None."""
    item, events = chain
    number = item["number"]
    if not events or item["seq"] != events[-1]["seq"]:
        return f"{number}: 记录被截断。The end of its journal is missing."
    if fault := verify_item(number, events, birth_digest(item)):
        return fault
    tail = events[-1]
    stands = (item["state"], bytes(item["head"]), item["workflow"], item["version"])
    if stands != (tail["to_state"], bytes(tail["hash"]), tail["workflow"], tail["version"]):
        return f"{number}: 事项与末条记录不符。The item differs from its last event."
    entered = next(e["at"] for e in reversed(events) if e["from_state"] != e["to_state"])
    if item["entered_at"] != entered:
        return f"{number}: 进入本环节的时间与记录不符。The moment it came to its state was changed."
    known: dict[str, Any] = {}
    for event in events:
        if event["act"] not in NO_FACTS:
            known |= event["data"]
    if item["facts"] != known:
        return f"{number}: 事项内容与记录不符。What is kept of the item is not what its events say."
    return None

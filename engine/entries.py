"""Everything one act writes, gathered and written in one statement.

A move touches up to nine tables. As one statement with data-modifying parts it is one round trip,
its foreign keys are checked at its end, and a batch (an import, a sweep) is the same statement with
longer lists. Parts without rows are left out, so the server prepares a handful of texts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from engine.database import execute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from engine.deadlines import Clock
    from engine.journal import Event

_CLOCK_COLUMNS = (
    "name text, kind text, rule text, rule_since date, span text, ladder text,"
    " started_at timestamptz, until date, pauses jsonb, extension text, due_on date, due_at timestamptz,"
    " provisional boolean, paused_at timestamptz, stopped_at timestamptz, rung smallint,"
    " next_rung smallint, next_rung_at timestamptz"
)
_CLOCK_NAMES = ", ".join(column.split()[0] for column in _CLOCK_COLUMNS.split(", "))

PARTS: Mapping[str, str] = {
    "births": """
      INSERT INTO item (id, number, workflow, version, state, revision, seq, head, unit_id,
        subject_unit_id, family_id, parent_id, mandatory, settled, sealed, channel, received_at,
        entered_at, due_at, closed_at, code_hash, outside_key)
      SELECT id, number, workflow, version, state, 1, 1, decode(head, 'hex'), unit_id,
        subject_unit_id, family_id, parent_id, mandatory, settled, sealed, channel, received_at,
        entered_at, coalesce(due_at, 'infinity'), closed_at, code_hash, outside_key
      FROM jsonb_to_recordset(%(births)s::jsonb) AS r(id bigint, number text, workflow text,
        version smallint, state text, head text, unit_id int, subject_unit_id int, family_id bigint,
        parent_id bigint, mandatory boolean, settled boolean, sealed boolean, channel text,
        received_at timestamptz, entered_at timestamptz, due_at timestamptz, closed_at timestamptz,
        code_hash text, outside_key text)
      RETURNING id""",
    "moves": """
      UPDATE item SET state = r.state, revision = r.revision, seq = r.seq,
        head = decode(r.head, 'hex'), entered_at = r.entered_at, settled = r.settled,
        due_at = coalesce(r.due_at, 'infinity'), rung = r.rung, closed_at = r.closed_at,
        subject_unit_id = r.subject_unit_id
      FROM jsonb_to_recordset(%(moves)s::jsonb) AS r(id bigint, state text, revision int, seq int,
        head text, entered_at timestamptz, settled boolean, due_at timestamptz, rung smallint,
        closed_at timestamptz, subject_unit_id int)
      WHERE item.id = r.id RETURNING item.id""",
    "facts": """
      INSERT INTO item_data (item_id, data)
      SELECT id, data FROM jsonb_to_recordset(%(facts)s::jsonb) AS r(id bigint, data jsonb)
      RETURNING item_id""",
    "changes": """
      UPDATE item_data SET data = item_data.data || r.data
      FROM jsonb_to_recordset(%(changes)s::jsonb) AS r(id bigint, data jsonb)
      WHERE item_data.item_id = r.id RETURNING item_id""",
    "keys": """
      INSERT INTO vault.data_key (item_id, epoch, wrapped, commitment)
      SELECT id, epoch, decode(wrapped, 'hex'), decode(commitment, 'hex')
      FROM jsonb_to_recordset(%(keys)s::jsonb) AS r(id bigint, epoch text, wrapped text,
        commitment text)
      RETURNING item_id""",
    "personal": """
      INSERT INTO vault.payload (item_id, seq, sealed, salt)
      SELECT id, seq, sealed, decode(salt, 'hex')
      FROM jsonb_to_recordset(%(personal)s::jsonb) AS r(id bigint, seq int, sealed jsonb, salt text)
      RETURNING item_id""",
    "traces": """
      INSERT INTO vault.trace (item_id, purpose, mark)
      SELECT DISTINCT id, purpose, decode(mark, 'hex')
      FROM jsonb_to_recordset(%(traces)s::jsonb) AS r(id bigint, purpose text, mark text)
      ON CONFLICT DO NOTHING RETURNING item_id""",
    "events": """
      INSERT INTO event (item_id, seq, prev_seq, workflow, version, act, from_state, to_state,
        actor_id, role, at, data, commitment, hash)
      SELECT id, seq, nullif(seq - 1, 0), workflow, version, act, from_state, to_state, actor_id,
        role, at, data, decode(commitment, 'hex'), decode(hash, 'hex')
      FROM jsonb_to_recordset(%(events)s::jsonb) AS r(id bigint, seq int, workflow text,
        version smallint, act text, from_state text, to_state text, actor_id int, role text,
        at timestamptz, data jsonb, commitment text, hash text)
      ORDER BY id, seq RETURNING item_id, seq""",
    "clocks": f"""
      INSERT INTO deadline (item_id, {_CLOCK_NAMES})
      SELECT item_id, {_CLOCK_NAMES}
      FROM jsonb_to_recordset(%(clocks)s::jsonb) AS r(item_id bigint, {_CLOCK_COLUMNS})
      RETURNING id""",  # noqa: S608 - constants of this file
    "clock_changes": """
      UPDATE deadline SET pauses = r.pauses, extension = r.extension, due_on = r.due_on,
        due_at = r.due_at, provisional = r.provisional, paused_at = r.paused_at,
        stopped_at = r.stopped_at, rung = r.rung, next_rung = r.next_rung,
        next_rung_at = r.next_rung_at
      FROM jsonb_to_recordset(%(clock_changes)s::jsonb) AS r(id bigint, pauses jsonb,
        extension text, due_on date, due_at timestamptz, provisional boolean, paused_at timestamptz,
        stopped_at timestamptz, rung smallint, next_rung smallint, next_rung_at timestamptz)
      WHERE deadline.id = r.id RETURNING deadline.id""",
    "duties": """
      INSERT INTO item_duty (item_id, family_id, person_id, role, duty, assigned, began_at)
      SELECT item_id, family_id, person_id, role, duty, assigned, began_at
      FROM jsonb_to_recordset(%(duties)s::jsonb) AS r(item_id bigint, family_id bigint,
        person_id int, role text, duty text, assigned boolean, began_at timestamptz)
      RETURNING id""",
    "declarations": """
      INSERT INTO item_declaration (item_id, person_id, seq, how, statement, declared_at)
      SELECT item_id, person_id, seq, how, decode(statement, 'hex'), declared_at
      FROM jsonb_to_recordset(%(declarations)s::jsonb) AS r(item_id bigint, person_id int, seq int,
        how text, statement text, declared_at timestamptz)
      ON CONFLICT DO NOTHING RETURNING seq""",
    "climbs": """
      INSERT INTO climb (deadline_id, rung, item_id, seq, level, act, due_at, climbed_at)
      SELECT deadline_id, rung, item_id, seq, level, act, due_at, climbed_at
      FROM jsonb_to_recordset(%(climbs)s::jsonb) AS r(deadline_id bigint, rung smallint,
        item_id bigint, seq int, level smallint, act text, due_at timestamptz,
        climbed_at timestamptz)
      RETURNING rung""",
    "messages": """
      INSERT INTO message (item_id, seq, deadline_id, rung, recipient_id, endpoint_id, channel,
        text, payload, status, not_before, created_at, sent_at)
      SELECT item_id, seq, deadline_id, rung, recipient_id, endpoint_id, channel, text, payload,
        status, created_at, created_at, CASE WHEN status = 'sent' THEN created_at END
      FROM jsonb_to_recordset(%(messages)s::jsonb) AS r(item_id bigint, seq int,
        deadline_id bigint, rung smallint, recipient_id int, endpoint_id int, channel text,
        text text, payload jsonb, status text, created_at timestamptz)
      RETURNING id""",
    "documents": """
      INSERT INTO document (item_id, seq, template, title, body, digest, drafted_at)
      SELECT item_id, seq, template, title, body, sha256(convert_to(body, 'UTF8')), drafted_at
      FROM jsonb_to_recordset(%(documents)s::jsonb) AS r(item_id bigint, seq int, template text,
        title text, body text, drafted_at timestamptz)
      RETURNING id""",
    "attachments": """
      INSERT INTO attachment (id, item_id, seq, kind, size, sha256, copy_size, flags, from_public,
        to_public, original, copy, scan)
      SELECT id, item_id, seq, kind, size, decode(sha256, 'hex'), copy_size, flags, from_public,
        to_public, original, copy, scan
      FROM jsonb_to_recordset(%(attachments)s::jsonb) AS r(id uuid, item_id bigint, seq int,
        kind text, size bigint, sha256 text, copy_size bigint, flags text[], from_public boolean,
        to_public boolean, original text, copy text, scan text)
      RETURNING id""",
}
"""One data-modifying part a table, in the order of their writing."""

QUEUE = "INSERT INTO log_queue SELECT item_id, seq FROM w_events"
"""Every event waits for its place in the log (engine/log.py) from the moment it is there."""


@dataclass
class Entries:
    """The rows of one act (or of a batch of acts), by part."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, part: str, **row: Any) -> None:
        """One more row for a part of :data:`PARTS`."""
        self.rows.setdefault(part, []).append(row)

    def event(self, item_id: int, event: Event) -> None:
        """One more event."""
        self.add(
            "events",
            id=item_id,
            seq=event.seq,
            workflow=event.workflow,
            version=event.version,
            act=event.act,
            from_state=event.from_state,
            to_state=event.to_state,
            actor_id=event.actor_id,
            role=event.role,
            at=event.at,
            data=event.data,
            commitment=event.commitment.hex() if event.commitment else None,
            hash=event.hash.hex(),
        )

    def start(self, item_id: int, clocks: Iterable[Clock]) -> None:
        """Clocks that start."""
        for clock in clocks:
            self.add("clocks", **{**clock.as_row(), "item_id": item_id})

    def change(self, clocks: Iterable[Clock]) -> None:
        """Clocks that stop, pause, resume, are extended or climb."""
        for clock in clocks:
            self.add("clock_changes", **clock.as_row())

    def write(self, session: Session) -> None:
        """Write everything in one statement. Nothing to write is nothing done."""
        parts = tuple(name for name in PARTS if self.rows.get(name))
        if parts:
            execute(session, _statement(parts), {name: _json(self.rows[name]) for name in parts})


@cache
def _statement(parts: tuple[str, ...]) -> str:
    """One statement for these parts. Without line breaks most of them stay below the 4,096
    characters above which psycopg reads a text anew each time.
    """
    texts = [" ".join(PARTS[name].split()) for name in parts]
    last = QUEUE if "events" in parts else texts.pop()
    withs = ", ".join(f"w_{name} AS ({text})" for name, text in zip(parts, texts, strict=False))
    return f"WITH {withs} {last}" if withs else last


def _json(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()

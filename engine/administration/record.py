"""The record of the office: what changed, when, by whose hand; chained, and checked against the tables."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.paging import Page, last_number

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.paging import Key

LIST = """
SELECT seq, entry, encode(hash, 'hex') AS hash FROM office_event
WHERE seq < %(last)s ORDER BY seq DESC LIMIT %(n)s
"""
CHAIN = "SELECT seq, entry::text AS entry, (entry ->> 'seq')::bigint AS told, hash FROM office_event ORDER BY seq"
NOTHING_BEFORE = bytes(32)
KEYS = {
    "unit": "t.id::text",
    "person": "t.id::text",
    "membership": "concat_ws(' ', t.person_id, t.role, t.unit_id)",
    "leave": "t.id::text",
    "officer_conflict": "t.id::text",
    "role_proposal": "t.id::text",
}
STRAYS = """
WITH last AS (
  SELECT DISTINCT ON (key) key, facts FROM (
    SELECT seq, entry -> 'after' AS facts, {told_key} AS key
    FROM office_event CROSS JOIN LATERAL (
      SELECT coalesce(nullif(entry -> 'after', 'null'), entry -> 'before') AS t) k
    WHERE entry ->> 'about' = '{table}') e ORDER BY key, seq DESC)
SELECT coalesce(last.key, now.key) AS key
FROM (SELECT * FROM last WHERE facts <> 'null') last
FULL JOIN (SELECT {key} AS key, office_facts('{table}', to_jsonb(t)) AS facts FROM {table} t) now
  ON now.key = last.key
WHERE last.facts IS DISTINCT FROM now.facts ORDER BY 1
"""
_TOLD_KEYS = {
    "membership": "concat_ws(' ', k.t ->> 'person_id', k.t ->> 'role', k.t ->> 'unit_id')"
}


def events(session: Session, *, after: Key | None = None, limit: int = 50) -> Page:
    """The record, the newest first: `by` is person:<id>, command, worker or database."""
    last = last_number(after) if after is not None else 1 << 62
    rows = execute(session, LIST, {"last": last, "n": limit + 1}).fetchall()
    kept = rows[:limit]
    people = {
        row["id"]: row["account"] for row in execute(session, "SELECT id, account FROM person")
    }
    return Page(
        [_shown(row, people) for row in kept], [kept[-1]["seq"]] if len(rows) > limit else None
    )


def _shown(row: dict[str, Any], people: dict[int, str]) -> dict[str, Any]:
    entry = row["entry"]
    kind, _, number = entry["by"].partition(":")
    by = people.get(int(number), entry["by"]) if kind == "person" else entry["by"]
    kept = {name: entry[name] for name in ("at", "about", "act", "before", "after")}
    return {"seq": row["seq"], "by": by, **kept, "hash": row["hash"]}


def verify_office(session: Session) -> tuple[int, list[str]]:
    """Check the record of the office: its chain, its numbering, and that the tables stand as it says.

    Returns how many entries were checked, and a sentence for every fault.
    """
    previous, count, faults = NOTHING_BEFORE, 0, []
    for row in execute(session, CHAIN):
        count += 1
        if row["seq"] != count or row["told"] != count:
            faults.append(f"机构记录:第{count}条缺失。Entry {count} of the office is missing.")
            break
        if hashlib.sha256(previous + row["entry"].encode()).digest() != bytes(row["hash"]):
            faults.append(
                f"机构记录:第{count}条与链不符。Entry {count} of the office does not match the chain."
            )
            break
        previous = bytes(row["hash"])
    for table, key in KEYS.items():
        statement = STRAYS.format(
            table=table, key=key, told_key=_TOLD_KEYS.get(table, "k.t ->> 'id'")
        )
        faults += [
            f"{table} {row['key']}:与机构记录不符。Does not stand as the record of the office says."
            for row in execute(session, statement)
        ]
    return count, faults

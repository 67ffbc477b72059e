"""The journal as an object-centric event log: OCEL 2.0 JSON (https://www.ocel-standard.org).

Objects are items (their workflow is the type) and the people who acted, by account alone; events
are the journal's. Nothing anybody wrote is in it, and no item of a sealed workflow. Written piece
by piece: the log may be larger than the memory.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import orjson

from engine.database import execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.database import Database

__all__ = ["export_ocel"]

PERSON = "person"
_BATCH = 1000
_ITEM_ATTRIBUTES = ("state", "unit", "channel", "version")
_EVENT_ATTRIBUTES = ("from", "to", "role")

_TYPES = "SELECT DISTINCT workflow FROM item WHERE NOT sealed ORDER BY 1"
_ACTS = """
SELECT DISTINCT e.workflow, e.act FROM event e JOIN item i ON i.id = e.item_id
WHERE NOT i.sealed ORDER BY 1, 2
"""
_PEOPLE = """
SELECT p.account, u.code AS unit, min(e.at) AS since FROM event e
JOIN item i ON i.id = e.item_id JOIN person p ON p.id = e.actor_id JOIN unit u ON u.id = p.unit_id
WHERE NOT i.sealed GROUP BY 1, 2 ORDER BY 1
"""
_ITEMS = """
SELECT i.id, i.number, i.workflow, i.version, i.state, i.channel, i.received_at, u.code AS unit,
  p.number AS parent
FROM item i JOIN unit u ON u.id = i.unit_id
LEFT JOIN item p ON p.id = i.parent_id AND NOT p.sealed
WHERE NOT i.sealed AND i.id > %s ORDER BY i.id LIMIT %s
"""
_EVENTS = """
SELECT i.number, e.seq, e.workflow, e.act, e.from_state, e.to_state, e.role, e.at, p.account
FROM event e JOIN item i ON i.id = e.item_id LEFT JOIN person p ON p.id = e.actor_id
WHERE e.item_id = ANY(%s) ORDER BY e.item_id, e.seq
"""


def export_ocel(database: Database, path: Path) -> tuple[int, int]:
    """Write the log; (items, events) written. A file that is there is replaced once all is out."""
    part = path.with_name(f"{path.name}.part")
    items = events = 0
    with part.open("wb") as file:
        file.write(b'{"objectTypes":' + _dump(_object_types(database)))
        file.write(b',\n"eventTypes":' + _dump(_event_types(database)))
        file.write(b',\n"objects":[')
        comma = b"\n"
        for person in _people(database):
            file.write(comma + _dump(person))
            comma = b",\n"
        for rows in _items(database):
            for row in rows:
                file.write(comma + _dump(_object(row)))
                comma = b",\n"
            items += len(rows)
        file.write(b'],\n"events":[')
        comma = b"\n"
        for rows in _items(database):
            with database.transaction() as session:
                found = execute(session, _EVENTS, ([row["id"] for row in rows],)).fetchall()
            for row in found:
                file.write(comma + _dump(_event(row)))
                comma = b",\n"
            events += len(found)
        file.write(b"]}\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return items, events


def _object_types(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as session:
        names = [row["workflow"] for row in execute(session, _TYPES)]
    return [
        {"name": PERSON, "attributes": [{"name": "unit", "type": "string"}]},
        *({"name": name, "attributes": _declared(_ITEM_ATTRIBUTES)} for name in names),
    ]


def _event_types(database: Database) -> list[dict[str, Any]]:
    with database.transaction() as session:
        acts = execute(session, _ACTS).fetchall()
    return [
        {"name": f"{row['workflow']}/{row['act']}", "attributes": _declared(_EVENT_ATTRIBUTES)}
        for row in acts
    ]


def _declared(names: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": "string"} for name in names]


def _people(database: Database) -> Iterator[dict[str, Any]]:
    with database.transaction() as session:
        rows = execute(session, _PEOPLE).fetchall()
    for row in rows:
        unit = {"name": "unit", "time": row["since"], "value": row["unit"]}
        yield {"id": _account(row["account"]), "type": PERSON, "attributes": [unit]}


def _items(database: Database) -> Iterator[list[dict[str, Any]]]:
    after = 0
    while True:
        with database.transaction() as session:
            rows = execute(session, _ITEMS, (after, _BATCH)).fetchall()
        if not rows:
            return
        yield rows
        after = rows[-1]["id"]


def _object(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": row["number"],
        "type": row["workflow"],
        "attributes": [
            {"name": name, "time": row["received_at"], "value": str(row[name])}
            for name in _ITEM_ATTRIBUTES
        ],
    }
    if row["parent"]:
        found["relationships"] = [{"objectId": row["parent"], "qualifier": "parent"}]
    return found


def _event(row: dict[str, Any]) -> dict[str, Any]:
    related = [{"objectId": row["number"], "qualifier": "item"}]
    if row["account"]:
        related.append({"objectId": _account(row["account"]), "qualifier": row["role"]})
    return {
        "id": f"{row['number']}#{row['seq']}",
        "type": f"{row['workflow']}/{row['act']}",
        "time": row["at"],
        "attributes": [
            {"name": "from", "value": row["from_state"]},
            {"name": "to", "value": row["to_state"]},
            {"name": "role", "value": row["role"]},
        ],
        "relationships": related,
    }


def _account(account: str) -> str:
    return f"{PERSON}:{account}"


def _dump(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)

"""What supervisors and readers of messages look at: the stalls, what was pushed, how far behind we are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import effects
from engine.database import execute
from engine.dossier import READ
from engine.errors import NotFound
from engine.outbox import lag, render
from engine.paging import Page, Search, last_id, last_stall
from engine.sight import NOT_HIDDEN, sight
from engine.walls import SYS, stand_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.paging import Key
    from engine.people import Actor
    from engine.reading import Text


STALLS = """
SELECT i.id, i.number, i.workflow, i.version, i.state, d.id AS clock, d.name, d.kind, d.rule, d.rung,
  d.due_at, d.due_at::text AS due_text, d.next_rung_at, n.now,
  coalesce((SELECT min(k.due_at) FROM climb k WHERE k.deadline_id = d.id AND k.level >= 1),
    d.started_at) AS alarm_at
FROM (SELECT now() + practice_offset AS now FROM bureau) n CROSS JOIN deadline d
JOIN item i ON i.id = d.item_id
WHERE d.id = ANY(%s) ORDER BY d.rung DESC, d.due_at, d.id
"""
STALLED = """
SELECT d.id FROM (SELECT now() + practice_offset AS now FROM bureau) n CROSS JOIN deadline d
JOIN item i ON i.id = d.item_id
WHERE d.stopped_at IS NULL AND d.rung >= 1 AND i.closed_at IS NULL AND {where}
ORDER BY d.rung DESC, d.due_at, d.id LIMIT %(n)s
"""


def stalls(
    session: Session,
    desk: Casework,
    actor: Actor,
    *,
    rung: int | None = None,
    unit: str | None = None,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """The escalation queue, highest rung first, then the longest overdue: a row for each clock.

    A limit that was only pushed early (it has climbed but is not due) is no stall and left out,
    unless a rung is asked for; then it is shown as `due_soon`.
    """
    house = desk.house(session)
    look = sight(desk, house, actor)
    search = Search(look, limit)
    search.narrow_to(house, unit)
    search.in_units()
    if rung is None:
        search.demand("(d.kind <> 'limit' OR d.due_at <= n.now)")
    else:
        search.demand("d.rung = %(rung)s", rung=rung)
    if after is not None:
        height, moment, last = last_stall(after)
        search.demand(
            "(d.rung < %(height)s OR d.rung = %(height)s"
            " AND (d.due_at, d.id) > (%(moment)s::timestamptz, %(last)s))",
            height=height,
            moment=moment,
            last=last,
        )
    ids = search.choose(session, STALLED.format(where=search.where(look.visible())))
    rows = execute(session, STALLS, (ids,)).fetchall()
    holders = _holders(session, desk, {row["id"] for row in rows[:limit]})
    key = ["rung", "due_text", "clock"]
    return search.page(rows, key, lambda row: _stall(desk, row, holders[row["id"]]))


def _stall(desk: Casework, row: Mapping[str, Any], holders: list[str]) -> dict[str, Any]:
    workflow = desk.catalog.of(row["workflow"], row["version"]).workflow
    kind, since = row["kind"], row["alarm_at"]
    if kind == "limit":
        late = row["due_at"] is not None and row["due_at"] <= row["now"]
        kind, since = ("overdue", row["due_at"]) if late else ("due_soon", since)
    return {
        "number": row["number"],
        "title": workflow.title,
        "title_en": workflow.title_en,
        "workflow": row["workflow"],
        "state": row["state"],
        "state_title": workflow.states[row["state"]].title,
        "kind": kind,
        "deadline": row["name"],
        "rule": row["rule"],
        "rung": row["rung"],
        "since": since,
        "holder": holders,
        "next_rung_at": row["next_rung_at"],
    }


def _holders(session: Session, desk: Casework, items: Iterable[int]) -> dict[int, list[str]]:
    rows = execute(session, READ + " WHERE i.id = ANY(%s)", (list(items),)).fetchall()
    found = {}
    for dossier in (desk.dossier(session, row, None) for row in rows):
        people = effects.holders(dossier)
        found[dossier.id] = [dossier.office.people[person].account for person in people]
    return found


MESSAGES = """
SELECT m.id, i.number AS item, d.rule, m.rung, m.recipient_id, m.endpoint_id, m.channel, m.text,
  m.status, m.attempts, m.created_at, m.sent_at, m.receipt, m.payload
FROM message m JOIN item i ON i.id = m.item_id LEFT JOIN deadline d ON d.id = m.deadline_id
WHERE m.id = ANY(%s) ORDER BY m.id DESC
"""
PUSHED = """
SELECT m.id FROM message m JOIN item i ON i.id = m.item_id
WHERE {where} ORDER BY m.id DESC LIMIT %(n)s
"""


def messages(
    session: Session,
    desk: Casework,
    actor: Actor,
    *,
    status: str | None = None,
    item: str | None = None,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """What was pushed about items the actor may see, the newest first; `recipient` is an account,
    `public` for the petitioner, or `endpoint` for a system outside.
    """
    house = desk.house(session)
    look = sight(desk, house, actor)
    search = Search(look, limit)
    if status is not None:
        search.demand("m.status = %(status)s", status=status)
    if item is not None:
        search.demand("m.item_id = (SELECT id FROM item WHERE number = %(item)s)", item=item)
    if after is not None:
        search.demand("m.id < %(last)s", last=last_id(after))
    ids = search.choose(session, PUSHED.format(where=search.where(look.visible())))
    rows = execute(session, MESSAGES, (ids,)).fetchall()

    def told(row: Mapping[str, Any]) -> dict[str, Any]:
        if row["recipient_id"] is not None:
            recipient = house.office.people[row["recipient_id"]].account
        else:
            recipient = "public" if row["endpoint_id"] is None else "endpoint"
        kept = {name: row[name] for name in ("item", "rule", "rung", "channel", "text", "status")}
        kept |= {name: row[name] for name in ("attempts", "created_at", "sent_at", "receipt")}
        return {"id": str(row["id"]), "recipient": recipient, **kept}

    return search.page(rows, ["id"], told)


def inbox(
    session: Session, desk: Casework, actor: Actor, *, after: Key | None = None, limit: int = 50
) -> Page:
    """What the actor was told, the newest first; nothing of items they must no longer know of."""
    house = desk.house(session)
    look = sight(desk, house, actor)
    search = Search(look, limit)
    search.demand("m.recipient_id = %(me)s AND m.status <> 'withdrawn'")
    if after is not None:
        search.demand("m.id < %(last)s", last=last_id(after))
    ids = search.choose(session, PUSHED.format(where=search.where(NOT_HIDDEN)))
    rows = execute(session, MESSAGES, (ids,)).fetchall()
    return search.page(rows, ["id"], lambda row: told_text(desk.catalog.texts, row))


def told_text(texts: Mapping[str, Text], row: Mapping[str, Any]) -> dict[str, Any]:
    """A message in words, from its text and its payload."""
    text = texts.get(row["text"])
    title, body = render(text, row["payload"]) if text else ("", "")
    return {
        "id": str(row["id"]),
        "item": row["item"],
        "rung": row["rung"],
        "title": title,
        "body": body,
        "created_at": row["created_at"],
    }


BEHIND = """
SELECT coalesce(extract(epoch FROM n.now - min(d.next_rung_at)), 0)::float8 AS oldest,
  count(d.id) AS due
FROM (SELECT now() + practice_offset AS now FROM bureau) n
LEFT JOIN deadline d ON d.next_rung_at <= n.now GROUP BY n.now
"""
DURABLE = """
SELECT current_setting('synchronous_commit') NOT IN ('off', 'local')
  AND current_setting('fsync')::bool AND current_setting('full_page_writes')::bool AS durable
"""


def readiness(session: Session) -> dict[str, Any]:
    """How far the sweep and the outbox are behind (seconds and counts, office's clock), and whether
    the database keeps what it confirms when the power goes.
    """
    stand_for(session, SYS)
    behind = execute(session, BEHIND).fetchone()
    durable = execute(session, DURABLE).fetchone()
    if behind is None or durable is None:
        raise NotFound("数据库尚未初始化。The database is not set up; run `banjie migrate`.")
    return {"sweep": behind, "outbox": lag(session)._asdict(), "durable": durable["durable"]}

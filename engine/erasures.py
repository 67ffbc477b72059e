"""Erasures (删除个人信息): in two steps, unless a legal hold forbids it, and always on record.

Restricted, nothing personal of an item is shown any more; it can still be undone. Shredded, the
payloads, their salts and the data key are gone, with the marks, the attachments, and with every
letter that quoted them. The journal stays whole: an event says which of its payloads were erased, and under which law.
An item's descendants go with it, for what the file carries on is carried into them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.attachments import erase_attachments
from engine.database import execute
from engine.entries import Entries
from engine.errors import KeyFault, NotAvailable, NotPermitted
from engine.forms import Accepted, note_text
from engine.marks import bare
from engine.people import SYS
from engine.record import record, settle
from engine.timekeeping import term
from engine.walls import SYS as SYSTEM
from engine.walls import stand_for
from engine.workdays import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.database import Database
    from engine.dossier import Dossier
    from engine.people import Actor
    from engine.workdays import Span

LAW = "个人信息保护法 第四十七条"
KEEPERS = ("law_hub", "liaison")
"""Who sets and lifts a legal hold, and restricts on request."""
RESTRICT, RETAIN = "vault.restrict", "vault.retain"
LEAST_SECRET = 4
"""Characters below which a text found in a letter means nothing; of identities, two."""


class Erased(NamedTuple):
    """What a sweep did: items restricted, items shredded, items left alone under a hold."""

    restricted: int
    shredded: int
    held: int


def hold(
    session: Session,
    desk: Casework,
    number: str,
    actor: Actor,
    reason: str,
    *,
    held: bool,
    revision: int | None = None,
    at: datetime | None = None,
) -> dict[str, Any]:
    """Set a legal hold, or lift the one there is.

    Raises NotFound, Stale, NotPermitted (the law section's hub and the liaison), NotAvailable,
    Invalid.
    """
    dossier = _kept(desk.hold(session, number, actor, revision=revision, at=at), actor)
    words = note_text(reason)
    if _is_held(session, [dossier.id]) == held:
        raise NotAvailable(
            "本事项已是如此。It is so already; look at GET /items/{number}/erasures."
        )
    entries = Entries()
    told = Accepted(personal={"note": words})
    role = desk.role_seen(dossier, actor)
    record(entries, dossier, "legal_hold", actor, role, {"held": held}, told)
    settle(entries, dossier, dossier.entered_at)
    entries.write(session)
    execute(session, SET if held else LIFT, {"item": dossier.id, "seq": dossier.seq})
    return standing(session, dossier)


def restrict(
    session: Session,
    desk: Casework,
    number: str,
    actor: Actor,
    reason: str,
    *,
    revision: int | None = None,
    at: datetime | None = None,
) -> dict[str, Any]:
    """The first step, on request: nothing personal of a closed item is shown from now on.

    Raises NotFound, Stale, NotPermitted, NotAvailable (open, held, or restricted already), Invalid.
    """
    dossier = _kept(desk.hold(session, number, actor, revision=revision, at=at), actor)
    words = note_text(reason)
    tree = _tree(session, desk, dossier)
    _demand_erasable(session, tree)
    if not _restrict(session, desk, tree, actor, "request", words):
        raise NotAvailable(
            "本事项没有可删除的个人信息。There is nothing personal here that could be erased."
        )
    return standing(session, dossier)


def release(
    session: Session,
    desk: Casework,
    number: str,
    actor: Actor,
    reason: str,
    *,
    revision: int | None = None,
    at: datetime | None = None,
) -> dict[str, Any]:
    """Undo the first step while the second was not made.

    Raises NotFound, Stale, NotPermitted, NotAvailable, Invalid.
    """
    dossier = _kept(desk.hold(session, number, actor, revision=revision, at=at), actor)
    words = note_text(reason)
    tree = _tree(session, desk, dossier)
    entries = Entries()
    for each in tree:
        if execute(session, RELEASE, (each.id,)).fetchone():
            data = {"step": "release", "law": LAW}
            told = Accepted(personal={"note": words})
            record(entries, each, "erasure", actor, desk.role_seen(each, actor), data, told)
            settle(entries, each, each.entered_at)
    if not entries.rows:
        raise NotAvailable("本事项未被限制处理。Nothing here is restricted.")
    entries.write(session)
    return standing(session, dossier)


def shown(session: Session, desk: Casework, number: str, actor: Actor) -> dict[str, Any]:
    """Whether an item is held, restricted or erased, for whoever may see it. Raises NotFound."""
    return standing(session, desk.look(session, number, actor))


def standing(session: Session, dossier: Dossier) -> dict[str, Any]:
    """Where an item stands between being kept and being erased."""
    row = execute(session, STANDING, (dossier.id,)).fetchone() or {}
    step = "kept" if row["restricted_at"] is None else "restricted"
    if row["shredded_at"] is not None:
        step = "shredded"
    return {"number": dossier.number, "step": step, **row}


def sweep(database: Database, desk: Casework, now: datetime | None = None) -> Erased:
    """Restrict what was kept long enough, shred what was restricted long enough; each item a
    transaction of its own.
    """
    restricted = held = shredded = 0
    moment = now or database.perform(desk.house).now
    rulebook = desk.catalog.rulebook
    if RETAIN in rulebook.rules:
        since = moment - _at_least(rulebook.rule(RETAIN, moment.date()).within)
        for item in _each(database, KEPT, since):
            done = database.perform(lambda session, i=item: _retire(session, desk, i, now))  # type: ignore[misc]
            restricted += done == "restricted"
            held += done == "held"
    for item in _each(database, DUE, moment):
        done = database.perform(lambda session, i=item: _shred(session, desk, i, now))  # type: ignore[misc]
        shredded += done == "shredded"
        held += done == "held"
    return Erased(restricted, shredded, held)


def _each(database: Database, statement: str, moment: datetime) -> Iterator[int]:
    last = 0
    while True:
        with database.transaction() as session:
            stand_for(session, SYSTEM)
            values = {"moment": moment, "last": last}
            found = [row["item_id"] for row in execute(session, statement, values)]
        yield from found
        if not found:
            return
        last = found[-1]


def _retire(session: Session, desk: Casework, item: int, now: datetime | None) -> str:
    stand_for(session, SYSTEM)
    dossier = desk.held(session, item, now)
    if dossier.closed_at is None or term(desk, dossier, RETAIN, dossier.closed_at) > dossier.now:
        return "kept"
    tree = _tree(session, desk, dossier)
    if any(each.closed_at is None for each in tree):
        return "kept"
    if _is_held(session, [each.id for each in tree]):
        return "held"
    return "restricted" if _restrict(session, desk, tree, SYS, "retention", "") else "kept"


def _shred(session: Session, desk: Casework, item: int, now: datetime | None) -> str:
    """The second step. What is open again, or held, is left alone."""
    stand_for(session, SYSTEM)
    dossier = desk.held(session, item, now)
    row = execute(session, STANDING, (item,)).fetchone() or {}
    if row["restricted_at"] is None or row["shredded_at"] is not None:
        return "kept"
    if row["held"]:
        return "held"
    if dossier.closed_at is None:
        return "kept"
    lost = execute(session, BLANK, (item, _quoting(session, dossier))).fetchall()
    seqs = [gone["seq"] for gone in execute(session, GONE, (item,))]
    erase_attachments(session, item)
    for statement in (FORGET_KEY, FORGET_MARKS):
        execute(session, statement, (item,))
    execute(session, FORGET_ANSWERS, (f"item:{dossier.number}",))
    data = {
        "step": "shred",
        "law": LAW,
        "ground": row["ground"],
        "seqs": sorted(seqs),
        "letters": sorted({each["seq"] for each in lost}),
    }
    entries = Entries()
    record(entries, dossier, "erasure", SYS, SYS.kind, data)
    settle(entries, dossier, dossier.entered_at)
    entries.write(session)
    execute(session, SHREDDED, {"item": item, "now": dossier.now})
    return "shredded"


def _restrict(
    session: Session,
    desk: Casework,
    tree: Sequence[Dossier],
    actor: Actor,
    ground: str,
    words: str,
) -> int:
    count = 0
    entries = Entries()
    for each in tree:
        values = {
            "item": each.id,
            "ground": ground,
            "now": each.now,
            "shreds_at": term(desk, each, RESTRICT),
        }
        if not execute(session, RESTRICTED, values).fetchone():
            continue
        data = {"step": "restrict", "law": LAW, "ground": ground}
        told = Accepted(personal={"note": words} if words else {})
        role = desk.role_seen(each, actor)
        record(entries, each, "erasure", actor, role, data, told)
        settle(entries, each, each.entered_at)
        count += 1
    entries.write(session)
    return count


def _kept(dossier: Dossier, actor: Actor) -> Dossier:
    """The item, for somebody who answers for what is kept. Raises NotPermitted."""
    if actor.id is None or not any(
        dossier.office.stands_in(actor.id, role, dossier.unit_id, dossier.today) for role in KEEPERS
    ):
        raise NotPermitted(
            "须由法规科汇总员或者纪检联络员办理。"
            "This is for the law section's hub or the discipline liaison.",
            roles=list(KEEPERS),
        )
    return dossier


def _tree(session: Session, desk: Casework, dossier: Dossier) -> list[Dossier]:
    """An item and its descendants, locked."""
    rows = execute(session, DESCENDANTS, (dossier.id,)).fetchall()
    return [
        dossier,
        *(desk.held(session, row["id"], dossier.now) for row in rows),
    ]


def _demand_erasable(session: Session, tree: Sequence[Dossier]) -> None:
    if any(each.closed_at is None for each in tree):
        raise NotAvailable(
            "事项或其派生事项尚未办结,履行法定职责所必需,不能删除。"
            "The matter, or one that came of it, is still open: the duty needs these data."
        )
    if _is_held(session, [each.id for each in tree]):
        raise NotAvailable(
            "本事项被依法保全,不能删除;解除保全后再办理。"
            "The item is under a legal hold; lift the hold first."
        )


def _is_held(session: Session, items: Sequence[int]) -> bool:
    return execute(session, HELD, (list(items),)).fetchone() is not None


def _quoting(session: Session, dossier: Dossier) -> list[int]:
    """The letters of an item in which something personal of it stands; all of them where the keys
    to tell are lost.
    """
    rows = execute(session, "SELECT id, body FROM document WHERE item_id = %s", (dossier.id,))
    letters = {row["id"]: bare(row["body"] or "") for row in rows}
    if not letters:
        return []
    secrets: set[str] = set()
    dossier.vault.erasing = True
    try:
        for row in execute(
            session, "SELECT seq, sealed FROM vault.payload WHERE item_id = %s", (dossier.id,)
        ):
            for name, value in dossier.vault.open(row["seq"], row["sealed"], row["sealed"]).items():
                least = 2 if name in dossier.workflow.identities else LEAST_SECRET
                secrets |= {text for text in map(bare, _texts(value)) if len(text) >= least}
    except KeyFault:
        return sorted(letters)
    return sorted(id_ for id_, body in letters.items() if any(text in body for text in secrets))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _at_least(span: Span) -> timedelta:
    """No more than a span may take, to leave out what cannot be due yet."""
    if span.unit in {Unit.HOURS, Unit.WORKING_HOURS}:
        return timedelta(hours=span.amount)
    return timedelta(days=span.amount * (28 if span.unit is Unit.MONTHS else 1))


HELD = "SELECT FROM vault.legal_hold WHERE item_id = ANY(%s) AND lifted_seq IS NULL"
SET = "INSERT INTO vault.legal_hold (item_id, set_seq) VALUES (%(item)s, %(seq)s)"
LIFT = """
UPDATE vault.legal_hold SET lifted_seq = %(seq)s WHERE item_id = %(item)s AND lifted_seq IS NULL
"""
STANDING = """
SELECT EXISTS (SELECT FROM vault.legal_hold h WHERE h.item_id = i.id AND lifted_seq IS NULL) AS held,
  x.ground, x.restricted_at, x.shreds_at, x.shredded_at
FROM item i LEFT JOIN vault.erasure x ON x.item_id = i.id WHERE i.id = %s
"""
DESCENDANTS = """
WITH RECURSIVE below AS (
  SELECT id FROM item WHERE parent_id = %s
  UNION ALL SELECT i.id FROM item i JOIN below b ON i.parent_id = b.id
) SELECT id FROM below ORDER BY id
"""
RESTRICTED = """
INSERT INTO vault.erasure AS x (item_id, ground, restricted_at, shreds_at)
SELECT item_id, %(ground)s, %(now)s, %(shreds_at)s FROM vault.data_key WHERE item_id = %(item)s
ON CONFLICT (item_id) DO UPDATE SET ground = excluded.ground,
  restricted_at = excluded.restricted_at, shreds_at = excluded.shreds_at, shredded_at = NULL
  WHERE x.shredded_at IS NOT NULL
RETURNING item_id
"""
RELEASE = """
DELETE FROM vault.erasure WHERE item_id = %s AND shredded_at IS NULL RETURNING item_id
"""
SHREDDED = "UPDATE vault.erasure SET shredded_at = %(now)s WHERE item_id = %(item)s"
GONE = "DELETE FROM vault.payload WHERE item_id = %s RETURNING seq"
FORGET_KEY = "DELETE FROM vault.data_key WHERE item_id = %s"
FORGET_MARKS = "DELETE FROM vault.trace WHERE item_id = %s"
FORGET_ANSWERS = "DELETE FROM answer WHERE principal = %s"
BLANK = "SELECT seq FROM vault.erase_letters(%s, %s::bigint[]) AS seq"
KEPT = """
SELECT k.item_id FROM vault.data_key k JOIN item i ON i.id = k.item_id
WHERE k.item_id > %(last)s AND i.closed_at <= %(moment)s AND NOT EXISTS (
  SELECT FROM vault.erasure x WHERE x.item_id = k.item_id AND x.shredded_at IS NULL)
ORDER BY k.item_id LIMIT 500
"""
DUE = """
SELECT item_id FROM vault.erasure
WHERE item_id > %(last)s AND shredded_at IS NULL AND shreds_at <= %(moment)s
ORDER BY item_id LIMIT 500
"""

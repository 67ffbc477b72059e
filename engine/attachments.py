"""Attachments (附件): what somebody gives to an item as a file, and who may have it again.

A file lies in the store under random names, sealed with a key of its own (`engine.depot`), and becomes
an attachment with an event of the item. Its name, its key and what was said about it are personal
values of that event: whoever erases those has erased the file, wherever a copy of the store may lie.
"""

from __future__ import annotations

import uuid
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from engine import effects
from engine.database import execute
from engine.depot import MEBI, take_over
from engine.desk import refuse_classified
from engine.entries import Entries
from engine.errors import NotAvailable, NotFound, NotPermitted, Refused, Stale
from engine.forms import Accepted, note_text
from engine.inspection import KINDS
from engine.paging import Page, last_number
from engine.record import record, settle
from engine.sealing import COPY, LABEL, OF_FILES, ORIGINAL, SEALED_WITH, unseal
from engine.views import may_work

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.depot import Arrival, Depot
    from engine.dossier import Dossier
    from engine.inspection import Kind
    from engine.paging import Key
    from engine.people import Actor
    from engine.store import Store
    from engine.vault import Vault

ACT = "attachment"
MOST_OF_ITEM = 200


class Overfull(Refused):
    """The attachments of this item have reached what one item may hold."""

    code = "attachments-full"


class Words(NamedTuple):
    """What is said of the files of one request."""

    title: str = ""
    note: str = ""
    to_public: bool = False


def attach(
    session: Session,
    desk: Casework,
    depot: Depot,
    number: str,
    actor: Actor,
    arrivals: Sequence[Arrival],
    words: Words,
    *,
    revision: int | None = None,
) -> list[dict[str, Any]]:
    """Make attachments of files that lie in the store: an event each, no substantive act, so no clock
    and no revision. What the public gives is told to whoever holds the item.

    Raises NotFound, Stale, NotPermitted, NotAvailable, Overfull.
    """
    dossier = desk.hold(session, number, actor, revision=revision)
    public = actor.id is None
    check_may_give(dossier, actor)
    _check_fill(session, dossier, depot, arrivals)
    entries = Entries()
    role = desk.role_seen(dossier, actor)
    made = [
        _enter(entries, dossier, actor, role, arrival, words, scans=depot.scans)
        for arrival in arrivals
    ]
    settle(entries, dossier, dossier.entered_at)
    if public:
        effects.tell(
            entries,
            dossier,
            effects.holders(dossier),
            text_for(dossier, "attachment_received"),
            desk.way,
            {},
        )
    entries.write(session)
    take_over(session, arrivals)
    return made


def _enter(
    entries: Entries,
    dossier: Dossier,
    actor: Actor,
    role: str,
    arrival: Arrival,
    words: Words,
    *,
    scans: bool,
) -> dict[str, Any]:
    """One attachment: its event and its row."""
    id_ = uuid.uuid4()
    label = {"name": arrival.name, "title": words.title, "note": words.note}
    accepted = Accepted(personal={LABEL: label, SEALED_WITH: arrival.key.hex()})
    copy_size = arrival.copy.seek(0, 2) if arrival.copy else 0
    told = {
        "id": str(id_),
        "kind": arrival.kind.name,
        "size": arrival.size,
        "sha256": arrival.sha256.hex(),
        "flags": arrival.flags,
        "to_public": words.to_public,
    }
    record(entries, dossier, ACT, actor, role, told, accepted)
    scan = "pending" if scans else "not_scanned"
    entries.add(
        "attachments",
        **told,
        item_id=dossier.id,
        seq=dossier.seq,
        copy_size=copy_size,
        from_public=actor.id is None,
        original=arrival.original,
        copy=arrival.copied,
        scan=scan,
    )
    by = actor.account
    made = {**told, "seq": dossier.seq, "at": dossier.now, "by": by, "scan": scan, "erased": False}
    return {**made, "from_public": actor.id is None}


def check_gift(
    session: Session, desk: Casework, number: str, actor: Actor, revision: int | None = None
) -> None:
    """Whether somebody may give files to an item now, before they come. Raises as `attach` does."""
    dossier = desk.look(session, number, actor)
    if revision is not None and revision != dossier.revision:
        raise Stale(
            "事项已有新的进展,请刷新后再办理。The item has moved on; look at it again first.",
            revision=dossier.revision,
        )
    check_may_give(dossier, actor)


def check_may_give(dossier: Dossier, actor: Actor) -> None:
    """Whoever works on an item gives to it at any time, the public until it has ended.

    Raises NotPermitted, NotAvailable, GuardRefused where the item is classified.
    """
    refuse_classified(dossier)
    if actor.id is None:
        if dossier.workflow.states[dossier.state].final:
            raise NotAvailable(
                "事项已结束,不再接收材料;如有新的证据,请重新提交。"
                "This item has ended and takes no more files; bring new evidence as a new one.",
                state=dossier.state,
                available=[],
            )
    elif not may_handle(dossier, actor):
        raise NotPermitted(
            "只有办理本事项的人可以收存和查阅附件。"
            "Only those who work on this item may add and open its attachments."
        )


def may_handle(dossier: Dossier, actor: Actor) -> bool:
    """Whether somebody works on an item: assigned, able to move it on from where it stands, or with
    a duty on it that has not ended. Supervisors and auditors see that there are files, not the files.
    """
    return may_work(dossier, actor) or any(
        d.person_id == actor.id and d.item_id == dossier.id and d.active and d.duty in WORKING
        for d in dossier.duties
    )


WORKING = frozenset({"work", "approve", "revisit"})


def _check_fill(
    session: Session, dossier: Dossier, depot: Depot, arrivals: Sequence[Arrival]
) -> None:
    row = execute(session, HELD, (dossier.id,)).fetchone() or {}
    more = sum(arrival.size for arrival in arrivals)
    if row["count"] + len(arrivals) > MOST_OF_ITEM or row["bytes"] + more > depot.item_bytes:
        raise Overfull(
            f"本事项附件已达上限({MOST_OF_ITEM}个或{depot.item_bytes // MEBI} MiB)。"
            f"This item has all the files it may have ({MOST_OF_ITEM}, or "
            f"{depot.item_bytes // MEBI} MiB); bring the rest on paper or on a disc."
        )


def erase_attachments(session: Session, item_id: int) -> int:
    """Erase all attachments of an item, in the caller's transaction: no row names their objects any
    more, and the next sweep removes them from the store. Whoever erases the personal values of their
    events takes away key and names. Returns how many there were.
    """
    row = execute(session, ERASE, (item_id,)).fetchone()
    return int(row["count"]) if row else 0


# ------------------------------------------------------------------------------------ having it again


class Opened(NamedTuple):
    """A file that somebody may have: what it is, what it is called, and its blocks."""

    kind: Kind
    name: str
    size: int
    blocks: Iterator[bytes]


class Found(NamedTuple):
    """Where a file lies and how it is opened."""

    row: Mapping[str, Any]
    name: str
    key: bytes

    def open(self, store: Store, *, original: bool = False) -> Opened:
        """The copy, or where there is none the file itself; its first block has been opened, so that a
        fault is met before anything is sent. Raises Busy, SealBroken.
        """
        kind = KINDS[self.row["kind"]]
        copied = self.row["copy"] is not None and not original
        name = self.row["copy"] if copied else self.row["original"]
        size = self.row["copy_size"] if copied else self.row["size"]
        blocks = unseal(self.key, COPY if copied else ORIGINAL, store.get(name))
        first = next(blocks)
        return Opened(kind, self.name, size, chain([first], blocks))


def find(
    session: Session, desk: Casework, number: str, actor: Actor, id_: uuid.UUID, *, warned: bool
) -> Found:
    """An attachment that somebody may open. Raises NotFound, NotPermitted, Refused."""
    dossier = desk.look(session, number, actor)
    return _found(session, dossier, actor, id_, warned=warned)


def open_original(
    session: Session,
    desk: Casework,
    number: str,
    actor: Actor,
    id_: uuid.UUID,
    reason: str,
    *,
    revision: int,
) -> Found:
    """The file as it was received, for a reason that stays in the journal.

    Raises as :func:`find` does, and Stale.
    """
    dossier = desk.hold(session, number, actor, revision=revision)
    found = _found(session, dossier, actor, id_, warned=True)
    entries = Entries()
    accepted = Accepted(personal={"note": note_text(reason)})
    told = {"id": str(id_), "opened": "original"}
    record(entries, dossier, ACT, actor, desk.role_seen(dossier, actor), told, accepted)
    settle(entries, dossier, dossier.entered_at)
    entries.write(session)
    return found


def _found(
    session: Session, dossier: Dossier, actor: Actor, id_: uuid.UUID, *, warned: bool
) -> Found:
    public = actor.id is None
    if not public and not may_handle(dossier, actor):
        check_may_give(dossier, actor)
    row = execute(session, ONE, (id_, dossier.id)).fetchone()
    if row is None or (public and not (row["from_public"] or row["to_public"])):
        raise NotFound("没有这个附件,请核对。There is no such attachment; check its id.")
    kept = personal_of(dossier.vault, [row["seq"]]).get(row["seq"])
    if row["erased_at"] is not None or kept is None:
        raise Refused("附件已依法删除。This attachment was erased, as the law has it.")
    if not kept:
        raise Refused(
            "本事项的个人信息已限制处理,附件不再提供。"
            "The personal data of this item are restricted; its files are shown no more."
        )
    if row["scan"] == "infected":
        raise Refused(
            "附件查出病毒,已隔离,不予提供;请让提交人另行提供。"
            "A virus was found in this attachment; it stays locked. Ask for it another way."
        )
    if not warned and (row["flags"] or row["scan"] in {"pending", "failed"}):
        raise Refused(
            "附件可疑或者尚未查毒;确需下载,请加 warned=true,并在隔离的机器上打开。"
            "This attachment is suspicious or was not scanned yet; if you need it, ask again with "
            "warned=true and open it on a machine set apart.",
            flags=row["flags"],
            scan=row["scan"],
        )
    name = _name(dossier, actor, row, kept[LABEL])
    return Found(row, name, bytes.fromhex(kept[SEALED_WITH]))


def listed(
    session: Session,
    desk: Casework,
    number: str,
    actor: Actor,
    *,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """The attachments of an item, oldest first; to the public those it gave and those given to it.
    Their names are shown to those who may open them. Raises NotFound.
    """
    dossier = desk.look(session, number, actor)
    public = actor.id is None
    values = {
        "item": dossier.id,
        "last": last_number(after) if after else 0,
        "public": public,
        "n": limit + 1,
    }
    rows = execute(session, LISTED, values).fetchall()
    more = len(rows) > limit
    rows = rows[:limit]
    labels: dict[int, dict[str, Any]] = {}
    if public or may_handle(dossier, actor):
        labels = personal_of(dossier.vault, [r["seq"] for r in rows if not r["erased"]])
    people = dossier.office.people

    def shown(row: dict[str, Any]) -> dict[str, Any]:
        actor_id, role = row.pop("actor_id"), row.pop("role")
        label = labels.get(row["seq"], {}).get(LABEL, {})
        staff = "staff" if public else people[actor_id].account if actor_id else role
        return {
            **row,
            "id": str(row["id"]),
            "sha256": bytes(row["sha256"]).hex(),
            "by": staff if actor_id else role,
            "name": isolated(_name(dossier, actor, row, label)) if label else None,
            "title": label.get("title") or None,
            "note": None if public and actor_id else label.get("note") or None,
        }

    return Page([shown(row) for row in rows], [rows[-1]["seq"]] if more else None)


def _name(dossier: Dossier, actor: Actor, row: Mapping[str, Any], label: Mapping[str, str]) -> str:
    """What a file is called. Where a workflow keeps from staff who somebody is, what the petitioner
    called their files is kept from them too: people name files after themselves.
    """
    if row["from_public"] and actor.id is not None and dossier.workflow.identities:
        return f"附件{row['seq']}.{row['kind']}"
    return label["name"]


def personal_of(vault: Vault, seqs: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What the vault holds of the files of some events. Raises KeyFault."""
    rows = execute(vault.session, SEALED, (vault.item_id, list(seqs))).fetchall()
    return {row["seq"]: vault.open(row["seq"], row["sealed"], OF_FILES) for row in rows}


def isolated(name: str) -> str:
    """A name between marks that keep its reading direction to itself (U+2068, U+2069)."""
    return f"\u2068{name}\u2069"


def text_for(dossier: Dossier, name: str) -> str:
    """The text that tells of something at an item; of a sealed one only that it waits."""
    return "sealed_work" if dossier.sealed else name


SEALED = "SELECT seq, sealed FROM vault.payload WHERE item_id = %s AND seq = ANY(%s)"
HELD = """
SELECT count(*) AS count, coalesce(sum(size), 0)::bigint AS bytes
FROM attachment WHERE item_id = %s AND erased_at IS NULL
"""
ONE = """
SELECT id, seq, kind, size, copy_size, flags, from_public, to_public, original, copy, scan, erased_at
FROM attachment WHERE id = %s AND item_id = %s
"""
LISTED = """
SELECT a.id, a.seq, a.kind, a.size, a.sha256, a.flags, a.from_public, a.to_public, a.scan,
  a.erased_at IS NOT NULL AS erased, e.at, e.actor_id, e.role
FROM attachment a JOIN event e ON e.item_id = a.item_id AND e.seq = a.seq
WHERE a.item_id = %(item)s AND a.seq > %(last)s
  AND (NOT %(public)s OR a.from_public OR a.to_public)
ORDER BY a.seq LIMIT %(n)s
"""
ERASE = """
WITH kept AS (
  SELECT id, original, copy FROM attachment WHERE item_id = %s AND erased_at IS NULL FOR UPDATE
), freed AS (
  INSERT INTO stray_file (name, due_at)
  SELECT name, now() FROM kept, unnest(ARRAY[original, copy]) AS name WHERE name IS NOT NULL
), erased AS (
  UPDATE attachment SET original = NULL, copy = NULL, erased_at = now()
  WHERE id IN (SELECT id FROM kept) RETURNING 1
)
SELECT count(*) AS count FROM erased
"""

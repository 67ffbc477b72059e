"""Reveals (揭示): how somebody of the staff comes to see who somebody of the public is.

Asked with a reason, granted by another person where the item is confidential, seen for ten minutes
by who asked, and every step an event of the item's journal. An event is committed before anything
leaves the vault: no record, no data. The petitioner is shown all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from engine import effects
from engine.database import execute
from engine.entries import Entries
from engine.errors import Invalid, NotAvailable, NotFound, NotPermitted
from engine.forms import Accepted, note_text
from engine.notation import PROTECTIONS
from engine.people import SYS, Actor
from engine.record import record, settle
from engine.timekeeping import term
from engine.views import may_work
from engine.walls import SYS as SYSTEM
from engine.walls import stand_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.database import Database
    from engine.dossier import Dossier

OPEN = PROTECTIONS[0]
GRANTERS = ("liaison", "head", "deputy")
"""Who may grant: the first of these roles that has anybody there who is neither barred nor asking."""
TERM = "vault.reveal"
ASKED, DECIDED = "sealed_reveal", "sealed_reveal_decided"
SHOWN_MINUTES = 10
ACTS = ("reveal_request", "reveal_grant", "reveal_refuse", "reveal_view")


def ask(
    session: Session,
    desk: Casework,
    number: str,
    actor: Actor,
    reason: str,
    fields: Sequence[str] = (),
    *,
    revision: int | None = None,
) -> dict[str, Any]:
    """Ask to see identities of an item (all that it has, unless `fields` names some).

    Raises NotFound, Stale, NotPermitted (only those who work on the item ask), NotAvailable,
    Invalid.
    """
    dossier = desk.hold(session, number, actor, revision=revision)
    words = note_text(reason)
    if not may_work(dossier, actor) or actor.id is None:
        raise NotPermitted(
            "只有办理本事项的人可以申请揭示身份。"
            "Only those who work on the item may ask for an identity."
        )
    names = _wanted(dossier, fields)
    granters = [] if dossier.protection == OPEN else granters_of(desk, dossier, actor.id)
    if dossier.protection != OPEN and not granters:
        raise NotAvailable(
            "没有可以批准的人,请先明确纪检联络员。"
            "Nobody is there to grant this; let the office name a liaison first."
        )
    row: dict[str, Any] = {
        "id": uuid4(),
        "item": dossier.id,
        "fields": names,
        "protection": dossier.protection,
        "requester": actor.id,
        "now": dossier.now,
        "lapses_at": term(desk, dossier, TERM),
    }
    entries = Entries()
    for waiting in execute(session, WAITING, row).fetchall():
        if waiting["lapses_at"] > dossier.now:
            raise NotAvailable(
                "您的上一次申请还在等待批准。Your last request still waits for a decision."
            )
        _let_lapse(session, entries, dossier, waiting["id"])
    told = {"reveal": str(row["id"]), "fields": names, "protection": dossier.protection}
    role = desk.role_seen(dossier, actor)
    record(
        entries, dossier, "reveal_request", actor, role, told, Accepted(personal={"note": words})
    )
    if dossier.protection == OPEN:
        granted = {"reveal": str(row["id"])}
        record(entries, dossier, "reveal_grant", SYS, SYS.kind, granted)
    else:
        effects.tell(entries, dossier, granters, ASKED, desk.way, {})
    settle(entries, dossier, dossier.entered_at)
    entries.write(session)
    execute(session, ASK, row)
    if dossier.protection == OPEN:
        execute(session, DECIDE, {**row, "status": "granted", "approver": None})
    return _state(dossier, _row(session, dossier, row["id"]))


def _wanted(dossier: Dossier, fields: Sequence[str]) -> list[str]:
    held = dossier.vault.latest().names & dossier.workflow.identities
    if not held:
        raise NotAvailable(
            "本事项没有可以揭示的身份信息。There is no identity here that could be revealed."
        )
    if strange := sorted({*fields} - held):
        sentence = f"可申请的项目 (to be asked for): {', '.join(sorted(held))}"
        raise Invalid([("/fields", sentence) for _ in strange[:1]])
    return sorted({*fields} or held)


def granters_of(desk: Casework, dossier: Dossier, requester: int) -> list[int]:
    """Who may decide on a request of somebody's: of the first role that has anybody."""
    office = dossier.office
    for role in GRANTERS:
        there = office.members_of(
            role, dossier.unit_id, dossier.today, {*dossier.excluded, requester}
        )
        found = [each for each in there if desk.sees(dossier, _actor(dossier, each))]
        if found:
            return found
    return []


def decide(
    session: Session,
    desk: Casework,
    number: str,
    reveal: UUID,
    actor: Actor,
    reason: str,
    *,
    grant: bool,
    revision: int | None = None,
) -> dict[str, Any]:
    """Grant or refuse a request of somebody else's.

    Raises NotFound, Stale, NotPermitted, NotAvailable (it was decided or has lapsed), Invalid.
    """
    dossier = desk.hold(session, number, actor, revision=revision)
    words = note_text(reason)
    row = _row(session, dossier, reveal)
    if actor.id not in granters_of(desk, dossier, row["requester_id"]):
        raise NotPermitted(
            "须由申请人以外的纪检联络员(没有的,由主要负责人)决定。"
            "This is for the liaison, or where there is none the head; never for who asked.",
            roles=list(GRANTERS),
        )
    if row["status"] != "asked" or row["lapses_at"] <= dossier.now:
        raise NotAvailable(
            "该申请已有结果或者已失效。That request was decided or has lapsed; it can be made again."
        )
    requester = _actor(dossier, row["requester_id"])
    if grant and not (desk.sees(dossier, requester) and may_work(dossier, requester)):
        raise NotAvailable(
            "申请人已不再办理本事项,请驳回。Who asked does not work on the item any more; refuse it."
        )
    entries = Entries()
    act, status = ("reveal_grant", "granted") if grant else ("reveal_refuse", "refused")
    told = {"reveal": str(reveal)}
    role = desk.role_seen(dossier, actor)
    record(entries, dossier, act, actor, role, told, Accepted(personal={"note": words}))
    settle(entries, dossier, dossier.entered_at)
    effects.tell(entries, dossier, [row["requester_id"]], DECIDED, desk.way, {})
    entries.write(session)
    values = {"id": reveal, "status": status, "approver": actor.id, "now": dossier.now}
    execute(session, DECIDE, values)
    return _state(dossier, _row(session, dossier, reveal))


def note_view(
    session: Session, desk: Casework, number: str, reveal: UUID, actor: Actor
) -> dict[str, Any]:
    """Where a request stands; and where it is the asker's to see now, the event that they see it.

    The caller commits before it calls :func:`unseal`. Raises NotFound.
    """
    dossier = desk.look(session, number, actor)
    row = _row(session, dossier, reveal)
    if row["requester_id"] != actor.id or not row["shown"]:
        return _state(dossier, row)
    # the row says so, and a hand at the database may have written it: the journal must say so too
    if execute(session, GRANTED, {**row, "reveal": str(reveal)}).fetchone() is None:
        return _state(dossier, {**row, "shown": False})
    dossier = desk.hold(session, number, actor)
    if not may_work(dossier, actor) or not dossier.vault.latest().names.issuperset(row["fields"]):
        return _state(dossier, _row(session, dossier, reveal))
    entries = Entries()
    seen = {"reveal": str(reveal), "fields": row["fields"]}
    record(entries, dossier, "reveal_view", actor, desk.role_seen(dossier, actor), seen)
    settle(entries, dossier, dossier.entered_at)
    entries.write(session)
    return _state(dossier, _row(session, dossier, reveal)) | {"recorded": dossier.seq}


def unseal(
    session: Session, desk: Casework, number: str, actor: Actor, noted: Mapping[str, Any]
) -> dict[str, Any]:
    """The identities of a request whose seeing was recorded by :func:`note_view`, and committed."""
    told = {name: value for name, value in noted.items() if name != "recorded"}
    if "recorded" not in noted:
        return told
    dossier = desk.look(session, number, actor)
    kept = execute(session, RECORDED, (dossier.id, noted["recorded"], actor.id)).fetchone()
    if kept is None or kept["reveal"] != noted["id"]:
        raise NotAvailable("查看未能记录。That you look could not be recorded; nothing is shown.")
    return told | {"data": dossier.vault.latest().read(noted["fields"])}


def listed(session: Session, desk: Casework, number: str, actor: Actor) -> list[dict[str, Any]]:
    """Every request about an item, oldest first, to whoever may see the item. Raises NotFound."""
    dossier = desk.look(session, number, actor)
    rows = execute(session, f"{READ} WHERE item_id = %s ORDER BY asked_at, id", (dossier.id,))
    return [_state(dossier, row) for row in rows]


def lapse(database: Database, desk: Casework, now: datetime | None = None) -> int:
    """Let every request lapse that nobody decided in time; returns how many. Each is an event, and
    who asked is told.
    """
    with database.transaction() as session:
        stand_for(session, SYSTEM)
        late = execute(session, LATE, {"now": now}).fetchall()
    for row in late:
        database.perform(lambda session, row=row: _lapse(session, desk, row, now))  # type: ignore[misc]
    return len(late)


def _lapse(session: Session, desk: Casework, late: Mapping[str, Any], now: datetime | None) -> None:
    stand_for(session, SYSTEM)
    dossier = desk.held(session, late["item_id"], now)
    row = _row(session, dossier, late["id"])
    if row["status"] != "asked":
        return
    entries = Entries()
    _let_lapse(session, entries, dossier, row["id"])
    settle(entries, dossier, dossier.entered_at)
    if not dossier.shut_out(row["requester_id"]):
        effects.tell(entries, dossier, [row["requester_id"]], DECIDED, desk.way, {})
    entries.write(session)


def _let_lapse(session: Session, entries: Entries, dossier: Dossier, reveal: UUID) -> None:
    record(
        entries,
        dossier,
        "reveal_refuse",
        SYS,
        SYS.kind,
        {"reveal": str(reveal), "lapsed": True},
    )
    values = {"id": reveal, "status": "lapsed", "approver": None, "now": dossier.now}
    execute(session, DECIDE, values)


def told_to_petitioner(
    session: Session, dossier: Dossier, *, words: bool = True
) -> list[dict[str, Any]]:
    """Who asked for, decided on and saw the petitioner's identity: role and unit, when, and why.

    The reasons are left out without `words`: an answer that is kept holds nothing from the vault.
    """
    people, units = dossier.office.people, dossier.office.units
    roles = dossier.workflow.roles
    shown = []
    for row in execute(session, TOLD, {"item": dossier.id, "acts": list(ACTS)}):
        person = people.get(row["actor_id"] or 0)
        unit = units[person.unit_id] if person else units[dossier.office.root]
        role = roles.get(row["role"])
        why = dossier.vault.open(row["seq"], row["sealed"] or {}, {"note"} if words else ())
        shown.append(
            {
                "at": row["at"],
                "act": "reveal_lapse" if row["data"].get("lapsed") else row["act"],
                "reveal": row["data"]["reveal"],
                "role": role.title if role else "系统" if person is None else "工作人员",
                "role_en": role.title_en if role else "the system" if person is None else "staff",
                "unit": unit.name,
                "why": why.get("note"),
            }
        )
    return shown


def _actor(dossier: Dossier, person: int) -> Actor:
    return Actor("person", dossier.office.people[person])


def _state(dossier: Dossier, row: Mapping[str, Any]) -> dict[str, Any]:
    people = dossier.office.people
    status = row["status"]
    if status == "asked" and row["lapses_at"] <= dossier.now:
        status = "lapsed"
    elif status == "granted" and not row["shown"]:
        status = "ended"
    approver = people.get(row["approver_id"] or 0)
    return {
        "id": str(row["id"]),
        "number": dossier.number,
        "status": status,
        "detail": SENTENCES[status],
        "fields": row["fields"],
        "protection": row["protection"],
        "requester": people[row["requester_id"]].account,
        "approver": approver.account if approver else None,
        "asked_at": row["asked_at"],
        "lapses_at": row["lapses_at"],
        "decided_at": row["decided_at"],
        "shown_until": row["shown_until"],
        "data": None,
    }


def _row(session: Session, dossier: Dossier, reveal: UUID) -> dict[str, Any]:
    row = execute(
        session, f"{READ} WHERE item_id = %s AND id = %s", (dossier.id, reveal)
    ).fetchone()
    if row is None:
        raise NotFound("没有这个揭示申请,请核对。There is no such request; check its id.")
    return row


SENTENCES = {
    "asked": "等待另一人批准,逾期失效。Waits for another person's decision, and lapses without one.",
    "granted": f"已批准,由申请人在{SHOWN_MINUTES}分钟内查看,每次查看都有记录。"
    f"Granted: who asked may look for {SHOWN_MINUTES} minutes; each look is recorded.",
    "refused": "已驳回,理由见流转记录。Refused; the reason is in the journal.",
    "lapsed": "无人决定,已失效,可以重新申请。Nobody decided, so it lapsed; it can be made again.",
    "ended": "查看时间已过,确需再看的,重新申请。The time to look is over; ask again if needed.",
}
READ = """
SELECT id, item_id, fields, protection, requester_id, approver_id, status, asked_at, lapses_at,
  decided_at, shown_until, coalesce(shown_until > now(), false) AS shown
FROM vault.reveal
"""
WAITING = """
SELECT id, lapses_at FROM vault.reveal
WHERE item_id = %(item)s AND requester_id = %(requester)s AND status = 'asked'
"""
ASK = """
INSERT INTO vault.reveal (id, item_id, fields, protection, requester_id, status, asked_at, lapses_at)
VALUES (%(id)s, %(item)s, %(fields)s, %(protection)s, %(requester)s, 'asked', %(now)s,
  %(lapses_at)s)
"""
DECIDE = """
UPDATE vault.reveal SET status = %(status)s, approver_id = %(approver)s, decided_at = %(now)s,
  shown_until = CASE %(status)s WHEN 'granted' THEN now() + interval '10 minutes' END
WHERE id = %(id)s
"""
LATE = """
SELECT id, item_id FROM vault.reveal
WHERE status = 'asked' AND lapses_at <= coalesce(%(now)s::timestamptz,
  (SELECT now() + practice_offset FROM bureau))
ORDER BY lapses_at LIMIT 100
"""
GRANTED = """
SELECT FROM event g JOIN event a ON a.item_id = g.item_id AND a.act = 'reveal_request'
  AND a.data ->> 'reveal' = %(reveal)s AND a.actor_id = %(requester_id)s
WHERE g.item_id = %(item_id)s AND g.act = 'reveal_grant' AND g.data ->> 'reveal' = %(reveal)s
  AND a.data -> 'fields' = to_jsonb(%(fields)s::text[])
  AND g.actor_id IS NOT DISTINCT FROM %(approver_id)s
"""
RECORDED = """
SELECT data ->> 'reveal' AS reveal FROM event
WHERE item_id = %s AND seq = %s AND act = 'reveal_view' AND actor_id = %s
"""
TOLD = """
SELECT e.seq, e.at, e.act, e.actor_id, e.role, e.data, p.sealed
FROM event e LEFT JOIN vault.payload p ON p.item_id = e.item_id AND p.seq = e.seq
  AND NOT EXISTS (
    SELECT FROM vault.erasure x WHERE x.item_id = e.item_id AND x.shredded_at IS NULL)
WHERE e.item_id = %(item)s AND e.act = ANY(%(acts)s) ORDER BY e.seq
"""

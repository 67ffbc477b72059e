"""One item as people see it: its page, its journal, and what the petitioner is shown.

Personal fields are on the page only for those who may work on the item now, and of identities only
that they lie sealed in the vault; neither is ever in an answer to a write, because such answers are
kept to be given again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import effects
from engine.boards import told_text
from engine.database import execute
from engine.deadlines import titles
from engine.desk import not_found
from engine.dossier import READ, READ_NUMBER, Dossier
from engine.paging import Page, last_number
from engine.sealing import OF_FILES
from engine.walls import SYS, as_engine, principal_of, stand_for
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.casework import Casework, Option
    from engine.deadlines import Clock
    from engine.paging import Key
    from engine.people import Actor

SEALED = {
    "sealed": True,
    "detail": "身份信息已封存。确需查看的,写明理由申请揭示:POST /api/v1/items/{number}/reveals。"
    "Identities are sealed; whoever needs one asks with a reason: POST /api/v1/items/{number}/reveals.",
}
"""What stands on a page in place of an identity."""
KIN = """
SELECT (SELECT p.number FROM item p WHERE p.id = %(parent)s) AS parent,
  (SELECT coalesce(jsonb_agg(c.number ORDER BY c.id), '[]') FROM item c
    WHERE c.parent_id = %(item)s) AS children,
  (SELECT coalesce(jsonb_agg(q.account ORDER BY q.account), '[]') FROM item_declaration n
    JOIN person q ON q.id = n.person_id WHERE n.item_id = %(item)s) AS declared,
  (SELECT coalesce(jsonb_object_agg(k.deadline_id || ' ' || k.rung, k.climbed_at), '{}')
    FROM climb k WHERE k.deadline_id = ANY(%(clocks)s)) AS climbed,
  (SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'kind', a.kind, 'size', a.size, 'scan',
      a.scan, 'flags', a.flags) ORDER BY a.seq), '[]')
    FROM attachment a WHERE a.item_id = %(item)s AND a.erased_at IS NULL) AS attachments
"""


def read_item(session: Session, desk: Casework, number: str) -> Dossier:
    """An item as it stands, whoever asks. Raises NotFound."""
    stand_for(session, SYS)
    row = execute(session, READ_NUMBER, (number,)).fetchone()
    if row is None:
        raise not_found()
    return desk.dossier(session, row, None)


def item_view(
    session: Session, desk: Casework, actor: Actor, number: str, *, personal: bool = False
) -> dict[str, Any]:
    """An item with its deadlines and what the actor can do; with `personal`, its personal fields
    too where the actor may work on it. Raises NotFound.
    """
    dossier = desk.look(session, number, actor)
    with as_engine(session):
        options = desk.available(dossier, actor)
    return _shown(session, desk, actor, dossier, options, personal=personal)


def view_after(session: Session, desk: Casework, actor: Actor, number: str) -> dict[str, Any]:
    """The item after the actor's own act: the page, or where the act took it out of their sight
    no more than what they did to it.
    """
    dossier = read_item(session, desk, number)
    if desk.sees(dossier, actor):
        options = desk.available(dossier, actor)
        stand_for(session, principal_of(actor, number))
        return _shown(session, desk, actor, dossier, options, personal=False)
    nothing: dict[str, Any] = {"data": {}, "parent": None, "due_at": None}
    for name in ("assignees", "declared", "deadlines", "available", "children", "attachments"):
        nothing[name] = []
    return {**_outline(dossier), **nothing}


def _outline(dossier: Dossier) -> dict[str, Any]:
    workflow, office = dossier.workflow, dossier.office
    state = workflow.states[dossier.state]
    return {
        "number": dossier.number,
        "workflow": workflow.workflow,
        "version": workflow.version,
        "title": workflow.title,
        "title_en": workflow.title_en,
        "state": dossier.state,
        "state_title": state.title,
        "state_title_en": state.title_en,
        "revision": dossier.revision,
        "unit": office.units[dossier.unit_id].code,
        "channel": dossier.channel,
        "received_at": dossier.received_at,
        "entered_at": dossier.entered_at,
        "closed_at": dossier.closed_at,
        "rung": dossier.rung,
        "stalled": dossier.rung > 0,
    }


def _shown(
    session: Session,
    desk: Casework,
    actor: Actor,
    dossier: Dossier,
    options: Sequence[Option],
    *,
    personal: bool,
) -> dict[str, Any]:
    values = {
        "parent": dossier.parent_id,
        "item": dossier.id,
        "clocks": [clock.id for clock in dossier.clocks],
    }
    kin = execute(session, KIN, values).fetchone() or {}
    related = [number for number in (kin["parent"], *kin["children"]) if number]
    seen = _seen(session, desk, actor, related) if related else set()
    data = _told(dossier, actor, dossier.data)
    if personal and may_work(dossier, actor):
        fields = dossier.workflow.fields
        given = dossier.vault.latest()
        data |= given.read(fields.keys() - dossier.workflow.identities)
        data |= dict.fromkeys(given.names & dossier.workflow.identities, SEALED)
    office = dossier.office
    dues = [c.due_at for c in dossier.clocks if c.kind == "limit" and c.due_at and not c.paused_at]
    return {
        **_outline(dossier),
        "due_at": min(dues, default=None),
        "data": data,
        "assignees": [office.people[person].account for person in dossier.assigned()],
        "declared": kin["declared"],
        "deadlines": [_deadline(desk, dossier, clock, kin["climbed"]) for clock in dossier.clocks],
        "available": [
            {
                "transition": option.transition,
                "title": option.title,
                "title_en": option.title_en,
                "allowed": option.allowed,
                "missing": option.missing,
                "reasons": option.reasons,
            }
            for option in options
        ],
        "children": [number for number in kin["children"] if number in seen],
        "parent": kin["parent"] if kin["parent"] in seen else None,
        "attachments": kin["attachments"],
    }


def _seen(session: Session, desk: Casework, actor: Actor, numbers: list[str]) -> set[str]:
    """Those of some items the actor may know of."""
    rows = execute(session, READ + " WHERE i.number = ANY(%s)", (numbers,)).fetchall()
    dossiers = (desk.dossier(session, row, None) for row in rows)
    return {dossier.number for dossier in dossiers if desk.sees(dossier, actor)}


def _told(dossier: Dossier, actor: Actor, data: Mapping[str, Any]) -> dict[str, Any]:
    """What somebody is shown of plain values: what is confided only as they would see a sealed item."""
    kept = dossier.workflow.confided
    if not kept or any(
        actor.id is not None
        and dossier.office.stands_in(actor.id, role, dossier.unit_id, dossier.today)
        for role in dossier.workflow.watchers(sealed=True)
    ):
        return dict(data)
    return {name: value for name, value in data.items() if name not in kept}


def may_work(dossier: Dossier, actor: Actor) -> bool:
    """Whether somebody is assigned to the item or can move it on from where it stands."""
    return actor.id in {*dossier.assigned(), *effects.holders(dossier)}


def _deadline(
    desk: Casework, dossier: Dossier, clock: Clock, climbed: Mapping[str, Any]
) -> dict[str, Any]:
    clockwork = desk.clockwork(dossier.bound, dossier.calendar)
    return {
        "name": clock.name,
        "title": titles(dossier.workflow, clock, dossier.state)[0],
        "kind": clock.kind,
        "rule": clock.rule,
        "span": str(clock.span),
        "until": clock.until,  # a date the item named counts, and not the span
        "started_on": clock.started_at.astimezone(SHANGHAI).date(),
        "due_on": clock.due_on,
        "due_at": clock.due_at,
        "provisional": clock.provisional,
        "paused": clock.paused_at is not None,
        "extension": str(clock.extension) if clock.extension else None,
        "rungs": [
            {
                "at": str(rung.at),
                "level": rung.level,
                "act": rung.act,
                "tell": list(rung.tell),
                "rings_at": clockwork.rung_at(clock, place),
                "climbed_at": climbed.get(f"{clock.id} {place}"),
            }
            for place, rung in enumerate(clockwork.rungs(clock))
        ],
    }


EVENTS = """
SELECT e.seq, e.at, e.actor_id, e.role, e.act, e.from_state, e.to_state, e.data, e.commitment, e.hash,
  p.sealed
FROM event e LEFT JOIN vault.payload p ON %(works)s AND p.item_id = e.item_id AND p.seq = e.seq
  AND NOT EXISTS (
    SELECT FROM vault.erasure x WHERE x.item_id = e.item_id AND x.shredded_at IS NULL)
WHERE e.item_id = %(item)s AND e.seq > %(last)s ORDER BY e.seq LIMIT %(n)s
"""


def events(
    session: Session,
    desk: Casework,
    actor: Actor,
    number: str,
    *,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """The journal of an item, oldest first. `data` is what the hash covers, but for what is confided
    to others; an act that brought nothing else is theirs alone. What the event committed to is shown
    beside it to those who may work on the item.
    """
    dossier = desk.look(session, number, actor)
    values = {
        "item": dossier.id,
        "last": last_number(after) if after else 0,
        "works": may_work(dossier, actor),
        "n": limit + 1,
    }
    people = dossier.office.people

    def given(row: Mapping[str, Any]) -> dict[str, Any]:
        sealed: dict[str, str] = row["sealed"] or {}
        identities = sealed.keys() & dossier.workflow.identities
        clear = dossier.vault.open(row["seq"], sealed, sealed.keys() - identities - OF_FILES)
        return clear | dict.fromkeys(identities, SEALED)

    def shown(row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "seq": row["seq"],
            "at": row["at"],
            "actor": people[row["actor_id"]].account if row["actor_id"] else row["role"],
            "role": row["role"],
            "act": row["act"],
            "from": row["from_state"],
            "to": row["to_state"],
            "data": _told(dossier, actor, row["data"]),
            "personal": given(row),
            "commitment": bytes(row["commitment"]).hex() if row["commitment"] else None,
            "hash": bytes(row["hash"]).hex(),
        }

    rows = execute(session, EVENTS, values).fetchall()
    more = len(rows) > limit
    told = [
        row
        for row in rows[:limit]
        if row["from_state"] != row["to_state"]
        or not row["data"]
        or _told(dossier, actor, row["data"])
    ]
    return Page([shown(row) for row in told], [rows[limit - 1]["seq"]] if more else None)


DRAFTED = """
SELECT id, seq, template, title, body, digest, drafted_at FROM document
WHERE item_id = %(item)s AND id > %(last)s ORDER BY id LIMIT %(n)s
"""


def documents(
    session: Session,
    desk: Casework,
    actor: Actor,
    number: str,
    *,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """The letters of an item as they were drafted, oldest first, to whoever may see the item."""
    dossier = desk.look(session, number, actor)
    values = {"item": dossier.id, "last": last_number(after) if after else 0, "n": limit + 1}
    rows = execute(session, DRAFTED, values).fetchall()
    more = len(rows) > limit
    shown = [
        {
            "seq": row["seq"],
            "template": row["template"],
            "title": row["title"],
            "body": row["body"],
            "sha256": bytes(row["digest"]).hex(),
            "drafted_at": row["drafted_at"],
        }
        for row in rows[:limit]
    ]
    return Page(shown, [rows[limit - 1]["id"]] if more else None)


TRACKED = """
SELECT m.id, m.seq, m.text, m.payload, m.rung, m.created_at, %(number)s AS item FROM message m
WHERE m.item_id = %(item)s AND m.channel = 'track' ORDER BY m.seq, m.id
"""
# a letter is shown from the first message after it was drafted on: a reply lies in the file before
# it is sent
LETTERS = """
SELECT title, body, digest, drafted_at FROM document
WHERE item_id = %(item)s AND seq <= %(told)s AND template = ANY(%(templates)s) ORDER BY seq, id
"""


def track_view(session: Session, desk: Casework, public: Actor, number: str) -> dict[str, Any]:
    """What the petitioner is shown: where the item stands, by when, what was told, their rights."""
    dossier = desk.look(session, number, public)
    office, workflow = dossier.office, dossier.workflow
    state, unit = workflow.states[dossier.state], office.units[dossier.unit_id]
    values = {"item": dossier.id, "number": number, "templates": list(workflow.letters_out)}
    told = execute(session, TRACKED, values).fetchall()
    letters = execute(
        session, LETTERS, {**values, "told": max((m["seq"] for m in told), default=0)}
    )
    duties = [c for c in dossier.clocks if c.kind == "limit" and c.ladder]
    duties.sort(key=lambda clock: (clock.due_at is None, clock.due_at, clock.id))
    due = next((clock for clock in duties if clock.name in workflow.deadlines), None)
    return {
        "number": number,
        "workflow": workflow.workflow,
        "title": workflow.title,
        "title_en": workflow.title_en,
        "state": {
            "name": dossier.state,
            "title": state.title,
            "title_en": state.title_en,
            "plain": _plain(state.title, unit.name, final=state.final),
            "plain_en": f"Your submission stands at: {state.title_en}.",
            "final": state.final,
            "since": dossier.entered_at,
        },
        "unit": {"code": unit.code, "name": unit.name},
        "received_at": dossier.received_at,
        "due": _due(desk, dossier, due) if due else None,
        "deadlines": [_due(desk, dossier, clock, working=False) for clock in duties],
        "messages": [_message(desk, row) for row in told],
        "unread": _unread(session, dossier),
        "letters": [
            {
                "title": row["title"],
                "body": row["body"],
                "drafted_at": row["drafted_at"],
                "digest": bytes(row["digest"]).hex(),
            }
            for row in letters
        ],
        "rights": _rights(desk, dossier, public),
    }


UNREAD = """
SELECT count(*) AS count FROM event WHERE item_id = %(item)s AND act = 'message'
AND actor_id IS NOT NULL
AND seq > coalesce((SELECT seq FROM petitioner_read WHERE item_id = %(item)s), 0)
"""


def _unread(session: Session, dossier: Dossier) -> int:
    """How many messages of the office the petitioner has not read (`engine.conversation`)."""
    row = execute(session, UNREAD, {"item": dossier.id}).fetchone()
    return row["count"] if row else 0


def _plain(state: str, unit: str, *, final: bool) -> str:
    if final:
        return f"您反映的事项已结束，结果为“{state}”。"
    return f"您反映的事项现由{unit}办理，处于“{state}”环节。"


def _message(desk: Casework, row: Mapping[str, Any]) -> dict[str, Any]:
    shown = told_text(desk.catalog.texts, row)
    return {"at": shown["created_at"], "title": shown["title"], "body": shown["body"]}


def _due(desk: Casework, dossier: Dossier, clock: Clock, *, working: bool = True) -> dict[str, Any]:
    title, title_en = titles(dossier.workflow, clock, dossier.state)
    found: dict[str, Any] = {
        "name": clock.name,
        "title": title,
        "title_en": title_en,
        "due_on": clock.due_on,
        "due_at": clock.due_at,
        "provisional": clock.provisional,
        "paused": clock.paused_at is not None,
    }
    if working:
        days = desk.clockwork(dossier.bound, dossier.calendar).printed_working(clock)
        found["working"] = [
            {"date": day.date, "counts": day.counts, "why": day.why} for day in days
        ]
    return found


def _rights(desk: Casework, dossier: Dossier, public: Actor) -> list[dict[str, Any]]:
    """What the petitioner may do now, what each asks for, and until when."""
    rights = []
    for option in desk.available(dossier, public):
        variant = dossier.workflow.variant(option.transition, dossier.state)
        if variant is None or public.kind not in variant.by:
            continue
        rights.append(
            {
                "transition": option.transition,
                "title": option.title,
                "title_en": option.title_en,
                "allowed": option.allowed,
                "reasons": option.reasons,
                "fields": [
                    {
                        "name": name,
                        "title": dossier.workflow.fields[name].title,
                        "title_en": dossier.workflow.fields[name].title_en,
                        "type": dossier.workflow.fields[name].type,
                        "required": name in option.missing,
                    }
                    for name in (*variant.requires, *variant.optional)
                    if name not in dossier.bound.computed(variant)
                ],
                "until": _until(dossier, option.transition, variant.guards),
            }
        )
    return rights


def _until(dossier: Dossier, transition: str, guards: tuple[str, ...]) -> datetime | None:
    """The end of the window a right must be used in, where there is one: the deadline it must be
    within, or the one that lapses unless it is used.
    """
    windows = [text.partition(".")[2] for text in guards if text.startswith("within_deadline.")]
    specs = dossier.workflow.deadlines.items()
    windows += [name for name, d in specs if d.lapses_into and transition in d.stops]
    found = (clock for name in windows if (clock := dossier.clock(name)))
    return next((clock.due_at for clock in found), None)

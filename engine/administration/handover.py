"""Handing over (移交): what somebody held goes to a lawful successor, or its desk is told upwards.

The same guards as in any assignment decide who may take over; whether the newcomer has declared that
there is no conflict is asked of him before he acts, not of whoever leaves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from engine import effects
from engine.casework import REASSIGNED, work_text
from engine.database import execute
from engine.dossier import Attempt
from engine.entries import Entries
from engine.people import SYS, Actor
from engine.record import add_duties, end_assigned, record, settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.consequences import Assign
    from engine.definition import Transition
    from engine.dossier import Dossier
    from engine.people import PersonEntry

PERSONAL = frozenset({"not_subject", "not_subject_unit", "not_case_handler"})
"""Guards of an assignment that ask who takes over, and nothing of the item's standing."""
EXCLUSIVE = frozenset({"work", "approve", "revisit"})
NEEDS_HOLDER = "handed_back"

HELD = """
SELECT DISTINCT d.item_id FROM item_duty d JOIN item i ON i.id = d.item_id
WHERE d.person_id = %s AND d.assigned AND d.ended_at IS NULL AND i.closed_at IS NULL ORDER BY 1
"""
LOADS = """
SELECT d.person_id, count(*) AS load FROM item_duty d JOIN item i ON i.id = d.item_id
WHERE d.assigned AND d.ended_at IS NULL AND i.closed_at IS NULL GROUP BY 1
"""
WITHDRAW = """
UPDATE message SET status = 'withdrawn' WHERE recipient_id = %s AND status = 'ready'
RETURNING id, item_id, seq, deadline_id, rung, text, payload, created_at
"""


class Room(NamedTuple):
    """The desk to work at (with a copy of the office of its own) and the loads of everybody."""

    session: Session
    desk: Casework
    loads: Counter[int]


@dataclass
class Handed:
    """What became of somebody's work. `items`: (item, role) -> who took it, None: told upwards."""

    items: dict[tuple[int, str], int | None] = field(default_factory=dict)
    unheard: int = 0
    messages: int = 0
    hidden: set[int] = field(default_factory=set)
    """Items the asker must not know of; they are not counted in an answer."""


def hand_over(
    session: Session,
    desk: Casework,
    leaver: PersonEntry,
    preferred: Sequence[int],
    asker: int | None,
) -> Handed:
    """Reassign every open item somebody is assigned to, and pass on what waits to be sent to them.

    The office must already say that they are gone, and `desk` must be private to this transaction:
    a shared one would remember an office that may be rolled back.
    """
    loads = Counter({row["person_id"]: row["load"] for row in execute(session, LOADS)})
    room = Room(session, desk, loads)
    handed = Handed()
    for row in execute(session, HELD, (leaver.id,)).fetchall():
        dossier = desk.held(session, row["item_id"], None)
        if asker is not None and dossier.shut_out(asker):
            handed.hidden.add(dossier.id)
        roles = [d.role for d in dossier.duties if _holds(dossier, d, leaver.id)]
        for role in dict.fromkeys(roles):
            _pass_on(room, dossier, role, leaver, preferred, handed)
    _pass_on_messages(room, leaver, preferred, handed)
    return handed


def _holds(dossier: Dossier, duty: Any, person: int) -> bool:
    return bool(
        duty.item_id == dossier.id and duty.person_id == person and duty.assigned and duty.active
    )


def _pass_on(
    room: Room,
    dossier: Dossier,
    role: str,
    leaver: PersonEntry,
    preferred: Sequence[int],
    handed: Handed,
) -> None:
    variant, effect = next(
        (variant, effect.assign)
        for _, variant in dossier.workflow.moves()
        for effect in variant.effects
        if effect.assign and effect.assign.role == role
    )
    staying = [person for person in dossier.assigned(role) if person != leaver.id]
    found = _successor(room, dossier, variant, effect, leaver, preferred)
    people = [*staying, *([found] if found is not None else [])]
    entries = Entries()
    end_assigned(dossier, effect)
    add_duties(entries, dossier, effects.assigned_duties(dossier, effect, people))
    accounts = [dossier.office.people[person].account for person in people]
    record(entries, dossier, "assignment", SYS, SYS.account, {effect.people: accounts})
    dossier.revision += 1
    dossier.data |= {effect.people: accounts}
    settle(entries, dossier, dossier.entered_at, {effect.people: accounts})
    if found is not None:
        room.loads[found] += 1
        effects.tell(entries, dossier, [found], work_text(dossier), room.desk.way, {})
    else:
        told = effects.recipients(dossier, "unit_head")
        text = work_text(dossier)
        text = NEEDS_HOLDER if text == REASSIGNED else text
        effects.tell(entries, dossier, told, text, room.desk.way, {})
        handed.unheard += not told and dossier.id not in handed.hidden
    entries.write(room.session)
    handed.items[dossier.id, role] = found


def _successor(
    room: Room,
    dossier: Dossier,
    variant: Transition,
    effect: Assign,
    leaver: PersonEntry,
    preferred: Sequence[int],
) -> int | None:
    """Who takes over: those preferred, then the nearest unit upwards, the home of whoever leaves
    first, whoever holds least; None where nobody may.
    """
    people = dossier.office
    members = people.members.get(effect.role, ())
    anywhere = {person for person, _ in members}
    nearest: dict[int, int] = {}
    for height, level in enumerate(people.above(dossier.unit_id)):
        for person, scope in members:
            if scope == level:
                nearest.setdefault(person, height)
    order = sorted(
        nearest,
        key=lambda p: (
            nearest[p],
            people.people[p].unit_id != leaver.unit_id,
            room.loads[p],
            p,
        ),
    )
    first = [person for person in preferred if person in anywhere]
    return next(
        (
            person
            for person in dict.fromkeys([*first, *order])
            if person != leaver.id and _may(dossier, variant, effect, person)
        ),
        None,
    )


def _may(dossier: Dossier, variant: Transition, effect: Assign, person: int) -> bool:
    """Whether somebody may be given an item in a role, by the law and not by convenience."""
    office = dossier.office
    if office.present(person, dossier.today) != person or person in dossier.excluded:
        return False
    if person in dossier.assigned(effect.role) or _conflicted(dossier, person):
        return False
    until = office.people[person].certified_until
    if "two_handlers" in variant.guards and (until is None or until < dossier.today):
        return False
    duty = dossier.workflow.roles[effect.role].duty or "work"
    if any(
        d.person_id == person and d.duty != duty and (d.active or {d.duty, duty} <= EXCLUSIVE)
        for d in dossier.duties
    ):
        return False
    attempt = Attempt(dossier, SYS, variant.by[0], {}, (person,))
    return not PERSONAL & dossier.bound.objections(variant, attempt).keys()


def _conflicted(dossier: Dossier, person: int) -> bool:
    """Whether somebody declared a conflict with who or what the item is about."""
    accused = {d.person_id for d in dossier.duties if d.active and d.duty == effects.ACCUSED}
    return any(
        declarer == person
        and (other in accused if kind == "person" else other == dossier.subject_unit_id)
        for declarer, kind, other in dossier.office.conflicts
    )


def _pass_on_messages(
    room: Room, leaver: PersonEntry, preferred: Sequence[int], handed: Handed
) -> None:
    """What was queued is withdrawn; a successor heard with the assignment, others hear the same."""
    waiting = execute(room.session, WITHDRAW, (leaver.id,)).fetchall()
    taken = {item for item, _ in handed.items}
    for row in waiting:
        dossier = room.desk.held(room.session, row["item_id"], None)
        handed.messages += row["item_id"] not in handed.hidden
        if row["item_id"] in taken or dossier.closed_at is not None:
            continue
        told = _hearers(room, dossier, preferred)
        entries = Entries()
        for person in told:
            leaves = bool(dossier.office.people[person].email)
            entries.add(
                "messages",
                **{name: row[name] for name in ("item_id", "seq", "deadline_id", "rung", "text")},
                payload=row["payload"],
                recipient_id=person,
                endpoint_id=None,
                channel=room.desk.way.channel if leaves else effects.INBOX,
                status="ready" if leaves else "sent",
                created_at=dossier.now,
            )
        entries.write(room.session)


def _hearers(room: Room, dossier: Dossier, preferred: Iterable[int]) -> list[int]:
    """Whoever hears instead: the first successor who may know of the item, else the unit's head."""
    people = dossier.office.people
    for person in dossier.office.there(preferred, dossier.today, dossier.excluded):
        if room.desk.sees(dossier, Actor("person", people[person])):
            return [person]
    return effects.recipients(dossier, "unit_head")

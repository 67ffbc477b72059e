"""The rows every verb writes alike: the event, the item's own row, the duties that begin and end."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.deadlines import IDLE, Clock
from engine.dossier import HeldDuty
from engine.effects import ACCUSED, BARRING
from engine.journal import Event, digest
from engine.marks import marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from engine.consequences import Assign
    from engine.definition import Transition
    from engine.dossier import Dossier
    from engine.entries import Entries
    from engine.forms import Accepted
    from engine.people import Actor


_LOCK_FAMILY = """
SELECT FROM item WHERE family_id = %s AND closed_at IS NULL ORDER BY id FOR NO KEY UPDATE
"""

_WITHDRAW = """
UPDATE message SET status = 'withdrawn', lease_token = NULL, leased_until = NULL,
  last_result = 'the recipient may no longer know'
WHERE status IN ('ready', 'leased') AND recipient_id = ANY(%(people)s)
AND item_id IN (SELECT id FROM item WHERE family_id = %(family)s OR id = %(item)s)
"""


def record(
    entries: Entries,
    dossier: Dossier,
    act: str,
    actor: Actor,
    role: str,
    data: Mapping[str, Any],
    accepted: Accepted | None = None,
    came_from: str | None = None,
) -> None:
    """Append an event; the dossier's seq and head move with it."""
    commitment = None
    dossier.seq += 1
    if accepted is not None and accepted.personal:
        sealed, key = dossier.vault.seal(dossier.seq, accepted.personal)
        commitment = sealed.commitment
        if key is not None:
            entries.add("keys", **key)
        entries.add(
            "personal",
            id=dossier.id,
            seq=dossier.seq,
            sealed=sealed.fields,
            salt=sealed.salt.hex(),
        )
        for purpose, mark in marks_of(dossier.vault.keyring, accepted.personal):
            entries.add("traces", id=dossier.id, purpose=purpose, mark=mark.hex())
    event = Event(
        dossier.number,
        dossier.seq,
        dossier.workflow.workflow,
        dossier.workflow.version,
        act,
        dossier.state if came_from is None else came_from,
        dossier.state,
        actor.id,
        role,
        dossier.now,
        data,
        commitment,
        b"",
    )
    event.hash = dossier.head = digest(event, dossier.head)
    entries.event(dossier.id, event)


def settle(
    entries: Entries,
    dossier: Dossier,
    entered_at: datetime,
    changes: Mapping[str, Any] | None = None,
) -> None:
    """The item's own row after an act."""
    state = dossier.workflow.states[dossier.state]
    dossier.rung = max((clock.rung or 0 for clock in dossier.clocks), default=0)
    dossier.closed_at = (dossier.closed_at or dossier.now) if state.final else None
    entries.add(
        "moves",
        id=dossier.id,
        state=dossier.state,
        revision=dossier.revision,
        seq=dossier.seq,
        head=dossier.head.hex(),
        entered_at=entered_at,
        settled=state.settled or state.final,
        due_at=due_at(dossier.clocks),
        rung=dossier.rung,
        subject_unit_id=dossier.subject_unit_id,
        closed_at=dossier.closed_at,
    )
    dossier.entered_at = entered_at
    if changes:
        entries.add("changes", id=dossier.id, data=changes)


def add_duties(entries: Entries, dossier: Dossier, duties: Sequence[HeldDuty]) -> None:
    """Duties that begin with this act."""
    for duty in duties:
        entries.add(
            "duties",
            item_id=duty.item_id,
            family_id=dossier.family_id,
            person_id=duty.person_id,
            role=duty.role,
            duty=duty.duty,
            assigned=duty.assigned,
            began_at=dossier.now,
        )
    dossier.duties = [*dossier.duties, *duties]


STATEMENT = (
    "本人与本事项的当事人、被反映人及其近亲属没有利害关系,没有其他可能影响公正办理的情形;"
    "情况变化时立即申请回避。"
    "I have no interest in this item and no near relation to anybody concerned in it, and know of"
    " nothing else that could affect its fair handling; if that changes I ask to be recused at once."
)
"""What is declared for an item, signed or by a first act on it (公务员法 arts. 76-77)."""
STATEMENT_DIGEST = sha256(STATEMENT.encode()).hexdigest()


def declare(entries: Entries, dossier: Dossier, person: int, how: str) -> None:
    """A declaration, held by the event just recorded."""
    entries.add(
        "declarations",
        item_id=dossier.id,
        person_id=person,
        seq=dossier.seq,
        how=how,
        statement=STATEMENT_DIGEST,
        declared_at=dossier.now,
    )


def declare_by_acting(entries: Entries, dossier: Dossier, actor: Actor, accepted: Accepted) -> None:
    """What somebody's first move says of them: whoever holds an item declares by acting on it, and
    whoever takes one up with `declarations_signed` signs for themselves. The table keeps the first
    word of each, so nothing is read to find out whether this is it.
    """
    if actor.id is None or not dossier.workflow.declaring:
        return
    if actor.id in dossier.assigned():
        declare(entries, dossier, actor.id, "acted")
    elif accepted.plain.get("declarations_signed") is True and not accepted.people:
        declare(entries, dossier, actor.id, "signed")


def end_duties(dossier: Dossier, variant: Transition, accepted: Accepted) -> None:
    """End what an act ends, before its own duties are written.

    Whoever is named as accused or recused loses every other duty of the family and what is on its
    way to them; so do, on this item, the people of a unit that turns out to be complained of;
    whoever was assigned before gives way to those assigned now.
    """
    fields = dossier.workflow.fields
    for name, people in accepted.named.items():
        if (duty := fields[name].duty) in BARRING:
            relieve(dossier, people, duty)
    subject = dossier.office.unit_named(str(accepted.plain.get(dossier.workflow.subject or "", "")))
    if subject is not None and subject.id != dossier.subject_unit_id:
        dossier.subject_unit_id = subject.id
        _shut_out(dossier)
    for effect in variant.effects:
        if effect.assign and effect.assign.people in accepted.named:
            end_assigned(dossier, effect.assign)


def relieve(dossier: Dossier, people: Sequence[int], duty: str) -> None:
    """End what people do in the whole family, as they begin to be barred, and withdraw their
    messages: those that wait, and those somebody is about to send. Who was recused may turn out to
    be accused; who is accused stays so.

    The open items of the family are locked first: an act that gives one of them something to do
    comes wholly before this, and is ended by it, or wholly after, and is refused.
    """
    execute(dossier.session, _LOCK_FAMILY, (dossier.family_id,))
    stays = [ACCUSED] if duty == ACCUSED else list(BARRING)
    _end(
        dossier,
        "family_id = %(family)s AND person_id = ANY(%(people)s) AND duty <> ALL(%(stays)s)",
        lambda held: held.person_id in people and held.duty not in stays,
        people=people,
        stays=stays,
    )
    execute(
        dossier.session,
        _WITHDRAW,
        {"people": list(people), "family": dossier.family_id, "item": None},
    )


def _shut_out(dossier: Dossier) -> None:
    people = list(dossier.office.shut_out_of(dossier.subject_unit_id))
    _end(
        dossier,
        "item_id = %(item)s AND person_id = ANY(%(people)s) AND duty NOT IN ('accused', 'recused')",
        lambda duty: (
            duty.item_id == dossier.id and duty.person_id in people and duty.duty not in BARRING
        ),
        people=people,
    )
    execute(dossier.session, _WITHDRAW, {"people": people, "family": None, "item": dossier.id})


def end_assigned(dossier: Dossier, assign: Assign) -> None:
    """End the duties of whoever holds the item in this role."""
    if any(
        duty.item_id == dossier.id and duty.role == assign.role and duty.active
        for duty in dossier.duties
    ):
        before = [*dossier.let_go]
        _end(
            dossier,
            "item_id = %(item)s AND role = %(role)s",
            lambda duty: duty.item_id == dossier.id and duty.role == assign.role,
            role=assign.role,
        )
        dossier.let_go = before  # they give way to others, which is no bar


def _end(
    dossier: Dossier,
    condition: str,
    ended: Callable[[HeldDuty], bool],
    **values: Any,
) -> None:
    rows = execute(
        dossier.session,
        f"UPDATE item_duty SET ended_at = %(now)s WHERE ended_at IS NULL AND {condition}"  # noqa: S608 - constants of this file
        " RETURNING item_id, person_id, role, duty, assigned",
        {"now": dossier.now, "family": dossier.family_id, "item": dossier.id, **values},
    )
    dossier.let_go += [HeldDuty(**row, active=False) for row in rows]
    dossier.duties = [
        replace(duty, active=False) if duty.active and ended(duty) else duty
        for duty in dossier.duties
    ]


def due_at(clocks: Sequence[Clock]) -> datetime | None:
    """The next due moment: of the limits that run, or else of standing still."""
    limits = [c.due_at for c in clocks if c.kind == "limit" and c.due_at and not c.paused_at]
    others = [c.due_at for c in clocks if c.name == IDLE and c.due_at]
    return min(limits or others, default=None)

"""What a move writes besides itself: messages, letters and duties. Rows only; nothing leaves here.

Spawns and the moves of other items are left to `engine.motion`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from engine.dossier import Dossier, HeldDuty
from engine.forms import Accepted, holds
from engine.notation import HOLDER
from engine.roster import CHAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.consequences import Assign
    from engine.definition import Transition
    from engine.documents import Letters
    from engine.entries import Entries
    from engine.people import Actor

ACCUSED = "accused"
RECUSED = "recused"
BARRING = frozenset({ACCUSED, RECUSED})
"""The duties of those who may neither act nor know."""
SUBJECT = "subject"  # the role an accused person stands in
PUBLIC_CHANNEL = "track"
INBOX = "inbox"


class Way(NamedTuple):
    """How staff are reached: the channel that leaves the house, and the address of the console."""

    channel: str = "console"
    public_url: str = ""


def recipients(dossier: Dossier, role: str) -> list[int]:
    """Who hears as this role: present, not barred, never nobody while the chain has anybody."""
    found = _as_role(dossier, role)
    if found:
        return found
    start = CHAIN.index(role) + 1 if role in CHAIN else 0
    for higher in CHAIN[start:]:
        if found := _as_role(dossier, higher):
            return found
    return []


def _as_role(dossier: Dossier, role: str) -> list[int]:
    if role == HOLDER:
        return holders(dossier)
    office = dossier.office
    assigned = office.there(dossier.assigned(role), dossier.today, dossier.excluded)
    spec = dossier.workflow.roles.get(role)
    if dossier.sealed and (spec is None or spec.duty in {"work", "revisit"}):
        return assigned  # nobody learns of a sealed item who may not see it
    return assigned or office.members_of(role, dossier.unit_id, dossier.today, dossier.excluded)


def holders(dossier: Dossier) -> list[int]:
    """Whoever can move the item on from where it stands."""
    people = (
        p for role in dossier.workflow.holders(dossier.state) for p in _as_role(dossier, role)
    )
    return list(dict.fromkeys(people))


def tell(
    entries: Entries,
    dossier: Dossier,
    people: Iterable[int],
    text: str,
    way: Way,
    extra: Mapping[str, Any],
) -> None:
    """A message row for each person; it leaves the house where the person has an address."""
    for person in people:
        leaves = bool(dossier.office.people[person].email)
        _message(
            entries,
            dossier,
            text,
            way,
            extra,
            recipient_id=person,
            endpoint_id=None,
            channel=way.channel if leaves else INBOX,
            status="ready" if leaves else "sent",
        )


def tell_public(entries: Entries, dossier: Dossier, text: str, way: Way) -> None:
    """A message the petitioner reads with number and code."""
    _message(
        entries,
        dossier,
        text,
        way,
        {},
        recipient_id=None,
        endpoint_id=None,
        channel=PUBLIC_CHANNEL,
        status="sent",
    )


def tell_endpoints(
    entries: Entries, dossier: Dossier, text: str, way: Way, extra: Mapping[str, Any]
) -> None:
    """A message for each system outside that listens to the item's unit; never of a sealed item."""
    if dossier.sealed:
        return
    for endpoint, unit in dossier.office.endpoints:
        if dossier.office.within(dossier.unit_id, unit):
            _message(
                entries,
                dossier,
                text,
                way,
                extra,
                recipient_id=None,
                endpoint_id=endpoint,
                channel="webhook",
                status="ready",
            )


def _message(
    entries: Entries,
    dossier: Dossier,
    text: str,
    way: Way,
    extra: Mapping[str, Any],
    **row: Any,
) -> None:
    payload = {
        "number": dossier.number,
        "workflow": dossier.workflow.title,
        "state": dossier.workflow.states[dossier.state].title,
        "deadline": extra.get("deadline", ""),
        "due_on": extra.get("due_on", ""),
        "act": extra.get("act", ""),
        "link": f"{way.public_url}/items/{dossier.number}",
        "office": dossier.office.units[dossier.office.root].name,
    }
    entries.add(
        "messages",
        item_id=dossier.id,
        seq=dossier.seq,
        deadline_id=extra.get("deadline_id"),
        rung=extra.get("rung"),
        text=text,
        payload=payload,
        created_at=dossier.now,
        **row,
    )


def draft(
    entries: Entries,
    letters: Letters,
    template: str,
    dossier: Dossier,
    clock: Mapping[str, Any],
) -> None:
    """A letter drafted from the item as it stands after the act."""
    title, body = letters.draft(template, dossier, dossier.data, clock)
    entries.add(
        "documents",
        item_id=dossier.id,
        seq=dossier.seq,
        template=template,
        title=title,
        body=body,
        drafted_at=dossier.now,
    )


def write_effects(
    entries: Entries,
    dossier: Dossier,
    variant: Transition,
    accepted: Accepted,
    letters: Letters,
    way: Way,
) -> None:
    """The messages and letters of a move. `dossier` already stands after it."""
    values = {**dossier.data, **accepted.plain}
    for effect in variant.effects:
        if effect.notify and holds(effect.notify.when, values):
            if effect.notify.to == "public":
                tell_public(entries, dossier, effect.notify.text, way)
            else:
                people = recipients(dossier, effect.notify.to)
                tell(entries, dossier, people, effect.notify.text, way, {})
        elif effect.document and holds(effect.document.when, values):
            draft(entries, letters, effect.document.template, dossier, {})


def duties_of(
    dossier: Dossier, variant: Transition, actor: Actor, role: str, accepted: Accepted
) -> list[HeldDuty]:
    """The duties an act creates: of the actor by role, of people named, of people assigned."""
    found: list[HeldDuty] = []
    spec = dossier.workflow.roles.get(role)
    if actor.id is not None and spec is not None and spec.duty:
        found.append(_duty(dossier, actor.id, role, spec.duty, assigned=False))
    assigns = {effect.assign.people: effect.assign for effect in variant.effects if effect.assign}
    for name, people in accepted.named.items():
        duty = dossier.workflow.fields[name].duty
        if name in assigns:
            found += assigned_duties(dossier, assigns[name], people)
        elif duty:
            as_role = SUBJECT if duty == ACCUSED else duty
            kept = people if duty != RECUSED else [p for p in people if p not in dossier.barred]
            found += [_duty(dossier, person, as_role, duty, assigned=False) for person in kept]
    borne = {(d.item_id, d.person_id, d.role) for d in dossier.duties if d.active}
    once: dict[tuple[int, int, str], HeldDuty] = {}
    for each in sorted(found, key=lambda each: not each.assigned):  # being assigned says more
        once.setdefault((each.item_id, each.person_id, each.role), each)
    return [each for key, each in once.items() if key not in borne]


def assigned_duties(dossier: Dossier, assign: Assign, people: Iterable[int]) -> list[HeldDuty]:
    """The duties of people who become the item's holders in a role."""
    duty = dossier.workflow.roles[assign.role].duty or "work"
    return [_duty(dossier, person, assign.role, duty, assigned=True) for person in people]


def barring(dossier: Dossier, person: int) -> HeldDuty:
    """The duty of somebody recused."""
    return _duty(dossier, person, RECUSED, RECUSED, assigned=False)


def _duty(dossier: Dossier, person: int, role: str, duty: str, *, assigned: bool) -> HeldDuty:
    return HeldDuty(dossier.id, person, role, duty, assigned, active=True)

"""Keeping people out of a family of items (回避), and what follows for everything they held.

Whoever is named as accused, recused, or bound to an accused by a declared conflict of interest may
neither act on any item of the family nor know of it, from the same transaction on. Their duties end,
what was on its way to them is withdrawn (`engine.record.relieve`), and here every open item of the
family comes to somebody else: whoever may assign it anew is told at once. Where nobody lawful would
be left, inside the bureau or outside, the act is refused with the cheapest way out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import effects
from engine.database import execute
from engine.desk import RECUSAL
from engine.dossier import READ_MANY
from engine.effects import ACCUSED, RECUSED
from engine.entries import Entries
from engine.errors import GuardRefused
from engine.record import record, relieve, settle
from engine.roster import CHAIN
from engine.workability import assigners, gap, outside

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from engine.consequences import Recuse
    from engine.desk import Desk
    from engine.dossier import Dossier, HeldDuty
    from engine.people import Actor

FAMILY = """
SELECT id FROM item WHERE family_id = %s AND closed_at IS NULL ORDER BY id FOR NO KEY UPDATE
"""
RECUSE = """
INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)
SELECT %s, %s, person, 'recused', 'recused', %s FROM unnest(%s::int[]) AS person
"""
CLEAR = """
UPDATE item_duty SET ended_at = %s WHERE ended_at IS NULL AND family_id = %s
AND person_id = ANY(%s) AND duty IN ('accused', 'recused')
"""
COUNTED = """
SELECT DISTINCT a.id FROM item i JOIN cluster_member m ON m.member_id = i.id
JOIN item a ON a.id = m.item_id WHERE i.family_id = %s AND NOT a.sealed ORDER BY a.id
"""
HOLDER_GONE = "holder_gone"
RECUSAL_OUTCOME = "recusal_outcome"
RECUSAL_DECIDED = "recusal_decided"
"""The texts of `texts.yaml` that the engine itself sends."""


def recuse(dossier: Dossier, people: Collection[int]) -> list[int]:
    """Bar people from the family of a held item from now on; returns those who were not barred."""
    fresh = [person for person in dict.fromkeys(people) if person not in dossier.barred]
    if fresh:
        relieve(dossier, fresh, RECUSED)
        values = (dossier.id, dossier.family_id, dossier.now, fresh)
        execute(dossier.session, RECUSE, values)
        dossier.duties = [
            *dossier.duties,
            *(effects.barring(dossier, person) for person in fresh),
        ]
    return fresh


def clear(dossier: Dossier, people: Collection[int]) -> None:
    """End what bars people from the family of a held item; what they did before stays done."""
    execute(dossier.session, CLEAR, (dossier.now, dossier.family_id, list(people)))


def decide(desk: Desk, parent: Dossier, request: Dossier, recuse_: Recuse, actor: Actor) -> None:
    """Write a decision on a recusal application into the held item it is about: who is barred or
    cleared from now on, the event, and the word to whoever asked.
    """
    accounts = [str(account) for account in request.data.get(recuse_.people, ())]
    named = (parent.office.person_named(account) for account in accounts)
    people = [person.id for person in named if person is not None]
    if recuse_.outcome == "barred":
        recuse(parent, people)
    elif recuse_.outcome == "cleared":
        clear(parent, people)
    entries = Entries()
    if actor.id is not None:
        act = "recusal_refuse" if recuse_.outcome == "unchanged" else "recusal_grant"
        if parent.workflow.states[parent.state].final:
            act = "conflict"
        data = {"officers": accounts, "outcome": recuse_.outcome, "recusal": request.number}
        record(entries, parent, act, actor, desk.role_seen(parent, actor), data)
        settle(entries, parent, parent.entered_at)
        asker = request.history[0].actor_id
        if asker is None:
            effects.tell_public(entries, parent, RECUSAL_DECIDED, desk.way)
        elif asker not in parent.excluded:
            effects.tell(entries, parent, [asker], RECUSAL_OUTCOME, desk.way, {})
    entries.write(parent.session)


def follow(desk: Desk, dossier: Dossier, actor: Actor) -> list[int]:
    """Everything that follows in the family once people were barred by an act on an item.

    Others with a declared conflict of interest with the accused are recused; each item that lost
    its people is brought to whoever may assign it anew. Returns the recusal applications that need
    no decision any more. Raises GuardRefused where nobody lawful would be left and no channel
    outside the bureau is set.
    """
    others = recuse(dossier, unheeded(dossier))
    gone = dossier.let_go
    ids = [row["id"] for row in execute(dossier.session, FAMILY, (dossier.family_id,))]
    entries = Entries()
    needless: list[int] = []
    for row in execute(dossier.session, READ_MANY, (ids,)).fetchall():
        kin = desk.dossier(dossier.session, row, dossier.now)
        if kin.workflow.workflow == RECUSAL and _decided(kin):
            needless.append(kin.id)
            continue
        lost = [duty for duty in gone if duty.item_id == kin.id]
        if others if kin.id == dossier.id else lost:
            _write_down(entries, desk, kin, actor, lost, others)
        elsewhere = _refuse_if_nobody(kin)
        _bring_on(entries, desk, kin, actor, lost, elsewhere)
    entries.write(dossier.session)
    return needless


def unheeded(dossier: Dossier) -> list[int]:
    """Who is bound by a declared conflict of interest to somebody accused in the family, or to the
    unit complained of, and is not barred yet. What a registrar wrote down binds both of two people.
    """
    if not dossier.office.conflicts:
        return []
    accused = {d.person_id for d in dossier.duties if d.active and d.duty == ACCUSED}
    units = dossier.office.above(dossier.subject_unit_id) if dossier.subject_unit_id else ()
    found: list[int] = []
    for person, kind, other in dossier.office.conflicts:
        if kind == "unit":
            found += [person] if other in units else []
        else:
            found += [person] if other in accused else []
    return [person for person in dict.fromkeys(found) if person not in dossier.barred]


def counted_in(dossier: Dossier) -> list[int]:
    """The analyses that items of this family were counted for: whoever is barred here would learn from
    the count that there is one more than they may know of, so they are barred there, too.
    """
    return [row["id"] for row in execute(dossier.session, COUNTED, (dossier.family_id,))]


def _decided(kin: Dossier) -> bool:
    """Whether everybody a recusal application is about is barred by now."""
    if kin.data.get("wanted") != "bar":
        return False
    named = (kin.office.person_named(account) for account in kin.data.get("officers", ()))
    return all(person is None or person.id in kin.barred for person in named)


def _write_down(
    entries: Entries,
    desk: Desk,
    kin: Dossier,
    actor: Actor,
    lost: Sequence[HeldDuty],
    others: Sequence[int],
) -> None:
    people = kin.office.people
    data = {
        "lost": [{"person": people[d.person_id].account, "role": d.role} for d in lost],
        "recused": [people[person].account for person in others],
    }
    record(entries, kin, "conflict", actor, desk.role_seen(kin, actor), data)
    settle(entries, kin, kin.entered_at)


def _refuse_if_nobody(kin: Dossier) -> list[int]:
    """Whom outside the bureau an item goes to because nobody here may touch it, [] where somebody
    may. Raises GuardRefused where there is nobody outside either.
    """
    found = gap(kin)
    if found is None or found.kind == "reassign":
        return []
    if there := outside(kin):
        return there
    way = found.remedy.sentence if found.remedy else ""
    raise GuardRefused(
        f"这样一来无人可依法办理本事项,也没有局外渠道。{way}请先补足人员再办理。"
        "Nobody could lawfully go on with this item, and no channel outside the bureau is set; "
        "provide for that first.",
        guard="somebody_left",
    )


def _bring_on(
    entries: Entries,
    desk: Desk,
    kin: Dossier,
    actor: Actor,
    lost: Sequence[HeldDuty],
    elsewhere: Sequence[int],
) -> None:
    """Tell whoever may assign an item anew that a holder is gone; somebody besides the actor."""
    roles = dict.fromkeys(
        role
        for duty in lost
        if duty.assigned
        for variant in assigners(kin, duty.role)
        for role in variant.by
    )
    told: list[int] = [*elsewhere]
    for role in roles:
        told += effects.recipients(kin, role)
    if roles and not set(told) - {actor.id}:
        told += next(
            (
                found
                for higher in CHAIN[CHAIN.index("deputy") :]
                if set(found := effects.recipients(kin, higher)) - {actor.id}
            ),
            [],
        )
    effects.tell(entries, kin, dict.fromkeys(told), HOLDER_GONE, desk.way, {})

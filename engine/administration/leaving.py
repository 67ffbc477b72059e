"""Leaving (离职): at once or on a day to come. Open items are handed over, none is left hanging."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.administration.handover import Handed, hand_over
from engine.administration.register import ADMIN, open_register
from engine.database import execute
from engine.errors import Invalid, NotPermitted, Refused
from engine.walls import as_engine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from engine.administration.register import Register
    from engine.casework import Casework
    from engine.database import Database

DUE = """
SELECT p.id FROM person p, (SELECT (now() + practice_offset)::date AS today FROM bureau) b
WHERE p.left_on <= b.today AND (
  EXISTS (SELECT FROM item_duty d JOIN item i ON i.id = d.item_id WHERE d.person_id = p.id
    AND d.assigned AND d.ended_at IS NULL AND i.closed_at IS NULL)
  OR EXISTS (SELECT FROM message m WHERE m.recipient_id = p.id AND m.status = 'ready'))
ORDER BY p.id
"""


def leave(
    register: Register, desk: Casework, account: str, on: date, successors: Sequence[str] = ()
) -> dict[str, Any]:
    """Let somebody leave on a day; from that day on they are gone. What became of their work.

    A day to come may be set anew until it has come; the worker hands over then. Raises NotFound,
    NotPermitted, Invalid, Refused.
    """
    person = register.person(account)
    register.demand(ADMIN, unit=person.unit_id)
    if register.actor is not None and register.actor.id == person.id:
        raise NotPermitted(
            "自己的离职由另一名管理员办理。Another administrator must do this for you."
        )
    if person.left_on is not None and person.left_on <= register.today:
        raise Refused("此人已离职。This person has left already.")
    named = [register.colleague(each, f"/successors/{at}").id for at, each in enumerate(successors)]
    if person.id in named:
        raise Invalid([("/successors", "不能移交给本人。Nobody takes over from himself.")])
    execute(
        register.session,
        "UPDATE person SET left_on = %s, successors = %s WHERE id = %s",
        (on, named, person.id),
    )
    execute(
        register.session,
        "DELETE FROM leave WHERE person_id = %s AND first_on >= %s AND first_on > %s",
        (person.id, on, register.today),
    )
    register.reread()
    now = on <= register.today
    handed = depart(register, desk, person.id) if now else Handed()
    return {"account": account, "left_on": on, "done": now, **_told(register, handed)}


def doubts(register: Register, account: str, on: date) -> list[str]:
    """Whom somebody stands in for on days after they have left."""
    person = register.person(account)
    relied = sorted(
        register.office.people[absent].account
        for absent, _, last, substitute in register.office.leave
        if substitute == person.id and last >= on
    )
    if not relied:
        return []
    names = "、".join(relied)
    return [f"仍须代理 {names} 的职务,将无人代理。Stands in for {names} after that; nobody would."]


def depart(register: Register, desk: Casework, person: int) -> Handed:
    """Hand over what somebody who has left still holds, and end their logins."""
    entry = register.office.people[person]
    row = execute(
        register.session, "SELECT successors FROM person WHERE id = %s", (person,)
    ).fetchone()
    execute(register.session, "DELETE FROM login WHERE person_id = %s", (person,))
    # a desk of this transaction's own: the shared one would keep an office that may be undone
    own = replace(desk, _office=None, _calendar=None)
    asker = register.actor.id if register.actor is not None else None
    with as_engine(register.session):  # whoever administers sees no items
        return hand_over(register.session, own, entry, (row or {})["successors"], asker)


def depart_all(database: Database, desk: Casework) -> int:
    """Hand over for everybody whose day has come; how many. Run again it does nothing."""
    with database.transaction() as session:
        due = [row["id"] for row in execute(session, DUE)]
    for person in due:
        database.perform(
            lambda session, person=person: depart(  # type: ignore[misc]
                open_register(session, desk.catalog, None, "worker"), desk, person
            )
        )
    return len(due)


def _told(register: Register, handed: Handed) -> dict[str, Any]:
    """Counts only: an administrator does not read cases, and of some he must not know."""
    seen = {key: who for key, who in handed.items.items() if key[0] not in handed.hidden}
    taken = Counter(who for who in seen.values() if who is not None)
    people = register.office.people
    return {
        "handed_over": taken.total(),
        "successors": [
            {"account": people[who].account, "items": many} for who, many in sorted(taken.items())
        ],
        "told_upward": len(seen) - taken.total(),
        "unheard": handed.unheard,
        "messages": handed.messages,
    }

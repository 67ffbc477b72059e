"""Leave (请假): days somebody is away, and who lawfully stands in (代理人)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from engine.access import handed
from engine.administration.register import ADMIN, days_of
from engine.administration.roles import GUARDING, STAND_IN, clash
from engine.database import execute
from engine.errors import Invalid, NotFound, Refused

if TYPE_CHECKING:
    from engine.administration.register import Register
    from engine.people import PersonEntry

CERTIFIED = frozenset({"handler", "audit"})
"""Roles that need a certificate (行政处罚法 art. 42)."""


def add(
    register: Register, account: str, first_on: date, last_on: date, substitute: str | None
) -> int:
    """Register a leave; its number.

    Raises NotFound, NotPermitted, Invalid, Refused (it overlaps another leave of theirs, or the
    substitute could not lawfully stand in).
    """
    person = register.person(account)
    register.demand(ADMIN, unit=person.unit_id)
    if last_on < first_on or last_on < register.today:
        raise Invalid(
            [("/last_on", "止日不得早于起日和今天。Ends before it begins, or in the past.")]
        )
    if register.office.left(person.id, first_on):
        raise Refused("此人届时已离职。This person will have left by then.")
    if any(
        a == person.id and f <= last_on and t >= first_on for a, f, t, _ in register.office.leave
    ):
        raise Refused("与已登记的请假重叠。This overlaps another leave of theirs; change that one.")
    stand_in = None
    if substitute is not None:
        stand_in = register.colleague(substitute, "/substitute")
        _demand_lawful(register, person, stand_in, first_on, last_on)
    row = execute(
        register.session,
        "INSERT INTO leave (person_id, first_on, last_on, substitute_id) VALUES (%s, %s, %s, %s)"
        " RETURNING id",
        (person.id, first_on, last_on, stand_in.id if stand_in else None),
    ).fetchone()
    register.reread()
    return int((row or {})["id"])


def shorten(register: Register, leave: int, last_on: date) -> None:
    """Let a leave end earlier: today, or as of yesterday for somebody who is back.

    Raises NotFound, NotPermitted, Invalid.
    """
    row = _found(register, leave)
    earliest = max(row["first_on"], register.today - timedelta(days=1))
    if not earliest <= last_on <= row["last_on"]:
        sentence = (
            "只能提前结束,且不早于昨天和起日。"
            "A leave can only end earlier, and not before yesterday or its first day."
        )
        raise Invalid([("/last_on", sentence)])
    execute(register.session, "UPDATE leave SET last_on = %s WHERE id = %s", (last_on, leave))
    register.reread()


def cancel(register: Register, leave: int) -> None:
    """Take back a leave that has not begun before today. Raises NotFound, NotPermitted, Refused."""
    row = _found(register, leave)
    if row["first_on"] < register.today:
        raise Refused(
            "请假已经开始,请改为提前结束。The leave has begun; let it end earlier instead."
        )
    execute(register.session, "DELETE FROM leave WHERE id = %s", (leave,))
    register.reread()


def doubts(register: Register, account: str, first_on: date, last_on: date) -> list[str]:
    """What somebody should know before a leave is confirmed, besides the silence proof."""
    person = register.person(account)
    office = register.office
    relied = sorted(
        office.people[absent].account
        for absent, first, last, substitute in office.leave
        if substitute == person.id and first <= last_on and last >= first_on
    )
    if not relied:
        return []
    names = "、".join(relied)
    return [f"届时代理 {names} 的职务,将无人代理。Stands in for {names} then; nobody would."]


def days(register: Register, first_on: date, last_on: date) -> list[date]:
    """The days on which the silence proof should look at a leave."""
    return days_of(register.office, first_on, last_on, register.today)


def _found(register: Register, leave: int) -> dict[str, date]:
    row = execute(
        register.session,
        "SELECT l.first_on, l.last_on, p.unit_id FROM leave l JOIN person p ON p.id = l.person_id"
        " WHERE l.id = %s",
        (leave,),
    ).fetchone()
    if row is None:
        register.demand(ADMIN)
        raise NotFound("没有这条请假登记,请核对。There is no such leave; check its number.")
    register.demand(ADMIN, unit=row["unit_id"])
    return row


def _demand_lawful(
    register: Register, person: PersonEntry, stand_in: PersonEntry, first_on: date, last_on: date
) -> None:
    """Raise Refused where somebody could not stand in for somebody on all of these days."""
    office = register.office
    roles = [role for role, _ in office.roles(person.id)]
    borne = {role for role, _ in office.roles(stand_in.id)}
    found = clash(roles, sorted(borne))
    guarded = [
        role
        for role in roles
        if role in GUARDING and register.actor and not borne & STAND_IN.get(role, {role})
    ]
    until = stand_in.certified_until
    if stand_in.id == person.id:
        why = "不能代理自己。Nobody stands in for himself."
    elif stand_in.left_on is not None and stand_in.left_on <= last_on:
        why = "代理人届时已离职。The substitute will have left by then."
    elif any(a == stand_in.id and f <= last_on and t >= first_on for a, f, t, _ in office.leave):
        why = "代理人届时也在请假。The substitute is on leave himself on some of these days."
    elif found is not None:
        why = (
            f"代理人的角色 {found[1]} 与被代理的角色 {found[0]} 不相容。"
            f"The substitute's role {found[1]} excludes {found[0]}, which they would act in."
        )
    elif guarded:
        why = (
            f"角色 {guarded[0]} 须两人授予,代理人须已有该角色。"
            f"The role {guarded[0]} takes two people to give; only who bears it stands in for it."
        )
    elif register.actor and handed(register.session, stand_in.id, register.actor.id):
        why = (
            "您经手过此人的临时口令或令牌,须由另一位管理员登记。"
            "You were shown a password or token of theirs; another administrator registers this."
        )
    elif CERTIFIED & set(roles) and (until is None or until < last_on):
        why = (
            "代理办案须持有届时有效的行政执法证。"
            "Standing in for a handler takes an enforcement certificate valid on all these days."
        )
    else:
        return
    raise Refused(f"{why}请另选代理人。Choose another substitute.")

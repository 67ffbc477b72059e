"""Roles: granted and revoked for a unit. What guards the others takes two people, and so does a role for
whoever's password or token one was shown; some never meet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.access import handed
from engine.administration.register import ADMIN, HEAD
from engine.database import execute
from engine.errors import Invalid, NotFound, NotPermitted, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.administration.register import Register
    from engine.people import PersonEntry, UnitEntry

GUARDING = frozenset({ADMIN, HEAD, "deputy", "liaison", "discipline"})
"""Roles whose every change a second person confirms: who holds them can shut the others out, confirm
what an administrator proposed, or grant reveals."""
STAND_IN = {HEAD: frozenset({HEAD, "deputy"})}
"""Who may stand in for such a role besides those who bear it: standing in must not be a way round."""
ALONE = {"auditor": "audit", ADMIN: "administration", "discipline": "discipline"}
"""Roles of a kind of their own: whoever bears one bears none of another kind (等保: separate
administrators; domain 2.1: auditors write nothing, the discipline office stands outside)."""
CHECKS = frozenset({"liaison", "deputy", "law_reviewer"})
"""Roles never together with `handler`, whatever the item (domain 2.1)."""


class Outcome(NamedTuple):
    """What became of a change of roles: done, or proposed under this number."""

    done: bool
    proposal: int | None = None


def excludes(role: str, other: str) -> bool:
    """Whether nobody may bear both roles; `role_kind` and `role_side` of the schema say the same."""
    if ALONE.get(role, "work") != ALONE.get(other, "work"):
        return True
    return (role == "handler" and other in CHECKS) or (other == "handler" and role in CHECKS)


def clash(roles: Iterable[str], others: Iterable[str]) -> tuple[str, str] | None:
    """The first two of these roles that nobody may bear together."""
    return next(((a, b) for a in roles for b in others if excludes(a, b)), None)


def change(register: Register, account: str, role: str, unit: str, *, granted: bool) -> Outcome:
    """Grant somebody a role for a unit and the units below it, or revoke it; proposed only where a
    second person must confirm it. What is so already stays so.

    Raises NotFound, NotPermitted (nobody grants himself a role), Invalid, Refused (roles that
    exclude one another).
    """
    person, scope = _given(register, account, role, unit)
    held = (role, scope.id) in register.office.roles(person.id)
    if held == granted:
        return Outcome(done=True)
    if granted:
        _demand_compatible(register, person, role)
    if register.actor is not None and (
        role in GUARDING or (granted and handed(register.session, person.id, register.actor.id))
    ):
        return Outcome(
            done=False, proposal=_propose(register, person, role, scope, granted=granted)
        )
    _write(register, person.id, role, scope.id, granted=granted)
    return Outcome(done=True)


def decide(register: Register, proposal: int, *, confirmed: bool) -> None:
    """Confirm or refuse a proposal, as another admin or the head than whoever proposed it.

    Raises NotFound, NotPermitted, Refused (decided already, or no longer lawful).
    """
    row = execute(
        register.session,
        "SELECT * FROM role_proposal WHERE id = %s FOR UPDATE",
        (proposal,),
    ).fetchone()
    register.demand(ADMIN, HEAD)
    if row is None:
        raise NotFound("没有这个申请,请核对。There is no such proposal; check its number.")
    if row["decided_at"] is not None:
        raise Refused("该申请已有决定。This proposal was decided already.")
    decider = register.actor.id if register.actor is not None else None
    if decider is None or decider in {row["proposed_by"], row["person_id"]}:
        raise NotPermitted(
            "须由提出人和本人以外的另一人决定。"
            "Somebody other than whoever proposed it, and whom it concerns, must decide."
        )
    execute(
        register.session,
        "UPDATE role_proposal SET decided_by = %s, decided_at = now(), confirmed = %s WHERE id = %s",
        (decider, confirmed, proposal),
    )
    if confirmed:
        person = register.office.people[row["person_id"]]
        if row["granted"]:
            _demand_present(register, person)
            _demand_compatible(register, person, row["role"])
        _write(register, person.id, row["role"], row["unit_id"], granted=row["granted"])


def _given(register: Register, account: str, role: str, unit: str) -> tuple[PersonEntry, UnitEntry]:
    person = register.person(account)
    scope = register.unit(unit)
    register.demand(ADMIN, unit=scope.id)
    if role not in register.roles:
        names = ", ".join(sorted(register.roles))
        raise Invalid([("/role", f"没有这个角色,可用的有 (no such role; there are): {names}")])
    if register.actor is not None and register.actor.id == person.id:
        raise NotPermitted(
            "不能给自己授予或者撤销角色,请由另一名管理员办理。"
            "Nobody changes their own roles; another administrator must."
        )
    _demand_present(register, person)
    return person, scope


def _demand_present(register: Register, person: PersonEntry) -> None:
    if register.office.left(person.id, register.today):
        raise Refused("此人已离职。This person has left.")


def _demand_compatible(register: Register, person: PersonEntry, role: str) -> None:
    """Against the roles somebody bears, and those they stand in for or that stand in for them."""
    office = register.office
    beside = {person.id}
    for absent, _, last, substitute in office.leave:
        if last >= register.today and substitute is not None and person.id in {absent, substitute}:
            beside |= {absent, substitute}
    found = clash([role], [held for each in sorted(beside) for held, _ in office.roles(each)])
    if found is not None:
        raise Refused(
            f"角色 {found[0]} 与 {found[1]} 不得由同一人担任(含代理期间),请另选他人。"
            f"Nobody bears {found[0]} and {found[1]} together, nor while standing in; choose another.",
            roles=list(found),
        )


def _propose(
    register: Register, person: PersonEntry, role: str, scope: UnitEntry, *, granted: bool
) -> int:
    open_one = execute(
        register.session,
        "SELECT id, granted FROM role_proposal"
        " WHERE (person_id, role, unit_id) = (%s, %s, %s) AND decided_at IS NULL",
        (person.id, role, scope.id),
    ).fetchone()
    if open_one is not None:
        return int(open_one["id"])
    row = execute(
        register.session,
        "INSERT INTO role_proposal (person_id, role, unit_id, granted, proposed_by, proposed_at)"
        " VALUES (%s, %s, %s, %s, %s, now()) RETURNING id",
        (person.id, role, scope.id, granted, register.actor.id if register.actor else None),
    ).fetchone()
    return int((row or {})["id"])


def _write(register: Register, person: int, role: str, unit: int, *, granted: bool) -> None:
    statement = (
        "INSERT INTO membership (person_id, role, unit_id) VALUES (%s, %s, %s)"
        " ON CONFLICT (person_id, role, unit_id) DO NOTHING"
        if granted
        else "DELETE FROM membership WHERE (person_id, role, unit_id) = (%s, %s, %s)"
    )
    execute(register.session, statement, (person, role, unit))
    register.reread()

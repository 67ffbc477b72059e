"""Declared conflicts of interest (利害关系): of whom, with whom, on what ground, since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.administration.register import ADMIN, bears
from engine.database import execute
from engine.errors import Invalid, NotFound, Refused

if TYPE_CHECKING:
    from engine.administration.register import Register

GROUNDS = ("near_relative", "interest", "former_post", "other")
"""公务员法 art. 76: a near relative, an interest, what else may affect fairness; a former post is
named by 市场监督管理行政处罚程序规定."""
OUTSIDE = ("trader", "industry", "family_business", "agency", "other")
"""Of somebody outside only the category is kept: the register is no file on the public."""
REGISTRARS = (ADMIN, "liaison")


class Declared(NamedTuple):
    """A conflict as declared: exactly one of a person, a unit, or a category outside."""

    ground: str
    person: str | None = None
    unit: str | None = None
    outside: str | None = None


def declare(register: Register, account: str, declared: Declared) -> int:
    """Register a conflict of somebody: their own, or as admin or liaison; its number.

    Raises NotFound, NotPermitted, Invalid, Refused (declared already).
    """
    actor = register.actor
    declarer = register.colleague(account, "/account")
    if actor is None or actor.id is None or actor.id != declarer.id:
        register.demand(*REGISTRARS)
    named = (declared.person, declared.unit, declared.outside)
    if sum(each is not None for each in named) != 1:
        raise Invalid(
            [
                (
                    "/",
                    "人员、单位、外部类别须填一项。Name one of a person, a unit, a category outside.",
                )
            ]
        )
    other = register.person(declared.person) if declared.person is not None else None
    unit = register.unit(declared.unit) if declared.unit is not None else None
    if other is not None and other.id == declarer.id:
        raise Invalid([("/person", "请填写另一人。Name somebody else.")])
    values = (
        declarer.id,
        other.id if other else None,
        unit.id if unit else None,
        declared.outside,
        declared.ground,
    )
    known = execute(
        register.session,
        "SELECT FROM officer_conflict WHERE person_id = %s AND other_person_id IS NOT DISTINCT FROM %s"
        " AND other_unit_id IS NOT DISTINCT FROM %s AND outside IS NOT DISTINCT FROM %s"
        " AND ground = %s AND ended_on IS NULL",
        values,
    ).fetchone()
    if known is not None:
        raise Refused("已登记过这一利害关系。This conflict is registered already.")
    row = execute(
        register.session,
        "INSERT INTO officer_conflict (person_id, other_person_id, other_unit_id, outside, ground,"
        " declared_on, declared_by) VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (*values, register.today, actor.id if actor and actor.id else declarer.id),
    ).fetchone()
    register.reread()
    return int((row or {})["id"])


def end(register: Register, conflict: int) -> None:
    """A conflict is over: told by an admin or the liaison, and never by the declarer alone, who
    could otherwise slip back into an item. Raises NotFound, NotPermitted, Refused.
    """
    row = execute(
        register.session,
        "SELECT person_id, ended_on FROM officer_conflict WHERE id = %s FOR UPDATE",
        (conflict,),
    ).fetchone()
    actor = register.actor
    own = row is not None and actor is not None and actor.id == row["person_id"]
    registrar = actor is None or bears(register.before, actor, REGISTRARS, register.today)
    if row is None or not (own or registrar):
        raise NotFound("没有这条登记,请核对。There is no such declaration; check its number.")
    if own:
        raise Refused(
            "须由管理员或者纪检联络员核实后解除。"
            "An administrator or the liaison ends it, after looking into it."
        )
    if row["ended_on"] is not None:
        raise Refused("该登记已解除。This declaration has ended already.")
    execute(
        register.session,
        "UPDATE officer_conflict SET ended_on = %s WHERE id = %s",
        (register.today, conflict),
    )
    register.reread()

"""People: added, renamed, moved, given a post, a certificate, an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from engine.administration.register import ADMIN, demand_revision
from engine.administration.words import demand_sound
from engine.database import execute
from engine.errors import NotFound, NotPermitted, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from engine.administration.register import Register

CHANGED = ("name", "unit", "post", "post_kind", "email", "certificate", "certified_until")
COLUMNS = {
    **dict.fromkeys(("name", "post", "post_kind", "email", "certificate"), "text"),
    "unit_id": "int",
    "certified_until": "date",
}
_SET = ", ".join(
    f"{name} = CASE WHEN '{name}' = ANY(%(given)s) THEN %({name})s::{kind} ELSE {name} END"
    for name, kind in COLUMNS.items()
)
CHANGE = f"UPDATE person SET {_SET} WHERE id = %(person)s"  # noqa: S608 - constants of this file


class Newcomer(NamedTuple):
    """Somebody to be added. `password_hash` None: they cannot log in by password yet."""

    account: str
    name: str
    unit: str
    post: str | None = None
    post_kind: str = "staff"
    email: str | None = None
    certificate: str | None = None
    certified_until: date | None = None
    password_hash: str | None = None


def create(register: Register, newcomer: Newcomer) -> int:
    """Add somebody without roles; their id. Raises NotPermitted, Invalid, Refused."""
    demand_sound({**newcomer._asdict(), "unit": None})
    unit = register.unit(newcomer.unit)
    register.demand(ADMIN, unit=unit.id)
    if register.office.person_named(newcomer.account):
        raise Refused("该账号已有人使用。There is an account of that name already.")
    row = execute(
        register.session,
        "INSERT INTO person (account, name, unit_id, email, post, post_kind, certificate,"
        " certified_until, password_hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            newcomer.account,
            newcomer.name.strip(),
            unit.id,
            newcomer.email,
            newcomer.post,
            newcomer.post_kind,
            newcomer.certificate,
            newcomer.certified_until,
            newcomer.password_hash,
        ),
    ).fetchone()
    register.reread()
    return int((row or {})["id"])


def change(
    register: Register, account: str, revision: int | None, changes: Mapping[str, Any]
) -> None:
    """Change some of :data:`CHANGED` of somebody; None empties what may be empty.

    Nobody gives himself a post or a certificate: a post decides over recusals. Raises NotFound,
    NotPermitted, Stale, Invalid, Refused.
    """
    person = register.person(account)
    register.demand(ADMIN, unit=person.unit_id)
    row = execute(
        register.session,
        "SELECT revision, left_on FROM person WHERE id = %s",
        (person.id,),
    ).fetchone()
    if row is None:
        raise NotFound("没有这个账号,请核对。There is no such account; check it.")
    demand_revision(row["revision"], revision)
    own = register.actor is not None and register.actor.id == person.id
    if own and set(changes) - {"name", "email"}:
        raise NotPermitted(
            "不能更改自己的单位、职务和执法证,请由他人办理。"
            "Nobody changes their own unit, post or certificate; another administrator must."
        )
    demand_sound(changes)
    values = {name: value for name, value in changes.items() if name != "unit"}
    if "unit" in changes:
        unit = register.unit(changes["unit"])
        register.demand(ADMIN, unit=unit.id)
        values["unit_id"] = unit.id
    columns = {**dict.fromkeys(COLUMNS), **values}
    execute(register.session, CHANGE, {**columns, "given": list(values), "person": person.id})
    register.reread()

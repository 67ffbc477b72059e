"""Units: created, renamed, moved, closed. One root, no circle, and none that still has work or people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.administration.register import ADMIN, demand_revision
from engine.administration.words import demand_sound
from engine.database import execute
from engine.errors import Invalid, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.administration.register import Register
    from engine.people import UnitEntry


def create(
    register: Register, code: str, name: str, under: str | None, aliases: Sequence[str] = ()
) -> None:
    """Add a unit; the first one is the bureau, every other lies under one.

    Raises NotPermitted, Invalid, Refused (the code or name is taken).
    """
    demand_sound({"code": code, "name": name, "aliases": list(aliases)})
    office = register.office
    if under is None and office.units:
        raise Invalid([("/under", "请指明上级单位(under)。Name the unit above (under).")])
    parent = register.unit(under, "/under") if under is not None else None
    if parent is not None:
        register.demand(ADMIN, unit=parent.id)
    _demand_free(register, None, [code, name, *aliases])
    execute(
        register.session,
        "INSERT INTO unit (code, name, aliases, parent_id) VALUES (%s, %s, %s, %s)",
        (code, name.strip(), [alias.strip() for alias in aliases], parent.id if parent else None),
    )
    register.reread()


def change(
    register: Register,
    code: str,
    revision: int | None,
    *,
    name: str | None = None,
    under: str | None = None,
    aliases: Sequence[str] | None = None,
) -> None:
    """Rename a unit or move it with everything below it; None leaves a thing as it is.

    Raises NotFound, NotPermitted, Stale, Invalid, Refused (a circle).
    """
    unit = _unit(register, code, revision)
    demand_sound({"name": name, "aliases": aliases})
    words = [*([name] if name is not None else []), *(aliases or ())]
    _demand_free(register, unit, words)
    parent = unit.parent_id
    if under is not None:
        above = register.unit(under, "/under")
        register.demand(ADMIN, unit=above.id)
        if parent is None or register.office.within(above.id, unit.id):
            raise Refused(
                "单位不能移到自身或下级之下,本局不能移动。"
                "A unit cannot lie below itself, and the bureau stays at the top; choose another."
            )
        parent = above.id
    execute(
        register.session,
        "UPDATE unit SET name = %s, aliases = %s, parent_id = %s WHERE id = %s",
        (
            unit.name if name is None else name.strip(),
            [alias.strip() for alias in (unit.aliases if aliases is None else aliases)],
            parent,
            unit.id,
        ),
    )
    register.reread()


def close(register: Register, code: str, revision: int | None) -> None:
    """Close a unit; its roles are revoked with it and its name stays taken.

    Raises Refused while it has people, units below it or open items.
    """
    unit = _unit(register, code, revision)
    office = register.office
    if unit.parent_id is None:
        raise Refused("本局不能撤销。The bureau cannot be closed.")
    people = sum(p.unit_id == unit.id and p.left_on is None for p in office.people.values())
    below = sum(u.parent_id == unit.id and u.closed_on is None for u in office.units.values())
    if people or below:
        raise Refused(
            "单位仍有人员或下级单位,请先移交。"
            "The unit still has people or units below it; move them first."
        )
    # whether it has open items only the database may tell: an administrator sees none
    execute(register.session, "DELETE FROM membership WHERE unit_id = %s", (unit.id,))
    execute(
        register.session, "UPDATE unit SET closed_on = %s WHERE id = %s", (register.today, unit.id)
    )
    register.reread()


def _unit(register: Register, code: str, revision: int | None) -> UnitEntry:
    row = execute(
        register.session,
        "SELECT id, revision FROM unit WHERE code = %s AND closed_on IS NULL",
        (code,),
    ).fetchone()
    if row is None:
        raise NotFound("没有这个单位,或已撤销。There is no such unit, or it is closed.")
    register.demand(ADMIN, unit=row["id"])
    demand_revision(row["revision"], revision)
    return register.office.units[row["id"]]


def _demand_free(register: Register, unit: UnitEntry | None, words: Iterable[str]) -> None:
    given = [word.strip() for word in words]
    taken = {register.office.unit_named(word) for word in given} - {None, unit}
    if taken or len(set(given)) < len(given):
        raise Refused(
            "该代码、名称或别名已被使用。There is a unit of that code, name or alias already."
        )

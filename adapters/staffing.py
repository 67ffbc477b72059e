"""The registers behind `banjie unit add`, `user add`, `office import`, `office export` and `webhook add`.

A command stands outside the separation of the administrators: whoever may run it rules the machine.
"""

from __future__ import annotations

import base64
import csv
import secrets
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from adapters.outbound import aim
from adapters.tables import TableError, read_table
from engine.administration import people, roles, rolls, units
from engine.administration.register import known_roles, open_register
from engine.administration.words import faults
from engine.codes import hash_code
from engine.database import execute
from engine.errors import DeliveryError, Invalid, Refused, Undeliverable
from engine.passwords import SHORTEST, refusal_of
from engine.people import read_office

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from sqlalchemy.orm import Session

    from engine.catalog import Catalog
    from engine.database import Database
    from engine.people import Office, UnitEntry

__all__ = ["Newcomer", "add_endpoint", "add_unit", "add_user", "export_office", "import_office"]


class Newcomer(NamedTuple):
    """Somebody to be added; roles are written role@unit."""

    account: str
    name: str
    unit: str
    roles: tuple[str, ...]
    email: str | None
    certified_until: str | None
    password: str


def add_unit(
    database: Database, declared: Catalog, code: str, name: str, under: str | None
) -> None:
    """Add a unit; the first one is the bureau, every other lies under one. Raises Invalid, Refused."""
    database.perform(
        lambda session: units.create(open_register(session, declared, None), code, name, under)
    )


def add_user(
    database: Database, declared: Catalog, newcomer: Newcomer, *, sample: bool = False
) -> None:
    """Add somebody with roles and password. Raises Invalid with every fault, Refused.

    In a `sample` office, whose passwords are published, a password need only be long.
    """
    known = known_roles(declared)
    errors = [*_faults(newcomer, sample=sample)]
    pairs = [role.partition("@")[::2] for role in newcomer.roles]
    errors += [
        (
            "role",
            f"没有角色 {role!r},可用的有 (no such role; there are): {', '.join(sorted(known))}",
        )
        for role, _ in pairs
        if role not in known
    ]
    if errors:
        raise Invalid(errors)
    digest = hash_code(newcomer.password)
    database.perform(lambda session: _add(session, declared, newcomer, pairs, digest))


def _add(
    session: Session,
    declared: Catalog,
    newcomer: Newcomer,
    pairs: Collection[tuple[str, str]],
    digest: str,
) -> None:
    register = open_register(session, declared, None)
    until = newcomer.certified_until
    people.create(
        register,
        people.Newcomer(
            account=newcomer.account,
            name=newcomer.name,
            unit=newcomer.unit,
            email=newcomer.email,
            certified_until=date.fromisoformat(until) if until is not None else None,
            password_hash=digest,
        ),
    )
    for role, unit in dict.fromkeys(pairs):
        roles.change(register, newcomer.account, role, unit or newcomer.unit, granted=True)


def _faults(newcomer: Newcomer, *, sample: bool) -> list[tuple[str, str]]:
    given = {"account": newcomer.account, "name": newcomer.name, "email": newcomer.email}
    found = faults(given)
    refusal = refusal_of(newcomer.password, newcomer.account, newcomer.name)
    if refusal is not None and not (sample and len(newcomer.password) >= SHORTEST):
        found.append(("password", refusal))
    if newcomer.certified_until is not None:
        try:
            date.fromisoformat(newcomer.certified_until)
        except ValueError:
            found.append(("certified_until", "应为日期,如 2030-12-31。Give a day like 2030-12-31."))
    return found


def import_office(
    database: Database, declared: Catalog, file: Path, *, check: bool
) -> rolls.Intake:
    """Bring a table of units, people and roles in, all or nothing; with `check` only say what it
    holds. Its findings, where there are any, mean that nothing was done. Raises TableError, Invalid.
    """
    table = read_table(file)
    if lacking := rolls.missing_columns(table.columns):
        raise TableError(f"缺少这些列 (these columns are missing): {', '.join(lacking)}")
    rows = list(table.rows)

    def take(session: Session) -> rolls.Intake:
        register = open_register(session, declared, None)
        with session.begin_nested() as trial:
            intake = rolls.take_in(register, rows)
            if check or intake.findings:
                trial.rollback()
        return intake

    return database.perform(take)


def export_office(database: Database, file: Path) -> int:
    """The office as a table of comma-separated values, in the shape of the import; how many rows."""
    with database.transaction() as session:
        rows = list(rolls.table(session))
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, rolls.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def add_endpoint(database: Database, url: str, unit: str, listed: str) -> str:
    """Let a system outside hear of a unit's rungs; the secret its messages are signed with.

    `listed` is the setting `webhook_hosts`. Raises Invalid for an address webhooks may not reach,
    Refused for one that is registered; a name that does not resolve today is no fault.
    """
    try:
        aim(url, frozenset(listed.lower().replace(",", " ").split()))
    except Undeliverable as error:
        raise Invalid(
            [("url", f"地址不能用。This address cannot be used: {error.detail}")]
        ) from None
    except DeliveryError:
        pass
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"

    def add(session: Session) -> None:
        office = _office(session)
        found = execute(
            session,
            "INSERT INTO endpoint (url, secret, unit_id) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING RETURNING id",
            (url, secret, _unit(office, unit).id),
        ).fetchone()
        if found is None:
            raise Refused("该地址已登记。This address is registered already.")

    database.perform(add)
    return secret


def _office(session: Session) -> Office:
    execute(session, "SELECT FROM bureau FOR UPDATE")  # one change of the registers at a time
    return read_office(session)


def _unit(office: Office, word: str) -> UnitEntry:
    unit = office.unit_named(word)
    if unit is None:
        names = "、".join(f"{each.code} {each.name}" for each in office.units.values())
        raise Invalid([("unit", f"没有单位 {word},现有 (no such unit; there are): {names or '-'}")])
    return unit

"""The registers behind `banjie unit add`, `user add` and `webhook add`."""

from __future__ import annotations

import base64
import re
import secrets
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from adapters.outbound import aim
from engine.codes import hash_code
from engine.database import execute
from engine.errors import DeliveryError, Invalid, Refused, Undeliverable
from engine.people import read_office

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from engine.catalog import Catalog
    from engine.database import Database
    from engine.people import Office, UnitEntry

__all__ = ["Newcomer", "add_endpoint", "add_unit", "add_user"]

SHORTEST_PASSWORD = 12
LISTENING_ROLES = frozenset({"auditor", "admin", "reporter", "party_group", "discipline"})
"""Roles of the whole office, beside those the workflows name."""
_ACCOUNT = re.compile(r"[a-z][a-z0-9_.-]{1,40}")
_CODE = re.compile(r"[A-Z][A-Z0-9]{1,15}")
_MAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+")


class Newcomer(NamedTuple):
    """Somebody to be added; roles are written role@unit."""

    account: str
    name: str
    unit: str
    roles: tuple[str, ...]
    email: str | None
    certified_until: str | None
    password: str


def add_unit(database: Database, code: str, name: str, under: str | None) -> None:
    """Add a unit; the first one is the bureau, every other lies under one. Raises Invalid, Refused."""
    if not _CODE.fullmatch(code) or not name.strip():
        raise Invalid(
            [("code", "代码用大写字母和数字,名称不能为空。Use capitals and digits; give a name.")]
        )

    def add(session: Session) -> None:
        office = _office(session)
        if office.unit_named(code) or office.unit_named(name):
            raise Refused(
                f"已有单位 {code} 或 {name}。There is a unit of that code or name already."
            )
        parent = _unit(office, under) if under else None
        if parent is None and office.units:
            raise Invalid(
                [("under", "请用 --under 指明上级单位。Name the unit above with --under.")]
            )
        execute(
            session,
            "INSERT INTO unit (code, name, parent_id) VALUES (%s, %s, %s)",
            (code, name.strip(), parent.id if parent else None),
        )

    database.perform(add)


def add_user(database: Database, declared: Catalog, newcomer: Newcomer) -> None:
    """Add somebody with roles and password. Raises Invalid with every fault, Refused."""
    known = LISTENING_ROLES.union(
        *(bound.workflow.roles.keys() for bound in declared.current.values())
    )
    errors = [*_faults(newcomer)]
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
    database.perform(lambda session: _add(session, newcomer, pairs, digest))


def _add(
    session: Session, newcomer: Newcomer, pairs: Collection[tuple[str, str]], digest: str
) -> None:
    office = _office(session)
    if office.person_named(newcomer.account):
        raise Refused(f"已有账号 {newcomer.account}。There is an account of that name already.")
    home = _unit(office, newcomer.unit)
    scopes = [(role, _unit(office, unit) if unit else home) for role, unit in pairs]
    row = execute(
        session,
        "INSERT INTO person (account, name, unit_id, email, password_hash, certified_until)"
        " VALUES (%s, %s, %s, %s, %s, %s::date) RETURNING id",
        (
            newcomer.account,
            newcomer.name.strip(),
            home.id,
            newcomer.email,
            digest,
            newcomer.certified_until,
        ),
    ).fetchone()
    if row is None:
        raise AssertionError
    for role, unit in dict.fromkeys(scopes):
        execute(
            session,
            "INSERT INTO membership (person_id, role, unit_id) VALUES (%s, %s, %s)",
            (row["id"], role, unit.id),
        )


def _faults(newcomer: Newcomer) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if not _ACCOUNT.fullmatch(newcomer.account) or newcomer.account in {"public", "sys"}:
        faults.append(
            (
                "account",
                "账号用小写字母、数字、点、横线,字母开头。Use a-z, 0-9, dot, dash, underline.",
            )
        )
    if not newcomer.name.strip():
        faults.append(("name", "请填写姓名。Give a name."))
    if newcomer.email is not None and not _MAIL.fullmatch(newcomer.email):
        faults.append(("email", "不是邮箱地址。Not a mail address."))
    if len(newcomer.password) < SHORTEST_PASSWORD:
        faults.append(
            (
                "password",
                f"口令至少{SHORTEST_PASSWORD}位。Give at least {SHORTEST_PASSWORD} characters.",
            )
        )
    if newcomer.certified_until is not None:
        try:
            date.fromisoformat(newcomer.certified_until)
        except ValueError:
            faults.append(
                ("certified_until", "应为日期,如 2030-12-31。Give a day like 2030-12-31.")
            )
    return faults


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

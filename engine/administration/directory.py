"""Who works where and bears which role: for staff what they need, for administrators all but passwords."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.administration.conflicts import REGISTRARS
from engine.administration.register import ADMIN, HEAD, bears, not_permitted
from engine.database import execute
from engine.errors import NotFound
from engine.paging import Page, last_number, last_text, unknown
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from engine.desk import House
    from engine.paging import Key
    from engine.people import Actor

UNITS = """
SELECT u.code, u.name, u.aliases, a.code AS under, u.closed_on, u.revision
FROM unit u LEFT JOIN unit a ON a.id = u.parent_id WHERE {where} ORDER BY u.code LIMIT %(n)s
"""
PEOPLE = """
SELECT p.id, p.account, p.name, u.code AS unit, p.post, p.post_kind, p.left_on, p.email, p.certificate,
  p.certified_until, p.revision,
  (SELECT coalesce(json_agg(json_build_object('role', m.role, 'unit', s.code)
      ORDER BY m.role, s.code), '[]')
    FROM membership m JOIN unit s ON s.id = m.unit_id WHERE m.person_id = p.id) AS roles
FROM person p JOIN unit u ON u.id = p.unit_id WHERE {where} ORDER BY p.account LIMIT %(n)s
"""
LEAVE = """
SELECT l.id, p.account, l.first_on, l.last_on, s.account AS substitute
FROM leave l JOIN person p ON p.id = l.person_id LEFT JOIN person s ON s.id = l.substitute_id
WHERE {where} ORDER BY l.id DESC LIMIT %(n)s
"""
PROPOSALS = """
SELECT r.id, p.account, r.role, u.code AS unit, r.granted, b.account AS proposed_by, r.proposed_at,
  d.account AS decided_by, r.decided_at, r.confirmed
FROM role_proposal r JOIN person p ON p.id = r.person_id JOIN unit u ON u.id = r.unit_id
JOIN person b ON b.id = r.proposed_by LEFT JOIN person d ON d.id = r.decided_by
WHERE {where} ORDER BY r.id DESC LIMIT %(n)s
"""
CONFLICTS = """
SELECT c.id, p.account, c.ground, o.account AS person, u.code AS unit, c.outside, c.declared_on,
  b.account AS declared_by, c.ended_on
FROM officer_conflict c JOIN person p ON p.id = c.person_id JOIN person b ON b.id = c.declared_by
LEFT JOIN person o ON o.id = c.other_person_id LEFT JOIN unit u ON u.id = c.other_unit_id
WHERE {where} ORDER BY c.id DESC LIMIT %(n)s
"""
SHOWN_TO_ALL = ("account", "name", "unit", "post", "post_kind", "roles")
SHOWN_TO_SOME = ("email", "certificate", "certified_until", "left_on", "revision")
OVERSEERS = (ADMIN, HEAD)


def _today(house: House) -> date:
    return house.now.astimezone(SHANGHAI).date()


def units(
    session: Session,
    *,
    code: str | None = None,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """The units by code, closed ones too (they bear `closed_on`)."""
    conditions, values = ["true"], {"n": limit + 1}
    if code is not None:
        conditions.append("u.code = %(code)s")
    if after is not None:
        conditions.append("u.code > %(last)s")
    last = last_text(after) if after is not None else None
    rows = _rows(session, UNITS, conditions, {**values, "code": code, "last": last})
    return _page(rows, limit, "code")


def unit(session: Session, code: str) -> dict[str, Any]:
    """One unit. Raises NotFound."""
    found = units(session, code=code).items
    if not found:
        raise NotFound("没有这个单位,请核对代码。There is no such unit; check its code.")
    return found[0]


def people(
    session: Session,
    house: House,
    actor: Actor,
    *,
    filters: Mapping[str, str | None] | None = None,
    expiring: int | None = None,
    after: Key | None = None,
    limit: int = 50,
) -> Page:
    """The directory by account. Staff see who works here and in which roles; admin and head also
    leavers, addresses and certificates. `expiring`: only certificates that end within so many days,
    for admin and head. Raises Invalid, NotPermitted.
    """
    told = filters or {}
    today = _today(house)
    full = bears(house.office, actor, OVERSEERS, today)
    values: dict[str, Any] = {"n": limit + 1, "today": today, **told}
    conditions = ["true"] if full else ["(p.left_on IS NULL OR p.left_on > %(today)s)"]
    if told.get("account") is not None:
        conditions.append("p.account = %(account)s")
    if (word := told.get("unit")) is not None:
        found = house.office.unit_named(word)
        if found is None:
            raise unknown("unit", "没有这个单位。There is no such unit.")
        conditions.append("p.unit_id = ANY(%(units)s)")
        values["units"] = house.office.below(found.id)
    if told.get("role") is not None:
        conditions.append(
            "EXISTS (SELECT FROM membership m WHERE m.person_id = p.id AND m.role = %(role)s)"
        )
    if expiring is not None:
        if not full:
            raise not_permitted(*OVERSEERS)
        conditions.append(
            "p.certified_until <= %(until)s AND (p.left_on IS NULL OR p.left_on > %(today)s)"
        )
        values["until"] = today + timedelta(days=expiring)
    if after is not None:
        conditions.append("p.account > %(last)s")
        values["last"] = last_text(after)
    rows = _rows(session, PEOPLE, conditions, values)
    page = _page(rows, limit, "account")
    hidden = dict.fromkeys(SHOWN_TO_SOME)
    names = (*SHOWN_TO_ALL, *SHOWN_TO_SOME)
    shown = [{name: row[name] for name in names} | ({} if full else hidden) for row in page.items]
    return Page(shown, page.next)


def person(session: Session, house: House, actor: Actor, account: str) -> dict[str, Any]:
    """Somebody of the directory. Raises NotFound."""
    found = people(session, house, actor, filters={"account": account}).items
    if not found:
        raise NotFound("没有这个账号,请核对。There is no such account; check it.")
    return found[0]


def leaves(
    session: Session, house: House, actor: Actor, *, after: Key | None = None, limit: int = 50
) -> Page:
    """Leave, the latest registered first: admin and head see all, others what concerns them."""
    conditions = ["true"]
    if not bears(house.office, actor, OVERSEERS, _today(house)):
        conditions.append("%(me)s IN (l.person_id, l.substitute_id)")
    return _numbered(session, LEAVE, "l.id", conditions, actor, after, limit)


def proposals(
    session: Session, house: House, actor: Actor, *, after: Key | None = None, limit: int = 50
) -> Page:
    """Proposed changes of roles, the latest first; for admin and head. Raises NotPermitted."""
    if not bears(house.office, actor, OVERSEERS, _today(house)):
        raise not_permitted(*OVERSEERS)
    return _numbered(session, PROPOSALS, "r.id", ["true"], actor, after, limit)


def conflicts(
    session: Session, house: House, actor: Actor, *, after: Key | None = None, limit: int = 50
) -> Page:
    """Declared conflicts, the latest first: admin, head and liaison see all, others their own.
    Nobody sees here that another declared a conflict with him.
    """
    conditions = ["(c.other_person_id IS NULL OR c.other_person_id <> %(me)s)"]
    if not bears(house.office, actor, (*REGISTRARS, HEAD), _today(house)):
        conditions.append("c.person_id = %(me)s")
    return _numbered(session, CONFLICTS, "c.id", conditions, actor, after, limit)


def _numbered(
    session: Session,
    statement: str,
    column: str,
    conditions: list[str],
    actor: Actor,
    after: Key | None,
    limit: int,
) -> Page:
    values: dict[str, Any] = {"n": limit + 1, "me": actor.id}
    if after is not None:
        conditions = [*conditions, f"{column} < %(last)s"]
        values["last"] = last_number(after)
    return _page(_rows(session, statement, conditions, values), limit, "id")


def _rows(
    session: Session, statement: str, conditions: Sequence[str], values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    return execute(session, statement.format(where=" AND ".join(conditions)), values).fetchall()


def _page(rows: list[dict[str, Any]], limit: int, key: str) -> Page:
    kept = rows[:limit]
    return Page(kept, [kept[-1][key]] if len(rows) > limit else None)

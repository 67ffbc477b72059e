"""The register of the office, open for one change: who makes it, and whether anything goes silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from engine.database import execute
from engine.errors import Invalid, NotFound, NotPermitted, Stale, Unconfirmed
from engine.people import Actor, Office, PersonEntry, UnitEntry, read_office
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from engine.catalog import Catalog
    from engine.roster import Roster

Prove = Callable[["Roster"], Mapping[tuple[str, int, str], str]]
"""A roster -> what may go silent with it: (file, line, name of the finding) -> the finding."""

ADMIN, HEAD = "admin", "head"
LISTENING_ROLES = frozenset({"auditor", ADMIN, "reporter", "party_group", "discipline"})
"""Roles of the whole office, beside those the workflows name."""
MOST_DAYS = 4
"""So many days of a leave are proven at most; the roster seldom changes more often."""


@dataclass
class Register:
    """The office under its lock. `actor` is None for the command line and the worker, which stand
    outside the separation of the administrators: whoever starts them rules the machine anyway.
    """

    session: Session
    catalog: Catalog
    actor: Actor | None
    before: Office
    office: Office
    now: datetime

    @property
    def today(self) -> date:
        """The office's date."""
        return self.now.astimezone(SHANGHAI).date()

    def reread(self) -> Office:
        """The office as changed so far."""
        self.office = read_office(self.session)
        return self.office

    def demand(self, *roles: str, unit: int | None = None) -> None:
        """Raise NotPermitted unless the actor bears one of the roles for a unit (the bureau)."""
        if self.actor is None:
            return
        if not bears(self.office, self.actor, roles, self.today, unit):
            raise not_permitted(*roles)

    def unit(self, word: str, pointer: str = "/unit") -> UnitEntry:
        """An open unit by code, name or alias. Raises Invalid."""
        found = self.office.unit_named(word)
        if found is None or found.closed_on is not None:
            raise Invalid(
                [(pointer, "没有这个单位,或已撤销。There is no such unit, or it is closed.")]
            )
        return found

    def person(self, account: str) -> PersonEntry:
        """Somebody of the office, leavers too. Raises NotFound."""
        found = self.office.person_named(account)
        if found is None:
            raise NotFound("没有这个账号,请核对。There is no such account; check it.")
        return found

    def colleague(self, account: str, pointer: str) -> PersonEntry:
        """Somebody who works here today. Raises Invalid."""
        found = self.office.person_named(account)
        if found is None or self.office.left(found.id, self.today):
            raise Invalid(
                [(pointer, "没有这个账号,或已离职。There is no such account, or they have left.")]
            )
        return found

    @property
    def roles(self) -> frozenset[str]:
        """Every role there is."""
        return known_roles(self.catalog)


def open_register(
    session: Session, catalog: Catalog, actor: Actor | None, by: str | None = None
) -> Register:
    """Lock the office for a change by somebody (or by the `command` line, the `worker`)."""
    name = by or (f"person:{actor.id}" if actor is not None and actor.id else "command")
    execute(session, "SELECT set_config('banjie.office_actor', %s, true)", (name,))
    row = execute(
        session, "SELECT now() + practice_offset AS now FROM bureau FOR UPDATE"
    ).fetchone()
    if row is None:
        raise NotFound("数据库尚未初始化。The database is not set up; run `banjie migrate`.")
    office = read_office(session)
    return Register(session, catalog, actor, office, office, row["now"])


def known_roles(catalog: Catalog) -> frozenset[str]:
    """Every role there is: of the office, and of the workflows in force."""
    return LISTENING_ROLES.union(
        *(bound.workflow.roles.keys() for bound in catalog.current.values())
    )


def bears(
    office: Office, actor: Actor, roles: Iterable[str], today: date, unit: int | None = None
) -> bool:
    """Whether somebody bears one of these roles for a unit (None: the bureau), or stands in."""
    if actor.id is None or not office.units or office.left(actor.id, today):
        return False
    at = office.root if unit is None else unit
    return any(office.stands_in(actor.id, role, at, today) for role in roles)


def not_permitted(*roles: str) -> NotPermitted:
    """Who may do this, for somebody who may not."""
    return NotPermitted(
        "须由机构管理员办理。This is for the administrators of the office.", roles=list(roles)
    )


def demand_revision(found: int, seen: int | None) -> None:
    """Raise Stale where somebody else changed what the caller saw."""
    if seen is not None and found != seen:
        raise Stale(
            "登记已被他人修改,请刷新后再办理。Somebody else changed this; look at it again first.",
            revision=found,
        )


def demand_no_silence(
    register: Register,
    prove: Prove,
    *,
    confirm: bool,
    days: Iterable[date] = (),
    besides: Iterable[str] = (),
) -> None:
    """Raise Unconfirmed, with every finding, where a change lets a workflow go silent that did not
    before (on the given days, or today), unless it is confirmed. `besides` are findings of the verb's
    own. A leaver cannot be kept from dying, so nothing is forbidden here.
    """
    found: dict[object, str] = dict(enumerate(besides))
    after = register.reread()
    if _admins(register.before, register.today) and not _admins(after, register.today):
        found["admin"] = "此后没有机构管理员。Nobody would administer the office any more."
    if confirm:
        return
    # a proof takes a second or two: the database must not take us for somebody who went away
    execute(register.session, "SET LOCAL idle_in_transaction_session_timeout = '60s'")
    for on in sorted({*days, register.today})[:MOST_DAYS] if register.before.units else ():
        old, new = (_essence(office.roster(on)) for office in (register.before, after))
        if old != new:
            known = prove(old)
            found |= {key: told for key, told in prove(new).items() if key not in known}
    if found:
        raise Unconfirmed(
            "这一变更会使事项无人过问,见 findings;确需办理的,请带 confirm 再次提交。"
            "After this change something may go silent, see the findings; if it must be, send it "
            "again with confirm.",
            findings=list(dict.fromkeys(found.values())),
        )


def days_of(office: Office, first: date, last: date, today: date) -> list[date]:
    """The days of a span on which the roster may change, from today on."""
    turns = {max(first, today)}
    for _, begins, ends, _ in office.leave:
        turns |= {begins, ends + timedelta(days=1)}
    turns |= {p.left_on for p in office.people.values() if p.left_on is not None}
    return sorted(day for day in turns if max(first, today) <= day <= last)


def _admins(office: Office, today: date) -> list[int]:
    return [p for p, _ in office.members.get(ADMIN, ()) if not office.left(p, today)]


def _essence(roster: Roster) -> Roster:
    """A roster without those who bear no role: they can neither act nor hear."""
    bearers = {person for person, _, _ in roster.memberships}
    bearers |= {s for person, s in roster.away.items() if s is not None and person in bearers}
    return replace(
        roster,
        people={p: home for p, home in roster.people.items() if p in bearers},
        away={p: s for p, s in roster.away.items() if p in bearers},
        certified=None if roster.certified is None else roster.certified & bearers,
    )

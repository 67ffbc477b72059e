"""The desk every verb works at: the catalog, the office and the calendar as of the transaction, the
item under its lock, and who may know of it and move it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from engine.calendars import Calendar, carried, carried_years, parse_holiday_cn
from engine.database import execute
from engine.deadlines import Clockwork
from engine.dossier import LOCK, LOCK_BY_ID, READ_NUMBER, READ_ONE, Dossier
from engine.effects import Way
from engine.errors import GuardRefused, NotFound, NotPermitted, Stale
from engine.people import Actor, Office, read_office
from engine.walls import SYS, TO_ENGINE, principal_of, stand_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.catalog import Catalog
    from engine.definition import Transition
    from engine.keys import Keyring
    from engine.machine import Bound

EXTENSION = "extension"
"""The workflow by which more time is asked for."""
RECUSAL = "recusal"
"""The workflow by which it is decided whether somebody must stay out of an item."""
REQUESTS = (EXTENSION, RECUSAL)
"""Requests about an item: items of their own, as hidden as what they are about."""

HOUSE = """
SELECT office_revision, calendar_revision, now() + practice_offset AS now,
  ARRAY(SELECT nextval('item_id_seq') FROM generate_series(1, %s)) AS ids
FROM bureau
"""
HOUSE_AT_WORK = HOUSE.replace("FROM bureau", f", {TO_ENGINE} FROM bureau")
"""The same where an act begins: from here on it is the engine's own (`engine.walls`)."""


@dataclass(frozen=True, slots=True)
class House:
    """What every act needs to know of the whole office, as of its transaction."""

    office: Office
    calendar: Calendar
    now: datetime
    ids: Sequence[int] = ()


@dataclass
class Desk:
    """One desk serves a whole process and all its threads.

    `outward` is the channel that reaches staff who have an address (mail, or console where no mail
    server is set); `public_url` begins the links in messages. Without a `keyring` nothing personal
    can be taken in or read.
    """

    catalog: Catalog
    outward: str = "console"
    public_url: str = ""
    keyring: Keyring | None = field(default=None, kw_only=True)
    _office: Office | None = field(default=None, repr=False)
    _calendar: tuple[int, Calendar] | None = field(default=None, repr=False)
    _clockworks: dict[tuple[str, int], Clockwork] = field(default_factory=dict, repr=False)

    def house(self, session: Session) -> House:
        """The office, the calendar and the moment of this transaction."""
        return self._house(session, HOUSE, None, 0)

    def house_at_work(self, session: Session, *, at: datetime | None, ids: int) -> House:
        """The same for an act of the engine that begins `ids` items."""
        house = self._house(session, HOUSE_AT_WORK, at, ids)
        session.info["principal"] = SYS
        return house

    def _house(self, session: Session, statement: str, at: datetime | None, ids: int) -> House:
        row = execute(session, statement, (ids,)).fetchone()
        if row is None:
            raise NotFound("数据库尚未初始化。The database is not set up; run `banjie migrate`.")
        office, calendar = self._fresh(session, row)
        return House(office, calendar, at or row["now"], row["ids"])

    def house_now(self, session: Session) -> House:
        """The office as this very transaction has changed it; nothing of it is kept."""
        return replace(self, _office=None, _calendar=None).house(session)

    def hold(
        self,
        session: Session,
        number: str,
        actor: Actor,
        *,
        revision: int | None = None,
        at: datetime | None = None,
    ) -> Dossier:
        """Lock an item and read it. Raises NotFound (also where it is not the actor's to know of)
        and Stale where `revision` is not the item's.
        """
        # the wall knows today's leave only: a replay, which acts on days gone by, stands before it
        stand_for(session, principal_of(actor, number) if at is None else SYS)
        row = execute(session, LOCK, (number,)).fetchone()
        if row is None:
            raise not_found()
        session.info["principal"] = SYS
        dossier = self._read(session, row["id"], at)
        if not self.sees(dossier, actor):
            raise not_found()
        if revision is not None and revision != dossier.revision:
            raise Stale(
                "事项已有新的进展,请刷新后再办理。The item has moved on; look at it again first.",
                revision=dossier.revision,
            )
        return dossier

    def look(self, session: Session, number: str, actor: Actor) -> Dossier:
        """Read an item without locking it. Raises NotFound like :meth:`hold`."""
        stand_for(session, principal_of(actor, number))
        row = execute(session, READ_NUMBER, (number,)).fetchone()
        if row is None:
            raise not_found()
        dossier = self.dossier(session, row, None)
        if not self.sees(dossier, actor):
            raise not_found()
        return dossier

    def sees(self, dossier: Dossier, actor: Actor) -> bool:
        """Whether an actor may know of an item: need to know by role, unit and duty; never the
        accused, the recused, or the people of the unit complained of.
        """
        if actor.id is None:
            return True  # the system; the public is let in by number and code
        if dossier.shut_out(actor.id) or dossier.office.left(actor.id, dossier.today):
            return False
        if any(
            d.person_id == actor.id and d.item_id == dossier.id and d.active and d.role != d.duty
            for d in dossier.duties
        ):
            return True  # named in a field as one who handled the case, somebody bears no role here
        assigned = dossier.assigned()
        if actor.id in dossier.office.there(assigned, dossier.today, ()):
            return True  # whoever stands in for an absent holder, from whatever section
        return any(
            dossier.office.stands_in(actor.id, role, dossier.unit_id, dossier.today)
            for role in dossier.workflow.watchers(sealed=dossier.sealed)
        )

    def permit(self, dossier: Dossier, actor: Actor, variant: Transition) -> str:
        """The role an actor makes a transition in. Raises NotPermitted."""
        role = self.role_for(dossier, actor, variant.by)
        if role is None:
            raise NotPermitted(not_permitted(dossier, variant), roles=list(variant.by))
        return role

    def role_seen(self, dossier: Dossier, actor: Actor) -> str:
        """The role in which an actor sees an item, for acts that need no particular one."""
        if actor.id is None:
            return actor.kind
        own = (d.role for d in dossier.duties if d.person_id == actor.id and d.active)
        held = (
            role
            for role in dossier.workflow.watchers(sealed=dossier.sealed)
            if dossier.office.holds(actor.id, role, dossier.unit_id)
        )
        return next(iter([*own, *held]), "staff")

    @property
    def way(self) -> Way:
        """How staff are reached."""
        return Way(self.outward, self.public_url)

    def clockwork(self, bound: Bound, calendar: Calendar) -> Clockwork:
        """The clocks of a workflow under a calendar."""
        key = (bound.workflow.workflow, bound.workflow.version)
        found = self._clockworks.get(key)
        if found is None or found.calendar is not calendar:
            found = Clockwork(bound.workflow, self.catalog.rulebook, calendar)
            self._clockworks[key] = found
        return found

    def held(self, session: Session, item_id: int, at: datetime | None) -> Dossier:
        """Lock an item by its id and read it, whoever asks."""
        row = execute(session, LOCK_BY_ID, (item_id,)).fetchone()
        if row is None:
            raise not_found()
        return self._read(session, row["id"], at)

    def _read(self, session: Session, item_id: int, at: datetime | None) -> Dossier:
        row = execute(session, READ_ONE, (item_id,)).fetchone()
        if row is None:
            raise not_found()
        return self.dossier(session, row, at)

    def dossier(self, session: Session, row: Mapping[str, Any], at: datetime | None) -> Dossier:
        """An item's row (of `dossier.READ`) with the office and calendar it is judged by."""
        office, calendar = self._fresh(session, row)
        bound = self.catalog.of(row["workflow"], row["version"])
        return Dossier(session, row, bound, office, calendar, at or row["now"], self.keyring)

    def _fresh(self, session: Session, row: Mapping[str, Any]) -> tuple[Office, Calendar]:
        """This process's copies of the office and the calendar, renewed where they are old."""
        office, calendar = self._office, self._calendar
        if office is None or office.revision != row["office_revision"]:
            office = self._office = read_office(session)
        if calendar is None or calendar[0] != row["calendar_revision"]:
            calendar = self._calendar = (row["calendar_revision"], read_calendar(session))
        return office, calendar[1]

    def role_for(self, dossier: Dossier, actor: Actor, by: Sequence[str]) -> str | None:
        """The first of these roles an actor bears for an item: where people are assigned in a role,
        only they (or whoever stands in for them) bear it.
        """
        if actor.id is None:
            return actor.kind if actor.kind in by else None
        for role in by:
            if assigned := dossier.assigned(role):
                there = dossier.office.there(assigned, dossier.today, ())
                if actor.id in assigned or actor.id in there:
                    return role
            elif dossier.office.stands_in(actor.id, role, dossier.unit_id, dossier.today):
                return role
        return None


def read_calendar(session: Session) -> Calendar:
    """The carried calendar with every edition loaded since."""
    rows = execute(session, "SELECT document, edition FROM calendar_year ORDER BY year, edition")
    loaded = [replace(parse_holiday_cn(row["document"]), edition=row["edition"]) for row in rows]
    return Calendar([*carried_years(), *loaded]) if loaded else carried()


def not_found() -> NotFound:
    """The one answer for an item that is not there and for one that is not the asker's to know."""
    return NotFound("没有这个事项,请核对编号。There is no such item; check its number.")


def refuse_classified(dossier: Dossier) -> None:
    """Of a classified item nothing is kept here but number, date and custodian: no note, no file.

    Raises GuardRefused.
    """
    if dossier.data.get("paper_only") is True:
        raise GuardRefused(
            "涉密事项不得录入文字和附件,请在线下办理。"
            "A classified item takes neither words nor files here; keep them on paper.",
            guard="not_paper_only",
        )


def not_permitted(dossier: Dossier, variant: Transition) -> str:
    """Who may make a transition, for somebody who may not."""
    roles = dossier.workflow.roles
    titles = {name: (role.title, role.title_en) for name, role in roles.items()}
    titles["public"] = ("当事人", "the person who brought it")
    who = "、".join(titles[role][0] for role in variant.by if role in titles)
    who_en = ", ".join(titles[role][1] for role in variant.by if role in titles)
    return f"须由{who or '系统'}办理。This is for: {who_en or 'the system'}."

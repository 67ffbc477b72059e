"""An item as read under its lock, with everything a decision may rest on (卷宗).

Two statements: the lock first, then the reading, because what a statement reads beside the row it
waits for is as old as its snapshot. For the same reason the moment is the reading's, not the
transaction's: an act that waited for another one happens after it. Guards see this and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.deadlines import Clock
from engine.notation import PROTECTIONS
from engine.vault import Vault, family_values
from engine.walls import TO_ENGINE, as_engine
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from engine.calendars import Calendar
    from engine.keys import Keyring
    from engine.machine import Bound
    from engine.notation import Protection
    from engine.people import Actor, Office
    from engine.questionnaires import Questionnaire

LOCK = f"SELECT id, {TO_ENGINE} FROM item WHERE number = %s FOR NO KEY UPDATE"  # noqa: S608 - constants
"""Finds an item only for a principal who may know of it; the rest of the act is the engine's own."""
LOCK_BY_ID = "SELECT id FROM item WHERE id = %s FOR NO KEY UPDATE"
READ = """
SELECT i.id, i.number, i.workflow, i.version, i.state, i.revision, i.seq, i.head, i.unit_id,
  i.subject_unit_id, i.family_id, i.parent_id, i.mandatory, i.sealed, i.channel, i.received_at,
  i.entered_at, i.closed_at, i.rung, i.code_hash, d.data,
  b.office_revision, b.calendar_revision, clock_timestamp() + b.practice_offset AS now,
  (SELECT coalesce(json_agg(c ORDER BY c.id), '[]') FROM deadline c
    WHERE c.item_id = i.id AND c.stopped_at IS NULL) AS clocks,
  (SELECT coalesce(json_agg(json_build_array(u.item_id, u.person_id, u.role, u.duty, u.assigned,
    u.ended_at IS NULL) ORDER BY u.id), '[]') FROM item_duty u
    WHERE u.family_id = i.family_id) AS duties
FROM item i JOIN item_data d ON d.item_id = i.id CROSS JOIN bureau b
"""
READ_ONE = READ + " WHERE i.id = %s"
READ_NUMBER = READ + " WHERE i.number = %s"
READ_MANY = READ + " WHERE i.id = ANY(%s) ORDER BY i.id"


@dataclass(frozen=True, slots=True)
class HeldDuty:
    """Somebody's duty in the item's family, ended or not."""

    item_id: int
    person_id: int
    role: str
    duty: str
    assigned: bool
    active: bool


@dataclass(frozen=True, slots=True)
class PastAct:
    """What the journal says somebody did to this item."""

    seq: int
    act: str
    actor_id: int | None
    role: str
    from_state: str
    to_state: str
    at: datetime


@dataclass(slots=True)
class Standing:
    """The one thing `transitions` moves."""

    state: str


class Dossier:
    """One item and its facts. Values, not rows: nothing here is written back."""

    def __init__(
        self,
        session: Session,
        row: Mapping[str, Any],
        bound: Bound,
        office: Office,
        calendar: Calendar,
        now: datetime,
        keyring: Keyring | None = None,
    ) -> None:
        self.session = session
        self.bound = bound
        self.workflow = bound.workflow
        self.office = office
        self.calendar = calendar
        # nothing happens to an item before what last moved it: a child may carry an older moment
        self.now: datetime = max(now, row["entered_at"])
        self.id: int = row["id"]
        self.vault = Vault(session, keyring, self.id)
        self.number: str = row["number"]
        self.state: str = row["state"]
        self.revision: int = row["revision"]
        self.seq: int = row["seq"]
        self.head: bytes = bytes(row["head"])
        self.unit_id: int = row["unit_id"]
        self.subject_unit_id: int | None = row["subject_unit_id"]
        self.family_id: int = row["family_id"]
        self.parent_id: int | None = row["parent_id"]
        self.mandatory: bool = row["mandatory"]
        self.sealed: bool = row["sealed"]
        self.channel: str = row["channel"]
        self.received_at: datetime = row["received_at"]
        self.entered_at: datetime = row["entered_at"]
        self.closed_at: datetime | None = row["closed_at"]
        self.rung: int = row["rung"]
        self.code_hash: str | None = row["code_hash"]
        self.data: dict[str, Any] = row["data"]
        self.clocks = [Clock.of_row(clock) for clock in row["clocks"]]
        self.duties = [HeldDuty(*duty) for duty in row["duties"]]
        self.let_go: list[HeldDuty] = []  # what an act ended because somebody must stay out

    @property
    def today(self) -> date:
        """The office's date."""
        return self.now.astimezone(SHANGHAI).date()

    @property
    def barred(self) -> frozenset[int]:
        """Who is named or recused anywhere in the family: they may neither act nor know."""
        return frozenset(
            duty.person_id
            for duty in self.duties
            if duty.active and duty.duty in {"accused", "recused"}
        )

    @property
    def excluded(self) -> frozenset[int]:
        """Everybody who must not hear of the item: the barred, and the unit complained of."""
        return self.barred | self.office.shut_out_of(self.subject_unit_id)

    @property
    def handlers(self) -> frozenset[int]:
        """Who ever worked on the family."""
        return frozenset(d.person_id for d in self.duties if d.duty == "work")

    @property
    def protection(self) -> Protection:
        """How identities are kept: as the file says, or better where somebody asked for it."""
        kept = self.data.get(self.workflow.protected_by or "")
        return kept if kept in PROTECTIONS else self.workflow.protection

    @property
    def questionnaire(self) -> Questionnaire | None:
        """The version of the questionnaire that the item asks to be answered."""
        return self.bound.beside.questionnaires.get(self.data.get("template_version", ""))

    def assigned(self, role: str | None = None) -> list[int]:
        """This item's present holders, in one role or in all."""
        return [
            duty.person_id
            for duty in self.duties
            if duty.item_id == self.id
            and duty.assigned
            and duty.active
            and role in {None, duty.role}
        ]

    def shut_out(self, person: int) -> bool:
        """Whether somebody must not even know of the item."""
        return person in self.excluded

    def clock(self, name: str) -> Clock | None:
        """The running (or paused) clock of this name."""
        return next((clock for clock in self.clocks if clock.name == name), None)

    def parent_clock(self, name: str) -> Clock | None:
        """The running (or paused) clock of this name on the parent item."""
        return next((clock for clock in self._parent_clocks if clock.name == name), None)

    @cached_property
    def _parent_clocks(self) -> list[Clock]:
        with as_engine(self.session):
            rows = execute(
                self.session,
                "SELECT to_jsonb(c) AS clock FROM deadline c"
                " WHERE item_id = %s AND stopped_at IS NULL ORDER BY id",
                (self.parent_id,),
            ).fetchall()
        return [Clock.of_row(row["clock"]) for row in rows]

    @cached_property
    def history(self) -> list[PastAct]:
        """Everything done to this item, oldest first."""
        rows = execute(
            self.session,
            "SELECT seq, act, actor_id, role, from_state, to_state, at FROM event"
            " WHERE item_id = %s ORDER BY seq",
            (self.id,),
        )
        return [PastAct(**row) for row in rows]

    @cached_property
    def open_children(self) -> list[str]:
        """The numbers of mandatory children this item must still wait for."""
        with as_engine(self.session):
            rows = execute(
                self.session,
                "SELECT number FROM item WHERE parent_id = %s AND mandatory AND NOT settled",
                (self.id,),
            ).fetchall()
        return [row["number"] for row in rows]

    def has_begun(self, workflow: str) -> bool:
        """Whether the item has a child of this workflow, open or ended."""
        with as_engine(self.session):
            found = execute(
                self.session,
                "SELECT FROM item WHERE parent_id = %s AND workflow = %s LIMIT 1",
                (self.id, workflow),
            )
            return found.fetchone() is not None

    @cached_property
    def measures(self) -> dict[str, str]:
        """The measures the ledger holds for this item's unit and has not closed: id -> title."""
        with as_engine(self.session):
            rows = execute(
                self.session,
                "SELECT d.data ->> 'measure_id' AS id, max(d.data ->> 'measure_title') AS title"
                " FROM item i JOIN item_data d ON d.item_id = i.id"
                " WHERE i.workflow = 'ledger' AND i.unit_id = %s AND i.closed_at IS NULL"
                " GROUP BY 1 ORDER BY 1",
                (self.unit_id,),
            ).fetchall()
        return {row["id"]: row["title"] or "" for row in rows}

    @cached_property
    def months_begun(self) -> frozenset[str]:
        """The months for which this unit has another item of this workflow."""
        with as_engine(self.session):
            rows = execute(
                self.session,
                "SELECT d.data ->> 'month' AS month FROM item i JOIN item_data d"
                " ON d.item_id = i.id WHERE i.workflow = %s AND i.unit_id = %s AND i.id <> %s",
                (self.workflow.workflow, self.unit_id, self.id),
            ).fetchall()
        return frozenset(row["month"] for row in rows if row["month"])

    @cached_property
    def case_unit_id(self) -> int | None:
        """The unit of the case this item joined, None where it joined none."""
        if self.family_id == self.id:
            return None
        with as_engine(self.session):
            row = execute(
                self.session, "SELECT unit_id FROM item WHERE id = %s", (self.family_id,)
            ).fetchone()
        return row["unit_id"] if row else None

    @cached_property
    def parties_asked(self) -> frozenset[str]:
        """Which parties of the matter this one names other items of its kind and family ask, or asked
        and got an answer that stands.
        """
        with as_engine(self.session):
            rows = execute(
                self.session,
                "SELECT coalesce(d.data ->> 'party', 'petitioner') AS party"
                " FROM item i JOIN item_data d ON d.item_id = i.id"
                " WHERE i.family_id = %s AND i.workflow = %s AND i.id <> %s"
                " AND i.state NOT IN ('expired', 'void') AND d.data ->> 'source_item' = %s",
                (self.family_id, self.workflow.workflow, self.id, self.data.get("source_item")),
            ).fetchall()
        return frozenset(row["party"] for row in rows)

    @cached_property
    def declared(self) -> frozenset[int]:
        """Who declared that nothing binds them to the item."""
        with as_engine(self.session):
            rows = execute(
                self.session,
                "SELECT person_id FROM item_declaration WHERE item_id = %s",
                (self.id,),
            ).fetchall()
        return frozenset(row["person_id"] for row in rows)

    @cached_property
    def asked_to_stay_out(self) -> frozenset[str]:
        """The accounts against whom a recusal application is undecided in the family."""
        with as_engine(self.session):
            rows = execute(
                self.session,
                "SELECT d.data -> 'officers' AS officers FROM item i JOIN item_data d"
                " ON d.item_id = i.id WHERE i.family_id = %s AND i.workflow = 'recusal'"
                " AND i.closed_at IS NULL AND d.data ->> 'wanted' = 'bar'",
                (self.family_id,),
            ).fetchall()
        return frozenset(account for row in rows for account in row["officers"])

    @cached_property
    def contacts(self) -> list[dict[str, Any]]:
        """Every contact given anywhere in the family: a referral must not name who complained."""
        with as_engine(self.session):
            return family_values(self.session, self.vault.keyring, self.family_id, "contact")

    @cached_property
    def personal(self) -> dict[str, Any]:
        """The personal fields, the latest of each, identities too; for what the file says is carried
        on, never for showing.
        """
        given = self.vault.latest()
        return given.read(given.names)


@dataclass(slots=True)
class Attempt:
    """Somebody tries to move an item: all a guard may look at."""

    dossier: Dossier
    actor: Actor
    role: str  # the role acted in
    given: Mapping[str, Any]  # what this act brings, personal fields included
    named: tuple[int, ...] = ()  # people named in it

    @property
    def known(self) -> dict[str, Any]:
        """What will be on the item once the act is done, personal fields aside."""
        return {**self.dossier.data, **self.given}

    @property
    def concerned(self) -> tuple[int, ...]:
        """The actor and everybody named: guards on people hold for all of them."""
        own = () if self.actor.id is None else (self.actor.id,)
        return (*own, *self.named)

"""What comes out of the administration of the office."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

from pydantic import BaseModel


class UnitView(BaseModel):
    """A unit."""

    code: str
    name: str
    aliases: list[str]
    under: str | None
    closed_on: date | None
    revision: int


class Units(BaseModel):
    """A page of units."""

    items: list[UnitView]
    next: str | None


class HeldRole(BaseModel):
    """A role, for a unit and the units below it."""

    role: str
    unit: str


class PersonView(BaseModel):
    """Somebody of the directory; what is after `roles` is null but for admin and head."""

    account: str
    name: str
    unit: str
    post: str | None
    post_kind: str
    roles: list[HeldRole]
    email: str | None
    certificate: str | None
    certified_until: date | None
    left_on: date | None
    revision: int | None


class People(BaseModel):
    """A page of the directory."""

    items: list[PersonView]
    next: str | None


class RoleOutcome(BaseModel):
    """Whether a change of roles is made, or waits for a second person under this number."""

    done: bool
    proposal: int | None


class Proposal(BaseModel):
    """A change of roles that a second person decides."""

    id: int
    account: str
    role: str
    unit: str
    granted: bool
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    confirmed: bool | None


class Proposals(BaseModel):
    """A page of proposals."""

    items: list[Proposal]
    next: str | None


class LeaveView(BaseModel):
    """A leave."""

    id: int
    account: str
    first_on: date
    last_on: date
    substitute: str | None


class Leaves(BaseModel):
    """A page of leave."""

    items: list[LeaveView]
    next: str | None


class Numbered(BaseModel):
    """The number of what was registered."""

    id: int


class Taken(BaseModel):
    """How many items somebody took over."""

    account: str
    items: int


class Left(BaseModel):
    """What became of a leaver's work, in counts: an administrator does not read cases."""

    account: str
    left_on: date
    done: bool
    handed_over: int
    successors: list[Taken]
    told_upward: int
    unheard: int
    messages: int


class ConflictView(BaseModel):
    """A declared conflict of interest."""

    id: int
    account: str
    ground: str
    person: str | None
    unit: str | None
    outside: str | None
    declared_on: date
    declared_by: str
    ended_on: date | None


class Conflicts(BaseModel):
    """A page of declared conflicts."""

    items: list[ConflictView]
    next: str | None


class OfficeEvent(BaseModel):
    """A change of the office. `by`: an account, `command`, `worker`, or `database` for a hand past us."""

    seq: int
    at: datetime
    by: str
    about: str
    act: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: str


class OfficeEvents(BaseModel):
    """A page of the record of the office."""

    items: list[OfficeEvent]
    next: str | None


class RowFinding(BaseModel):
    """What is wrong with a row of a table."""

    row: int
    column: str
    sentence: str


class Intake(BaseModel):
    """What a table brought, or would bring."""

    COUNTED: ClassVar[tuple[str, ...]] = ("read", "units", "people", "roles", "proposed")

    done: bool
    read: int
    units: int
    people: int
    roles: int
    proposed: int
    findings: list[RowFinding]

"""What goes in for the administration of the office, with an example of each."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field, StringConstraints

from api.forms import PLAIN, Form, Line, Name

Account = Annotated[
    str, Path(pattern=r"^[a-z][a-z0-9_.-]{1,40}$", description="An account.", examples=["handler1"])
]
UnitCode = Annotated[
    str, Path(pattern=r"^[A-Z][A-Z0-9]{1,15}$", description="Code of a unit.", examples=["AUD"])
]
Serial = Annotated[int, Path(ge=1, le=2**31 - 1, description="Its number.", examples=[1])]
Short = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=PLAIN)]
Aliases = Annotated[list[Short], Field(max_length=20)]
PostKind = Literal["main_head", "other_head", "staff"]
Ground = Literal["near_relative", "interest", "former_post", "other"]
Outside = Literal["trader", "industry", "family_business", "agency", "other"]
Confirm = Annotated[
    bool,
    Field(
        description="The findings of the answer before are known, and it must be all the same.",
        examples=[False],
    ),
]


class NewUnit(Form):
    """A unit to be added below another one."""

    code: Annotated[Short, Field(examples=["FOD"])]
    name: Annotated[Short, Field(examples=["食品安全科"])]
    under: Annotated[
        Short | None, Field(description="Only the bureau has none.", examples=["BUR"])
    ] = None
    aliases: Aliases = Field(default_factory=list)
    confirm: Confirm = False


class UnitChange(Form):
    """What changes of a unit; what is left out stays."""

    name: Annotated[Short | None, Field(examples=["食品安全监管科"])] = None
    under: Short | None = None
    aliases: Aliases | None = None
    confirm: Confirm = False


class Confirmation(Form):
    """A deed without further words."""

    confirm: Confirm = False


class NewPerson(Form):
    """Somebody to be added; roles are granted afterwards, a password is set by another way."""

    account: Annotated[Short, Field(examples=["lin.qing"])]
    name: Annotated[Short, Field(examples=["林清"])]
    unit: Annotated[Short, Field(examples=["AUD"])]
    post: Annotated[Short | None, Field(examples=["执法人员"])] = None
    post_kind: PostKind = "staff"
    email: Line | None = None
    certificate: Annotated[Short | None, Field(description="行政执法证", examples=["16410001"])] = (
        None
    )
    certified_until: Annotated[date | None, Field(examples=["2030-12-31"])] = None
    confirm: Confirm = False


class PersonChange(Form):
    """What changes of somebody; what is left out stays, null empties."""

    name: Short = ""
    unit: Short = ""
    post: Short | None = None
    post_kind: PostKind = "staff"
    email: Line | None = None
    certificate: Short | None = None
    certified_until: Annotated[date | None, Field(examples=["2031-12-31"])] = None
    confirm: Confirm = False


class RoleChange(Form):
    """A role granted for a unit and the units below it, or revoked."""

    role: Annotated[Name, Field(examples=["handler"])]
    unit: Annotated[Short, Field(examples=["AUD"])]
    granted: Annotated[bool, Field(description="false: revoke it.")] = True
    confirm: Confirm = False


class Decision(Form):
    """Whether a proposed change of roles is made."""

    confirmed: Annotated[bool, Field(examples=[True])]
    confirm: Confirm = False


class NewLeave(Form):
    """Days somebody is away, first and last included."""

    account: Annotated[Short, Field(examples=["handler1"])]
    first_on: Annotated[date, Field(examples=["2026-12-01"])]
    last_on: Annotated[date, Field(examples=["2026-12-05"])]
    substitute: Annotated[Short | None, Field(examples=["handler2"])] = None
    confirm: Confirm = False


class LeaveEnd(Form):
    """The last day of a leave that ends earlier."""

    last_on: Annotated[date, Field(examples=["2026-12-03"])]


class Leaving(Form):
    """The first day somebody is gone, and who takes over if they lawfully may."""

    on: Annotated[date, Field(examples=["2026-12-31"])]
    successors: list[Short] = Field(default_factory=list, max_length=20, examples=[["handler2"]])
    confirm: Confirm = False


class NewConflict(Form):
    """A conflict of interest: with a person or a unit of the house, or a category outside it."""

    account: Annotated[Short | None, Field(description="Whose; the caller's own if left out.")] = (
        None
    )
    ground: Annotated[Ground, Field(examples=["near_relative"])]
    person: Annotated[Short | None, Field(examples=["branch1_head"])] = None
    unit: Short | None = None
    outside: Outside | None = None

"""The house: units, people, roles, leave, the calendar editions."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


class Unit(Base):
    """A section, squad or branch; a tree with one root, the bureau."""

    __tablename__ = "unit"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    aliases: Mapped[list[str]] = mapped_column(server_default=sql("'{}'"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))


class UnitAbove(Base):
    """A unit and one that it is or lies below; kept by a trigger on `unit`."""

    __tablename__ = "unit_above"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    above_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)


class Person(Base):
    """Somebody who works here (or stands outside with a task, like the discipline office)."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    email: Mapped[str | None]
    password_hash: Mapped[str | None]
    password_temporary: Mapped[bool] = mapped_column(server_default=sql("false"))
    certified_until: Mapped[date | None]  # 行政执法证
    left_on: Mapped[date | None]


class Membership(Base):
    """A role somebody holds, for the items of a unit and of the units below it."""

    __tablename__ = "membership"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)


class Leave(Base):
    """Days somebody is away, first and last included, and who stands in."""

    __tablename__ = "leave"
    __table_args__ = (
        CheckConstraint("first_on <= last_on", name="ends_after_it_begins"),
        Index("leave_of_substitute", "substitute_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    first_on: Mapped[date]
    last_on: Mapped[date]
    substitute_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class Bureau(Base):
    """One row: what every transaction must know of the whole house.

    `office_revision` and `calendar_revision` rise (by trigger, by the loader) when the people or
    the calendar change, so that a process knows when its copy is old. `practice_offset` moves the
    office's clock in a sample office; production keeps it at zero.
    """

    __tablename__ = "bureau"
    __table_args__ = (CheckConstraint("one", name="has_one_row"),)

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=sql("true"))
    office_revision: Mapped[int] = mapped_column(server_default=sql("1"))
    calendar_revision: Mapped[int] = mapped_column(server_default=sql("0"))
    practice_offset: Mapped[timedelta] = mapped_column(server_default=sql("'0'"))


class CalendarYear(Base):
    """One edition of one year's State Council list; the highest edition counts, all are kept."""

    __tablename__ = "calendar_year"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    edition: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]]
    digest: Mapped[bytes]
    loaded_at: Mapped[datetime]

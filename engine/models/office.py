"""The house: units, people, roles, leave, the calendar editions."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


class Unit(Base):
    """A section, squad or branch; a tree with one root, the bureau. It closes, it never vanishes."""

    __tablename__ = "unit"
    __table_args__ = (
        Index(
            "unit_has_one_root",
            sql("(parent_id IS NULL)"),
            unique=True,
            postgresql_where=sql("parent_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    aliases: Mapped[list[str]] = mapped_column(server_default=sql("'{}'"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    closed_on: Mapped[date | None]
    revision: Mapped[int] = mapped_column(server_default=sql("1"))


class UnitAbove(Base):
    """A unit and one that it is or lies below; kept by a trigger on `unit`."""

    __tablename__ = "unit_above"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    above_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)


class Person(Base):
    """Somebody who works here (or stands outside with a task, like the discipline office).

    `post` is a title; `post_kind` is what the law makes of it when a recusal is decided (程序规定
    art. 4): the main head, another head, or staff. `successors` are asked first when they leave.
    """

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint("post_kind IN ('main_head', 'other_head', 'staff')", name="post_is_known"),
        Index(
            "person_one_main_head",
            "post_kind",
            unique=True,
            postgresql_where=sql("post_kind = 'main_head' AND left_on IS NULL"),
        ),
        Index(
            "person_certificate_once",
            "certificate",
            unique=True,
            postgresql_where=sql("certificate IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    email: Mapped[str | None]
    password_hash: Mapped[str | None]
    password_temporary: Mapped[bool] = mapped_column(server_default=sql("false"))
    post: Mapped[str | None]  # 职务
    post_kind: Mapped[str] = mapped_column(server_default=sql("'staff'"))
    certificate: Mapped[str | None]  # 行政执法证
    certified_until: Mapped[date | None]
    left_on: Mapped[date | None]
    successors: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=sql("'{}'"))
    revision: Mapped[int] = mapped_column(server_default=sql("1"))


class Membership(Base):
    """A role somebody holds, for the items of a unit and of the units below it.

    Two exclusions keep apart what one person never holds together anywhere (domain 2.1): auditors,
    administrators and the discipline office do nothing else; whoever checks does not handle.
    """

    __tablename__ = "membership"
    __table_args__ = (
        ExcludeConstraint(
            ("person_id", "="),
            (sql("role_kind(role)"), "<>"),
            using="gist",
            name="role_never_of_two_kinds",
        ),
        ExcludeConstraint(
            ("person_id", "="),
            (sql("role_side(role)"), "<>"),
            where=sql("role_side(role) IS NOT NULL"),
            using="gist",
            name="role_never_checks_own_work",
        ),
    )

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)


class Leave(Base):
    """Days somebody is away, first and last included, and who stands in."""

    __tablename__ = "leave"
    __table_args__ = (
        CheckConstraint("first_on <= last_on", name="ends_after_it_begins"),
        Index("leave_of_substitute", "substitute_id"),
        CheckConstraint("substitute_id <> person_id", name="substitute_is_another"),
        ExcludeConstraint(
            ("person_id", "="),
            (sql("daterange(first_on, last_on, '[]')"), "&&"),
            using="gist",
            name="leave_never_overlaps",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    first_on: Mapped[date]
    last_on: Mapped[date]
    substitute_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class OfficerConflict(Base):
    """A conflict of interest somebody declared (公务员法 art. 76): with a person or a unit of the
    house, or with somebody outside, of whom only the category is kept.
    """

    __tablename__ = "officer_conflict"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(other_person_id, other_unit_id, outside) = 1", name="is_with_one"
        ),
        CheckConstraint("other_person_id <> person_id", name="is_with_another"),
        CheckConstraint(
            "ground IN ('near_relative', 'interest', 'former_post', 'other')",
            name="ground_is_known",
        ),
        CheckConstraint(
            "outside IN ('trader', 'industry', 'family_business', 'agency', 'other')",
            name="outside_is_known",
        ),
        CheckConstraint("ended_on >= declared_on", name="ends_after_it_begins"),
        Index("officer_conflict_of_person", "person_id", postgresql_where=sql("ended_on IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    other_person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    other_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    outside: Mapped[str | None]
    ground: Mapped[str]
    declared_on: Mapped[date]
    declared_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    ended_on: Mapped[date | None]


class RoleProposal(Base):
    """A change of a role that guards the others; it waits for a second person to confirm it."""

    __tablename__ = "role_proposal"
    __table_args__ = (
        CheckConstraint(
            "num_nulls(decided_by, decided_at, confirmed) IN (0, 3)", name="is_decided_whole"
        ),
        CheckConstraint(
            "proposed_by <> person_id AND decided_by IS DISTINCT FROM person_id"
            " AND decided_by IS DISTINCT FROM proposed_by",
            name="takes_two_people",
        ),
        Index(
            "role_proposal_open_once",
            "person_id",
            "role",
            "unit_id",
            unique=True,
            postgresql_where=sql("decided_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    role: Mapped[str]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    granted: Mapped[bool]  # false: to be revoked
    proposed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    proposed_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None]
    confirmed: Mapped[bool | None]


class OfficeEvent(Base):
    """A change of the office, written by the tables' own triggers and chained by hash: `hash` is
    SHA-256 of the hash before (32 zero bytes for the first) and of `entry` as text.
    """

    __tablename__ = "office_event"
    __table_args__ = (CheckConstraint("octet_length(hash) = 32", name="has_a_hash"),)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry: Mapped[dict[str, Any]]
    hash: Mapped[bytes]


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

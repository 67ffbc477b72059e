"""The clocks of items, and the rungs climbed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


class Deadline(Base):
    """A clock of an item. Pauses are intervals; the due date is derived from them.

    `kind` is what standing past its alarm makes of the item: limit -> overdue, idle, ping_pong,
    clock_abuse. `next_rung` indexes the ladder; `next_rung_at` is the alarm the sweep looks for.
    """

    __tablename__ = "deadline"
    __table_args__ = (
        CheckConstraint("kind IN ('limit', 'idle', 'ping_pong', 'clock_abuse')", name="kind_known"),
        CheckConstraint(
            "stopped_at IS NULL OR next_rung_at IS NULL", name="stopped_clock_never_rings"
        ),
        CheckConstraint(
            "paused_at IS NULL OR next_rung_at IS NULL", name="paused_clock_never_rings"
        ),
        Index("deadline_alarm", "next_rung_at", postgresql_where=sql("next_rung_at IS NOT NULL")),
        Index("deadline_running", "item_id", postgresql_where=sql("stopped_at IS NULL")),
        Index(
            "deadline_climbed",
            sql("rung DESC"),
            "due_at",
            "id",
            postgresql_where=sql("stopped_at IS NULL AND rung >= 1"),
        ),
        {"postgresql_with": {"fillfactor": "85", "autovacuum_vacuum_scale_factor": "0.02"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"))
    name: Mapped[str]
    kind: Mapped[str]
    rule: Mapped[str]
    rule_since: Mapped[date]
    span: Mapped[str]  # "5 working days", as the rule said when the clock started
    ladder: Mapped[str | None]
    started_at: Mapped[datetime]
    until: Mapped[date | None]  # the date the item named as the clock started; else span counts
    pauses: Mapped[list[Any]] = mapped_column(JSONB, server_default=sql("'[]'"))
    extension: Mapped[str | None]  # the span granted in all
    due_on: Mapped[date | None]
    due_at: Mapped[datetime | None]
    provisional: Mapped[bool] = mapped_column(server_default=sql("false"))
    paused_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    rung: Mapped[int | None] = mapped_column(SmallInteger)  # level of the last rung climbed
    next_rung: Mapped[int] = mapped_column(SmallInteger, server_default=sql("0"))
    next_rung_at: Mapped[datetime | None]


class Climb(Base):
    """A rung climbed: once per clock and rung, however many sweepers run."""

    __tablename__ = "climb"

    deadline_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("deadline.id"), primary_key=True
    )
    rung: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    item_id: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int]
    level: Mapped[int] = mapped_column(SmallInteger)
    act: Mapped[str]
    due_at: Mapped[datetime]
    climbed_at: Mapped[datetime]

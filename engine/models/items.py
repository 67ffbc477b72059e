"""Items, their journal, their people, and the released workflows their path must follow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


class WorkflowVersion(Base):
    """A released workflow file; its digest keeps anybody from changing it quietly."""

    __tablename__ = "workflow_version"

    workflow: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[bytes]


class Edge(Base):
    """A move a workflow version allows. `from_state` is '' for the act that begins an item."""

    __tablename__ = "edge"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workflow", "version"], ["workflow_version.workflow", "workflow_version.version"]
        ),
    )

    workflow: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    act: Mapped[str] = mapped_column(primary_key=True)
    from_state: Mapped[str] = mapped_column(primary_key=True)
    to_state: Mapped[str] = mapped_column(primary_key=True)


class Watch(Base):
    """A role that sees a workflow version's items by scope alone: the sealed ones, or the others."""

    __tablename__ = "watch"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workflow", "version"], ["workflow_version.workflow", "workflow_version.version"]
        ),
    )

    workflow: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    role: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bool] = mapped_column(primary_key=True)


class Item(Base):
    """The thing that moves: small, because every move rewrites it.

    No index names `rung`, `seq` or `head`: what the sweep changes of an item stays on its page
    (a heap-only update), and the queue of stalls is read from the clocks.

    `revision` counts people's acts and is what a client's If-Match names; `seq` counts all events,
    the engine's own too; `head` is the hash of the last one.
    """

    __tablename__ = "item"
    __table_args__ = (
        ForeignKeyConstraint(
            ["id", "seq", "state"],
            ["event.item_id", "event.seq", "event.to_state"],
            name="item_stands_where_its_last_event_left_it",
            deferrable=True,
            initially="DEFERRED",
            use_alter=True,
        ),
        UniqueConstraint("workflow", "outside_key", name="item_outside_key_once"),
        Index(
            "item_queue",
            "unit_id",
            "state",
            "due_at",
            "id",
            postgresql_where=sql("closed_at IS NULL"),
        ),
        Index(
            "item_unit_due", "unit_id", "due_at", "id", postgresql_where=sql("closed_at IS NULL")
        ),
        Index("item_due", "due_at", "id", postgresql_where=sql("closed_at IS NULL")),
        Index("item_family", "family_id"),
        Index("item_parent", "parent_id", postgresql_where=sql("parent_id IS NOT NULL")),
        Index("item_closed", "closed_at", "id", postgresql_where=sql("closed_at IS NOT NULL")),
        Index("item_received", "received_at", postgresql_using="brin"),
        {"postgresql_with": {"fillfactor": "85", "autovacuum_vacuum_scale_factor": "0.02"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    workflow: Mapped[str]
    version: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str]
    revision: Mapped[int]
    seq: Mapped[int]
    head: Mapped[bytes]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    subject_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    family_id: Mapped[int] = mapped_column(BigInteger)
    parent_id: Mapped[int | None] = mapped_column(BigInteger)
    mandatory: Mapped[bool] = mapped_column(server_default=sql("false"))
    settled: Mapped[bool] = mapped_column(server_default=sql("false"))
    sealed: Mapped[bool] = mapped_column(server_default=sql("false"))
    channel: Mapped[str]
    received_at: Mapped[datetime]
    entered_at: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(server_default=sql("'infinity'"))
    rung: Mapped[int] = mapped_column(SmallInteger, server_default=sql("0"))
    closed_at: Mapped[datetime | None]
    code_hash: Mapped[str | None]
    outside_key: Mapped[str | None]


class ItemData(Base):
    """What is known of an item, apart from anything personal: field -> value."""

    __tablename__ = "item_data"

    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"), primary_key=True)
    data: Mapped[dict[str, Any]]


class Event(Base):
    """What happened, once. `at` is the office's clock; `hash` chains the item's events."""

    __tablename__ = "event"
    __table_args__ = (
        ForeignKeyConstraint(
            ["workflow", "version", "act", "from_state", "to_state"],
            ["edge.workflow", "edge.version", "edge.act", "edge.from_state", "edge.to_state"],
            name="event_follows_a_declared_edge",
        ),
        ForeignKeyConstraint(
            ["item_id", "prev_seq", "from_state"],
            ["event.item_id", "event.seq", "event.to_state"],
            name="event_continues_where_the_last_one_ended",
        ),
        UniqueConstraint("item_id", "seq", "to_state", name="event_end_once"),
        CheckConstraint(
            "(seq = 1 AND prev_seq IS NULL AND from_state = '')"
            " OR (seq > 1 AND prev_seq = seq - 1 AND from_state <> '')",
            name="counts_without_gaps",
        ),
        CheckConstraint("octet_length(hash) = 32", name="has_a_hash"),
    )

    item_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    prev_seq: Mapped[int | None]
    workflow: Mapped[str]
    version: Mapped[int] = mapped_column(SmallInteger)
    act: Mapped[str]
    from_state: Mapped[str]
    to_state: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    role: Mapped[str]  # the role acted in; "public" and "sys" have no actor_id
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]]
    commitment: Mapped[bytes | None]
    hash: Mapped[bytes]


class ItemDeclaration(Base):
    """Who said of an item that nothing binds them to it (公务员法 art. 77): signed, or by their first
    act on it. `seq` is the event that holds it, `statement` the SHA-256 of the words.
    """

    __tablename__ = "item_declaration"
    __table_args__ = (CheckConstraint("how IN ('signed', 'acted')", name="how_is_known"),)

    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    seq: Mapped[int]
    how: Mapped[str]
    statement: Mapped[bytes]
    declared_at: Mapped[datetime]


class ItemDuty(Base):
    """Who did what in a family of items, kept for ever; `assigned` marks an item's holders.

    The two exclusions are the separation of duties of the plan (实行回访人员和办案人员分离) and of
    公务员法 art. 76: nobody bears two different active duties in one family, and nobody who ever
    worked on it approves or revisits it, or the other way round.
    """

    __tablename__ = "item_duty"
    __table_args__ = (
        ExcludeConstraint(
            ("family_id", "="),
            ("person_id", "="),
            ("duty", "<>"),
            where=sql("ended_at IS NULL"),
            using="gist",
            name="duty_never_two_at_once",
        ),
        ExcludeConstraint(
            ("family_id", "="),
            ("person_id", "="),
            ("duty", "<>"),
            where=sql("duty IN ('work', 'approve', 'revisit')"),
            using="gist",
            name="duty_never_two_ever",
        ),
        CheckConstraint(
            "duty IN ('work', 'approve', 'revisit', 'accused', 'recused')", name="is_known"
        ),
        Index(
            "item_duty_active_once",
            "item_id",
            "person_id",
            "role",
            unique=True,
            postgresql_where=sql("ended_at IS NULL"),
        ),
        Index("item_duty_of_family", "family_id"),
        Index("item_duty_of_person", "person_id", "duty", postgresql_where=sql("ended_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"))
    family_id: Mapped[int] = mapped_column(BigInteger)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    role: Mapped[str]
    duty: Mapped[str]
    assigned: Mapped[bool] = mapped_column(server_default=sql("false"))
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

"""The tables, and the promises they keep by themselves.

The engine refuses with a sentence; these constraints refuse for good. An item's path is legal by
foreign keys: an event follows an edge of the item's own workflow version and continues where the
event before it ended, and the item stands where its last event left it. History cannot be changed:
triggers refuse UPDATE, DELETE and TRUNCATE on `event`, and let a duty only end and an item only
move on (see the first migration).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ALWAYS_ONE = sql("true")


class Base(DeclarativeBase):
    """Every table of Banjie; constraint names are sentences where a person may meet them."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_key",
            "fk": "%(table_name)s_%(column_0_N_name)s_exists",
            "ix": "%(table_name)s_%(column_0_N_name)s",
            "uq": "%(table_name)s_%(column_0_N_name)s_once",
            "ck": "%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        date: Date,
        bytes: LargeBinary,
        timedelta: Interval,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[date]: ARRAY(Date),
    }


# --- the office -----------------------------------------------------------------------------


class Unit(Base):
    """A section, squad or branch; a tree with one root, the bureau."""

    __tablename__ = "unit"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    aliases: Mapped[list[str]] = mapped_column(server_default=sql("'{}'"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))


class Person(Base):
    """Somebody who works here (or stands outside with a task, like the discipline office)."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    account: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    email: Mapped[str | None]
    password_hash: Mapped[str | None]
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
    __table_args__ = (CheckConstraint("first_on <= last_on", name="ends_after_it_begins"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    first_on: Mapped[date]
    last_on: Mapped[date]
    substitute_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))


class Login(Base):
    """A bearer token, kept as its SHA-256."""

    __tablename__ = "login"

    token_digest: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    expires_at: Mapped[datetime]


class Bureau(Base):
    """One row: what every transaction must know of the whole house.

    `office_revision` and `calendar_revision` rise (by trigger, by the loader) when the people or
    the calendar change, so that a process knows when its copy is old. `practice_offset` moves the
    office's clock in a sample office; production keeps it at zero.
    """

    __tablename__ = "bureau"
    __table_args__ = (CheckConstraint("one", name="has_one_row"),)

    one: Mapped[bool] = mapped_column(primary_key=True, server_default=ALWAYS_ONE)
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


# --- the law, as loaded ---------------------------------------------------------------------


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


# --- items ----------------------------------------------------------------------------------


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


class PersonalData(Base):
    """Personal fields, as given with one event. The event holds only a salted commitment to them
    (SHA-256 of salt and canonical JSON), so that erasing this row leaves the record provable.
    """

    __tablename__ = "personal_data"

    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[dict[str, Any]]
    salt: Mapped[bytes]


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


# --- clocks ---------------------------------------------------------------------------------


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


# --- what leaves the house ------------------------------------------------------------------


class Message(Base):
    """The outbox and the inbox: a row for everybody told, written with the act that tells them.

    `recipient_id` is a person; without one the recipient is the item's petitioner (channel
    `track`) or an endpoint (channel `webhook`). `status`: ready, leased, sent, dead, withdrawn.
    The payload holds the placeholders of `engine.outbox` and nothing else.
    """

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint(
            "status IN ('ready', 'leased', 'sent', 'dead', 'withdrawn')", name="status_known"
        ),
        CheckConstraint(
            "(status = 'leased') = (lease_token IS NOT NULL)", name="lease_has_a_token"
        ),
        Index(
            "message_ready",
            "not_before",
            "id",
            postgresql_where=sql("status = 'ready'"),
        ),
        Index("message_leased", "leased_until", postgresql_where=sql("status = 'leased'")),
        Index("message_dead", "created_at", postgresql_where=sql("status = 'dead'")),
        Index("message_of_item", "item_id", "seq"),
        Index("message_inbox", "recipient_id", sql("id DESC")),
        Index(
            "message_thread",
            "item_id",
            "recipient_id",
            "channel",
            "id",
            postgresql_where=sql("status IN ('ready', 'leased')"),
        ),
        {"postgresql_with": {"fillfactor": "85"}},
    )

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True, server_default=sql("uuidv7()"))
    item_id: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int]  # of the event that told
    deadline_id: Mapped[int | None] = mapped_column(BigInteger)
    rung: Mapped[int | None] = mapped_column(SmallInteger)
    recipient_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    endpoint_id: Mapped[int | None] = mapped_column(ForeignKey("endpoint.id"))
    channel: Mapped[str]
    text: Mapped[str]
    payload: Mapped[dict[str, Any]]
    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=sql("0"))
    crashes: Mapped[int] = mapped_column(SmallInteger, server_default=sql("0"))
    not_before: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    lease_token: Mapped[Any | None] = mapped_column(Uuid)
    last_result: Mapped[str | None]
    receipt: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class Endpoint(Base):
    """A system outside that hears of the rungs of a unit's items by signed webhook."""

    __tablename__ = "endpoint"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    url: Mapped[str] = mapped_column(unique=True)
    secret: Mapped[str]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    active: Mapped[bool] = mapped_column(server_default=sql("true"))


class Document(Base):
    """An official letter as drafted: frozen text with its digest."""

    __tablename__ = "document"
    __table_args__ = (Index("document_of_item", "item_id", "seq"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"))
    seq: Mapped[int]
    template: Mapped[str]
    title: Mapped[str]
    body: Mapped[str]
    digest: Mapped[bytes]
    drafted_at: Mapped[datetime]


# --- the counter's memory -------------------------------------------------------------------


class Answer(Base):
    """The answer to a request with an Idempotency-Key, kept to be given again.

    A citizen's code is never kept: `body` holds the nonce it is derived from.
    """

    __tablename__ = "answer"

    principal: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[bytes]  # SHA-256 over route and body
    status: Mapped[int | None] = mapped_column(SmallInteger)
    body: Mapped[bytes | None]
    headers: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"), index=True)


class ImportRun(Base):
    """How far a file's import has come; a batch and its progress are one transaction."""

    __tablename__ = "import_run"
    __table_args__ = (CheckConstraint("accepted + refused = done", name="loses_no_row"),)

    digest: Mapped[bytes] = mapped_column(primary_key=True)  # over file, map and workflow
    workflow: Mapped[str]
    done: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    accepted: Mapped[int] = mapped_column(Integer, server_default=sql("0"))
    refused: Mapped[int] = mapped_column(Integer, server_default=sql("0"))


class ImportRefusal(Base):
    """A row that was not taken, and why; the sentence names fields, never their values."""

    __tablename__ = "import_refusal"

    digest: Mapped[bytes] = mapped_column(ForeignKey("import_run.digest"), primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str]

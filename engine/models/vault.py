"""The vault: data keys, payloads, and who was shown what. A schema of its own, so that rights and
dumps can treat it apart.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Uuid
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base

SCHEMA = "vault"


class DataKey(Base):
    """An item's data key, wrapped by the key of a month that lies outside the database."""

    __tablename__ = "data_key"
    __table_args__ = (
        CheckConstraint("octet_length(commitment) = 32", name="has_a_commitment"),
        {"schema": SCHEMA},
    )

    item_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("item.id"), primary_key=True, autoincrement=False
    )
    epoch: Mapped[str]
    wrapped: Mapped[bytes]
    commitment: Mapped[bytes]


class Payload(Base):
    """The personal fields given with one event: field -> base64 of nonce and ciphertext. The event
    holds a commitment to them, so that erasing this row leaves the record provable.
    """

    __tablename__ = "payload"
    __table_args__ = (
        CheckConstraint("octet_length(salt) = 32", name="has_a_salt"),
        {"schema": SCHEMA},
    )

    item_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("vault.data_key.item_id"), primary_key=True, autoincrement=False
    )
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed: Mapped[dict[str, Any]]
    salt: Mapped[bytes]


class Reveal(Base):
    """Somebody asks to see an identity, and another person grants it or does not.

    `status`: asked, granted, refused, lapsed. What the law counts (`asked_at`, `lapses_at`) is the
    office's clock; how long an identity is shown (`shown_until`) is the database's own.
    """

    __tablename__ = "reveal"
    __table_args__ = (
        CheckConstraint("status IN ('asked', 'granted', 'refused', 'lapsed')", name="status_known"),
        CheckConstraint("approver_id <> requester_id", name="takes_two"),
        CheckConstraint(
            "(status = 'granted') = (shown_until IS NOT NULL)", name="shown_once_granted"
        ),
        CheckConstraint(
            "protection = 'open' OR status <> 'granted' OR approver_id IS NOT NULL",
            name="granted_by_somebody",
        ),
        Index(
            "reveal_asked_once",
            "item_id",
            "requester_id",
            unique=True,
            postgresql_where=sql("status = 'asked'"),
        ),
        Index("reveal_waiting", "lapses_at", postgresql_where=sql("status = 'asked'")),
        Index("reveal_of_item", "item_id", "id"),
        {"schema": SCHEMA},
    )

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"))
    fields: Mapped[list[str]]
    protection: Mapped[str]
    requester_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    approver_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    status: Mapped[str]
    asked_at: Mapped[datetime]
    lapses_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    shown_until: Mapped[datetime | None]


class Trace(Base):
    """A keyed mark of a telephone number or a name, for the hint at possible duplicates. Never
    unique: a constraint would tell whether somebody was here before.
    """

    __tablename__ = "trace"
    __table_args__ = (Index("trace_mark", "mark"), {"schema": SCHEMA})

    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"), primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    mark: Mapped[bytes] = mapped_column(primary_key=True)


class LegalHold(Base):
    """While a hold is not lifted, nothing personal of the item is erased."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        Index(
            "legal_hold_once", "item_id", unique=True, postgresql_where=sql("lifted_seq IS NULL")
        ),
        {"schema": SCHEMA},
    )

    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"), primary_key=True)
    set_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lifted_seq: Mapped[int | None]


class Erasure(Base):
    """The two steps of an erasure: restricted, when nothing personal is shown any more, and shredded,
    when it is gone. `ground`: request or retention.
    """

    __tablename__ = "erasure"
    __table_args__ = (
        CheckConstraint("ground IN ('request', 'retention')", name="ground_known"),
        Index("erasure_waiting", "shreds_at", postgresql_where=sql("shredded_at IS NULL")),
        {"schema": SCHEMA},
    )

    item_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("item.id"), primary_key=True, autoincrement=False
    )
    ground: Mapped[str]
    restricted_at: Mapped[datetime]
    shreds_at: Mapped[datetime]
    shredded_at: Mapped[datetime | None]

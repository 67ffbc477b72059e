"""What is told and drafted: messages, endpoints, letters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Uuid,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


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
    """An official letter as drafted: frozen text with its digest. The text is gone, and the digest
    stays, where it quoted somebody whose personal data were erased.
    """

    __tablename__ = "document"
    __table_args__ = (Index("document_of_item", "item_id", "seq"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"))
    seq: Mapped[int]
    template: Mapped[str]
    title: Mapped[str]
    body: Mapped[str | None]
    digest: Mapped[bytes]
    drafted_at: Mapped[datetime]

"""Files that belong to items, and files in the store that belong to nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Uuid,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


class Attachment(Base):
    """A file given with an event of an item. `sha256` and `size` are those of the file as received.

    `original` and `copy` name objects of the store. What the file is called, and the key both are
    sealed with, are personal values of the event: without them the objects are noise.
    """

    __tablename__ = "attachment"
    __table_args__ = (
        ForeignKeyConstraint(["item_id", "seq"], ["event.item_id", "event.seq"]),
        CheckConstraint(
            "kind IN ('jpg', 'png', 'webp', 'pdf', 'mp3', 'm4a', 'amr', 'mp4', 'txt', 'docx',"
            " 'xlsx')",
            name="kind_known",
        ),
        CheckConstraint(
            "scan IN ('pending', 'scanned', 'infected', 'not_scanned', 'failed')", name="scan_known"
        ),
        CheckConstraint("size > 0 AND octet_length(sha256) = 32", name="has_a_digest"),
        CheckConstraint(
            "(erased_at IS NULL) = (original IS NOT NULL) AND (copy IS NULL OR erased_at IS NULL)",
            name="is_whole_or_erased",
        ),
        Index("attachment_of_item", "item_id", "seq"),
        Index(
            "attachment_to_scan",
            "scan_after",
            postgresql_where=sql("scan IN ('pending', 'not_scanned') AND erased_at IS NULL"),
        ),
    )

    id: Mapped[Any] = mapped_column(Uuid, primary_key=True)
    item_id: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int]  # of the event that tells of it
    kind: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes]
    copy_size: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    flags: Mapped[list[str]] = mapped_column(server_default=sql("'{}'"))
    from_public: Mapped[bool]
    to_public: Mapped[bool] = mapped_column(server_default=sql("false"))
    original: Mapped[str | None]
    copy: Mapped[str | None]
    scan: Mapped[str]
    scan_attempts: Mapped[int] = mapped_column(SmallInteger, server_default=sql("0"))
    scan_after: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    scanned_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]


class StrayFile(Base):
    """An object of the store that no attachment names: not yet, or no longer. Whoever comes by after
    `due_at` removes the object first and this row then, so that none is ever forgotten.
    """

    __tablename__ = "stray_file"

    name: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(index=True)

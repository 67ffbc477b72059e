"""What the counter and the import remember of requests and files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Integer,
    SmallInteger,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


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

"""What the citizens' side remembers: sessions, tries, spent proofs, and how far a petitioner has read.

None of it names a network or a code: keys are keyed hashes, and rows of tries die within a day.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


class PortalSession(Base):
    """Number and code were right a short while ago: a token, kept as its SHA-256."""

    __tablename__ = "portal_session"

    token_digest: Mapped[bytes] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"))
    began_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PortalTry(Base):
    """How often something was tried: wrong codes for one number or from one network, submissions
    from one network or in all. `key` is an HMAC of what is counted, `began_at` the start of a
    window, `tried_at` the last try.
    """

    __tablename__ = "portal_try"
    __table_args__ = (CheckConstraint("octet_length(key) = 32", name="key_is_a_keyed_hash"),)

    key: Mapped[bytes] = mapped_column(primary_key=True)
    count: Mapped[int]
    began_at: Mapped[datetime]
    tried_at: Mapped[datetime] = mapped_column(index=True)


class SpentProof(Base):
    """A solved challenge that was used: it is not taken a second time."""

    __tablename__ = "spent_proof"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    spent_at: Mapped[datetime] = mapped_column(server_default=sql("now()"), index=True)


class PetitionerRead(Base):
    """Up to which event the petitioner has read the messages of their item."""

    __tablename__ = "petitioner_read"

    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"), primary_key=True)
    seq: Mapped[int]

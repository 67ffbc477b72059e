"""The vault: data keys, payloads, and who was shown what. A schema of its own, so that rights and
dumps can treat it apart.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
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

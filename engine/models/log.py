"""The log over all events: which leaf stands for which event, the nodes of the tree, and what was
signed of it. Rows are added, never changed: triggers refuse it as they do for events.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Table,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base

LOG_QUEUE = Table(
    "log_queue",
    Base.metadata,
    Column("item_id", BigInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    postgresql_with={
        "autovacuum_vacuum_scale_factor": "0",
        "autovacuum_vacuum_threshold": "10000",
    },
)
"""Events that are not in the log yet. An event and its row here are one statement; the sequencer
removes the row in the transaction that appends the leaf. Without any index: that would be the one
cost of the log that every act pays.
"""


class LogHead(Base):
    """How many leaves there are. Whoever holds this row's lock is the sequencer."""

    __tablename__ = "log_head"
    __table_args__ = (CheckConstraint("single", name="is_one_row"),)

    single: Mapped[bool] = mapped_column(Boolean, primary_key=True, server_default=sql("true"))
    size: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))


class LogLeaf(Base):
    """An event's place in the log; `hash` is the event's own, by which anybody may ask for a proof."""

    __tablename__ = "log_leaf"
    __table_args__ = (
        ForeignKeyConstraint(
            ["item_id", "seq"], ["event.item_id", "event.seq"], name="log_leaf_stands_for_an_event"
        ),
        UniqueConstraint("item_id", "seq", name="log_leaf_event_once"),
        Index("log_leaf_hash", "hash", postgresql_using="hash"),
        CheckConstraint("position >= 0", name="counts_from_nought"),
    )

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    item_id: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int]
    hash: Mapped[bytes]


class LogNode(Base):
    """A full node of the tree (engine/merkle.py); level 0 are the leaves' hashes."""

    __tablename__ = "log_node"
    __table_args__ = (CheckConstraint("octet_length(hash) = 32", name="has_a_hash"),)

    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    rank: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes]


class Checkpoint(Base):
    """What was signed of the log, as a note that any reader of C2SP checkpoints understands."""

    __tablename__ = "checkpoint"
    __table_args__ = (CheckConstraint("size > 0", name="has_leaves"),)

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[bytes]
    at: Mapped[datetime]
    note: Mapped[str]

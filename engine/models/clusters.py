"""What the system counts by itself: the days it counted on, and which items were behind what."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


class Tally(Base):
    """A day of the office on which complaints were counted; its row is the claim to do so."""

    __tablename__ = "tally"

    counted_on: Mapped[date] = mapped_column(primary_key=True)


class ClusterMember(Base):
    """An item that was counted for a cluster, and the analysis (or candidate) that began for it."""

    __tablename__ = "cluster_member"
    __table_args__ = (
        Index("cluster_member_of_cluster", "cluster", "item_id"),
        Index("cluster_member_counted", "member_id"),
    )

    item_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"), primary_key=True)
    member_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("item.id"), primary_key=True)
    cluster: Mapped[str]

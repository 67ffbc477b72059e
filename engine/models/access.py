"""Who is let in: logins, second factors, tokens of systems, how often somebody guessed, and what
happened at the door.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from engine.models.base import Base


class Login(Base):
    """A session, kept as the SHA-256 of its token; it ends by idleness, by age, or by being ended.

    `owes` names what its person must still do before anything else: choose a password of their own,
    enrol a second factor, or show it.
    """

    __tablename__ = "login"
    __table_args__ = (
        CheckConstraint("owes IN ('password', 'factor', 'otp')", name="owes_something_known"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sql("gen_random_uuid()"))
    token_digest: Mapped[bytes] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    by_cookie: Mapped[bool] = mapped_column(server_default=sql("false"))
    owes: Mapped[str | None]
    began_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    last_seen_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    proven_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SecondFactor(Base):
    """The secret of somebody's TOTP device, sealed, and the last step whose code was taken."""

    __tablename__ = "second_factor"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    secret: Mapped[bytes]
    last_step: Mapped[int] = mapped_column(BigInteger, server_default=sql("0"))
    offered_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code for the day the device is lost, kept as a keyed hash; good once."""

    __tablename__ = "recovery_code"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    used_at: Mapped[datetime | None]


class ApiToken(Base):
    """What a system shows in place of a login: some scopes of an account, until a day."""

    __tablename__ = "api_token"
    __table_args__ = (
        CheckConstraint(
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'submit', 'advance', 'supervise']",
            name="has_known_scopes",
        ),
        CheckConstraint("expires_at <= created_at + interval '367 days'", name="ends_in_a_year"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=sql("gen_random_uuid()"))
    token_digest: Mapped[bytes] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    name: Mapped[str]
    scopes: Mapped[list[str]]
    created_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Throttle(Base):
    """How often in a row somebody guessed wrong; `key` is a keyed hash of an account, a network or
    both, and dies a day after the last wrong guess.
    """

    __tablename__ = "throttle"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    not_before: Mapped[datetime]
    failed_at: Mapped[datetime] = mapped_column(index=True)


class AccessEvent(Base):
    """What happened at the door: ids and words of the program only; append-only."""

    __tablename__ = "access_event"
    __table_args__ = (Index("access_event_of_a_person", "person_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    act: Mapped[str]
    reason: Mapped[str | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    subject_id: Mapped[UUID | None]  # the login or the token

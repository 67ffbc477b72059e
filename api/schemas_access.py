"""What comes out about sessions, credentials and what happened at the door."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from api.schemas import Listed


class SessionView(BaseModel):
    """A session of the caller's."""

    id: UUID
    by_cookie: bool
    began_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool


class Sessions(Listed):
    """The caller's sessions."""

    items: list[SessionView]


class CurrentSession(BaseModel):
    """This session: whose it is, what it still owes, whether a proof counts as given just now, and for a
    cookie the token of its forms.
    """

    account: str
    name: str
    owes: Literal["password", "factor", "otp"] | None
    fresh: bool
    form_token: str | None


class Credentials(BaseModel):
    """What somebody logs in with."""

    second_factor: bool
    recovery_codes: int


class FactorOffer(BaseModel):
    """What goes into a device, shown once: the secret, the same as an address, and as a picture (SVG)."""

    secret: str
    uri: str
    picture: str


class RecoveryCodes(BaseModel):
    """Codes for the day the device is lost; each is good once, and they are shown once."""

    recovery_codes: list[str]


class TokenView(BaseModel):
    """A token of a system, without the token."""

    id: UUID
    account: str
    name: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    ended_at: datetime | None


class Tokens(Listed):
    """Tokens of systems."""

    items: list[TokenView]


class NewToken(BaseModel):
    """A token, shown once."""

    id: UUID
    token: str
    scopes: list[str]
    expires_at: datetime


class TemporaryPassword(BaseModel):
    """A password that only lets its person choose their own; shown once."""

    account: str
    password: str


class WayInAsked(BaseModel):
    """Asked for; somebody else may give it until then."""

    account: str
    until: datetime


class AccessEventView(BaseModel):
    """What happened at the door."""

    id: int
    at: datetime
    act: str
    reason: str | None
    person: str | None
    actor: str | None
    subject: UUID | None


class AccessEvents(Listed):
    """What happened at the door, the newest first."""

    items: list[AccessEventView]

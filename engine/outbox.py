"""What leaves the house: claim a message, send it outside any transaction, settle what came of it.

A message is written with the act that tells it, so none is lost; it carries one id through every
try, so a duplicate can be known as one. In one thread (item, recipient, channel) the next message
waits until the one before is sent, dead or withdrawn, so nobody hears of a demand before the
reminder. Messages of one party form a lane; lanes are worked side by side, so a slow party delays
only its own.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from engine.errors import DeliveryError, Undeliverable
from engine.leases import (
    Claimed,
    Lag,
    Lane,
    Outcome,
    claim,
    lag,
    lanes,
    may_leave,
    release_expired,
    settle,
)
from engine.reading import PLACEHOLDERS
from engine.telling import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from uuid import UUID

    from engine.database import Database
    from engine.reading import Text

__all__ = [
    "PLACEHOLDERS",
    "Channel",
    "Delivered",
    "Lag",
    "Parcel",
    "deliver",
    "lag",
    "render",
]

PATIENCE = 25.0
"""Seconds for which a lane begins new sends. LEASE less PATIENCE is the longest a send may take
before somebody else might repeat it."""
LANES = 16
"""Parties served at once."""


@dataclass(frozen=True)
class Parcel:
    """One message, ready to go.

    `payload` holds the placeholders as text; `missed` names earlier messages of the same thread
    that never arrived; `attempt` counts from 1; `created_at` is the office's time of the act that
    told, `at` the real time of the claim, from the database. What could identify or authenticate
    (address, secret) is left out of the representation.
    """

    id: UUID
    number: str
    channel: str
    address: str = field(repr=False)
    title: str
    body: str
    payload: Mapping[str, str]
    text: str
    rung: int | None
    attempt: int
    missed: tuple[UUID, ...]
    created_at: datetime
    at: datetime
    secret: str = field(default="", repr=False)


class Channel(Protocol):
    """A way out of the house.

    `send` returns a receipt (no address in it) once the other side has accepted. It raises
    Undeliverable where trying again cannot help (member `gone=True`: the endpoint is to be switched
    off) and DeliveryError for everything else, also when the outcome is unknown; members:
    `retry_after`, seconds the party asked us to wait, and `away=True` where the party as a whole
    does not answer, so that the rest of its messages need not be tried now. The details of these
    errors are stored and logged: they hold codes, never addresses or answers. `close` lets go of
    whatever was kept open for the batch.
    """

    name: str

    def send(self, message: Parcel) -> str:
        """Hand one message over."""

    def close(self) -> None:
        """Let go of connections."""


class Delivered(NamedTuple):
    """How many messages were sent, will be tried again, and ended dead."""

    sent: int
    retried: int
    dead: int


def render(text: Text, payload: Mapping[str, Any]) -> tuple[str, str]:
    """Title and body of a message, Chinese first, then English.

    Raises Undeliverable where the text asks for anything but a plain placeholder.
    """
    values = _closed(payload)
    for template in (text.title, text.title_en, text.body, text.body_en):
        for _, name, form, conversion in Formatter().parse(template):
            if name is not None and (name not in values or form or conversion):
                raise Undeliverable("the text uses an unknown placeholder")
    title = f"{text.title} {text.title_en}".format_map(values)
    body = f"{text.body.strip()}\n\n{text.body_en.strip()}\n".format_map(values)
    return " ".join(title.split()), body


def _closed(payload: Mapping[str, Any]) -> dict[str, str]:
    """The placeholders as text, "" where the payload lacks one, and nothing else of it."""
    return {name: str(payload.get(name) or "") for name in PLACEHOLDERS}


def deliver(
    database: Database,
    channels: Mapping[str, Channel],
    texts: Mapping[str, Text],
    now: datetime | None = None,
    limit: int = 50,
) -> Delivered:
    """Send what is due, every lane in a thread of its own, until nothing is left or 25 s passed.

    Any number may run at once, anywhere. A batch of `limit` is claimed and committed, each message
    sent with no transaction open, and each result committed by itself. `now` is the office's clock
    (the database's own when None). A fault of one lane (the database away, say) is raised only after
    the others have finished; what it held returns when the lease ends.
    """
    with database.transaction() as session:
        _, poisonous = release_expired(session, now)
        found = lanes(session, list(channels), now)
    total: Counter[str] = Counter(dead=poisonous)
    pack = partial(_pack, texts)
    if found:
        with ThreadPoolExecutor(min(len(found), LANES), thread_name_prefix="lane") as pool:
            work = [
                pool.submit(_serve, database, channels[lane.channel], lane, pack, now, limit)
                for lane in found
            ]
        for served in work:
            total += served.result()
    return Delivered(total["sent"], total["ready"], total["dead"])


def _serve(
    database: Database,
    channel: Channel,
    lane: Lane,
    pack: Callable[[Lane, Claimed], Parcel],
    now: datetime | None,
    limit: int,
) -> Counter[str]:
    """Work one lane until it is empty, its party is away, or patience ends."""
    until = time.monotonic() + PATIENCE
    done: Counter[str] = Counter()
    found = True
    try:
        while found and time.monotonic() < until:
            found = False
            for crashed in (False, True):
                with database.transaction() as session:
                    batch = claim(session, now, limit, lane, crashed=crashed)
                found = found or bool(batch)
                done.update(claimed.status for claimed in batch if not claimed.lease_token)
                for claimed in filter(lambda row: row.lease_token, batch):
                    outcome = Outcome("unsent")
                    if time.monotonic() < until:
                        with database.transaction() as session:
                            lawful = may_leave(session, claimed)
                        if not lawful:
                            done["withdrawn"] += 1
                            continue
                        outcome = _try(channel, lane, claimed, pack)
                    until = 0.0 if outcome.away else until
                    with database.transaction() as session:
                        status = settle(session, claimed, outcome, now)
                    done[outcome.kind if outcome.kind == "unsent" else status] += 1
    finally:
        channel.close()
    return done


def _try(
    channel: Channel, lane: Lane, claimed: Claimed, pack: Callable[[Lane, Claimed], Parcel]
) -> Outcome:
    """Send one message; whatever goes wrong stops only this one."""
    try:
        outcome = Outcome("sent", channel.send(pack(lane, claimed)))
    except Undeliverable as error:
        outcome = Outcome("hopeless", error.detail, gone=bool(error.members.get("gone")))
    except DeliveryError as error:
        wait = error.members.get("retry_after")
        outcome = Outcome(
            "failed",
            error.detail,
            retry_after=float(wait) if isinstance(wait, int | float) else 0.0,
            away=bool(error.members.get("away")),
        )
    except Exception as error:  # noqa: BLE001 - our own fault in one message is not the others'
        outcome = Outcome("failed", type(error).__name__)
    if outcome.kind != "sent":
        tell(
            "message.failed",
            message=str(claimed.id),
            channel=lane.channel,
            code=outcome.kind,
            result=outcome.detail,
        )
    return outcome


def _pack(texts: Mapping[str, Text], lane: Lane, claimed: Claimed) -> Parcel:
    """The parcel of a claimed row. Raises Undeliverable where it has no text or no address."""
    if claimed.text not in texts:
        raise Undeliverable("there is no such text")
    if not claimed.address:
        raise Undeliverable("the recipient has no address")
    title, body = render(texts[claimed.text], claimed.payload)
    return Parcel(
        id=claimed.id,
        number=claimed.number or "",
        channel=lane.channel,
        address=claimed.address,
        title=title,
        body=body,
        payload=_closed(claimed.payload),
        text=claimed.text,
        rung=claimed.rung,
        attempt=claimed.attempts + 1,
        missed=tuple(claimed.missed),
        created_at=claimed.created_at,
        at=claimed.at,
        secret=claimed.secret or "",
    )

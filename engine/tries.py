"""How often something may be tried at the public door: wrong codes, and submissions.

Delay, never lock-out: whoever guesses waits longer each time, up to a minute, and the right code is
taken as soon as the wait is over (reliability 2.8). A proof of work shortens the wait to a second,
so that a guesser who keeps a number waiting cannot keep its owner out. What is counted is known by
a keyed hash alone: no number, no network address, and no telling whether the number exists.

The database's own clock counts, and its rows: every process and every restart knows them.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from engine.database import execute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

FREE_OF_NUMBER = 3
"""Wrong codes for one number before anybody waits: people mistype."""
FREE_OF_NETWORK = 60
"""The same from one network, which may be a service hall with many citizens behind one address."""
MOST_SECONDS = 60
PROVEN_SECONDS = 1
"""Between two tries for one number that bring a proof: a second, whoever makes them."""
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FORGOTTEN = HOUR
"""Wrong codes are forgotten after an hour without another one; the window of submissions."""
ALARM = 10
"""Wrong codes for one number at which the house is warned, and again at ten times as many."""

HELD = """
SELECT key, count, extract(epoch FROM now() - tried_at)::float8 AS ago FROM portal_try
WHERE key = ANY(%(keys)s) AND tried_at > now() - %(forgotten)s
ORDER BY key FOR NO KEY UPDATE
"""
TURN = "UPDATE portal_try SET tried_at = now() WHERE key = ANY(%s)"
FAILED = """
INSERT INTO portal_try AS t (key, count, began_at, tried_at)
SELECT k.key, 1, now(), now() FROM unnest(%(keys)s::bytea[]) AS k(key) ORDER BY k.key
ON CONFLICT (key) DO UPDATE SET tried_at = now(), count = CASE
  WHEN t.tried_at > now() - %(forgotten)s THEN least(t.count + 1, 1000000) ELSE 1 END
RETURNING key, count
"""
FORGIVEN = "DELETE FROM portal_try WHERE key = %s"
COUNTED = """
INSERT INTO portal_try AS t (key, count, began_at, tried_at)
VALUES (%(key)s, 1, now(), now())
ON CONFLICT (key) DO UPDATE SET tried_at = now(),
  count = CASE WHEN t.began_at > now() - %(window)s THEN least(t.count + 1, 1000000) ELSE 1 END,
  began_at = CASE WHEN t.began_at > now() - %(window)s THEN t.began_at ELSE now() END
RETURNING count, extract(epoch FROM began_at + %(window)s - now())::float8 AS left
"""
SPENT = "INSERT INTO spent_proof (digest) VALUES (%s) ON CONFLICT DO NOTHING RETURNING digest"
OLD_TRIES = """
DELETE FROM portal_try WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM portal_try WHERE tried_at < now() - interval '2 hours'
    LIMIT 1000 FOR UPDATE SKIP LOCKED))
"""
OLD_PROOFS = """
DELETE FROM spent_proof WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM spent_proof WHERE spent_at < now() - interval '2 hours'
    LIMIT 1000 FOR UPDATE SKIP LOCKED))
"""
"""What nobody needs: far longer than a try counts and a challenge can be solved."""


class Tally(NamedTuple):
    """One thing that is counted: its keyed hash, and how much of it costs nothing."""

    key: bytes
    free: int


class Limit(NamedTuple):
    """How many submissions a window takes before a proof is asked for; 0 knows no limit."""

    key: bytes
    most: int
    window: timedelta


@dataclass(frozen=True)
class Marks:
    """Keyed hashes of what is tried; `key` is derived from the house's secret for this alone."""

    key: bytes

    def number(self, number: str) -> Tally:
        """Codes for a number, there or not."""
        return Tally(self._of("number", number), FREE_OF_NUMBER)

    def network(self, address: str) -> Tally:
        """Codes from a network."""
        return Tally(self._of("network", _network(address)), FREE_OF_NETWORK)

    def submissions(self, address: str, of_network: int, of_office: int) -> list[Limit]:
        """Submissions: of a network in an hour, of the whole office in a minute."""
        limits = [
            Limit(self._of("submissions", _network(address)), of_network, HOUR),
            Limit(self._of("submissions", "office"), of_office, MINUTE),
        ]
        return [limit for limit in limits if limit.most]

    def _of(self, what: str, which: str) -> bytes:
        return hmac.digest(self.key, f"{what} {which}".encode(errors="replace"), hashlib.sha256)


class Turn(NamedTuple):
    """Whether a code may be tried now: the seconds to wait (0: now, the turn is taken), and whether
    anything was counted before.
    """

    seconds: int
    counted: bool


def wait(session: Session, tallies: Sequence[Tally], *, proven: bool) -> Turn:
    """Take a turn at trying a code, or learn how long to wait for one.

    Among those who come at the same moment one gets the turn: the rows are locked, and taking it
    moves the moment of the next.
    """
    values = {"keys": [tally.key for tally in tallies], "forgotten": FORGOTTEN}
    free = {tally.key: tally.free for tally in tallies}
    waits: list[float] = []
    counted = [
        (bytes(row["key"]), row["count"], row["ago"]) for row in execute(session, HELD, values)
    ]
    for key, count, ago in counted:
        over = count - free[key]
        if over >= 0:
            asked = PROVEN_SECONDS if proven else min(MOST_SECONDS, 2 ** min(over, 10))
            waits.append(asked - ago)
    if (longest := max(waits, default=0.0)) > 0:
        return Turn(math.ceil(longest), counted=True)
    if waits:
        execute(session, TURN, ([key for key, count, _ in counted if count >= free[key]],))
    return Turn(0, counted=bool(counted))


def fail(session: Session, tallies: Sequence[Tally]) -> list[int]:
    """Count a wrong code; returns how many there were of each, in the order of the tallies."""
    values = {"keys": [tally.key for tally in tallies], "forgotten": FORGOTTEN}
    counts = {bytes(row["key"]): row["count"] for row in execute(session, FAILED, values)}
    execute(session, OLD_TRIES)
    return [counts[tally.key] for tally in tallies]


def alarming(count: int) -> bool:
    """Whether a count is one to warn of: 10, 100, 1,000, ..., so that a flood is told, not echoed."""
    while count > ALARM and count % ALARM == 0:
        count //= ALARM
    return count == ALARM


def forgive(session: Session, tally: Tally) -> None:
    """Forget what was tried for a number: its owner has come."""
    execute(session, FORGIVEN, (tally.key,))


def spend(session: Session, digest: bytes) -> bool:
    """Whether a proof of this digest is taken now; False where it was before."""
    taken = execute(session, SPENT, (digest,)).fetchone() is not None
    execute(session, OLD_PROOFS)
    return taken


def count(session: Session, limits: Sequence[Limit]) -> int:
    """Count a submission; returns the seconds until every window has room again, 0 where it has.

    The limits are taken in the order of :meth:`Marks.submissions`, so that no two counts wait for
    each other; the transaction should hold nothing else, for all submissions meet in the last row.
    """
    waits = [0.0]
    for limit in limits:
        values = {"key": limit.key, "window": limit.window}
        row = execute(session, COUNTED, values).fetchone()
        if row is not None and row["count"] > limit.most:
            waits.append(row["left"])
    return math.ceil(max(waits))


def _network(address: str) -> str:
    """The network of an address: one IPv4 address, or the /64 an IPv6 subscriber is given."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)

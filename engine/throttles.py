"""Guessing gets slower: after some wrong guesses in a row the next one has to wait, twice as long each
time. It is a delay and never a lock: whoever waited and is right gets in, so nobody can shut out
somebody else for good.

Kept in PostgreSQL, so that it holds for all processes and survives a lost Valkey, and for accounts
that do not exist exactly as for those that do. A key is a keyed hash: no account and no address can
be read from a row, and a row dies a day after its last wrong guess.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, NamedTuple

from engine.database import execute
from engine.errors import TooMany

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Bucket(NamedTuple):
    """How many wrong guesses in a row are free, and the longest wait after them, in seconds."""

    free: int
    longest: int


ACCOUNT_HERE = Bucket(5, 900)
"""An account from one network: some hundred guesses on the first day, 96 on every later one."""
ACCOUNT = Bucket(50, 60)
"""An account from everywhere: slower for a crowd of machines, bearable for its owner."""
NETWORK = Bucket(100, 60)
"""A network trying many accounts: a whole office behind one address never gets there."""

Keys = tuple[tuple[bytes, Bucket], ...]

LOCK = """
SELECT key, failures, ceil(extract(epoch FROM not_before - now()))::int AS left
FROM throttle WHERE key = ANY(%s) ORDER BY key FOR UPDATE
"""
TAKE_TURN = "UPDATE throttle SET not_before = now() + %s * interval '1 second' WHERE key = %s"
COUNT = """
INSERT INTO throttle AS t (key, failures, not_before, failed_at)
SELECT key, 1, now(), now() FROM unnest(%(keys)s::bytea[]) AS key ORDER BY key
ON CONFLICT (key) DO UPDATE SET failed_at = now(),
  failures = CASE WHEN t.failed_at < now() - interval '1 day' THEN 1 ELSE t.failures + 1 END
RETURNING key, failures
"""
FORGIVE = "DELETE FROM throttle WHERE key = ANY(%s)"


def keys_of(secret: bytes, account: str, network: str) -> Keys:
    """The rows a guess at an account from a network counts in."""
    return (
        (_key(secret, "account and network", account, network), ACCOUNT_HERE),
        (_key(secret, "account", account), ACCOUNT),
        (_key(secret, "network", network), NETWORK),
    )


def admit(session: Session, keys: Keys) -> None:
    """Let a guess pass or say how long to wait. Raises TooMany.

    Once the free guesses are used up, the one that passes takes the turn at once: of many guesses
    made at the same moment one is heard.
    """
    buckets = dict(keys)
    rows = execute(session, LOCK, (list(buckets),)).fetchall()
    wait = max((row["left"] for row in rows), default=0)
    if wait > 0:
        raise TooMany(wait)
    for row in rows:
        delay = delay_of(buckets[row["key"]], row["failures"])
        if delay:
            execute(session, TAKE_TURN, (delay, row["key"]))


def count_failure(session: Session, keys: Keys) -> None:
    """A guess was wrong: the next one waits longer."""
    buckets = dict(keys)
    for row in execute(session, COUNT, {"keys": list(buckets)}).fetchall():
        delay = delay_of(buckets[row["key"]], row["failures"])
        if delay:
            execute(session, TAKE_TURN, (delay, row["key"]))


def forgive(session: Session, keys: Keys) -> None:
    """A guess was right: the account's counts begin anew; the network's stays."""
    execute(session, FORGIVE, ([key for key, bucket in keys if bucket is not NETWORK],))


def delay_of(bucket: Bucket, failures: int) -> int:
    """Seconds to wait after so many wrong guesses in a row."""
    over = failures - bucket.free
    return 0 if over < 0 else min(bucket.longest, 1 << min(over, 20))


def _key(secret: bytes, *words: str) -> bytes:
    told = "\x00".join(("throttle", *words)).encode(errors="replace")
    return hmac.new(secret, told, hashlib.sha256).digest()

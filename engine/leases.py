"""Who holds which message: the rows of the outbox, claimed, settled, taken back.

Every statement here stands alone and any number of senders may run them at once: a row is taken
with SKIP LOCKED, held under a token for a limited time, and settled only by who holds the token.

Two clocks. Moments people read or the law counts (`created_at`, `not_before`, `sent_at`) are the
office's: the database's clock plus the practice offset. Leases are the database's clock alone:
moving the practice clock by a week must not make a message that is being sent right now look
abandoned. It may well end a wait for the next try early, which costs one try and loses nothing.
No host's clock counts: a sender's idea of now comes with the claim.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.database import execute

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

BACKOFF = (5, 30, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 24 * 3600)
"""Seconds to wait after the first, second, ... failed try; after the ninth the message is dead,
which is some 42 hours after the first (the schedule of Standard Webhooks)."""
CRASHES = 5
"""A message that was being sent each of the five times its sender vanished is dead."""
LEASE = 60
"""Seconds before a message whose sender vanished is ready again."""


class Lane(NamedTuple):
    """The messages of one party: a channel, or one endpoint of it."""

    channel: str
    endpoint_id: int | None


class Claimed(NamedTuple):
    """A row as the claim left it: leased to us, or withdrawn or dead and not to be sent."""

    id: UUID
    lease_token: UUID | None
    status: str
    number: str | None
    text: str
    payload: dict[str, Any]
    rung: int | None
    attempts: int
    address: str | None
    secret: str | None
    missed: list[UUID]
    created_at: datetime
    at: datetime


class Outcome(NamedTuple):
    """What came of a try. `kind`: sent, failed (again later), hopeless, unsent (never tried)."""

    kind: str
    detail: str = ""
    retry_after: float = 0.0
    away: bool = False
    gone: bool = False


class Lag(NamedTuple):
    """How far delivery is behind.

    `oldest` is the age in seconds, by the office's clock, of the oldest message that could go now
    (0 when there is none); `due` and `waiting` count ready messages whose time has and has not
    come, `leased` those being sent.
    """

    oldest: float
    due: int
    waiting: int
    leased: int


def lanes(session: Session, names: list[str], now: datetime | None = None) -> list[Lane]:
    """The parties among these channels that have something due and may be spoken to now.

    Left out: a party somebody else began to serve less than half a lease ago, and one that told us
    to wait and whose time has not come.
    """
    values = {"names": names, "now": now, "half": LEASE / 2, "told": _TOLD_TO_WAIT}
    return [Lane(**row) for row in execute(session, _LANES, values)]


def claim(
    session: Session,
    now: datetime | None,
    limit: int,
    lane: Lane,
    *,
    crashed: bool = False,
) -> list[Claimed]:
    """Lease up to `limit` due messages of a lane, oldest first, in one statement.

    Only the first unfinished message of a thread can be taken. One whose recipient may no longer
    know of the item (accused or recused in its family) is withdrawn instead, one whose endpoint is
    switched off is dead. Messages a vanished sender left behind are taken only with `crashed`: they
    travel alone, so that a poisonous one drags no innocent ones along. `now` is the office's clock,
    the database's own when None.
    """
    values = {
        "now": now,
        "limit": 1 if crashed else limit,
        "channel": lane.channel,
        "endpoint": lane.endpoint_id,
        "crashed": crashed,
        "lease": LEASE,
    }
    return [Claimed(**row) for row in execute(session, _CLAIM, values)]


def may_leave(session: Session, claimed: Claimed) -> bool:
    """Whether a claimed message may still be sent, asked right before it is: the lease is ours and
    its recipient was not barred since the claim. What may not is withdrawn.
    """
    row = execute(session, _ASK_AGAIN, {"id": claimed.id, "token": claimed.lease_token}).fetchone()
    if row is not None and row["barred"]:
        execute(session, _WITHDRAW, {"id": claimed.id, "token": claimed.lease_token})
    return row is not None and not row["barred"]


def settle(
    session: Session, claimed: Claimed, outcome: Outcome, now: datetime | None = None
) -> str:
    """Write down what came of a claimed message and return its new status.

    Only the holder of the lease can: a zombie's late result (its lease expired meanwhile, or the
    message was withdrawn while it was being sent) counts as one more attempt, and "" is returned.
    Of a withdrawn message that was already gone the row says so.
    """
    status, wait = verdict(outcome, claimed.attempts + 1)
    tried = 0 if outcome.kind == "unsent" else 1
    result = {"sent": "accepted", "unsent": None}.get(outcome.kind, outcome.detail[:200])
    values = {
        "id": claimed.id,
        "token": claimed.lease_token,
        "now": now,
        "status": status,
        "wait": wait,
        "tried": tried,
        "result": _TOLD_TO_WAIT if outcome.retry_after else result,
        "receipt": outcome.detail[:200] if status == "sent" else None,
    }
    settled = execute(session, _SETTLE, values).fetchone()
    if outcome.gone:
        execute(session, _SWITCH_OFF, values)
    if settled is None and tried:
        execute(session, _LATE, {**values, "gone": outcome.kind == "sent"})
    return status if settled else ""


def verdict(outcome: Outcome, attempt: int) -> tuple[str, float]:
    """The status a message has after its n-th attempt, and the seconds until the next.

    A party's own wish (Retry-After) is respected up to a day; the wait is spread by a tenth so that
    a crowd that failed together does not return together.
    """
    if outcome.kind == "sent":
        return "sent", 0.0
    if outcome.kind == "unsent":
        return "ready", 0.0
    if outcome.kind == "hopeless" or attempt > len(BACKOFF):
        return "dead", 0.0
    wait = max(float(BACKOFF[attempt - 1]), min(outcome.retry_after, BACKOFF[-1]))
    return "ready", wait * random.uniform(1.0, 1.1)  # noqa: S311 - a spread, no secret


def release_expired(session: Session, now: datetime | None = None) -> tuple[int, int]:
    """Take back what vanished senders held: (ready again, dead for having crashed too often).

    Each further crash spreads the return a little more, so that suspects part company.
    """
    rows = execute(session, _RELEASE, {"now": now, "crashes": CRASHES}).fetchall()
    found = Counter(row["status"] for row in rows)
    return found["ready"], found["dead"]


def lag(session: Session, now: datetime | None = None) -> Lag:
    """How far delivery is behind, for /readyz; reads only the partial indexes of open messages."""
    (row,) = execute(session, _LAG, {"now": now})
    return Lag(**row)


_TOLD_TO_WAIT = "told to wait"

_LANES = """
WITH office AS (
    SELECT coalesce(%(now)s::timestamptz, now() + practice_offset) AS now FROM bureau
)
SELECT due.channel, due.endpoint_id
FROM (
    SELECT channel, endpoint_id, min(not_before) AS since FROM message
    WHERE status = 'ready' AND not_before <= (SELECT now FROM office)
    AND channel = ANY(%(names)s)
    GROUP BY channel, endpoint_id
) due
WHERE NOT EXISTS (
    SELECT FROM message held
    WHERE held.status = 'leased' AND held.leased_until > now() + make_interval(secs => %(half)s)
    AND held.channel = due.channel AND held.endpoint_id IS NOT DISTINCT FROM due.endpoint_id
) AND NOT EXISTS (
    SELECT FROM message told
    WHERE told.status = 'ready' AND told.not_before > (SELECT now FROM office)
    AND told.channel = due.channel AND told.endpoint_id IS NOT DISTINCT FROM due.endpoint_id
    AND told.last_result = %(told)s
)
ORDER BY due.since
"""

_CLAIM = """
WITH office AS (
    SELECT coalesce(%(now)s::timestamptz, now() + practice_offset) AS now FROM bureau
), due AS (
    SELECT m.id FROM message m
    WHERE m.status = 'ready' AND m.not_before <= (SELECT now FROM office)
    AND m.channel = %(channel)s AND m.endpoint_id IS NOT DISTINCT FROM %(endpoint)s::int
    AND (m.crashes > 0) = %(crashed)s
    AND NOT EXISTS (
        SELECT FROM message before
        WHERE before.status IN ('ready', 'leased') AND before.item_id = m.item_id
        AND before.recipient_id IS NOT DISTINCT FROM m.recipient_id
        AND before.endpoint_id IS NOT DISTINCT FROM m.endpoint_id
        AND before.channel = m.channel AND (before.seq, before.id) < (m.seq, m.id)
    )
    ORDER BY m.not_before, m.id
    LIMIT %(limit)s
    FOR UPDATE OF m SKIP LOCKED
), judged AS MATERIALIZED (
    SELECT m.id, i.number,
        CASE
            WHEN EXISTS (
                SELECT FROM item_duty d
                WHERE d.family_id = i.family_id AND d.person_id = m.recipient_id
                AND d.duty IN ('accused', 'recused') AND d.ended_at IS NULL
            ) THEN 'withdrawn'
            WHEN NOT e.active THEN 'dead'
            ELSE 'leased'
        END AS fate,
        coalesce(e.url, p.email) AS address, e.secret,
        ARRAY(
            SELECT lost.id FROM message lost
            WHERE lost.status = 'dead' AND lost.item_id = m.item_id
            AND lost.recipient_id IS NOT DISTINCT FROM m.recipient_id
            AND lost.endpoint_id IS NOT DISTINCT FROM m.endpoint_id
            AND lost.channel = m.channel AND (lost.seq, lost.id) < (m.seq, m.id)
            ORDER BY lost.seq, lost.id
        ) AS missed
    FROM due
    JOIN message m ON m.id = due.id
    LEFT JOIN item i ON i.id = m.item_id
    LEFT JOIN person p ON p.id = m.recipient_id
    LEFT JOIN endpoint e ON e.id = m.endpoint_id
)
UPDATE message m SET
    status = j.fate,
    lease_token = CASE j.fate WHEN 'leased' THEN gen_random_uuid() END,
    leased_until = CASE j.fate WHEN 'leased' THEN now() + make_interval(secs => %(lease)s) END,
    crashes = m.crashes + CASE j.fate WHEN 'leased' THEN 1 ELSE 0 END,
    last_result = CASE j.fate
        WHEN 'withdrawn' THEN 'the recipient may no longer know'
        WHEN 'dead' THEN 'the endpoint is switched off'
        ELSE m.last_result END
FROM judged j
WHERE m.id = j.id
RETURNING m.id, m.lease_token, m.status, j.number, m.text, m.payload, m.rung, m.attempts,
    j.address, j.secret, j.missed, m.created_at, now() AS at
"""

_SETTLE = """
WITH office AS (
    SELECT coalesce(%(now)s::timestamptz, now() + practice_offset) AS now FROM bureau
)
UPDATE message SET
    status = %(status)s,
    attempts = attempts + %(tried)s,
    crashes = greatest(crashes - 1, 0),
    not_before = CASE WHEN %(wait)s::float8 > 0
        THEN (SELECT now FROM office) + make_interval(secs => %(wait)s) ELSE not_before END,
    lease_token = NULL,
    leased_until = NULL,
    last_result = coalesce(%(result)s, last_result),
    receipt = %(receipt)s,
    sent_at = CASE %(status)s WHEN 'sent' THEN (SELECT now FROM office) END
WHERE id = %(id)s AND lease_token = %(token)s
RETURNING id
"""

_ASK_AGAIN = """
SELECT EXISTS (
    SELECT FROM item i JOIN item_duty d ON d.family_id = i.family_id
    WHERE i.id = m.item_id AND d.person_id = m.recipient_id
    AND d.duty IN ('accused', 'recused') AND d.ended_at IS NULL
) AS barred
FROM message m WHERE m.id = %(id)s AND m.lease_token = %(token)s
"""

_WITHDRAW = """
UPDATE message SET status = 'withdrawn', lease_token = NULL, leased_until = NULL,
    last_result = 'the recipient may no longer know'
WHERE id = %(id)s AND lease_token = %(token)s
"""

_LATE = """
UPDATE message SET attempts = attempts + 1, last_result = CASE
    WHEN %(gone)s AND status = 'withdrawn' THEN 'it had left before it was withdrawn'
    ELSE last_result END
WHERE id = %(id)s
"""

_SWITCH_OFF = """
UPDATE endpoint SET active = false
WHERE active AND id = (SELECT endpoint_id FROM message WHERE id = %(id)s)
"""

_RELEASE = """
WITH office AS (
    SELECT coalesce(%(now)s::timestamptz, now() + practice_offset) AS now FROM bureau
)
UPDATE message SET
    status = CASE WHEN crashes >= %(crashes)s THEN 'dead' ELSE 'ready' END,
    not_before = greatest(not_before,
        (SELECT now FROM office) + make_interval(secs => (crashes - 1) * 20 * random())),
    lease_token = NULL,
    leased_until = NULL,
    last_result = 'its sender vanished'
WHERE id IN (
    SELECT id FROM message WHERE status = 'leased' AND leased_until <= now()
    LIMIT 1000 FOR UPDATE SKIP LOCKED
)
RETURNING status
"""

_LAG = """
WITH office AS (
    SELECT coalesce(%(now)s::timestamptz, now() + practice_offset) AS now FROM bureau
)
SELECT
    coalesce(extract(epoch FROM (SELECT now FROM office) - (
        SELECT m.not_before FROM message m
        WHERE m.status = 'ready' AND m.not_before <= (SELECT now FROM office) AND NOT EXISTS (
            SELECT FROM message before
            WHERE before.status IN ('ready', 'leased') AND before.item_id = m.item_id
            AND before.recipient_id IS NOT DISTINCT FROM m.recipient_id
            AND before.endpoint_id IS NOT DISTINCT FROM m.endpoint_id
            AND before.channel = m.channel AND (before.seq, before.id) < (m.seq, m.id)
        )
        ORDER BY m.not_before LIMIT 1
    )), 0)::float8 AS oldest,
    count(*) FILTER (WHERE status = 'ready' AND not_before <= (SELECT now FROM office)) AS due,
    count(*) FILTER (WHERE status = 'ready' AND not_before > (SELECT now FROM office)) AS waiting,
    count(*) FILTER (WHERE status = 'leased') AS leased
FROM message WHERE status IN ('ready', 'leased')
"""

"""A request with an Idempotency-Key has one effect and one answer, however often it is sent.

The key is claimed first, in the transaction that does the work: a twin waits on the claim, and gets
the stored answer when the first commits or the claim itself when the first is undone. A refusal
undoes its claim too, so a corrected request may use the key again. Rows are kept for seven days at
least, longer than any client tries again (reliability A2).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from engine.database import execute
from engine.errors import Busy, Repeated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

CLAIM = """
INSERT INTO answer (principal, key, request) VALUES (%(principal)s, %(key)s, %(request)s)
ON CONFLICT DO NOTHING RETURNING true AS claimed
"""
KEPT = """
SELECT request, status, headers, body FROM answer WHERE principal = %(principal)s AND key = %(key)s
"""
SETTLE = """
UPDATE answer SET status = %(status)s, headers = %(headers)s::jsonb, body = %(body)s
WHERE principal = %(principal)s AND key = %(key)s
"""


@dataclass(frozen=True)
class Given:
    """An answer as it is sent: status, headers of its own, body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """Who asks under which key; `request` is the digest of what is asked."""

    principal: str
    key: str
    request: bytes


def request_digest(secret: bytes, route: str, body: bytes) -> bytes:
    """HMAC-SHA256 over route and body, so that nobody can guess a body from what is kept."""
    return hmac.digest(secret, route.encode() + b"\n" + body, hashlib.sha256)


def claim(session: Session, ask: Ask) -> Given | None:
    """Take a key for this transaction, or the answer it already has.

    Raises Repeated where the key was used for something else.
    """
    values = {"principal": ask.principal, "key": ask.key, "request": ask.request}
    if execute(session, CLAIM, values).fetchone():
        return None
    row = execute(session, KEPT, values).fetchone()
    if row is None or row["status"] is None:
        raise Busy(
            "同一请求正在办理,请稍候。The same request is being answered; ask again shortly."
        )
    if not hmac.compare_digest(bytes(row["request"]), ask.request):
        raise Repeated(
            "这个 Idempotency-Key 已用于另一请求,请换一个。"
            "This Idempotency-Key was used for another request; take a new one."
        )
    return Given(row["status"], bytes(row["body"]), row["headers"])


def settle(session: Session, ask: Ask, given: Given) -> None:
    """Keep the answer of a claimed key."""
    values = {
        "principal": ask.principal,
        "key": ask.key,
        "status": given.status,
        "headers": orjson.dumps(dict(given.headers)).decode(),
        "body": given.body,
    }
    execute(session, SETTLE, values)

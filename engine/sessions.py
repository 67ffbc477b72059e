"""Sessions of people and tokens of systems: found by a keyed digest of 256 random bits, ended at once.

The digest is an HMAC under a key of the house, so that who writes rows by hand makes no token with them.

A session ends when nobody used it for a while, when it is old, when its owner or an administrator ends
it, when the password changes and when the person leaves. All hours are the database's own clock:
moving the practice clock logs nobody out. Finding one is a single read; that it was used is written at
most once a minute.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from engine.access import POWERFUL, write_event
from engine.database import execute
from engine.people import Actor, PersonEntry

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from sqlalchemy.orm import Session

Owes = Literal["password", "factor", "otp"]
Scope = Literal["read", "submit", "advance", "supervise"]
Demand = Literal["enrolled", "roles", "all"]

TOKEN_MARK = "bjt_"  # noqa: S105 - it begins every token of a system, so that scanners find one
PERSON = """
p.id, p.account, p.name, p.unit_id, p.email, p.certified_until, p.left_on,
  set_config('banjie.principal', 'person:' || p.id, true) AS principal
"""
HERE = "(p.left_on IS NULL OR p.left_on > now())"
OF_LOGIN = f"""
SELECT {PERSON}, l.id AS login, l.owes, l.last_seen_at < now() - interval '1 minute' AS unseen,
  l.proven_at > now() - %(fresh)s AS fresh
FROM login l JOIN person p ON p.id = l.person_id
WHERE l.token_digest = %(digest)s AND l.by_cookie = %(by_cookie)s AND l.expires_at > now()
  AND l.last_seen_at > now() - %(idle)s AND {HERE}
"""  # noqa: S608 - constants of this module
OF_TOKEN = f"""
SELECT {PERSON}, t.id AS token, t.scopes,
  t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute' AS unseen
FROM api_token t JOIN person p ON p.id = t.person_id
WHERE t.token_digest = %(digest)s AND t.ended_at IS NULL AND t.expires_at > now() AND {HERE}
"""  # noqa: S608 - constants of this module
SEEN = """
UPDATE login SET last_seen_at = now() WHERE id = (SELECT id FROM login
  WHERE id = %s AND last_seen_at < now() - interval '1 minute' FOR UPDATE SKIP LOCKED)
"""
USED = """
UPDATE api_token SET last_used_at = now() WHERE id = (SELECT id FROM api_token
  WHERE id = %s AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
  FOR UPDATE SKIP LOCKED)
"""
OWED = """
SELECT p.password_temporary, f.person_id IS NOT NULL AS enrolled, EXISTS (
  SELECT FROM membership m WHERE m.person_id = p.id AND m.role = ANY(%(powerful)s)) AS powerful
FROM person p LEFT JOIN second_factor f ON f.person_id = p.id AND f.confirmed_at IS NOT NULL
WHERE p.id = %(person)s
"""
OPEN = """
INSERT INTO login (token_digest, person_id, by_cookie, owes, expires_at)
VALUES (%(digest)s, %(person)s, %(by_cookie)s, %(owes)s, now() + %(lasts)s)
RETURNING id, expires_at
"""
OWN = """
SELECT id, by_cookie, began_at, last_seen_at, expires_at FROM login
WHERE person_id = %(person)s AND expires_at > now() AND last_seen_at > now() - %(idle)s
ORDER BY began_at DESC, id LIMIT 100
"""
END = """
DELETE FROM login WHERE person_id = %(person)s AND (%(id)s::uuid IS NULL OR id = %(id)s)
  AND (%(but)s::uuid IS NULL OR id <> %(but)s) RETURNING id
"""
PROVEN = """
UPDATE login l SET proven_at = now(), owes = CASE WHEN l.owes <> 'otp' THEN l.owes ELSE (
  SELECT 'password' FROM person p WHERE p.id = l.person_id AND p.password_temporary) END
WHERE l.id = %(login)s
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts, unused and at most, how long a proof counts as fresh, and the key
    under which tokens are kept.
    """

    lasts: timedelta
    idle: timedelta
    fresh: timedelta
    demand: Demand
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and by what: a session, or a token of a system with its scopes."""

    actor: Actor
    person: PersonEntry
    login: UUID | None = None
    owes: Owes | None = None
    fresh: bool = False
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session; the token is shown once."""

    id: UUID
    token: str
    expires_at: datetime
    owes: Owes | None


def token_digest(key: bytes, token: str) -> bytes:
    """What is kept of a token: 32 bytes that nobody makes without the key (HMAC-SHA-256)."""
    return hmac.digest(key, token.encode(errors="replace"), hashlib.sha256)


def find(session: Session, token: str, limits: Limits, *, by_cookie: bool) -> Caller | None:
    """Who a token stands for, and from here on the transaction; None where it stands for nobody."""
    values: dict[str, Any] = {"digest": token_digest(limits.key, token)}
    if token.startswith(TOKEN_MARK):
        row = execute(session, OF_TOKEN, values).fetchone() if not by_cookie else None
    else:
        values |= {"by_cookie": by_cookie, "idle": limits.idle, "fresh": limits.fresh}
        row = execute(session, OF_LOGIN, values).fetchone()
    if row is None:
        return None
    session.info["principal"] = row.pop("principal")
    if row.pop("unseen"):
        execute(session, *((USED, (row["token"],)) if "token" in row else (SEEN, (row["login"],))))
    login, owes, fresh = row.pop("login", None), row.pop("owes", None), row.pop("fresh", False)
    row.pop("token", None)
    scopes = row.pop("scopes", None)
    person = PersonEntry(**row)
    return Caller(
        Actor("person", person),
        person,
        login,
        owes,
        fresh,
        None if scopes is None else frozenset(scopes),
    )


def begin(session: Session, person: int, limits: Limits, *, by_cookie: bool, shown: bool) -> Opened:
    """A new session with an id and a token of its own. `shown`: the second factor was shown, or is
    not to be asked for here because the caller did.
    """
    row = execute(session, OWED, {"person": person, "powerful": list(POWERFUL)}).fetchone()
    if row is None:
        raise AssertionError
    demanded = limits.demand == "all" or (limits.demand == "roles" and row["powerful"])
    owes: Owes | None = None
    if row["enrolled"] and not shown:
        owes = "otp"
    elif row["password_temporary"]:
        owes = "password"
    elif demanded and not row["enrolled"]:
        owes = "factor"
    token = secrets.token_urlsafe(32)
    values = {
        "digest": token_digest(limits.key, token),
        "person": person,
        "by_cookie": by_cookie,
        "owes": owes,
        "lasts": limits.lasts,
    }
    opened = execute(session, OPEN, values).fetchone()
    if opened is None:
        raise AssertionError
    write_event(session, "login", person, subject=opened["id"])
    return Opened(opened["id"], token, opened["expires_at"], owes)


def own(session: Session, person: int, limits: Limits) -> list[dict[str, Any]]:
    """Somebody's sessions, the newest first."""
    return execute(session, OWN, {"person": person, "idle": limits.idle}).fetchall()


def end(
    session: Session,
    person: int,
    *,
    only: UUID | None = None,
    but: UUID | None = None,
    actor: int | None = None,
) -> int:
    """End somebody's sessions: all, one, or all but one; how many there were."""
    gone = execute(session, END, {"person": person, "id": only, "but": but}).fetchall()
    for row in gone:
        write_event(session, "session_ended", person, actor=actor, subject=row["id"])
    return len(gone)

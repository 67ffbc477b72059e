"""Tokens of systems: some scopes of an account, until a day; shown once, kept as a keyed digest."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.access import write_event
from engine.database import execute
from engine.errors import Refused
from engine.sessions import TOKEN_MARK, token_digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.orm import Session

MOST = 20
"""Living tokens of one account."""

COUNT = """
SELECT count(*) AS living FROM (SELECT FROM person WHERE id = %(person)s FOR UPDATE) AS held,
  api_token WHERE person_id = %(person)s AND ended_at IS NULL AND expires_at > now()
"""
CREATE = """
INSERT INTO api_token (token_digest, person_id, name, scopes, created_by, expires_at)
VALUES (%(digest)s, %(person)s, %(name)s, %(scopes)s, %(by)s, now() + %(days)s * interval '1 day')
RETURNING id, expires_at
"""
READ = """
SELECT t.id, p.account, t.name, t.scopes, c.account AS created_by, t.created_at, t.expires_at,
  t.last_used_at, t.ended_at
FROM api_token t JOIN person p ON p.id = t.person_id JOIN person c ON c.id = t.created_by
WHERE %(person)s IN (t.person_id, t.created_by) ORDER BY t.created_at DESC, t.id LIMIT 100
"""
END = """
UPDATE api_token SET ended_at = now()
WHERE id = %(id)s AND %(by)s IN (person_id, created_by) AND ended_at IS NULL
RETURNING person_id
"""


class NewToken(NamedTuple):
    """A token as it is shown, once."""

    id: UUID
    token: str
    expires_at: datetime


def create(
    session: Session,
    key: bytes,
    person: int,
    name: str,
    scopes: Sequence[str],
    days: int,
    *,
    by: int,
) -> NewToken:
    """A token of an account, made by its owner or by an administrator, kept under a key. Raises
    Refused.
    """
    row = execute(session, COUNT, {"person": person}).fetchone()
    if row is not None and row["living"] >= MOST:
        raise Refused(
            f"一个账号至多{MOST}个有效令牌,请先停用旧的。"
            f"An account has {MOST} living tokens at most; end an old one first."
        )
    token = TOKEN_MARK + secrets.token_urlsafe(32)
    values = {
        "digest": token_digest(key, token),
        "person": person,
        "name": name,
        "scopes": sorted(set(scopes)),
        "by": by,
        "days": days,
    }
    made = execute(session, CREATE, values).fetchone()
    if made is None:
        raise AssertionError
    actor = by if by != person else None
    write_event(session, "token_created", person, actor=actor, subject=made["id"])
    return NewToken(made["id"], token, made["expires_at"])


def tokens_of(session: Session, person: int) -> list[dict[str, Any]]:
    """The tokens of an account and those its person made for others, the newest first."""
    return execute(session, READ, {"person": person}).fetchall()


def end(session: Session, token: UUID, *, by: int) -> bool:
    """End a token of one's own or of one's making; whether there was one."""
    row = execute(session, END, {"id": token, "by": by}).fetchone()
    if row is None:
        return False
    actor = by if by != row["person_id"] else None
    write_event(session, "token_ended", row["person_id"], actor=actor, subject=token)
    return True

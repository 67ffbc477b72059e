"""What happened at the door, written down where nobody can rewrite it: ids and words of the program.

No password, no code, no address: who, what, why refused, which session or token, and who did it to
them where that was somebody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from engine.database import execute

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.orm import Session

Act = Literal[
    "login",
    "login_refused",
    "logout",
    "session_ended",
    "step_up",
    "step_up_refused",
    "password_changed",
    "password_reset",
    "factor_offered",
    "factor_confirmed",
    "factor_removed",
    "recovery_code_used",
    "recovery_codes_renewed",
    "token_created",
    "token_ended",
]

POWERFUL = frozenset({"admin", "auditor", "head", "deputy", "discipline", "liaison", "party_group"})
"""Roles of those who see what is sealed, decide about officers or keep the office's registers."""

WRITE = """
INSERT INTO access_event (act, reason, person_id, actor_id, subject_id)
VALUES (%(act)s, %(reason)s, %(person)s, %(actor)s, %(subject)s)
"""
READ = """
SELECT e.id, e.at, e.act, e.reason, p.account AS person, a.account AS actor, e.subject_id AS subject
FROM access_event e
LEFT JOIN person p ON p.id = e.person_id LEFT JOIN person a ON a.id = e.actor_id
WHERE (%(before)s::bigint IS NULL OR e.id < %(before)s) AND (%(person)s::int IS NULL OR e.person_id = %(person)s)
ORDER BY e.id DESC LIMIT %(limit)s
"""


def write_event(
    session: Session,
    act: Act,
    person: int | None,
    *,
    reason: str | None = None,
    actor: int | None = None,
    subject: UUID | None = None,
) -> None:
    """Write down what happened; `actor` where it was not the person themselves."""
    values = {"act": act, "reason": reason, "person": person, "actor": actor, "subject": subject}
    execute(session, WRITE, values)


def read_events(
    session: Session, person: int | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """What happened, the newest first; of one person or of all."""
    values = {"person": person, "before": before, "limit": limit}
    return execute(session, READ, values).fetchall()

"""What happened at the door, written down where nobody can rewrite it: ids and words of the program.

No password, no code, no address: who, what, why refused, which session or token, and who did it to
them where that was somebody else.

What lets somebody in is given by two people: one asks, another gives it (ADR-0024). That one asked
is such an event too, so nothing else is kept of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from engine.database import execute
from engine.errors import NotPermitted

if TYPE_CHECKING:
    from datetime import datetime
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
    "password_reset_asked",
    "password_reset",
    "factor_offered",
    "factor_confirmed",
    "factor_removed",
    "recovery_code_used",
    "recovery_codes_renewed",
    "token_created_asked",
    "token_created",
    "token_ended",
]

POWERFUL = frozenset({"admin", "auditor", "head", "deputy", "discipline", "liaison", "party_group"})
"""Roles of those who see what is sealed, decide about officers or keep the office's registers."""

WRITE = """
INSERT INTO access_event (act, reason, person_id, actor_id, subject_id)
VALUES (%(act)s, %(reason)s, %(person)s, %(actor)s, %(subject)s)
"""
HOLD = "SELECT FROM person WHERE id = %(person)s FOR UPDATE"
SECONDED = """
SELECT is_seconded(%(person)s, %(act)s, %(reason)s, %(by)s) AS seconded, now() + interval '7 days' AS until
"""
HANDED = """
SELECT FROM access_event WHERE person_id = %(person)s AND actor_id = %(by)s AND (
  act = 'password_reset' AND at > now() - interval '30 days'
  OR act = 'token_created' AND at > now() - interval '367 days')
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


def ask_or_second(
    session: Session,
    act: Literal["password_reset", "token_created"],
    person: int,
    by: int,
    *,
    reason: str | None = None,
) -> datetime | None:
    """None where another person asked for the same within seven days: it may be done now, and is to
    be written down. Otherwise this is written down as asked for; until when another may do it.

    Raises NotPermitted where somebody asks for himself: one's own password is changed with the present one.
    """
    if by == person:
        raise NotPermitted(
            "不能为自己办理,请由另外两人办理;本人可用现口令更改口令。"
            "Two others do this for you; with your present password you change it yourself."
        )
    execute(session, HOLD, {"person": person})
    values = {"person": person, "act": act, "reason": reason, "by": by}
    found = execute(session, SECONDED, values).fetchone()
    if found is None:
        raise AssertionError
    if found["seconded"]:
        return None
    asked: Act = "password_reset_asked" if act == "password_reset" else "token_created_asked"
    write_event(session, asked, person, reason=reason, actor=by)
    until: datetime = found["until"]
    return until


def handed(session: Session, person: int, by: int | None) -> bool:
    """Whether somebody may still hold what lets another in: a temporary password they were shown
    within 30 days, or a token within the year it lasts at most. Never of None, which is the program.
    """
    return execute(session, HANDED, {"person": person, "by": by}).fetchone() is not None


def read_events(
    session: Session, person: int | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """What happened, the newest first; of one person or of all."""
    values = {"person": person, "before": before, "limit": limit}
    return execute(session, READ, values).fetchall()

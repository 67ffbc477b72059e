"""Invitations to answer a questionnaire, as they reach the person who is asked.

An invitation has no code of its own to be sent about: whoever holds number and code of the matter it
asks about meets it there. It belongs to the nearest item above it that has a code, or to the one it
names; an invitation to the other party of a dispute is not shown to this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.desk import not_found
from engine.dossier import READ_MANY
from engine.errors import NotAvailable
from engine.walls import as_engine

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.dossier import Dossier

ASKED = """
WITH RECURSIVE me AS (SELECT id, number, family_id FROM item WHERE number = %(number)s),
mine AS (
  SELECT id FROM me
  UNION ALL SELECT c.id FROM item c JOIN mine m ON c.parent_id = m.id WHERE c.code_hash IS NULL)
SELECT q.id FROM item q JOIN item_data d ON d.item_id = q.id
WHERE (q.closed_at IS NULL OR q.number = %(named)s) AND q.workflow = ANY(%(workflows)s)
  AND coalesce(d.data ->> 'party', 'petitioner') = 'petitioner'
  AND (q.id IN (SELECT id FROM mine)
    OR EXISTS (SELECT FROM me WHERE d.data ->> 'source_item' = me.number
      AND q.family_id = me.family_id))
ORDER BY q.id LIMIT 20
"""


def invitations(session: Session, desk: Casework, number: str) -> list[dict[str, Any]]:
    """The open invitations of whoever holds number and code of an item, oldest first."""
    return [_shown(each) for each in _theirs(session, desk, number) if _is_open(each)]


def invited(session: Session, desk: Casework, number: str, invitation: str) -> None:
    """Let whoever holds number and code of the item answer this invitation.

    Raises NotFound where it is not theirs, NotAvailable where it was answered or its time is over.
    """
    theirs = _theirs(session, desk, number, invitation)
    asked = next((each for each in theirs if each.number == invitation), None)
    if asked is None:
        raise not_found()
    if not _is_open(asked):
        raise NotAvailable(
            "这份问卷已经提交，或者已经过期；一份邀请只收一份答卷，不必再交。"
            "It was answered or its time is over; each invitation takes one answer.",
            state=asked.state,
            available=[],
        )


def _is_open(dossier: Dossier) -> bool:
    return any("public" in move.by for _, move in dossier.workflow.leaving(dossier.state))


def _theirs(
    session: Session, desk: Casework, number: str, named: str | None = None
) -> list[Dossier]:
    """The invitations in work that ask about the item, and the one that is named."""
    answering = [
        name
        for name, bound in desk.catalog.current.items()
        if any(spec.type == "answers" for spec in bound.workflow.fields.values())
    ]
    with as_engine(session):
        values = {"number": number, "workflows": answering, "named": named}
        ids = [row["id"] for row in execute(session, ASKED, values)]
        rows = execute(session, READ_MANY, (ids,)).fetchall() if ids else []
    found = (desk.dossier(session, row, None) for row in rows)
    return [each for each in found if each.questionnaire is not None]


def _shown(dossier: Dossier) -> dict[str, Any]:
    asked = dossier.questionnaire
    lapses = (c for c in dossier.clocks if c.name in dossier.workflow.deadlines and c.due_at)
    ends = [c.due_at for c in lapses if dossier.workflow.deadlines[c.name].lapses_into == "expire"]
    return {
        "number": dossier.number,
        "state": dossier.state,
        "invited_at": dossier.received_at,
        "open_until": min((end for end in ends if end), default=None),
        "questionnaire": asked.shown() if asked else None,
    }

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
WHERE q.closed_at IS NULL AND q.workflow = ANY(%(workflows)s)
  AND coalesce(d.data ->> 'party', 'petitioner') = 'petitioner'
  AND (q.id IN (SELECT id FROM mine)
    OR EXISTS (SELECT FROM me WHERE d.data ->> 'source_item' = me.number
      AND q.family_id = me.family_id))
ORDER BY q.id LIMIT 20
"""


def invitations(session: Session, desk: Casework, number: str) -> list[dict[str, Any]]:
    """The open invitations of whoever holds number and code of an item, oldest first."""
    return [_shown(dossier) for dossier in _open(session, desk, number)]


def invited(session: Session, desk: Casework, number: str, invitation: str) -> None:
    """Raise NotFound unless this invitation is open to whoever holds number and code of the item."""
    if not any(each.number == invitation for each in _open(session, desk, number)):
        raise not_found()


def _open(session: Session, desk: Casework, number: str) -> list[Dossier]:
    answering = [
        name
        for name, bound in desk.catalog.current.items()
        if any(spec.type == "answers" for spec in bound.workflow.fields.values())
    ]
    with as_engine(session):
        values = {"number": number, "workflows": answering}
        ids = [row["id"] for row in execute(session, ASKED, values)]
        rows = execute(session, READ_MANY, (ids,)).fetchall() if ids else []
    found = (desk.dossier(session, row, None) for row in rows)
    return [
        each
        for each in found
        if each.questionnaire is not None
        and any("public" in move.by for _, move in each.workflow.leaving(each.state))
    ]


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

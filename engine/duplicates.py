"""Possible duplicates: other items whose petitioner gave the same telephone number or name.

A hint for those who take matters in, never a rule: nothing is refused for it, and nothing is said
of items the asker may not know of anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.dossier import READ_MANY
from engine.errors import NotPermitted

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.casework import Casework
    from engine.people import Actor

TAKING_IN = ("intake", "liaison")
MOST = 50


def duplicates(session: Session, desk: Casework, number: str, actor: Actor) -> list[dict[str, Any]]:
    """Items that may come from the same person, and by what; the newest first.

    Raises NotFound, NotPermitted (for whoever takes matters in, and the liaison).
    """
    dossier = desk.look(session, number, actor)
    if actor.id is None or not any(
        dossier.office.stands_in(actor.id, role, dossier.unit_id, dossier.today)
        for role in TAKING_IN
    ):
        raise NotPermitted(
            "只有受理登记员和纪检联络员可以查看疑似重复。"
            "Possible duplicates are for intake and the liaison.",
            roles=list(TAKING_IN),
        )
    met = {row["item_id"]: row["purposes"] for row in execute(session, MET, (dossier.id, MOST))}
    rows = execute(session, READ_MANY, (list(met),)).fetchall() if met else []
    others = (desk.dossier(session, row, None) for row in rows)
    return [
        {"number": other.number, "workflow": other.workflow.workflow, "by": met[other.id]}
        for other in reversed([each for each in others if desk.sees(each, actor)])
    ]


MET = """
SELECT o.item_id, array_agg(DISTINCT o.purpose ORDER BY o.purpose) AS purposes
FROM vault.trace t JOIN vault.trace o ON o.mark = t.mark AND o.item_id <> t.item_id
WHERE t.item_id = %s GROUP BY o.item_id ORDER BY o.item_id DESC LIMIT %s
"""

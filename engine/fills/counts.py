"""What a unit did in a window of time, counted in the journal: the figures of its monthly report.

Each figure is named, and told with the query and the parameters it came from, so that anybody may
count it again. Never counted are sealed items and those that somebody who reads the report may not
know of - the accused, the recused, the people of a unit complained of: a number tells of them too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from engine.database import execute

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

QUERY = "acts-of-unit/1"
"""How often an act was done to the unit's items: parameters unit, workflow, acts, since, until."""
_COUNT = """
SELECT f.figure, count(e.item_id) AS value
FROM jsonb_to_recordset(%(figures)s::jsonb) AS f(figure text, workflow text, acts jsonb)
LEFT JOIN item i ON i.workflow = f.workflow AND i.unit_id = %(unit)s AND NOT i.sealed
  AND NOT EXISTS (SELECT FROM membership m
    JOIN unit_above a ON a.unit_id = i.unit_id AND a.above_id = m.unit_id
    JOIN person p ON p.id = m.person_id
    WHERE m.role = ANY(%(readers)s) AND (
      EXISTS (SELECT FROM item_duty u WHERE u.family_id = i.family_id AND u.person_id = p.id
        AND u.duty IN ('accused', 'recused') AND u.ended_at IS NULL)
      OR EXISTS (SELECT FROM unit_above h JOIN unit s ON s.id = h.above_id AND s.parent_id IS NOT NULL
        WHERE h.above_id = i.subject_unit_id AND h.unit_id = p.unit_id)))
LEFT JOIN event e ON e.item_id = i.id AND f.acts ? e.act
  AND e.at >= %(since)s AND e.at < %(until)s
GROUP BY f.figure
"""


class Window(NamedTuple):
    """A unit (its id and code) and a time: from `since` to before `until`."""

    unit_id: int
    unit: str
    since: datetime
    until: datetime


class _Figure(NamedTuple):
    title: str
    workflow: str
    acts: tuple[str, ...]


FIGURES: dict[str, _Figure] = {
    "training-held": _Figure("开展服务型执法培训（场）", "training", ("hold",)),
    "guidance-issued": _Figure("送达行政指导（件）", "administrative_guidance", ("issue",)),
    "risk-published": _Figure("公布法律风险点（项）", "risk_point", ("publish",)),
    "revisit-interviewed": _Figure("案件回访访谈（件）", "revisit", ("interview",)),
    "campaign-closed": _Figure("月度回访归档（次）", "revisit_campaign", ("close",)),
    "grievance-registered": _Figure("登记执法投诉举报（件）", "grievance", ("register",)),
    "grievance-replied": _Figure("答复执法投诉举报（件）", "grievance", ("reply",)),
    "channel-tested": _Figure("拨测投诉渠道（次）", "complaint_channel", ("test",)),
    "mediation-accepted": _Figure("受理行政调解（件）", "mediation", ("accept",)),
    "mediation-agreed": _Figure("行政调解达成协议（件）", "mediation", ("agree",)),
    "rectification-closed": _Figure("整改销号（件）", "rectification", ("close",)),
    "task-established": _Figure("台账任务报告建立（项）", "ledger", ("establish",)),
}


def counted(session: Session, window: Window, readers: list[str]) -> list[dict[str, Any]]:
    """Every figure of a unit in a window, with what it came from; `readers` are the roles that see it."""
    figures = [
        {"figure": name, "workflow": figure.workflow, "acts": figure.acts}
        for name, figure in FIGURES.items()
    ]
    rows = execute(
        session,
        _COUNT,
        {
            "figures": orjson.dumps(figures).decode(),
            "unit": window.unit_id,
            "readers": readers,
            "since": window.since,
            "until": window.until,
        },
    ).fetchall()
    values = {row["figure"]: row["value"] for row in rows}
    return [
        {
            "figure": name,
            "title": figure.title,
            "query": QUERY,
            "parameters": orjson.dumps(
                {
                    "unit": window.unit,
                    "workflow": figure.workflow,
                    "acts": figure.acts,
                    "since": window.since,
                    "until": window.until,
                }
            ).decode(),
            "value": values[name],
        }
        for name, figure in FIGURES.items()
    ]

"""What became of a cluster after a plan: counted by the system, as it was counted when it began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.database import execute
from engine.fills.filling import Filling, fill
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPARED = """
WITH source AS (
  SELECT split_part(d.data ->> 'cluster', ':', 2) AS unit, split_part(d.data ->> 'cluster', ':', 3) AS code,
    a.received_at AS begun FROM item a JOIN item_data d ON d.item_id = a.id
  WHERE a.number = %(source)s AND a.workflow = 'analysis'
    AND d.data ->> 'cluster' LIKE 'category\\_unit:%%')
SELECT count(i.id) FILTER (WHERE i.received_at > s.begun - %(window)s::interval
    AND i.received_at <= s.begun) AS before,
  count(i.id) FILTER (WHERE i.received_at > %(now)s - %(window)s::interval
    AND i.received_at <= %(now)s) AS after
FROM source s LEFT JOIN (item i JOIN item_data d ON d.item_id = i.id
  JOIN unit u ON u.id = i.subject_unit_id) ON i.workflow = 'grievance' AND u.code = s.unit
  AND i.state NOT IN ('not_accepted', 'transferred_out')
  AND i.received_at > s.begun - %(window)s::interval
  AND coalesce(d.data -> 'category_codes', d.data -> 'categories') ? s.code
GROUP BY s.begun
"""


@fill("complaints_before", "complaints_after")
def complaints_compared(filling: Filling) -> Mapping[str, Any]:
    """How many complaints of the plan's kind came in within a window before the analysis began, and
    within the same window up to now; nothing where no such cluster led to the plan.
    """
    source = filling.held.get("source_item")
    if "anl.window" not in filling.rulebook.rules or source is None:
        return {}
    rule = filling.rulebook.rule("anl.window", filling.now.astimezone(SHANGHAI).date())
    asked = {"source": source, "window": str(rule.within), "now": filling.now}
    row = execute(filling.session, COMPARED, asked).fetchone()
    return {"complaints_before": row["before"], "complaints_after": row["after"]} if row else {}

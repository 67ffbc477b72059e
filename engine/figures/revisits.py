"""Revisits (domain 9.1, K-RVT-*, K-MED-1), and what they answer of satisfaction (9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.database import execute
from engine.figures.figure import Cell, Figure, Formula
from engine.figures.folding import BEGAN, ENDED, NOT_TOLD_TO, Sheet
from engine.figures.shares import Apart, Board, Share

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.figures.folding import Scope

REVISITS = Sheet(
    "revisit",
    fields=("case", "case_kind", "satisfaction", "resolved", "case_handlers"),
    reached={"contacted_at": ("contacting",), "interviewed_at": ("interviewed",)},
    actors={"revisitor": ("revisitor",)},
)
ANYWHERE = Sheet(
    "revisit",
    anywhere=True,
    fields=("satisfaction",),
    reached={"interviewed_at": ("interviewed",)},
)

CONTACTED = "c.contacted_at >= %(begins)s AND c.contacted_at < %(ends)s"
INTERVIEWED = "c.interviewed_at >= %(begins)s AND c.interviewed_at < %(ends)s"
UNREACHABLE = f"c.state = 'unreachable' AND {ENDED}"
SATISFIED = "c.satisfaction IN ('very_satisfied', 'satisfied', 'fairly_satisfied')"
REFUSED = Apart(
    "refused",
    "拒访(不计入分母)",
    "Refused to be interviewed (not counted)",
    f"c.state = 'refused_by_party' AND {ENDED}",
)
UNREACHED = Apart("unreachable", "无法联系", "Unreachable", UNREACHABLE)
APART_FROM_CASE = """NOT EXISTS (
    SELECT FROM item k JOIN event o ON o.item_id = k.id
      JOIN person p ON p.id = c.revisitor
    WHERE k.family_id = c.family_id AND k.id <> c.id AND k.workflow <> 'revisit' AND o.at <= %(as_of)s
      AND (o.actor_id = c.revisitor AND o.role IN ('intake', 'handler', 'mediator', 'unit_head', 'deputy',
        'head', 'party_group', 'liaison', 'law_reviewer')
        OR k.workflow = 'closed_case' AND (o.data -> 'handlers' ? p.account
          OR o.data -> 'approvers' ? p.account OR o.data -> 'reviewers' ? p.account)))
  AND NOT coalesce(c.case_handlers::jsonb ? (SELECT p.account FROM person p WHERE p.id = c.revisitor), false)
"""
"""The revisitor neither handled, approved nor reviewed the case: by the acts of its family, and by
what is told of a case outside."""
OF_A_MEDIATION = """EXISTS (
    SELECT FROM item m JOIN event x ON x.item_id = m.id
    WHERE m.family_id = c.family_id AND m.workflow = 'mediation' AND m.unit_id = ANY(%(units)s::int[])
      AND x.to_state = 'closed' AND x.from_state <> 'closed' AND x.at >= %(begins)s AND x.at < %(ends)s
      AND x.at <= %(as_of)s)"""

BOARD = Board(
    REVISITS,
    (
        Share(
            Formula(
                "K-RVT-4", "回办分离率", "Revisits by somebody apart from the case", target="100 %"
            ),
            of=CONTACTED,
            hits=APART_FROM_CASE,
        ),
        Share(
            Formula("K-RVT-5", "联系成功率", "Parties reached"),
            of=f"({INTERVIEWED} OR {UNREACHABLE})",
            hits="c.interviewed_at IS NOT NULL",
            apart=(REFUSED,),
        ),
        Share(
            Formula("K-SAT-1", "响应率", "Contacted within the limit"),
            of=BEGAN,
            hits="c.contacted_at < (SELECT min(d.due_at) FROM deadline d WHERE d.item_id = c.id"
            " AND d.name = 'attempt' AND d.stopped_at <= %(as_of)s)",
        ),
        Share(
            Formula("K-SAT-2", "解决率", "Resolved, as the person says", proven_by="K-RVT-5"),
            of=f"{INTERVIEWED} AND c.resolved IS NOT NULL",
            hits="c.resolved = 'resolved'",
            apart=(REFUSED, UNREACHED),
        ),
        Share(
            Formula("K-SAT-3", "满意率", "Satisfied, of those who answered", proven_by="K-RVT-5"),
            of=f"{INTERVIEWED} AND c.satisfaction IS NOT NULL",
            hits=SATISFIED,
            apart=(REFUSED, UNREACHED),
        ),
    ),
)
MEDIATION_BOARD = Board(
    ANYWHERE,
    (
        Share(
            Formula(
                *("K-MED-1", "矛盾纠纷化解工作满意度", "Satisfaction with mediation"),
                target="100 %(力争)",
                proven_by="K-INT-10",
                beside=("K-INT-10", "K-INT-9"),
            ),
            of=f"c.interviewed_at IS NOT NULL AND c.satisfaction IS NOT NULL AND {OF_A_MEDIATION}",
            hits=SATISFIED,
        ),
        Share(
            Formula("K-INT-10", "调解当事人应答率", "Parties of mediations who answered"),
            of=OF_A_MEDIATION,
            hits="c.interviewed_at IS NOT NULL AND c.satisfaction IS NOT NULL",
        ),
    ),
)

COVERAGE = Formula("K-RVT-3", "回访覆盖率", "Closed cases since 2021 revisited")
KINDS = {"closed_case": "registered", "grievance": "closed", "mediation": "closed"}
"""The closed cases there are: workflow -> the state in which one is a case (domain 3.5)."""
COVERED = f"""
SELECT coalesce(x.kind, i.workflow) AS kind, count(*) AS of, count(*) FILTER (WHERE EXISTS (
    SELECT FROM item r JOIN event v ON v.item_id = r.id
    WHERE r.family_id = i.family_id AND r.workflow = 'revisit' AND v.to_state = 'interviewed'
      AND v.at < %(ends)s AND v.at <= %(as_of)s)) AS hits
FROM item i
CROSS JOIN LATERAL (SELECT e.to_state, e.at FROM event e
  WHERE e.item_id = i.id AND e.at <= %(as_of)s AND e.from_state <> e.to_state
  ORDER BY e.seq DESC LIMIT 1) l
JOIN unnest(%(kinds)s::text[], %(final)s::text[]) AS f(kind, state)
  ON f.kind = i.workflow AND f.state = l.to_state
LEFT JOIN LATERAL (SELECT
    (array_agg(e.data ->> 'case_kind' ORDER BY e.seq DESC) FILTER (WHERE e.data ? 'case_kind'))[1] AS kind,
    (array_agg(e.data ->> 'closed_on' ORDER BY e.seq DESC) FILTER (WHERE e.data ? 'closed_on'))[1] AS closed
  FROM event e WHERE e.item_id = i.id AND e.at <= %(as_of)s) x ON i.workflow = 'closed_case'
WHERE i.workflow = ANY(%(kinds)s) AND i.unit_id = ANY(%(units)s::int[]) AND {NOT_TOLD_TO}
  AND coalesce(x.closed::timestamptz, l.at) >= '2021-01-01'
  AND coalesce(x.closed::timestamptz, l.at) < %(ends)s
GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - constants of this package


def coverage(session: Session, scope: Scope) -> list[Figure]:
    """K-RVT-3, of all closed cases so far, by kind."""
    values = {**scope.values, "kinds": list(KINDS), "final": list(KINDS.values())}
    rows = execute(session, COVERED, values, prepare=False).fetchall()
    kinds = {row["kind"]: (row["hits"], row["of"]) for row in rows}
    return [
        COVERAGE.share(
            scope.stage,
            sum(hits for hits, _ in kinds.values()),
            sum(of for _, of in kinds.values()),
            cells=tuple(
                Cell(name, hits, of, round(hits / of, 4)) for name, (hits, of) in kinds.items()
            ),
        )
    ]

"""What questionnaires say, and what speaks against them (domain 7, 9.4): nothing of so few that one could
tell who answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.figures.figure import SMALL_CELL, SMALLEST_CELL, Figure, Formula, cells
from engine.figures.folding import Sheet, ask
from engine.figures.shares import Board, Share

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.figures.folding import Scope

QUESTIONNAIRES = Sheet(
    "questionnaire",
    fields=("proxy", "issue_codes"),
    reached={"submitted_at": ("submitted",), "coded_at": ("coded",)},
)
ANSWERED = "c.submitted_at >= %(begins)s AND c.submitted_at < %(ends)s"
CODED = f"{ANSWERED} AND c.state = 'coded'"
BOARD = Board(
    QUESTIONNAIRES,
    (
        Share(
            Formula("K-INT-9", "无效问卷占比", "Questionnaires ruled void"),
            of=ANSWERED,
            hits="c.state = 'void'",
        ),
        Share(
            Formula("K-INT-11", "代填问卷占比", "Questionnaires entered by proxy"),
            of=ANSWERED,
            hits="c.proxy = 'true'",
        ),
    ),
)
ISSUES = Formula(
    "K-QNR-1",
    "反映问题的问卷占比",
    "Questionnaires that report an issue",
    beside=("K-INT-9", "K-INT-11"),
)
BY_ISSUE = f"""
SELECT (SELECT count(*) FROM c WHERE {CODED}) AS of,
  (SELECT count(*) FROM c WHERE {CODED} AND NOT c.issue_codes::jsonb ? 'none') AS hits,
  (SELECT coalesce(jsonb_object_agg(k.code, k.n), '{{}}') FROM (
    SELECT w.code, count(*) AS n FROM c, jsonb_array_elements_text(c.issue_codes::jsonb) AS w(code)
    WHERE {CODED} AND w.code <> 'none' GROUP BY w.code ORDER BY w.code) k) AS issues
"""  # noqa: S608 - constants of this package


def issues(session: Session, scope: Scope) -> list[Figure]:
    """K-QNR-1: of the valid questionnaires, those that report an issue, by kind of issue."""
    (row,) = ask(session, scope, QUESTIONNAIRES, BY_ISSUE)
    hits, of = row["hits"], row["of"]
    if 0 < of < SMALLEST_CELL or 0 < hits < SMALLEST_CELL:
        return [ISSUES.silent(scope.stage, SMALL_CELL)]
    kinds = {name: (n, of) for name, n in row["issues"].items()}
    return [ISSUES.share(scope.stage, hits, of, cells=cells(kinds))]

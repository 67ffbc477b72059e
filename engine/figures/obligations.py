"""What is due of every unit in every month, and what is kept in force (domain 9.1: K-RVT-1, K-RVT-2,
K-INS-1, K-MRP-1, K-LDG-1, K-SOE-1, K-CHN-1).
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from engine.calendars import Roll
from engine.database import execute
from engine.figures.figure import NO_SOURCE, Aside, Figure, Formula
from engine.figures.folding import Sheet, ask
from engine.figures.shares import Apart, Board, Share
from engine.workdays import monthly

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.calendars import Calendar
    from engine.figures.folding import Scope
    from engine.people import Office

ENFORCING = ("BR*", "SQD")
"""The enforcement units (执法单位), of which each must have a rule on revisits."""
REVISITING = ("BR*", "SQD", "LAW", "AUD", "SVC")
INSPECTING = ("BR*", "SVC")
REPORTING = ("BR*", "SQD", "AUD", "LAW", "SVC", "OFF", "IPR")
"""Whom the plan makes responsible (domain 1.2, 3.5, 3.8, 3.11), by patterns of codes."""
REPORT_DAY = 28

RULES_OF_REVISITS = Formula(
    "K-RVT-1", "回访制度建立率", "Units with a revisit rule", target="100 %"
)
CAMPAIGNS = Formula(
    "K-RVT-2", "月度回访次数", "Months with a revisit campaign", target="每月 · monthly"
)
INSPECTIONS = Formula(
    "K-INS-1", "体验督导次数", "Months with an inspection", target="每月至少1次 · monthly"
)
REPORTS = Formula("K-MRP-1", "按时报送率", "Reports in time", target="100 %")
TRAINED = Formula("K-SOE-1", "一线培训覆盖率", "Frontline officers trained", target="重点加强")

LEDGER = Sheet(
    "ledger",
    ever=True,
    fields=("measure_id", "due_at", "unit", "lead_unit"),
    reached={"established_at": ("established",), "confirmed_at": ("long_term",)},
)
STANDING = "c.state IN ('established', 'long_term', 'reviewed', 'closed')"
DUE = "c.due_at::date >= %(begins)s::date AND c.due_at::date < %(ends)s::date AND c.due_at::date < %(as_of)s::date"
LEDGER_BOARD = Board(
    LEDGER,
    (
        Share(
            Formula("K-LDG-1", "按期完成率", "Ledger rows established in time", target="100 %"),
            of=f"c.due_at IS NOT NULL AND {DUE}",
            hits=f"{STANDING} AND c.established_at::date <= c.due_at::date",
        ),
    ),
)

CHANNELS = Sheet("complaint_channel", fields=("proof_url_or_photo", "answered"))
CHANNEL_BOARD = Board(
    CHANNELS,
    (
        Share(
            Formula(
                "K-CHN-1", "投诉电话公布与可用率", "Channels published and answered", target="公布"
            ),
            of="c.state <> 'retired' AND c.born_at < %(ends)s",
            hits="c.state = 'tested' AND c.proof_url_or_photo IS NOT NULL AND c.answered = 'true'",
            apart=(
                Apart("faulty", "故障", "Out of order", "c.state = 'faulty'"),
                Apart(
                    "untested", "已公布未拨测", "Published, never tested", "c.state = 'published'"
                ),
            ),
        ),
    ),
)

UNIT_MONTHS = """
SELECT count(*) AS of, count(*) FILTER (WHERE EXISTS (SELECT FROM c WHERE c.unit_id = u.unit
    AND c.done_at >= m.begins AND c.done_at < m.ends AND c.state = 'closed')) AS hits
FROM unnest(%(responsible)s::int[]) AS u(unit)
CROSS JOIN unnest(%(starts)s::timestamptz[], %(stops)s::timestamptz[]) AS m(begins, ends)
"""
CAMPAIGN_MONTHS = """
SELECT count(*) AS of, count(*) FILTER (WHERE EXISTS (SELECT FROM c WHERE c.unit_id = u.unit
    AND c.month = m.month AND c.state = 'closed')) AS hits
FROM unnest(%(responsible)s::int[]) AS u(unit) CROSS JOIN unnest(%(months)s::text[]) AS m(month)
"""
REPORT_MONTHS = """
SELECT count(*) AS of, count(*) FILTER (WHERE EXISTS (SELECT FROM c WHERE c.unit_id = u.unit
    AND c.month = m.month AND c.submitted_at < m.due)) AS hits,
  count(*) FILTER (WHERE EXISTS (SELECT FROM c WHERE c.unit_id = u.unit AND c.month = m.month
    AND c.submitted_at >= m.due)) AS late
FROM unnest(%(responsible)s::int[]) AS u(unit)
CROSS JOIN unnest(%(months)s::text[], %(dues)s::timestamptz[]) AS m(month, due)
"""
RULED = """
SELECT count(*) AS hits FROM unnest(%(responsible)s::int[]) AS u(unit)
WHERE EXISTS (SELECT FROM c WHERE c.unit_id = u.unit AND c.measure_id = 'M1.2'
  AND c.state IN ('long_term', 'reviewed'))
"""
FRONTLINE = """
WITH told AS (
  SELECT seq, entry -> 'before' AS key, false AS held FROM office_event
  WHERE entry ->> 'about' = 'membership' AND entry -> 'before' <> 'null' UNION ALL
  SELECT seq, entry -> 'after', true FROM office_event
  WHERE entry ->> 'about' = 'membership' AND entry -> 'after' <> 'null'),
began AS (SELECT min((entry ->> 'at')::timestamptz) AS at FROM office_event)
SELECT DISTINCT p.account FROM (
  SELECT DISTINCT ON (t.key) t.key, t.held FROM told t JOIN office_event o USING (seq) CROSS JOIN began b
  WHERE (o.entry ->> 'at')::timestamptz <= greatest(%(until)s::timestamptz, b.at)
  ORDER BY t.key, t.seq DESC, t.held DESC) h
JOIN person p ON p.id = (h.key ->> 'person_id')::int
WHERE h.held AND h.key ->> 'role' = 'handler' AND (h.key ->> 'unit_id')::int = ANY(%(units)s::int[])
"""
"""Frontline officers (the handlers of the units) at a moment, by the record of the office; before the
record began, as it began."""
ATTENDED = """
SELECT count(*) AS hits FROM unnest(%(frontline)s::text[]) AS f(account)
WHERE EXISTS (SELECT FROM c WHERE c.attendees::jsonb ? f.account
  AND c.date::date >= %(begins)s::date AND c.date::date < %(ends)s::date)
"""

CAMPAIGN_SHEET = Sheet("revisit_campaign", ever=True, fields=("month",))
INSPECTION_SHEET = Sheet("inspection", reached={"done_at": ("conducting",)})
REPORT_SHEET = Sheet(
    "monthly_report", ever=True, fields=("month",), reached={"submitted_at": ("submitted",)}
)
TRAINING_SHEET = Sheet(
    "training",
    anywhere=True,
    ever=True,
    fields=("attendees", "date"),
    reached={"held_at": ("held",)},
)


def responsible(office: Office, units: Sequence[int], patterns: Sequence[str]) -> list[int]:
    """Those of these units that bear a duty of the plan."""
    return [
        unit
        for unit in units
        if any(fnmatchcase(office.units[unit].code, pattern) for pattern in patterns)
    ]


def campaigns(session: Session, scope: Scope, office: Office, _: Calendar) -> list[Figure]:
    """K-RVT-2: of the units that revisit and the months that are over, those with a closed campaign."""
    bound = responsible(office, scope.units, REVISITING)
    return [_of_months(session, scope, CAMPAIGNS, CAMPAIGN_SHEET, CAMPAIGN_MONTHS, bound)]


def inspections(session: Session, scope: Scope, office: Office, _: Calendar) -> list[Figure]:
    """K-INS-1: of the units that inspect and the months that are over, those with an inspection made in
    the month and closed since.
    """
    bound = responsible(office, scope.units, INSPECTING)
    return [_of_months(session, scope, INSPECTIONS, INSPECTION_SHEET, UNIT_MONTHS, bound)]


def _of_months(
    session: Session,
    scope: Scope,
    formula: Formula,
    sheet: Sheet,
    query: str,
    bound: Sequence[int],
) -> Figure:
    months = scope.stage.period.months(scope.stage.as_of)
    (row,) = ask(
        session,
        scope,
        sheet,
        query,
        responsible=list(bound),
        months=[month.name for month in months],
        starts=[month.begins for month in months],
        stops=[month.ends for month in months],
    )
    return formula.share(scope.stage, row["hits"], row["of"])


def reports(session: Session, scope: Scope, office: Office, calendar: Calendar) -> list[Figure]:
    """K-MRP-1: of the reports due by now, those first submitted by the 28th, or by the last working day
    before it (domain 6.6).
    """
    stage = scope.stage
    due: list[tuple[str, datetime]] = []
    month = stage.period.first
    while month < stage.period.after:
        at = monthly(calendar, month, REPORT_DAY, Roll.BEFORE).at
        if at <= stage.as_of:
            due.append((f"{month:%Y-%m}", at))
        month = type(stage.period).month_of(month).after
    (row,) = ask(
        session,
        scope,
        REPORT_SHEET,
        REPORT_MONTHS,
        responsible=responsible(office, scope.units, REPORTING),
        months=[name for name, _ in due],
        dues=[at for _, at in due],
    )
    late = Aside("late", "逾期报送", "Submitted late", row["late"])
    return [REPORTS.share(stage, row["hits"], row["of"], [late])]


def rules_of_revisits(session: Session, scope: Scope, office: Office, _: Calendar) -> list[Figure]:
    """K-RVT-1: of the enforcement units, those whose row of measure M1.2 the law section confirmed."""
    bound = responsible(office, scope.units, ENFORCING)
    (row,) = ask(session, scope, LEDGER, RULED, responsible=bound)
    return [RULES_OF_REVISITS.share(scope.stage, row["hits"], len(bound))]


def training(session: Session, scope: Scope, _office: Office, _: Calendar) -> list[Figure]:
    """K-SOE-1: of the frontline officers at the period's end, those named in a session held in it."""
    until = min(scope.stage.as_of, scope.stage.period.ends)
    values = {**scope.values, "until": until}
    frontline = [row["account"] for row in execute(session, FRONTLINE, values).fetchall()]
    if not frontline:
        return [TRAINED.silent(scope.stage, NO_SOURCE)]
    (row,) = ask(session, scope, TRAINING_SHEET, ATTENDED, frontline=frontline)
    return [TRAINED.share(scope.stage, row["hits"], len(frontline))]

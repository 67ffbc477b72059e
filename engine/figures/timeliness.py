"""How long closed items took, by the clocks that stopped with them (domain 9.2).

A clock that has stopped is never written again, and a final state stops every clock: what the clocks
of an item show that was closed by a moment is the same whenever it is asked. Open items are not in
these figures; what stands still among them is in the list of stalls.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from engine.calendars import FIRST
from engine.database import execute
from engine.figures.figure import Aside, Cell, Figure, Formula, Spread
from engine.figures.folding import NOT_TOLD_TO
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from engine.calendars import Calendar
    from engine.figures.folding import Scope
    from engine.rulebook import Rulebook

IN_TIME = Formula("K-TIM-1", "按时办结率", "Closed with every statutory clock met", target="100 %")
OVERDUE = Formula("K-TIM-2", "逾期率", "Closed with a limit missed")
EXTENDED = Formula("K-TIM-3", "延期率", "Closed with a limit extended")
PAUSED = Formula("K-TIM-4", "中止率", "Closed with a limit paused")
LATENESS = Formula("K-TIM-5", "超期时长", "How late what was late", measure="days")
LENGTH = Formula(
    "K-TIM-6", "办理时长(不含中止)", "How long it took, pauses removed", measure="days"
)
PING_PONG = Formula("K-QLT-1", "退单率", "Items sent to and fro")
FORMULAS = (IN_TIME, OVERDUE, EXTENDED, PAUSED, LATENESS, LENGTH, PING_PONG)

CLOSED = f"""
finals AS (SELECT DISTINCT workflow, version, to_state FROM edge EXCEPT
  SELECT workflow, version, from_state FROM edge WHERE act = 'rung'),
closed AS (
  SELECT i.id, i.workflow, l.at FROM item i
  CROSS JOIN LATERAL (SELECT e.version, e.to_state, e.at FROM event e
    WHERE e.item_id = i.id AND e.at <= %(as_of)s AND e.from_state <> e.to_state
    ORDER BY e.seq DESC LIMIT 1) l
  JOIN finals f ON f.workflow = i.workflow AND f.version = l.version AND f.to_state = l.to_state
  WHERE (i.closed_at IS NULL OR i.closed_at >= %(begins)s) AND i.unit_id = ANY(%(units)s::int[])
    AND l.at >= %(begins)s AND l.at < %(ends)s AND {NOT_TOLD_TO})
"""  # noqa: S608 - constants of this package
"""What was closed in the period and was so still at the moment. A final state is one in which no rung
can ring: the released edges say so."""
BY_WORKFLOW = f"""
WITH {CLOSED},
judged AS (
  SELECT c.workflow,
    bool_and(d.stopped_at <= d.due_at) FILTER (WHERE d.kind = 'limit'
      AND (d.rule, d.rule_since) IN (SELECT * FROM unnest(%(rules)s::text[], %(sinces)s::date[]))) AS kept,
    coalesce(bool_or(d.stopped_at > d.due_at) FILTER (WHERE d.kind = 'limit'), false) AS late,
    coalesce(bool_or(d.extension IS NOT NULL), false) AS extended,
    coalesce(bool_or(d.pauses <> '[]') FILTER (WHERE d.kind = 'limit'), false) AS paused,
    coalesce(bool_or(d.kind = 'ping_pong'), false) AS sent_back
  FROM closed c LEFT JOIN deadline d ON d.item_id = c.id AND d.stopped_at <= c.at
  GROUP BY c.id, c.workflow)
SELECT workflow, count(*) AS closed, count(kept) AS bound, count(*) FILTER (WHERE kept) AS kept,
  count(*) FILTER (WHERE late) AS late, count(*) FILTER (WHERE extended) AS extended,
  count(*) FILTER (WHERE paused) AS paused, count(*) FILTER (WHERE sent_back) AS sent_back
FROM judged GROUP BY workflow ORDER BY workflow
"""  # noqa: S608 - constants of this package


def _length(start: str, end: str) -> str:
    """SQL: from one moment to another in the measure of the clock `k`; a day counts as the law counts
    it, the first one not (domain 6.3).
    """
    first, last = (f"w.nth[(({moment})::date - '{FIRST}') + 1]" for moment in (start, end))
    return (
        f"(CASE k.measure WHEN 'hours' THEN extract(epoch FROM ({end}) - ({start})) / 3600"
        f" WHEN 'working days' THEN {last} - {first} ELSE ({end})::date - ({start})::date END)::float8"
    )


_PAUSED = _length("(b ->> 0)::timestamptz", "coalesce((b ->> 1)::timestamptz, k.stopped_at)")
_LATE = _length("k.due_at - interval '1 second'", "k.stopped_at")  # 24:00 of the day is the day's
LENGTHS = f"""
WITH {CLOSED},
clock AS (
  SELECT c.workflow || '.' || d.name AS name, d.started_at, d.stopped_at, d.due_at, d.pauses,
    CASE WHEN d.span LIKE '%%working day%%' THEN 'working days' WHEN d.span LIKE '%%hour%%' THEN 'hours'
      ELSE 'days' END AS measure
  FROM closed c JOIN deadline d ON d.item_id = c.id AND d.kind = 'limit' AND d.stopped_at <= c.at
  WHERE d.span NOT LIKE '%%working hour%%'),
measured AS (
  SELECT k.name, k.measure, p.paused, {_length("k.started_at", "k.stopped_at")} - p.paused AS used,
    CASE WHEN k.stopped_at > k.due_at THEN {_LATE} END AS late
  FROM clock k CROSS JOIN (SELECT %(nth)s::int[] AS nth) w CROSS JOIN LATERAL (
    SELECT coalesce(sum({_PAUSED}), 0) AS paused FROM jsonb_array_elements(k.pauses) AS b) p)
SELECT name, measure, count(*) AS n, avg(used) AS mean, sum(paused) AS paused,
  percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY used) AS used,
  count(late) AS late_n, avg(late) AS late_mean,
  percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY late) AS late
FROM measured GROUP BY name, measure ORDER BY name, measure
"""  # noqa: S608 - constants of this package


def rates(session: Session, scope: Scope, rulebook: Rulebook | None) -> list[Figure]:
    """What share of the items closed kept its terms, by workflow. Without the rules nobody can say which
    terms are of the law, so the first figure is left out.
    """
    statutory = [
        (name, version.since)
        for name, versions in (rulebook.rules if rulebook else {}).items()
        for version in versions
        if version.weight == "statutory"
    ]
    rules, sinces = [name for name, _ in statutory], [since for _, since in statutory]
    values = {**scope.values, "rules": rules, "sinces": sinces}
    rows = execute(session, BY_WORKFLOW, values, prepare=False).fetchall()
    closed = sum(row["closed"] for row in rows)

    def of(formula: Formula, hits: str, out_of: str = "closed", *left_out: Aside) -> Figure:
        counted = {row["workflow"]: (row[hits], row[out_of]) for row in rows if row[out_of]}
        return formula.share(
            scope.stage,
            sum(each for each, _ in counted.values()),
            sum(each for _, each in counted.values()),
            left_out,
            tuple(Cell(name, hit, n, round(hit / n, 4)) for name, (hit, n) in counted.items()),
        )

    unbound = closed - sum(row["bound"] for row in rows)
    without = Aside("unbound", "没有法定时限的", "Without a statutory clock", unbound)
    in_time = [of(IN_TIME, "kept", "bound", without)] if rulebook else []
    return [
        *in_time,
        of(OVERDUE, "late"),
        of(EXTENDED, "extended"),
        of(PAUSED, "paused"),
        of(PING_PONG, "sent_back"),
    ]


def lengths(session: Session, scope: Scope, calendar: Calendar) -> list[Figure]:
    """How long what was closed took, and how late the late was: a line for each clock, each in its own
    unit, for units are never converted.
    """
    values = {
        **scope.values,
        "nth": _numbered(calendar, scope.stage.as_of.astimezone(SHANGHAI).date()),
    }
    rows = execute(session, LENGTHS, values, prepare=False).fetchall()
    used = [_line(row, "n", "mean", "used", row["paused"]) for row in rows]
    late = [_line(row, "late_n", "late_mean", "late") for row in rows if row["late_n"]]
    return [LATENESS.spread(scope.stage, late), LENGTH.spread(scope.stage, used)]


def _line(row: Mapping[str, Any], n: str, mean: str, points: str, paused: float = 0) -> Spread:
    median, p90 = row[points]
    mean_, median, p90 = (round(value, 2) for value in (row[mean], median, p90))
    return Spread(row["name"], row["measure"], row[n], mean_, median, p90, round(paused, 2))


@lru_cache(maxsize=8)
def _numbered(calendar: Calendar, until: date) -> list[int]:
    """For every day from 2000-01-01 to another, how many working days there were up to it."""
    days = (FIRST + timedelta(days=at) for at in range((until - FIRST).days + 1))
    return list(accumulate(int(calendar.is_workday(day)) for day in days))

"""What the system computes for the office's own work: the month's figures, due dates, the score."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from engine.figures import Period
from engine.figures import figures as figures_of_unit
from engine.fills.counts import Window, counted
from engine.fills.filling import fill
from engine.workdays import SHANGHAI, due, monthly

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.fills.filling import Filling

SCORE_FORMULA = "1"
SNAPSHOT = ("data_snapshot_id", "figures_from", "figures_until", "figures", "measures")
_DAY = timedelta(days=1)


def _day(filling: Filling, rule: str, month: date) -> date:
    """The day a rule of the month falls on, before it is rolled."""
    version = filling.rulebook.rule(rule, month)
    if version.day_of_month is None:
        raise AssertionError(rule)
    return month.replace(day=version.day_of_month)


def _cut_off(filling: Filling, month: date) -> datetime:
    """The end of the last day whose figures belong to a month."""
    return datetime.combine(_day(filling, "mrp.cutoff", month) + _DAY, time(), SHANGHAI)


def _before(month: date) -> date:
    """The first of the month before."""
    return (month - _DAY).replace(day=1)


def _after(month: date) -> date:
    """The first of the month after."""
    return (month.replace(day=28) + 4 * _DAY).replace(day=1)


@fill("evidence_due")
def next_evidence(filling: Filling) -> Mapping[str, Any]:
    """Until when the ledger waits for the evidence of the next month: its last day.

    It never moves back: evidence of an older month that comes late leaves it where it is.
    """
    told = filling.given.get("evidence_month") or str(filling.now.astimezone(SHANGHAI).date())[:7]
    following = _after(date.fromisoformat(f"{told}-01"))
    last = (_after(following) - _DAY).isoformat()
    return {"evidence_due": max(last, str(filling.held.get("evidence_due") or ""))}


@fill("match_due", "match_late")
def case_match(filling: Filling) -> Mapping[str, Any]:
    """By when a closed case was to be matched to a risk point, and whether it is late."""
    closed = filling.given.get("case_closed_on")
    if closed is None:
        return {}
    on = date.fromisoformat(closed)
    rule = filling.rulebook.rule("rsk.match", on)
    end = due(filling.calendar, datetime.combine(on, time(12), SHANGHAI), rule.within, rule.roll)
    if end is None:
        raise AssertionError  # nothing pauses it
    return {"match_due": end.on.isoformat(), "match_late": filling.now >= end.at}


@fill("draft_on", "internal_target", "due_on", *SNAPSHOT)
def report_opening(filling: Filling) -> Mapping[str, Any]:
    """The days of a month's report, and the figures there are so far."""
    month = date.fromisoformat(f"{filling.held['month']}-01")
    target = filling.rulebook.rule("mrp.target", month)
    report = filling.rulebook.rule("mrp.report", month)
    days = {
        "draft_on": _day(filling, "mrp.draft", month),
        "internal_target": monthly(
            filling.calendar, month, target.day_of_month or 1, target.roll
        ).on,
        "due_on": monthly(filling.calendar, month, report.day_of_month or 1, report.roll).on,
    }
    return {**{name: on.isoformat() for name, on in days.items()}, **_snapshot(filling)}


@fill(*SNAPSHOT)
def month_figures(filling: Filling) -> Mapping[str, Any]:
    """The figures of the report's month, up to now or to the cut-off."""
    return _snapshot(filling)


@fill("submitted_at", "submitted_late", *SNAPSHOT)
def report_submission(filling: Filling) -> Mapping[str, Any]:
    """When the report is submitted: now, whatever somebody says; and whether that is late."""
    clock = filling.dossier.clock("report") if filling.dossier else None
    late = clock is not None and clock.expired(filling.now)
    when = filling.now.astimezone(SHANGHAI).isoformat()
    return {"submitted_at": when, "submitted_late": late, **_snapshot(filling)}


def _snapshot(filling: Filling) -> dict[str, Any]:
    if filling.dossier is None:
        raise AssertionError  # only a report that is there has figures
    month = date.fromisoformat(f"{filling.held['month']}-01")
    window = Window(
        filling.dossier.unit_id,
        str(filling.held["unit"]),
        _cut_off(filling, _before(month)),
        min(_cut_off(filling, month), filling.now.astimezone(SHANGHAI)),
    )
    figures = counted(filling.session, window, [*filling.dossier.workflow.watchers()])
    figures += _shares(filling, window, Period.month_of(month))
    told = orjson.dumps([window.unit, str(month), window.since, window.until, figures])
    return {
        "data_snapshot_id": hashlib.sha256(told).hexdigest()[:16],
        "figures_from": window.since.isoformat(),
        "figures_until": window.until.isoformat(),
        "figures": figures,
        "measures": [
            {"measure_id": name, "measure_title": title}
            for name, title in filling.dossier.measures.items()
        ],
    }


def _shares(filling: Filling, window: Window, period: Period) -> list[dict[str, Any]]:
    """The office's figures of the unit that have anything to be counted, as of the snapshot."""
    if window.until <= period.begins:
        return []
    found = figures_of_unit(
        filling.session,
        filling.office,
        filling.calendar,
        window.unit_id,
        period,
        window.until,
        filling.rulebook,
    )
    return [
        {
            "figure": figure.id,
            "title": figure.title,
            "query": figure.query["id"],
            "parameters": orjson.dumps(figure.query["parameters"]).decode(),
            "value": figure.numerator,
            "of": figure.denominator,
        }
        for figure in found
        if figure.numerator is not None and figure.denominator
    ]


@fill("formula_version", "results", "total", "weight_counted")
def assessment_score(filling: Filling) -> Mapping[str, Any]:
    """The sum of weight by score over what counts. What is voided, or rests on fewer cases than its
    floor, counts neither for nor against: its weight is left out, and both are shown.
    """
    known = {**filling.held, **filling.given}
    weights = {each["indicator"]: Decimal(each["weight"]) for each in known.get("weights") or ()}
    scores = {each["indicator"]: each for each in known.get("scores") or ()}
    voided = {each["indicator"] for each in known.get("voided") or ()}
    results: list[dict[str, str]] = []
    total = counted_weight = Decimal()
    for each in known.get("indicator_set") or ():
        name, score = each["indicator"], scores.get(each["indicator"])
        if score is None:
            continue  # the guard beside this says which is missing
        if name in voided:
            standing = "作废"
        elif score["sample"] < each["floor"]:
            standing = "样本不足"
        else:
            standing = "计入"
        points = weights[name] * Decimal(score["score"]) if standing == "计入" else Decimal()
        counted_weight += weights[name] if standing == "计入" else Decimal()
        total += points
        results.append(
            {
                "indicator": name,
                "weight": str(weights[name]),
                "score": score["score"],
                "points": f"{points:.2f}",
                "standing": standing,
            }
        )
    return {
        "formula_version": SCORE_FORMULA,
        "results": results,
        "total": f"{total:.2f}",
        "weight_counted": str(counted_weight),
    }

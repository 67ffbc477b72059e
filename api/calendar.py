"""Due dates worked out in the open, for anybody, logged in or not, to check by hand."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime  # noqa: TC002 - read while running

from api.counter import Answer, Process
from api.schemas import DueDate
from engine.errors import Invalid
from engine.workdays import SHANGHAI, Span, Unit, due, working

router = APIRouter(tags=["calendar"])
MOST = {
    Unit.DAYS: 1000,
    Unit.WORKING_DAYS: 700,
    Unit.HOURS: 9999,
    Unit.WORKING_HOURS: 2000,
    Unit.MONTHS: 36,
}
"""Longer than any term of the law, and short enough to print."""


@router.get("/calendar/due", response_model=DueDate, summary="When a term ends")
def count(
    counter: Process,
    start: Annotated[
        date | AwareDatetime,
        Query(description="Day (or moment) of the event; not counted.", examples=["2026-09-24"]),
    ],
    span: Annotated[
        str,
        Query(
            max_length=40,
            description="5 working days, 30 days, 24 hours, 3 months.",
            examples=["5 working days"],
        ),
    ],
) -> Response:
    """The day a term ends under the calendar in force, and the printed working: every day from the
    start, whether it counts, and why. `provisional`: the State Council has not published a year the
    count runs through, so the date may move.
    """
    length = span_of(span, "span")
    began = start if isinstance(start, datetime) else datetime.combine(start, time(9), SHANGHAI)

    with counter.database.transaction() as session:
        calendar = counter.casework.house(session).calendar
    try:
        end = due(calendar, began, length)
        days = working(calendar, began, length)
    except (ValueError, OverflowError):
        raise Invalid(
            [("/start", "日历为2000年至2100年。The calendar runs from 2000 to 2100.")]
        ) from None
    return Answer(
        {
            "due_on": end.on if end else None,
            "due_at": end.at if end else None,
            "provisional": end.provisional if end else False,
            "working": [{"date": day.date, "counts": day.counts, "why": day.why} for day in days],
        }
    ).response()


def span_of(text: str, parameter: str) -> Span:
    """A length of time somebody wrote. Raises Invalid."""
    try:
        found = Span.parse(text)
    except ValueError:
        sentence = (
            "应如 5 working days、30 days、24 hours。Write it like 5 working days or 30 days."
        )
        raise Invalid([(f"/{parameter}", sentence)]) from None
    if found.amount > MOST[found.unit]:
        sentence = f"最多 {MOST[found.unit]} {found.unit}。At most {MOST[found.unit]} {found.unit}."
        raise Invalid([(f"/{parameter}", sentence)])
    return found

"""The practice clock of a sample office: it moves forward only, and only there."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from api.calendar import span_of
from api.counter import Act, Answer
from api.forms import ClockMove
from api.schemas import Clock
from engine.calendars import Calendar, Roll
from engine.database import execute
from engine.errors import Invalid, NotFound
from engine.workdays import SHANGHAI, Span, Unit, due

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(tags=["practice"])
FARTHEST = timedelta(days=3660)

LOCK = "SELECT now() + practice_offset AS now FROM bureau FOR UPDATE"
MOVE = """
UPDATE bureau SET practice_offset = practice_offset + %s
RETURNING now() + practice_offset AS now, extract(epoch FROM practice_offset)::float8 AS offset,
  practice_offset > %s AS too_far
"""


@router.post("/practice/clock", response_model=Clock, summary="Move the practice clock")
def move(form: ClockMove, act: Act) -> Response:
    """Let time pass in a sample office, so that people can practise and see stalls escalate. The
    time of day stays; alarms that are due by then ring with the next sweep. Absent in production.
    """
    if not act.counter.settings.sample:
        raise NotFound("没有这个地址。There is no such address.")
    length = span_of(form.advance, "advance") if form.advance is not None else None

    def forward(session: Session, _: Actor) -> Answer:
        row = execute(session, LOCK).fetchone()
        if row is None:
            raise NotFound("数据库尚未初始化。The database is not set up; run `banjie migrate`.")
        now: datetime = row["now"]
        calendar = act.counter.casework.house(session).calendar
        target = form.now if length is None else _later(calendar, now, length)
        if target is None or target < now:
            raise Invalid([("/now", "练习时钟只能向前。The practice clock only moves forward.")])
        if target - now > FARTHEST:  # asked first: the database knows moments Python cannot read
            raise too_far()
        moved = execute(session, MOVE, (target - now, FARTHEST)).fetchone()
        if moved is None or moved["too_far"]:
            raise too_far()
        return Answer({"now": moved["now"], "offset": moved["offset"]})

    return act.answer(forward)


def too_far() -> Invalid:
    """The clock would leave the years an office can practise in."""
    return Invalid([("/now", "最多向前十年。Ten years at most.")])


def _later(calendar: Calendar, now: datetime, length: Span) -> datetime | None:
    """The same time of day so much later; hours by the clock."""
    if length.unit is Unit.HOURS:
        return now + timedelta(hours=length.amount)
    try:
        end = due(calendar, now, length, Roll.NONE)
    except (ValueError, OverflowError):
        return None
    if end is None or length.unit is Unit.WORKING_HOURS:
        return end.at if end else None
    return datetime.combine(end.on, now.astimezone(SHANGHAI).timetz())

"""`banjie calendar due`: a due date with its working, for a person to check by hand."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, time
from typing import TYPE_CHECKING

from adapters.opening import owner_url
from engine.calendars import carried
from engine.database import Database
from engine.desk import read_calendar
from engine.errors import Invalid
from engine.workdays import SHANGHAI, Span, due, working

if TYPE_CHECKING:
    from engine.calendars import Calendar
    from engine.settings import Settings

__all__ = ["due_table"]

_NOON = time(12)


def due_table(settings: Settings, start: str, span: str) -> str:
    """The working of a length of time from the day of an event, and the day it ends.

    Counted by the office's calendar where BANJIE_DATABASE_URL or the state folder has one, else by
    the one Banjie carries. Raises Invalid.
    """
    try:
        day = date.fromisoformat(start)
    except ValueError:
        raise Invalid([("start", "应为日期,如 2026-09-24。Give a day like 2026-09-24.")]) from None
    try:
        length = Span.parse(span)
        event = datetime.combine(day, _NOON, SHANGHAI)
        calendar = _calendar(settings)
        rows, end = working(calendar, event, length), due(calendar, event, length)
    except ValueError as error:
        raise Invalid([("span", str(error))]) from None
    lines = [f"{row.date} {'计' if row.counts else '  '} {row.why}" for row in rows]
    width = max((_width(line) for line in lines), default=0)
    if end is not None:
        note = "(暂定 provisional)" if end.provisional else ""
        lines.append("─" * min(width, 100))
        lines.append(f"{length.chinese}({length}):{end.on} 止 · due on {end.on}{note}")
    return "\n".join(lines)


def _calendar(settings: Settings) -> Calendar:
    if settings.database_url is None and not (settings.home / "servers").exists():
        return carried()
    with owner_url(settings) as url:
        database = Database(url, 1)
        try:
            with database.transaction() as session:
                return read_calendar(session)
        finally:
            database.close()


def _width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)

"""A new year's calendar, loaded as it is published; the dates that were counted without it move.

Every edition is kept. The working days of a year are law of a later date: who loads them changes
due dates, and each change is told in the item's journal (`engine.stalls.reproject`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import orjson

from engine.calendars import Year, carried_years, load_year, parse_holiday_cn
from engine.database import execute
from engine.errors import BanjieError, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session

    from engine.database import Database

__all__ = ["CalendarError", "Loaded", "load_calendar"]


class CalendarError(BanjieError):
    """A file is no calendar; the sentences say what to correct."""

    code = "unreadable-calendar"


class Loaded(NamedTuple):
    """A new edition of a year: how many days it gives off and how many it makes up for."""

    year: int
    edition: int
    off: int
    work: int


def load_calendar(database: Database, path: Path) -> Loaded:
    """Store a file of holiday-cn as the newest edition of its year.

    Raises CalendarError for a file that is none and Refused where the same days are already in
    force. The caller re-projects the running clocks afterwards.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CalendarError(
            f"文件 {path.name} 打不开或不是 UTF-8。The file cannot be read as UTF-8."
        ) from error
    try:
        year = load_year(text)
    except ValueError as error:
        raise CalendarError(f"日历文件有误 · the calendar is wrong:\n{error}") from error
    document = orjson.loads(text)
    edition = database.perform(lambda session: _store(session, year, document))
    return Loaded(year.year, edition, len(year.off), len(year.work))


def _store(session: Session, year: Year, document: object) -> int:
    execute(session, "SELECT FROM bureau FOR UPDATE")  # one loader at a time
    kept = execute(
        session,
        "SELECT edition, document FROM calendar_year WHERE year = %s ORDER BY edition DESC LIMIT 1",
        (year.year,),
    ).fetchone()
    held: Year | None = None
    edition: int = 0
    if kept is not None:
        held, edition = parse_holiday_cn(kept["document"]), kept["edition"]
    else:
        # a carried year that is out is edition 1; an empty one says only that it is not out yet
        out = [each for each in carried_years() if each.year == year.year and each.off]
        held, edition = (out[0], out[0].edition) if out else (None, 0)
    if held is not None and (held.off, held.work) == (year.off, year.work):
        raise Refused(
            f"{year.year}年的同一份日历已在使用(第{edition}版),未作改动。"
            f"The same calendar of {year.year} is in force already (edition {edition}); "
            "nothing changed."
        )
    canonical = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    execute(
        session,
        "INSERT INTO calendar_year (year, edition, document, digest, loaded_at)"
        " SELECT %s, %s, %s::jsonb, %s, now() + practice_offset FROM bureau",
        (year.year, edition + 1, canonical.decode(), hashlib.sha256(canonical).digest()),
    )
    execute(session, "UPDATE bureau SET calendar_revision = calendar_revision + 1")
    return edition + 1

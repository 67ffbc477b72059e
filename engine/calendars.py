"""Which days are worked: the State Council's yearly notices as an immutable calendar.

A working day is a weekday the notice does not give off, or a weekend day it makes up for (调休上班).
A year without a notice is *provisional*: weekends and the days fixed by law are off, and every date
counted through it says so. Source: 全国年节及纪念日放假办法 and the yearly notice of its article 7.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FIRST: Final = date(
    2000, 1, 1
)  # after the last summer time in China (1991): every day has 24 hours
LAST: Final = date(2100, 12, 31)
LARGEST_FILE: Final = 256 * 1024  # bytes; a real file has 5 kB

_MOST_DAYS: Final = 366
_HOLIDAYS: Final = Path(__file__).parent / "holidays"
_WEEKDAYS: Final = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"]
_ENGLISH: Final = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_FIXED: Final = {
    (1, 1): "元旦",
    (5, 1): "劳动节",
    (5, 2): "劳动节",
    (10, 1): "国庆节",
    (10, 2): "国庆节",
    (10, 3): "国庆节",
}  # days off by law whatever a notice arranges; the lunar ones need the notice
_KEYS: Final = {"year", "papers", "days"}
_NOTED_KEYS: Final = {"$schema", "$id"}  # in every file of the source; they carry nothing for us
_DAY_KEYS: Final = {"name", "date", "isOffDay"}


class Roll(StrEnum):
    """What becomes of a last day on which nobody works (民法典 §203, Order 121 §45)."""

    RESTDAY = "restday"  # on to the next working day: the legal due date
    HOLIDAY = "holiday"  # on past a public holiday only; an ordinary Sunday stays
    NONE = "none"  # stays: the unit's own target
    BEFORE = "before"  # back to the last working day: "every month before the 28th"


@dataclass(frozen=True, slots=True)
class Year:
    """One notice: the days it gives off and the weekend days it makes up for.

    The year of the notice is not the year of all its days: that of 2023 gives 2022-12-31 off.
    """

    year: int
    off: frozenset[date]
    work: frozenset[date]
    names: Mapping[date, str] = field(hash=False)
    source: str  # address or number of the notice
    edition: int = 1  # counts corrections of the same year; the highest is in force


class Calendar:
    """Every day from 2000 to 2100, worked or not, by the notices given; never changes.

    Of several editions of one year the highest counts. A later year's notice overrules an earlier
    one on the days around New Year. ValueError if two different notices claim one edition.
    """

    __slots__ = ("_exceptions", "_names", "_ordinals", "_years", "edition", "horizon")

    edition: Final[str]
    """Identity of what is worked and what not: the same days give the same edition."""
    horizon: Final[date]
    """Last day of the last published year; the day before 2000 when nothing is published."""

    def __init__(self, years: Iterable[Year]) -> None:
        notices = _in_force(years)
        self._years = frozenset(notices)
        self._exceptions: dict[int, bool] = {}  # ordinal of the day -> worked
        self._names: dict[int, str] = {}
        for year in range(FIRST.year, LAST.year + 1):
            if year not in self._years:
                for (month, number), name in _FIXED.items():
                    self._except(date(year, month, number), name, worked=False)
        for _, notice in sorted(notices.items()):
            for worked, days in ((False, notice.off), (True, notice.work)):
                for day in days:
                    self._except(day, notice.names.get(day, ""), worked=worked)
        plain = self._exceptions.get
        self._ordinals = [
            ordinal
            for ordinal in range(FIRST.toordinal(), LAST.toordinal() + 1)
            if plain(ordinal, not _weekend(ordinal))
        ]
        self.horizon = date(max(self._years, default=FIRST.year - 1), 12, 31)
        told = repr((sorted(self._years), sorted(self._exceptions.items())))
        self.edition = hashlib.sha256(told.encode()).hexdigest()[:12]

    def _except(self, day: date, name: str, *, worked: bool) -> None:
        self._exceptions[day.toordinal()] = worked
        self._names[day.toordinal()] = name

    def published(self, day: date) -> bool:
        """Whether the notice for the year of this day is loaded.

        The last days of December can still be moved by the next year's notice (2007 and 2018 were),
        so whoever loads a notice recomputes the dates of the December before it, too.
        """
        return day.year in self._years

    def is_workday(self, day: date) -> bool:
        """Whether the bureau works on this day."""
        ordinal = day.toordinal()
        return self._exceptions.get(ordinal, not _weekend(ordinal))

    def is_holiday(self, day: date) -> bool:
        """Whether the day is off for a public holiday, weekend days inside the holiday included."""
        return self._exceptions.get(day.toordinal()) is False

    def why(self, day: date) -> str:
        """Why the day is worked or not, in words to print: ``国庆节 holiday``."""
        ordinal, weekday = day.toordinal(), day.weekday()
        exception = self._exceptions.get(ordinal)
        if exception is False:
            reason = f"{self._names[ordinal] or '放假'} holiday"
        elif exception and _weekend(ordinal):
            reason = f"{_WEEKDAYS[weekday]}，调休上班 make-up workday"
        elif _weekend(ordinal):
            reason = f"{_WEEKDAYS[weekday]}休息 weekend"
        else:
            reason = f"{_WEEKDAYS[weekday]}，工作日 workday"
        return reason if self.published(day) else f"{reason}（暂定 provisional）"

    def add_working_days(self, day: date, amount: int) -> date:
        """Return the ``amount``-th working day after ``day``; zero gives the day itself.

        ValueError for a negative amount and outside 2000 to 2100.
        """
        if amount <= 0:
            if amount:
                raise ValueError(f"{amount} working days: count forward, with 0 or more")
            return day
        at = bisect_right(self._ordinals, day.toordinal()) + amount - 1
        if at >= len(self._ordinals) or day < FIRST:
            raise _beyond(day)
        return date.fromordinal(self._ordinals[at])

    def working_days_between(self, start: date, end: date) -> int:
        """Count the working days after ``start`` up to and with ``end``; negative if it is earlier."""
        after = bisect_right(self._ordinals, start.toordinal())
        return bisect_right(self._ordinals, end.toordinal()) - after

    def roll(self, day: date, policy: Roll) -> date:
        """Move a last day as the policy says; ValueError outside 2000 to 2100."""
        if not FIRST <= day <= LAST:
            raise _beyond(day)
        ordinal = day.toordinal()
        if policy is Roll.HOLIDAY:
            while self._exceptions.get(ordinal) is False:
                ordinal += 1
        elif policy is Roll.RESTDAY:
            at = bisect_left(self._ordinals, ordinal)
            if at == len(self._ordinals):
                raise _beyond(day)
            ordinal = self._ordinals[at]
        elif policy is Roll.BEFORE:
            at = bisect_right(self._ordinals, ordinal)
            if at == 0:
                raise _beyond(day)
            ordinal = self._ordinals[at - 1]
        return date.fromordinal(ordinal)


def parse_holiday_cn(document: Mapping[str, Any]) -> Year:
    """Read one file of the project holiday-cn (MIT), already known to be sound."""
    days = {date.fromisoformat(day["date"]): day for day in document["days"]}
    return Year(
        year=document["year"],
        off=frozenset(day for day, told in days.items() if told["isOffDay"]),
        work=frozenset(day for day, told in days.items() if not told["isOffDay"]),
        names=MappingProxyType({day: told["name"] for day, told in days.items()}),
        source=" ".join(document["papers"]),
    )


def carried_years() -> list[Year]:
    """Return the notices that come with Banjie."""
    return [
        parse_holiday_cn(json.loads(path.read_text("utf-8"))) for path in _HOLIDAYS.glob("*.json")
    ]


@cache
def carried() -> Calendar:
    """Return the calendar of the notices that come with Banjie, read once."""
    return Calendar(carried_years())


def load_year(text: str) -> Year:
    """Read a calendar file from outside, in the shape of holiday-cn, and trust nothing in it.

    ValueError carries every finding, one a line, each with what to do about it.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > LARGEST_FILE:
        raise ValueError(
            f"the file has {size} bytes; a year fits in {LARGEST_FILE}: check the file"
        )
    findings: list[str] = []

    def without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
        told = dict(pairs)
        if len(told) != len(pairs):
            findings.append(f"a key is there twice among {', '.join(sorted(told))[:80]}; keep one")
        return told

    try:
        document = json.loads(text, object_pairs_hook=without_doubles)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"line {error.lineno}, column {error.colno}: not JSON ({error.msg}); "
            "take the file of the year from holiday-cn"
        ) from None
    except (RecursionError, ValueError):  # the latter from a number of thousands of digits
        raise ValueError("nested too deeply, or a number too long: check the file") from None
    findings.extend(_findings(document))
    if findings:
        raise ValueError("\n".join(findings))
    return parse_holiday_cn(document)


def _findings(document: object) -> Iterator[str]:
    if not isinstance(document, dict):
        yield "the file must be one object: {year, papers, days}"
        return
    yield from _strangers(document, _KEYS, _NOTED_KEYS, "the file")
    year = document.get("year")
    if type(year) is not int or not FIRST.year <= year <= LAST.year:
        year = None
        if "year" in document:
            yield f"year: write a whole number from {FIRST.year} to {LAST.year}"
    papers = document.get("papers", ["missing, told above"])
    if not isinstance(papers, list) or not all(_is_text(paper, 500) for paper in papers):
        yield "papers: write a list of texts, each the address or number of a notice"
    elif not papers:
        yield "papers: empty; name the State Council notice the days are taken from"
    days = document.get("days")
    if "days" not in document:
        return
    if not isinstance(days, list):
        yield "days: write a list of {name, date, isOffDay}"
    elif not days:
        yield "days: empty; wait until the notice is published, the year stays provisional"
    elif len(days) > _MOST_DAYS:
        yield f"days: {len(days)} of them; a year has at most {_MOST_DAYS}: check the file"
    else:
        yield from _findings_in_days(days, year)


def _findings_in_days(days: list[object], year: int | None) -> Iterator[str]:
    seen: set[date] = set()
    for number, told in enumerate(days, start=1):
        place = f"days, no. {number}"
        if not isinstance(told, dict):
            yield f"{place}: write an object {{name, date, isOffDay}}"
            continue
        yield from _strangers(told, _DAY_KEYS, set(), place)
        off = told.get("isOffDay", True)
        if not _is_text(told.get("name", "missing, told above"), 50):
            yield f"{place}: name: write the name of the holiday, up to 50 characters"
        if not isinstance(off, bool):
            yield f"{place}: isOffDay: write true for a day off, false for a make-up workday"
        day = _date(told.get("date"))
        if day is None:
            if "date" in told:
                yield f"{place}: date: write a day of the calendar as YYYY-MM-DD"
            continue
        if day in seen:
            yield f"{place}: {day} is there twice; keep one"
        seen.add(day)
        if year and not date(year - 1, 12, 25) <= day <= date(year + 1, 1, 7):
            yield (
                f"{place}: {day} is not in {year} nor in the week around it; "
                "check the date and the year of the file"
            )
        if off is False and not _weekend(day.toordinal()):
            yield (
                f"{place}: {day} is a {_ENGLISH[day.weekday()]}, worked anyway; "
                "correct the date or take the line out"
            )


def _strangers(
    told: Mapping[str, object], needed: set[str], noted: set[str], place: str
) -> Iterator[str]:
    for key in sorted(set(told) - needed - noted):
        yield f"{place}: unknown key {key[:40]!r}; take it out"
    for key in sorted(needed - set(told)):
        yield f"{place}: {key} is missing; add it"


def _is_text(told: object, longest: int) -> bool:
    return isinstance(told, str) and told.isprintable() and 1 <= len(told.strip()) <= longest


def _date(text: object) -> date | None:
    """Only YYYY-MM-DD: ``fromisoformat`` alone also takes 20270101 and 2027-W01-1."""
    try:
        day = date.fromisoformat(cast("str", text))
    except (TypeError, ValueError):
        return None
    return day if day.isoformat() == text else None


def _in_force(years: Iterable[Year]) -> dict[int, Year]:
    chosen: dict[int, Year] = {}
    for notice in years:
        if not notice.off and not notice.work:
            continue  # an empty file says only that the notice is not out yet
        held = chosen.get(notice.year)
        if (
            held
            and held.edition == notice.edition
            and (held.off, held.work)
            != (
                notice.off,
                notice.work,
            )
        ):
            raise ValueError(
                f"two different calendars for {notice.year} claim edition {notice.edition}; "
                "give the corrected one a higher edition"
            )
        if held is None or notice.edition > held.edition:
            chosen[notice.year] = notice
    return chosen


def _weekend(ordinal: int) -> bool:
    return ordinal % 7 in {0, 6}  # day 1 of the proleptic calendar was a Monday


def _beyond(day: date) -> ValueError:
    return ValueError(f"{day}: the calendar counts from {FIRST} to {LAST}; check the date")

"""The span of time a figure is about: a month, a quarter or a year of the office's calendar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Self

from engine.calendars import FIRST, LAST
from engine.workdays import SHANGHAI

_FORMS = re.compile(r"(\d{4})(?:-(?:(0[1-9]|1[0-2])|Q([1-4])))?", re.ASCII)
MONTHS_OF_A_QUARTER = 3
MONTHS_OF_A_YEAR = 12


@dataclass(frozen=True, slots=True)
class Period:
    """Whole months, from `first` up to and without `after`; both are first days of months."""

    name: str
    first: date
    after: date

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2026-09``, ``2026-Q3`` or ``2026``; ValueError tells what to write."""
        found = _FORMS.fullmatch(text)
        if found is None or not FIRST.year <= int(found[1]) < LAST.year:
            raise ValueError(
                "期间应写作 2026-09、2026-Q3 或者 2026。Write a period as 2026-09, 2026-Q3 or 2026."
            )
        year = int(found[1])
        if found[2]:
            return cls._of(text, year, int(found[2]), 1)
        if found[3]:
            begins = (int(found[3]) - 1) * MONTHS_OF_A_QUARTER + 1
            return cls._of(text, year, begins, MONTHS_OF_A_QUARTER)
        return cls._of(text, year, 1, MONTHS_OF_A_YEAR)

    @classmethod
    def month_of(cls, day: date) -> Self:
        """The month of a day."""
        return cls._of(f"{day:%Y-%m}", day.year, day.month, 1)

    @classmethod
    def _of(cls, name: str, year: int, month: int, length: int) -> Self:
        past = month - 1 + length
        after = date(year + past // MONTHS_OF_A_YEAR, past % MONTHS_OF_A_YEAR + 1, 1)
        return cls(name, date(year, month, 1), after)

    @property
    def begins(self) -> datetime:
        """Its first instant, in Asia/Shanghai."""
        return datetime.combine(self.first, time(), SHANGHAI)

    @property
    def ends(self) -> datetime:
        """The first instant after it."""
        return datetime.combine(self.after, time(), SHANGHAI)

    @property
    def before(self) -> Self:
        """The period of the same length just before: what a change is measured against."""
        length = (self.after.year - self.first.year) * MONTHS_OF_A_YEAR
        length += self.after.month - self.first.month
        back = self.first.year * MONTHS_OF_A_YEAR + self.first.month - 1 - length
        year, month = divmod(back, MONTHS_OF_A_YEAR)
        return self._of(f"{year}-{month + 1:02d}+{length}", year, month + 1, length)

    def months(self, until: datetime) -> list[Period]:
        """Its months that were over by a moment."""
        found, at = [], self.first
        while at < self.after:
            month = Period.month_of(at)
            if month.ends <= until:
                found.append(month)
            at = month.after
        return found

    @property
    def last(self) -> date:
        """Its last day."""
        return self.after - timedelta(days=1)

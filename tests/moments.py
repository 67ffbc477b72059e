"""Moments as the tests of the calendar write them."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING

from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from engine.workdays import Due


def morning(day: str) -> datetime:
    """Return half past nine of that day, in the bureau."""
    return datetime.combine(date.fromisoformat(day), time(9, 30), SHANGHAI)


def local(text: str) -> datetime:
    """Return a time as the clock in the bureau shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def certain(found: Due | None) -> Due:
    """Return the due date of a clock that no pause keeps open."""
    assert found is not None
    return found

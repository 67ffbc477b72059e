"""Counting that stands still: pauses as intervals, the remainder derived, never stored.

An interval (pause, resume) leaves out what lies after the pause up to the resumption. In days that
is the rule of the house: the day of the pause counts as used, counting goes on with the day after
the resumption. In instants it is the time between.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Place = TypeVar("Place", date, datetime)
Length = TypeVar("Length", int, timedelta)


def in_order(pauses: Iterable[tuple[Place, Place | None]]) -> list[tuple[Place, Place | None]]:
    """Sort pauses, drop empty ones, join those that touch; an open one (None) swallows the rest.

    ValueError for a pause that ends before it begins.
    """
    joined: list[tuple[Place, Place | None]] = []
    for pause, resume in sorted(pauses, key=lambda interval: interval[0]):
        if resume is not None and resume < pause:
            raise ValueError(f"a pause ends at {resume}, before it begins at {pause}; correct it")
        if resume == pause:
            continue
        if not joined or _ended_before(pause, joined[-1][1]):
            joined.append((pause, resume))
            continue
        began, ended = joined[-1]
        joined[-1] = (began, None if ended is None or resume is None else max(ended, resume))
    return joined


def _ended_before(pause: Place, ended: Place | None) -> bool:
    return ended is not None and ended < pause


def along(
    start: Place,
    length: Length,
    pauses: list[tuple[Place, Place | None]],
    count: Callable[[Place, Place], Length],
    advance: Callable[[Place, Length], Place],
) -> Place | None:
    """Go ``length`` on from ``start``, standing still in every pause; None if one never ends.

    ``count`` measures from one place to a later one, ``advance`` goes on without pauses; the pauses
    come from `in_order`.
    """
    for pause, resume in pauses:
        if resume is not None and resume <= start:
            continue
        used = count(start, max(start, pause))
        if used >= length:
            break
        if resume is None:
            return None
        start, length = resume, length - used
    return advance(start, length)


def pause_around(
    place: Place, pauses: list[tuple[Place, Place | None]]
) -> tuple[Place, Place | None] | None:
    """Return the pause that leaves this day out, if there is one."""
    for pause, resume in pauses:
        if pause < place and (resume is None or place <= resume):
            return pause, resume
    return None

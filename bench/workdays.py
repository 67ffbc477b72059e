"""How long counting takes: `python -m bench.workdays`. The aim is 2 microseconds a question."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING

from engine.calendars import Roll, carried
from engine.workdays import SHANGHAI, Moment, Span, Unit, due, point

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTIONS = 20_000
ROUNDS = 7


def adding() -> float:
    """Nanoseconds it takes to add working days to a date."""
    return nanoseconds(carried().add_working_days)


def nanoseconds(ask: Callable[[date, int], object]) -> float:
    """The median over the rounds of the nanoseconds one question takes."""
    draw = random.Random(7)
    asked = [
        (date(2020, 1, 1) + timedelta(days=draw.randrange(2500)), draw.choice([1, 5, 7, 15, 45]))
        for _ in range(QUESTIONS)
    ]
    took = []
    for _ in range(ROUNDS):
        began = perf_counter_ns()
        for day, amount in asked:
            ask(day, amount)
        took.append((perf_counter_ns() - began) / QUESTIONS)
    return median(took)


def timed(name: str, ask: Callable[[date, int], object]) -> None:
    """Print what one question takes."""
    print(f"{name:<28} {nanoseconds(ask):8.0f} ns")


def main() -> None:
    """Time the calendar by itself, then whole due dates and rungs."""
    began = perf_counter_ns()
    calendar = carried()
    print(f"{'carried, first time':<28} {(perf_counter_ns() - began) / 1e6:8.1f} ms")
    starts = {
        date(2020, 1, 1) + timedelta(days=n): datetime(2020, 1, 1, 9, tzinfo=SHANGHAI)
        + timedelta(days=n)
        for n in range(2500)
    }
    timed("add_working_days", calendar.add_working_days)
    timed("roll", lambda day, _: calendar.roll(day, Roll.RESTDAY))
    timed("due, working days", lambda d, n: due(calendar, starts[d], Span(n, Unit.WORKING_DAYS)))
    timed("due, days", lambda d, n: due(calendar, starts[d], Span(n, Unit.DAYS)))
    timed("due, working hours", lambda d, n: due(calendar, starts[d], Span(n, Unit.WORKING_HOURS)))
    timed(
        "point, 70% of working days",
        lambda d, n: point(
            calendar, starts[d], Span(n, Unit.WORKING_DAYS), Roll.RESTDAY, Moment(70)
        ),
    )


if __name__ == "__main__":
    main()

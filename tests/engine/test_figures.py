"""Periods, intervals, what a figure says against itself, and cells so small that they would name somebody."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.figures.figure import SMALLEST_CELL, Formula, Stage, cells, in_doubt, wilson
from engine.figures.folding import reader_of_unit
from engine.figures.periods import Period
from engine.people import Office, PersonEntry, UnitEntry

if TYPE_CHECKING:
    from engine.figures.figure import Figure

STAGE = Stage(Period.parse("2026-09"), "BR1", datetime(2026, 10, 8, tzinfo=UTC))
RATED = Formula("K-A", "好评率", "Good", proven_by="K-B")
ACTIVE = Formula("K-B", "主动评价占比", "Active")
BY_ID = {formula.id: formula for formula in (RATED, ACTIVE)}


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("2026-09", date(2026, 9, 1), date(2026, 9, 30)),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31)),
        ("2026-Q1", date(2026, 1, 1), date(2026, 3, 31)),
        ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31)),
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
    ],
)
def test_a_period_is_whole_months(name: str, first: date, last: date) -> None:
    """A month, a quarter and a year, in Asia/Shanghai."""
    period = Period.parse(name)
    assert (period.first, period.last) == (first, last)
    assert period.begins.isoformat().endswith("T00:00:00+08:00")
    assert period.before.after == first
    assert len(period.months(period.ends)) == len(period.before.months(period.ends))
    assert period.months(period.begins) == []


@pytest.mark.parametrize(
    ("hits", "n", "interval"),
    [
        (0, 10, (0.0, 0.2775)),
        (10, 10, (0.7225, 1.0)),
        (50, 100, (0.4038, 0.5962)),
        (1, 1, (0.2065, 1.0)),
    ],
)
def test_the_interval_is_wilsons(hits: int, n: int, interval: tuple[float, float]) -> None:
    """Known values of the Wilson score interval of 95 %."""
    assert wilson(hits, n) == interval


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share(counted: tuple[int, int]) -> None:
    """It lies within 0 and 1, around the share, and is never a point."""
    hits, n = counted
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n + 0.0001
    assert hits / n - 0.0001 <= high <= 1
    assert low < high


def notes(figure: Figure) -> list[str]:
    """The names of a figure's notes."""
    return [name for name, _, _ in figure.notes]


def test_few_cases_say_so() -> None:
    """Below thirty 样本不足 stands beside the value; from thirty on nothing; without any, no value."""
    assert notes(RATED.share(STAGE, 29, 29)) == ["too_few"]
    assert notes(RATED.share(STAGE, 30, 30)) == []
    nothing = RATED.share(STAGE, 0, 0)
    assert (nothing.value, nothing.interval, notes(nothing)) == (None, None, ["nothing_due"])


@pytest.mark.parametrize(
    ("good", "active", "doubted"), [(100, 19, True), (100, 20, False), (99, 19, False)]
)
def test_a_full_score_of_few_raters_proves_nothing(
    good: int, active: int, *, doubted: bool
) -> None:
    """100 % with an active-rating share below 20 % says 样本不足以证明."""
    found = {"K-A": RATED.share(STAGE, good, 100), "K-B": ACTIVE.share(STAGE, active, 100)}
    assert ("no_proof" in notes(in_doubt(found, BY_ID)["K-A"])) is doubted
    assert in_doubt(found, BY_ID)["K-B"] == found["K-B"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 40), min_size=1))
def test_no_small_cell_is_shown_or_told_by_the_sum(counts: dict[str, int]) -> None:
    """A cell below five is left out, and never alone."""
    found = {cell.name: cell for cell in cells({name: (n, 50) for name, n in counts.items()})}
    assert found.keys() == counts.keys()
    hidden = [name for name, cell in found.items() if cell.numerator is None]
    assert all(n >= SMALLEST_CELL for name, n in counts.items() if name not in hidden)
    assert len(hidden) != 1 or len(counts) == 1


def test_a_report_is_read_by_everybody_of_its_unit() -> None:
    """Whoever belongs to the unit or below it is a reader; of the bureau only those at its top."""
    units = {
        1: UnitEntry(1, "BUR", "市局", (), None),
        2: UnitEntry(2, "BR1", "一分局", (), 1),
        3: UnitEntry(3, "BR1A", "一所", (), 2),
    }
    people = {at: PersonEntry(at, f"p{at}", "某", at, None, None, None) for at in units}
    office = Office(1, units, people, {}, (), ())
    assert reader_of_unit(office, 2).people == (2, 3)
    assert reader_of_unit(office, 2).above == (2, 3)
    assert reader_of_unit(office, 1).people == (1,)
    assert reader_of_unit(office, 1).above == ()

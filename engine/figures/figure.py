"""What a figure says: never a bare percentage, always what was counted, what was left out and how far
it can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from engine.figures.periods import Period

Z = 1.959963984540054
"""The quantile of the normal distribution that leaves 2.5 % on either side."""
FEWEST = 30
"""A share of fewer is no basis for a conclusion (domain 9)."""
FEWEST_RATING = 0.20
"""A full score that fewer than these actively gave proves nothing (domain 9.4)."""
SMALLEST_CELL = 5
"""A cell of a breakdown below this is not shown: it would say who answered (domain 3.6)."""

Measure = Literal["share", "count", "days", "working days", "hours", "bits"]

TOO_FEW = ("too_few", "样本不足", "Too few to conclude anything")
NO_PROOF = (
    "no_proof",
    "样本不足以证明:主动评价的不到20%",
    "Not enough to prove it: fewer than 20 % rated of their own accord",
)
NOT_LOADED = ("not_loaded", "流程未加载,无法计算", "The workflow is not loaded; nothing to count")
NO_SOURCE = (
    "no_source",
    "本系统没有这项数据的来源,不以零计",
    "No source of these data in this system; this is not a zero",
)
NOTHING_DUE = ("nothing_due", "期间内没有应计的对象", "Nothing to be counted in this period")
NOT_TOLD = (
    "not_told",
    "涉密事项的数字只向知悉范围内的人员提供",
    "Figures of sealed work are for those who may know of it",
)
SMALL_CELL = ("small_cell", "不足5件的不予显示", "Fewer than five are not shown")
Note = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Aside:
    """What is left out of a figure, or shown beside it: how many, or None where that would say who."""

    name: str
    title: str
    title_en: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One line of a breakdown; both counts are None where the cell is too small to be shown."""

    name: str
    numerator: int | None
    denominator: int | None
    value: float | None


@dataclass(frozen=True, slots=True)
class Spread:
    """How long one clock took: mean, median and 90th percentile of `n`, in its own unit, and how long
    it stood still in all (left out of the others).
    """

    name: str
    measure: str
    n: int
    mean: float
    median: float
    p90: float
    paused: float = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a unit and period as of a moment. `value` is a share from 0 to 1, or a number of
    `measure`; it is None wherever there is nothing to say, and `notes` say why.
    """

    id: str
    title: str
    title_en: str
    measure: Measure
    formula_version: int
    period: str
    unit: str
    as_of: datetime
    numerator: float | None = None
    denominator: int | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    target: str | None = None
    exclusions: tuple[Aside, ...] = ()
    cells: tuple[Cell, ...] = ()
    spreads: tuple[Spread, ...] = ()
    notes: tuple[Note, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """How many the figure rests on."""
        return self.denominator or 0

    @property
    def query(self) -> dict[str, Any]:
        """What computes this figure again: the formula and its parameters."""
        return {
            "id": f"{self.id}/{self.formula_version}",
            "parameters": {
                "period": self.period,
                "unit": self.unit,
                "as_of": self.as_of.isoformat(),
            },
        }


@dataclass(frozen=True, slots=True)
class Formula:
    """What is fixed of a figure: its name, its measure, the seed's target, its version. `proven_by` is
    the share that must be large enough for a full score to prove anything; `beside` are the integrity
    figures shown next to it.
    """

    id: str
    title: str
    title_en: str
    measure: Measure = "share"
    version: int = 1
    target: str | None = None
    proven_by: str | None = None
    beside: tuple[str, ...] = ()

    def silent(self, stage: Stage, note: Note) -> Figure:
        """The figure without a value, and why."""
        return Figure(
            *(self.id, self.title, self.title_en, self.measure, self.version),
            *(stage.period.name, stage.unit, stage.as_of),
            target=self.target,
            notes=(note,),
            beside=self.beside,
        )

    def share(
        self,
        stage: Stage,
        numerator: int,
        denominator: int,
        exclusions: Sequence[Aside] = (),
        cells: Sequence[Cell] = (),
    ) -> Figure:
        """A share with its Wilson interval of 95 %; without any case there is no value, and not 0."""
        empty = self.silent(stage, NOTHING_DUE)
        if not denominator:
            return replace(
                empty, numerator=0, denominator=0, exclusions=tuple(exclusions), cells=tuple(cells)
            )
        return replace(
            empty,
            numerator=numerator,
            denominator=denominator,
            value=round(numerator / denominator, 4),
            interval=wilson(numerator, denominator),
            exclusions=tuple(exclusions),
            cells=tuple(cells),
            notes=(TOO_FEW,) if denominator < FEWEST else (),
        )

    def number(
        self,
        stage: Stage,
        value: float | None,
        n: int,
        exclusions: Sequence[Aside] = (),
    ) -> Figure:
        """A count, a length of time or an entropy over `n` cases; None where there is none."""
        empty = self.silent(stage, NOTHING_DUE)
        if value is None:
            return replace(empty, denominator=n, exclusions=tuple(exclusions))
        return replace(
            empty,
            numerator=value,
            denominator=n,
            value=round(value, 4),
            exclusions=tuple(exclusions),
            notes=(),
        )

    def spread(self, stage: Stage, spreads: Sequence[Spread]) -> Figure:
        """Lengths of time, a line for each clock: no sum of them is in any one unit."""
        n = sum(each.n for each in spreads)
        told = () if n else (NOTHING_DUE,)
        return replace(
            self.silent(stage, NOTHING_DUE), denominator=n, spreads=tuple(spreads), notes=told
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """What every figure of one answer has in common: whose, of when, as of when."""

    period: Period
    unit: str
    as_of: datetime


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The Wilson score interval of 95 % for `hits` of `n` (n > 0), rounded to four places."""
    share = hits / n
    scale = 1 + Z * Z / n
    middle = (share + Z * Z / (2 * n)) / scale
    spread = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / scale
    return round(max(0.0, middle - spread), 4), round(min(1.0, middle + spread), 4)


def cells(counted: Mapping[str, tuple[int, int]]) -> tuple[Cell, ...]:
    """A breakdown of people's answers: name -> (how many, of how many), without the cells that would say
    who answered; where one alone were left out, the sum would tell it, so the next smallest goes too.
    """
    small = {name for name, (hits, _) in counted.items() if hits < SMALLEST_CELL}
    if len(small) == 1 and len(counted) > 1:
        small.add(min(counted.keys() - small, key=lambda name: (counted[name][0], name)))
    return tuple(
        Cell(name, None, None, None) if name in small else Cell(name, hits, n, round(hits / n, 4))
        for name, (hits, n) in counted.items()
    )


def in_doubt(found: Mapping[str, Figure], formulas: Mapping[str, Formula]) -> dict[str, Figure]:
    """The same figures; a full score whose raters are too few says that it proves nothing."""
    judged = dict(found)
    for name, figure in found.items():
        proof = formulas[name].proven_by
        backing = found.get(proof) if proof else None
        if figure.value == 1 and backing and (backing.value or 0) < FEWEST_RATING:
            judged[name] = replace(figure, notes=(*figure.notes, NO_PROOF))
    return judged

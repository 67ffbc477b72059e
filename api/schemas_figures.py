"""Figures, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel


class FigurePeriod(BaseModel):
    """Whole months, from the first day to the last."""

    name: str
    first: date
    last: date


class FigureAside(BaseModel):
    """What a figure leaves out, and how many that are."""

    name: str
    title: str
    title_en: str
    count: int | None


class FigureCell(BaseModel):
    """A line of a breakdown; nothing is said of one that would tell who answered."""

    name: str
    numerator: int | None
    denominator: int | None
    value: float | None


class FigureSpread(BaseModel):
    """How long one clock took, in its own unit, without the time it stood still (`paused`, in all)."""

    name: str
    measure: str
    n: int
    mean: float
    median: float
    p90: float
    paused: float


class FigureNote(BaseModel):
    """What speaks against a figure, or why it has no value."""

    name: str
    text: str
    text_en: str


class FigureView(BaseModel):
    """One figure: a share from 0 to 1, or a number in its measure. Without a value it is no zero: the
    notes say why. `beside` names the integrity figures to be read with it.
    """

    id: str
    title: str
    title_en: str
    measure: Literal["share", "count", "days", "working days", "hours", "bits"]
    formula_version: int
    numerator: float | None
    denominator: int | None
    n: int
    value: float | None
    interval: list[float] | None
    target: str | None
    exclusions: list[FigureAside]
    cells: list[FigureCell]
    spreads: list[FigureSpread]
    notes: list[FigureNote]
    beside: list[str]
    query: dict[str, Any]


class Figures(BaseModel):
    """All figures of a period as of a moment."""

    period: FigurePeriod
    unit: str
    as_of: datetime
    figures: list[FigureView]

"""Monthly reports put together, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel


class ReportFigure(BaseModel):
    """A figure the system counted, with what it came from (`value`, of a share `of` so many); or words
    `typed` by hand.
    """

    typed: str | None
    title: str | None
    query: str | None
    parameters: str | None
    value: int | None
    of: int | None


class ReportItem(BaseModel):
    """What a unit did for a measure, and what came of it."""

    measure_id: str
    measure_title: str
    action: str
    result: str
    figures: list[ReportFigure]
    evidence_ids: list[str]
    problems: str
    next_month: str


class MissingReport(BaseModel):
    """A report that is not handed in."""

    number: str
    unit: str
    unit_name: str
    state: str
    state_title: str


class UnitReport(MissingReport):
    """A report that is; the moment is that of its first submission."""

    submitted_at: datetime
    submitted_late: bool
    data_snapshot_id: str
    figures_until: datetime
    items: list[ReportItem]


class SupervisedUnit(BaseModel):
    """How many items of a unit climbed to supervision (level 3 or more) in the month."""

    unit: str
    unit_name: str
    count: int


class Consolidated(BaseModel):
    """A month's reports: due on one day, put together by another."""

    month: str
    reports_due_on: date
    consolidated_by: date
    reports: list[UnitReport]
    missing: list[MissingReport]
    supervised: list[SupervisedUnit]
    title: str
    letter: str
    circular: str

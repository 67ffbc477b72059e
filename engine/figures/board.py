"""All figures there are, and the one way to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.database import execute
from engine.figures import (
    disputes,
    obligations,
    quality,
    questionnaires,
    reviews,
    revisits,
    timeliness,
)
from engine.figures.figure import (
    NO_SOURCE,
    NOT_LOADED,
    NOT_TOLD,
    Figure,
    Formula,
    Stage,
    in_doubt,
)
from engine.figures.folding import Scope, reader_of_unit
from engine.walls import as_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.calendars import Calendar
    from engine.figures.periods import Period
    from engine.figures.shares import Board
    from engine.people import Office
    from engine.rulebook import Rulebook
    from engine.service_items import ServiceRegister

LOADED = "SELECT DISTINCT workflow FROM workflow_version"
SEALED = frozenset({"misconduct", "referral"})
"""Sealed workflows of whose work there are figures."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What figures are counted on; `rulebook` says which terms are of the law, `services` what is
    offered.
    """

    session: Session
    scope: Scope
    office: Office
    calendar: Calendar
    rulebook: Rulebook | None = None
    services: ServiceRegister | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Figures of one workflow (any of them where it is empty), and what counts them."""

    workflow: str
    formulas: tuple[Formula, ...]
    read: Callable[[Ground], list[Figure]]


def _board(board: Board) -> Source:
    return Source(
        board.sheet.workflow,
        board.formulas,
        lambda ground: board.read(ground.session, ground.scope),
    )


def _counted(
    workflow: str,
    formula: Formula,
    read: Callable[[Session, Scope, Office, Calendar], list[Figure]],
) -> Source:
    def told(ground: Ground) -> list[Figure]:
        return read(ground.session, ground.scope, ground.office, ground.calendar)

    return Source(workflow, (formula,), told)


UNKNOWN = (
    Formula(
        *("K-RVW-2", "主动评价率", "Transactions actively rated"),
        target="提升(无具体数字)· to rise",
    ),
    Formula(
        "K-INT-8",
        "反映“被要求好评”的投诉",
        "Complaints of being told to rate well",
        measure="count",
    ),
)
"""What nothing in this system can be counted from: who was served, and who was told
to rate well."""

SOURCES: tuple[Source, ...] = (
    _board(reviews.BOARD),
    Source("review", (reviews.ENTROPY,), lambda g: reviews.entropy(g.session, g.scope)),
    Source("review", (reviews.JUMP,), lambda g: reviews.jump(g.session, g.scope)),
    Source(
        "review",
        (reviews.CHANNELS_COVERED, reviews.ITEMS_COVERED, reviews.WINDOWS_COVERED),
        lambda g: reviews.coverage(g.session, g.scope, g.office, g.services),
    ),
    _board(revisits.MEDIATION_BOARD),
    _board(disputes.MEDIATION_BOARD),
    _board(disputes.GUIDANCE_BOARD),
    _counted("ledger", obligations.RULES_OF_REVISITS, obligations.rules_of_revisits),
    _counted("revisit_campaign", obligations.CAMPAIGNS, obligations.campaigns),
    Source("revisit", (revisits.COVERAGE,), lambda g: revisits.coverage(g.session, g.scope)),
    _board(revisits.BOARD),
    _counted("inspection", obligations.INSPECTIONS, obligations.inspections),
    _counted("monthly_report", obligations.REPORTS, obligations.reports),
    _board(obligations.LEDGER_BOARD),
    _counted("training", obligations.TRAINED, obligations.training),
    _board(obligations.CHANNEL_BOARD),
    Source(
        "",
        (
            *(timeliness.IN_TIME, timeliness.OVERDUE, timeliness.EXTENDED),
            *(timeliness.PAUSED, timeliness.PING_PONG),
        ),
        lambda g: timeliness.rates(g.session, g.scope, g.rulebook),
    ),
    Source(
        "",
        (timeliness.LATENESS, timeliness.LENGTH),
        lambda g: timeliness.lengths(g.session, g.scope, g.calendar),
    ),
    _board(quality.GRIEVANCE_BOARD),
    _board(quality.SUPPLEMENT_BOARD),
    _board(quality.FINDING_BOARD),
    _board(quality.REFERRAL_BOARD),
    _board(quality.COUNSELLING_BOARD),
    Source(
        "questionnaire",
        (questionnaires.ISSUES,),
        lambda g: questionnaires.issues(g.session, g.scope),
    ),
    _board(questionnaires.BOARD),
)


def formulas() -> dict[str, Formula]:
    """Every figure there is, by its id."""
    found = [formula for source in SOURCES for formula in source.formulas]
    return {formula.id: formula for formula in (*found, *UNKNOWN)}


def figures(
    session: Session,
    office: Office,
    calendar: Calendar,
    unit: int,
    period: Period,
    as_of: datetime,
    rulebook: Rulebook | None = None,
    services: ServiceRegister | None = None,
) -> list[Figure]:
    """The figures of a unit with those below it, for a report that everybody of the unit reads: nothing
    sealed, nothing that one of them may not know of. Computed as the engine; nothing is written.
    """
    stage = Stage(period, office.units[unit].code, as_of)
    scope = Scope(stage, tuple(office.below(unit)), reader_of_unit(office, unit))
    return figures_of(Ground(session, scope, office, calendar, rulebook, services))


def figures_of(ground: Ground) -> list[Figure]:
    """Every figure on this ground, by the order of the plan; of what is not there each says so."""
    with as_engine(ground.session):
        rows = execute(ground.session, LOADED).fetchall()
        loaded = {row["workflow"] for row in rows}
        found = {
            figure.id: figure for source in SOURCES for figure in _read(ground, source, loaded)
        }
    stage = ground.scope.stage
    found |= {formula.id: formula.silent(stage, NO_SOURCE) for formula in UNKNOWN}
    return list(in_doubt(found, formulas()).values())


def _read(ground: Ground, source: Source, loaded: set[str]) -> list[Figure]:
    scope = ground.scope
    if source.workflow and source.workflow not in loaded:
        return [formula.silent(scope.stage, NOT_LOADED) for formula in source.formulas]
    if source.workflow in SEALED and not scope.reader.knows_of(source.workflow, scope.units):
        return [formula.silent(scope.stage, NOT_TOLD) for formula in source.formulas]
    return source.read(ground)

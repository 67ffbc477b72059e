"""The guards of time: what must come before a limit, or may come only after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.guards.register import guard
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from engine.dossier import Attempt
ATTEMPTS = ("rvt.attempts", "rvt.attempt_days")
"""The quantities of `rules.yaml` that say how often, and on how many days, somebody is tried."""


@guard
def attempts_made(attempt: Attempt, field: str) -> str | None:
    """Nobody is given up before they were tried often enough, on different days: counted are the acts
    on record that require the field named, which says when it was tried.
    """
    dossier, law = attempt.dossier, attempt.dossier.bound.rulebook
    trying = {name for name, move in dossier.workflow.moves() if field in move.requires}
    tried = [act.at.astimezone(SHANGHAI).date() for act in dossier.history if act.act in trying]
    often, apart = (int(law.quantity(name, dossier.today)) for name in ATTEMPTS)
    if len(tried) >= often and len(set(tried)) >= apart:
        return None
    return (
        f"须至少联系{often}次,且分在至少{apart}日,现已联系{len(tried)}次、{len(set(tried))}日。"
        f"Try at least {often} times on at least {apart} different days first;"
        f" so far {len(tried)} on {len(set(tried))}."
    )


@guard
def before_due(attempt: Attempt, _: str) -> str | None:
    """Asked and granted before expiry: a late approval is refused."""
    name = str(attempt.known.get("deadline", ""))
    clock = attempt.dossier.parent_clock(name)
    if clock is None:
        return "该时限已停止。That deadline is no longer running; there is nothing to extend."
    if clock.expired(attempt.dossier.now):
        return "该时限已届满,不能再延期。That deadline has expired; it can no longer be extended."
    return None


@guard
def within_deadline(attempt: Attempt, name: str) -> str | None:
    """The named deadline is running and not past."""
    clock = attempt.dossier.clock(name)
    if clock is not None and not clock.expired(attempt.dossier.now):
        return None
    return "已超过法定期限。The time allowed for this is over."


@guard
def lapsed(attempt: Attempt, name: str) -> str | None:
    """The named deadline has run out."""
    clock = attempt.dossier.clock(name)
    if clock is None or clock.expired(attempt.dossier.now):
        return None
    return (
        f"期限尚未届满(至 {clock.due_on}),不能办理。"
        f"The period still runs (until {clock.due_on}); wait for its end."
    )

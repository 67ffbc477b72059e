"""Turning an item's clocks with a move, granting more time, and noticing when time is played with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.database import execute
from engine.errors import Exhausted, GuardRefused, NotAvailable
from engine.workdays import due

if TYPE_CHECKING:
    from datetime import date, datetime

    from engine.deadlines import Clock, Turn
    from engine.definition import Transition
    from engine.desk import Desk
    from engine.dossier import Dossier
    from engine.entries import Entries

RETURNS_BEFORE_PING_PONG = 2


def turn_clocks(
    desk: Desk,
    entries: Entries,
    dossier: Dossier,
    name: str,
    variant: Transition,
    came_at: datetime,
) -> None:
    """The clocks of a move, and the abuses it may be."""
    clockwork = desk.clockwork(dossier.bound, dossier.calendar)
    before = [clock.due_at for clock in dossier.clocks]
    turn = clockwork.turn(
        dossier.clocks,
        name,
        dossier.state,
        dossier.now,
        returns=variant.returns,
        received_at=dossier.received_at,
        data=dossier.data,
    )
    if variant.returns and not dossier.workflow.states[dossier.state].final:
        if steps_back(dossier) >= RETURNS_BEFORE_PING_PONG:
            abuse(desk, dossier, "ping_pong", entries, turn)
        if clockwork.dodged([*before, *_stopped(dossier, came_at)], came_at, dossier.now):
            abuse(desk, dossier, "clock_abuse", entries, turn)
    entries.change(turn.stopped)
    entries.change(turn.changed)
    entries.start(dossier.id, turn.started)
    gone = {id(clock) for clock in turn.stopped}
    dossier.clocks = [c for c in dossier.clocks if id(c) not in gone] + turn.started


def _stopped(dossier: Dossier, at: datetime) -> list[datetime]:
    """When the limits would have been due that the move of this moment stopped."""
    rows = execute(
        dossier.session,
        "SELECT due_at FROM deadline WHERE item_id = %s AND stopped_at = %s AND kind = 'limit'"
        " AND due_at IS NOT NULL",
        (dossier.id, at),
    )
    return [row["due_at"] for row in rows]


def extendable(
    desk: Desk, dossier: Dossier, name: str, until: date
) -> tuple[Clock, tuple[str, ...]]:
    """The clock that may be extended to a date, and who may grant it."""
    clock, spec = dossier.clock(name), dossier.workflow.deadlines.get(name)
    if clock is None or spec is None:
        raise NotAvailable(
            "没有这个正在计算的时限。No such deadline is running; look at the item's deadlines.",
            state=dossier.state,
            available=[c.name for c in dossier.clocks if c.name in dossier.workflow.deadlines],
        )
    if spec.extension is None or clock.extension is not None:
        raise Exhausted(
            "该时限依规定不能(再)延期。The rule allows no (further) extension of this deadline.",
            limit=clock.rule,
        )
    if clock.expired(dossier.now):
        raise GuardRefused(
            "该时限已届满,不能再延期。That deadline has expired; it can no longer be extended.",
            guard="before_due",
        )
    if clock.paused_at is not None:
        raise GuardRefused(
            "该时限正在中止,恢复后再申请延期。"
            "That deadline stands still; ask for more time when it runs again.",
            guard="before_due",
        )
    clockwork = desk.clockwork(dossier.bound, dossier.calendar)
    if clockwork.extend(clock, until) is None:
        most = clockwork.most(clock)
        raise Exhausted(
            f"延期须晚于原期限({clock.due_on}),且最多延长{most.chinese if most else '0日'}。"
            f"The new date must lie after {clock.due_on} and at most {most} later.",
            limit=str(most),
        )
    return clock, spec.extension.by


def steps_back(dossier: Dossier) -> int:
    """How often people returned the item or gave it to others, the present act included; that its
    holder left the office is nobody's step back.
    """
    workflow = dossier.workflow
    backs = 1
    for act in dossier.history:
        variant = workflow.variant(act.act, act.from_state)
        given = act.act == "assignment" and act.actor_id is not None
        backs += given or (variant is not None and variant.returns)
    return backs


def abuse(
    desk: Desk, dossier: Dossier, kind: str, entries: Entries, turn: Turn | None = None
) -> None:
    """Start a clock of ping-pong or abuse, unless one runs already."""
    if any(clock.name == kind for clock in dossier.clocks):
        return
    clock = desk.clockwork(dossier.bound, dossier.calendar).abuse(kind, dossier.now)
    if turn is not None:
        turn.started.append(clock)
    else:
        entries.start(dossier.id, [clock])
        dossier.clocks = [*dossier.clocks, clock]


def term(desk: Desk, dossier: Dossier, name: str, since: datetime | None = None) -> datetime:
    """When a rule that no clock runs on ends, counted from a moment (default: now)."""
    rule = desk.catalog.rulebook.rule(name, dossier.today)
    end = due(dossier.calendar, since or dossier.now, rule.within, rule.roll)
    if end is None:
        raise AssertionError  # nothing pauses it
    return end.at

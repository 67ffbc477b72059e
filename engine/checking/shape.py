"""The shape of one workflow: where it begins, how it moves, and that it ends."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from engine.notation import ENGINE_ACTS
from engine.workdays import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.checking.complaints import Complaints
    from engine.definition import Deadline, Workflow
    from engine.loader import Path
    from engine.rulebook import Rung
    from engine.workdays import Moment, Span

_ROUGH_DAYS = {
    Unit.DAYS: Fraction(1),
    Unit.WORKING_DAYS: Fraction(7, 5),
    Unit.HOURS: Fraction(1, 24),
    Unit.WORKING_HOURS: Fraction(7, 40),
    Unit.MONTHS: Fraction(61, 2),
}


def rough_days(span: Span) -> Fraction:
    """About how many calendar days a span takes; to put spans in order, never to count a date."""
    return span.amount * _ROUGH_DAYS[span.unit]


def rough_order(moment: Moment) -> tuple[int, Fraction]:
    """A key that puts moments of one deadline in order."""
    if moment.before:
        return moment.percent, -rough_days(moment.before)
    if moment.closing:
        return moment.percent, Fraction(-1, 4)
    return moment.percent, rough_days(moment.after) if moment.after else Fraction(0)


def may_run_in(workflow: Workflow, deadline: Deadline) -> set[str]:
    """The open states in which a clock may be running."""
    begun = {t.to for name in deadline.starts for t in workflow.transitions.get(name, ())}
    seen: set[str] = set()
    edge = {state for state in begun if state in workflow.states}
    while edge:
        seen |= {state for state in edge if not workflow.states[state].final}
        edge = {
            t.to
            for name, t in workflow.moves()
            if not deadline.ends_with(name) and seen & {*t.sources} and t.to in workflow.states
        } - seen
        edge = {state for state in edge if not workflow.states[state].final}
    return seen


def check_shape(place: Complaints, workflow: Workflow) -> None:
    """Complain about everything wrong with the graph of a workflow and its clocks."""
    _beginnings(place, workflow)
    _destinations(place, workflow)
    _ways(place, workflow)
    for name, deadline in workflow.deadlines.items():
        _clock(place, ("deadlines", name), workflow, deadline)
    for name, ladder in workflow.ladders.items():
        check_rise(place, ("ladders", name), ladder)


def check_rise(place: Complaints, path: Path, ladder: Sequence[Rung]) -> None:
    """Complain about a ladder without rungs, or whose moments or levels fall."""
    if not ladder:
        place.say(
            path,
            "empty-ladder",
            "阶梯没有任何一级，无人会被通知；请至少写一级",
            "a ladder without rungs tells nobody; write at least one",
        )
    for at in range(1, len(ladder)):
        before, here = ladder[at - 1], ladder[at]
        if rough_order(here.at) < rough_order(before.at) or here.level < before.level:
            place.say(
                (*path, at),
                "ladder-falls",
                f"阶梯须逐级升高：{here.at}（{here.level}级）排在 {before.at}（{before.level}级）之后",
                f"rungs must rise: {here.at} (level {here.level}) stands after {before.at} "
                f"(level {before.level}); put them in order",
            )


def _beginnings(place: Complaints, workflow: Workflow) -> None:
    if "submit" not in workflow.transitions:
        place.say(
            ("transitions",),
            "submit-missing",
            "缺少 submit；事项由此开始",
            "there is no `submit`; declare how an item begins",
        )
    for path, name, move in place.moves(workflow):
        if name in ENGINE_ACTS:
            place.say(
                path,
                "reserved-name",
                f"{name!r} 是系统自身的记录名，请另取名称",
                f"{name!r} is an act of the engine itself; choose another name",
            )
        if name == "submit" and move.sources:
            place.say(
                (*path, "from"),
                "submit-has-source",
                "submit 是开始，不得有 from",
                "`submit` begins an item and has no `from`; remove it",
            )
        if name == "submit" and move.to != workflow.initial:
            place.say(
                (*path, "to"),
                "submit-elsewhere",
                f"submit 必须到达 initial（{workflow.initial}）",
                f"`submit` must lead to the initial state {workflow.initial!r}",
            )
        if name != "submit" and not move.sources:
            place.say(
                path,
                "no-source",
                f"{name} 没有 from；请写明从哪些环节出发",
                f"{name} leaves no state; say in `from` which",
            )


def _destinations(place: Complaints, workflow: Workflow) -> None:
    taken: set[tuple[str, str]] = set()
    for path, name, move in place.moves(workflow):
        for source in move.sources or ("",):
            if (name, source) in taken:
                place.say(
                    path,
                    "two-destinations",
                    f"{name} 从 {source or '开始'} 出发写了两次；只留一个去向",
                    f"{name} leaves {source or 'the beginning'} twice; keep one destination",
                )
            taken.add((name, source))
            state = workflow.states.get(source)
            if state is not None and state.final and name != "reopen":
                place.say(
                    (*path, "from"),
                    "final-left",
                    f"{source} 是终结环节，只有 reopen 可以离开",
                    f"{source} is final and may be left only by `reopen`",
                )


def _ways(place: Complaints, workflow: Workflow) -> None:
    edges = [
        (source, move.to)
        for name, move in workflow.moves()
        for source in move.sources
        if source in workflow.states and move.to in workflow.states
    ]
    reached = _closure({workflow.initial}, edges)
    onward = [
        (b, a) for a, b in edges if not workflow.states[a].final
    ]  # backwards; what is reopened is no way to an end
    ends = {name for name, state in workflow.states.items() if state.final}
    ending = _closure(ends, onward)
    for name, state in workflow.states.items():
        path: Path = ("states", name)
        if name not in reached:
            place.say(
                path,
                "unreachable-state",
                f"没有流转能到达环节 {name}；请添加流转或删去它",
                f"no transition reaches {name}; add one or remove the state",
            )
        if state.final:
            if state.idle is not None or state.waits_on:
                place.say(
                    path,
                    "final-state-waits",
                    f"{name} 是终结环节，不得有 idle 或 waits_on",
                    f"{name} is final; remove its `idle` and `waits_on`",
                )
        elif not any(a == name and b != name for a, b in edges):
            place.say(
                path,
                "no-way-out",
                f"环节 {name} 没有出路；请添加流转，或标明 final: true",
                f"{name} has no way out; add a transition or mark it `final: true`",
            )
        elif name not in ending:
            place.say(
                path,
                "no-end",
                f"从环节 {name} 无法走到任何终结环节",
                f"no end can be reached from {name}; add a way to a final state",
            )


def _closure(begin: Iterable[str], edges: Sequence[tuple[str, str]]) -> set[str]:
    found = {*begin}
    while more := {b for a, b in edges if a in found} - found:
        found |= more
    return found


def _clock(place: Complaints, path: Path, workflow: Workflow, deadline: Deadline) -> None:
    running = may_run_in(workflow, deadline)
    stops = [t for name in deadline.stops for t in workflow.transitions.get(name, ())]
    if running and stops and not any(running & {*t.sources} for t in stops):
        place.say(
            (*path, "stops"),
            "clock-never-stops",
            f"时限运行中的环节都不能进行 {'、'.join(deadline.stops)}，此时限停不下来",
            "none of its `stops` can happen while it runs; name a transition that can",
        )
    for name in deadline.paused_in:
        if name in workflow.states and name not in running:
            place.say(
                (*path, "paused_in"),
                "pause-never",
                f"时限不会在环节 {name} 运行，无从中止；请改正",
                f"the clock never runs in {name}, so it cannot pause there; correct it",
            )
    if deadline.lapses_into is not None:
        _lapse(place, (*path, "lapses_into"), workflow, deadline.lapses_into, running)


def _lapse(place: Complaints, path: Path, workflow: Workflow, name: str, running: set[str]) -> None:
    variants = workflow.transitions.get(name)
    if variants is None:
        return  # an unknown name is complained of where names are checked
    leaving = [t for t in variants if running & {*t.sources}]
    if not leaving:
        place.say(
            path,
            "lapse-nowhere",
            f"{name} 不从此时限运行的任何环节出发，届满时无事发生",
            f"{name} leaves no state in which the clock runs; correct one of them",
        )
    for variant in leaving:
        check_by_sys(place, path, name, variant.by)


def check_by_sys(place: Complaints, path: Path, name: str, by: Sequence[str]) -> None:
    """Complain if the system is to make a transition it may not make."""
    if "sys" not in by:
        place.say(
            path,
            "sys-not-allowed",
            f"{name} 的 by 中没有 sys，系统不能自动进行；请加上",
            f"the system is to make {name}, but its `by` lacks sys; add it",
        )

"""Every way an item can stand: its state, the clocks that run, those that are paused.

The exploration is exact for what a file declares: guards that need a clock, a field or an earlier
act hold only where it is there; what depends on the will of people or on data branches both ways.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from engine.checking.naming import DEADLINE_GUARDS, fields_of_guard
from engine.notation import MONTH, UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.consequences import Spawn
    from engine.definition import Transition, Workflow

Names = frozenset[str]
NONE: Names = frozenset()

MOST = 50_000
"""Configurations a workflow may have before it is refused as too tangled to prove."""

MARKING = {
    "pass": ("passed", True),
    "conclude": ("passed", False),
    "return": ("passed", False),
    "apply_recusal": ("recusal", True),
    "decide_recusal": ("recusal", False),
    "recusal_over": ("recusal", False),
    "ask_supplement": ("asked", True),
    "confirm": ("confirmed", True),
}
"""Acts that guards look for in an item's history: transition -> (mark, set or cleared)."""

_ON_RECORD = {
    "law_review_done": ("passed", True),
    "no_open_recusal": ("recusal", False),
    "asked_before": ("asked", True),
}
_MARK_OF_GUARD = {
    "law_review_done": "passed",
    "no_open_recusal": "recusal",
    "complete_once": "asked",
    "asked_before": "asked",
    "candidate_confirmed": "confirmed",
}
_GIVEN_IN_THE_ACT = frozenset({"declared", "collective"})
_MOST_THENS = 8


class Configuration(NamedTuple):
    """How an item stands. ``marks``: what happened before that some guard or wait depends on."""

    state: str
    running: Names
    paused: Names
    marks: Names


class Step(NamedTuple):
    """One move into a configuration.

    ``before`` is None for `submit`; ``names`` has the chain of `then` transitions the system adds.
    """

    before: Configuration | None
    names: tuple[str, ...]
    move: Transition
    after: Configuration
    started: Names
    triggered: bool  # somebody or something can make it happen


@dataclass
class Graph:
    """All configurations of a workflow, with the steps between them."""

    workflow: Workflow
    steps: list[Step] = field(default_factory=list)
    first: dict[Configuration, Step] = field(default_factory=dict)  # a shortest way in
    refused: dict[Configuration, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Moves whose guards cannot hold where the item stands: "transition：guard"."""
    complete: bool = True

    @property
    def standing(self) -> list[Configuration]:
        """The open configurations, nearest to `submit` first."""
        return [c for c in self.first if not self.workflow.states[c.state].final]

    def path(self, at: Configuration) -> list[Step]:
        """The shortest way from `submit`."""
        way: list[Step] = []
        here: Configuration | None = at
        while here is not None:
            way.append(self.first[here])
            here = self.first[here].before
        return way[::-1]


def explore(workflow: Workflow, workflows: Mapping[str, Workflow]) -> Graph:
    """Every configuration an item can come to, breadth first from `submit`."""
    return _Explorer(workflow, workflows).explore()


class _Explorer:
    def __init__(self, workflow: Workflow, workflows: Mapping[str, Workflow]) -> None:
        self.workflow = workflow
        self.graph = Graph(workflow)
        self.waited = {child for state in workflow.states.values() for child in state.waits_on}
        children = {spawn.workflow for spawn in _spawns(workflow)}
        self.told = {
            e.parent.transition
            for name in children & workflows.keys()
            for _, t in workflows[name].moves()
            for e in t.effects
            if e.parent
        }
        self.told |= {
            e.feed.transition
            for other in workflows.values()
            for _, t in other.moves()
            for e in t.effects
            if e.feed and e.feed.workflow == workflow.workflow
        }
        self.births = [
            birth for parent in workflows.values() for birth in _births(parent, workflow.workflow)
        ]
        if workflow.opens:
            self.births.append(({UNIT, MONTH, *workflow.opens.data}, set()))
        self.guards = {
            text.partition(".")[0] for _, move in workflow.moves() for text in move.guards
        }
        self.watched = {
            name
            for _, move in workflow.moves()
            for text in move.guards
            if text.partition(".")[0] not in DEADLINE_GUARDS | _GIVEN_IN_THE_ACT
            for name in fields_of_guard(text)
            if name in workflow.fields and not workflow.fields[name].derived
        }

    def explore(self) -> Graph:
        graph, queue = self.graph, deque[Configuration]()
        for step in self._begin():
            self._reach(step, queue)
        while queue and graph.complete:
            here = queue.popleft()
            for name, move in self.workflow.leaving(here.state):
                for step in self._steps(here, name, move, ()):
                    self._reach(step, queue)
            graph.complete = len(graph.first) <= MOST
        return graph

    def _reach(self, step: Step, queue: deque[Configuration]) -> None:
        self.graph.steps.append(step)
        if step.after not in self.graph.first:
            self.graph.first[step.after] = step
            queue.append(step.after)

    def _begin(self) -> Iterator[Step]:
        births = [NONE]
        if "candidate_confirmed" in self.guards and "candidate" in self.workflow.fields:
            births.append(frozenset({"candidate"}))
        for move, marks in product(self._submits(), births):
            unborn = Configuration("", NONE, NONE, marks)
            for step in self._steps(unborn, "submit", move, ()):
                yield step._replace(before=None)

    def _submits(self) -> Iterator[Transition]:
        """As people submit, with all that is required; and as a parent spawns, with what it has."""
        for move in self.workflow.transitions.get("submit", ()):
            if {*move.by} != {"sys"} or not self.births:
                yield move
            if "sys" in move.by:
                for sure, perhaps in self.births:
                    given = {"requires": tuple(sure), "known": (), "optional": tuple(perhaps)}
                    yield move.model_copy(update=given)

    def _steps(
        self, here: Configuration, name: str, move: Transition, chain: tuple[str, ...]
    ) -> Iterator[Step]:
        by_sys = bool(chain) or ("sys" in move.by and self._touched(here, name))
        if move.to not in self.workflow.states:
            return
        if obstacle := self._obstacle(here, move, by_sys=by_sys):
            self.graph.refused[here].append(f"{name}：{obstacle}")
            return
        names = (*chain, name)
        for marks in self._outcomes(here, name, move, by_sys=by_sys):
            after, started = self._moved(here, name, move, marks)
            thens = [e.then for e in move.effects if e.then]
            variants = [
                (way, variant)
                for then in thens
                for way in then.ways
                if (variant := self.workflow.variant(way, after.state))
            ]
            free = {way for way, variant in variants if not variant.guards}
            if not any((t.otherwise or not t.when) and {*t.ways} <= free for t in thens):
                triggered = by_sys or {*move.by} != {"sys"} or not move.sources
                yield Step(here, names, move, after, started, triggered)
            if len(names) > _MOST_THENS:
                continue
            for way, variant in variants:
                for step in self._steps(after, way, variant, names):
                    alive = step.after.running | step.after.paused
                    yield step._replace(
                        before=here, move=move, started=step.started | (started & alive)
                    )

    def _touched(self, here: Configuration, name: str) -> bool:
        """Whether something makes the system act: a window that lapses, a child that tells or ends."""
        clocks = self.workflow.deadlines
        if name in self.workflow.released and any(s.mandatory for s in _spawns(self.workflow)):
            return True
        return name in self.told or any(clocks[c].lapses_into == name for c in here.running)

    def _moved(
        self, here: Configuration, name: str, move: Transition, marks: Names
    ) -> tuple[Configuration, Names]:
        clocks = self.workflow.deadlines
        if self.workflow.states[move.to].final:
            return Configuration(move.to, NONE, NONE, marks), NONE
        live = {c for c in here.running | here.paused if not clocks[c].ends_with(name)}
        started = {c for c, spec in clocks.items() if name in spec.starts} - live
        live |= started
        paused = frozenset(c for c in live if move.to in clocks[c].paused_in)
        marks -= {f"lapsed {c}" for c in started}
        return Configuration(move.to, frozenset(live) - paused, paused, marks), frozenset(started)

    def _obstacle(self, here: Configuration, move: Transition, *, by_sys: bool) -> str | None:
        """The guard that cannot hold here, or None."""
        offered = {*move.requires, *move.known, *move.optional}
        if by_sys and {*move.by} == {"sys"} and move.fill is None:
            offered = set()  # the system has nothing to give but what is computed
        lapsed = {a for g, a in _guards(move) if g == "lapsed"}
        for text in move.guards:
            name, _, argument = text.partition(".")
            if not self._guard_holds(here, move, name, argument, lapsed):
                return text
            if name not in DEADLINE_GUARDS | _GIVEN_IN_THE_ACT:
                wanted = {f for f in fields_of_guard(text) if f in self.watched} - offered
                if any(f"field {f}" not in here.marks for f in wanted):
                    return text
        return None

    def _guard_holds(
        self, here: Configuration, move: Transition, name: str, argument: str, lapsed: set[str]
    ) -> bool:
        marks = here.marks
        if name == "within_deadline":
            over = argument in lapsed or f"lapsed {argument}" in marks
            holds = argument in here.running | here.paused and not over
        elif name == "lapsed":
            holds = argument not in here.paused
        elif name in _GIVEN_IN_THE_ACT:
            holds = {*fields_of_guard(name)} <= {*move.requires, *move.optional}
        elif name == "head_approved":
            holds = "head" in move.by
        elif name == "complete_once":
            holds = "asked" not in marks
        elif name == "candidate_confirmed":
            holds = "candidate" not in marks or "confirmed" in marks
        elif name in _ON_RECORD:
            mark, there = _ON_RECORD[name]
            holds = (mark in marks) is there
        else:
            holds = True  # whether people can satisfy it is asked of the roster
        return holds

    def _outcomes(
        self, here: Configuration, name: str, move: Transition, *, by_sys: bool
    ) -> list[Names]:
        """What is on record after a move: once with and once without what is optional."""
        marks = set(here.marks)
        if name in MARKING:
            mark, on = MARKING[name]
            if mark in {_MARK_OF_GUARD[g] for g in self.guards & _MARK_OF_GUARD.keys()}:
                marks = marks | {mark} if on else marks - {mark}
        marks |= {
            f"lapsed {argument}"
            for guard, argument in _guards(move)
            if guard == "lapsed" and argument in here.running
        }
        given = {f"field {f}" for f in {*move.requires, *move.known} & self.watched}
        perhaps = {f"field {f}" for f in {*move.optional} & self.watched}
        if by_sys:
            perhaps |= given
        else:
            marks |= given
        spawns = [e.spawn for e in move.effects if e.spawn and e.spawn.workflow in self.waited]
        sure = {f"spawned {s.workflow}" for s in spawns if s.mandatory and not (s.when or s.each)}
        maybe = {f"spawned {s.workflow}" for s in spawns if s.mandatory} - sure
        choices = [[NONE, frozenset(more)] if more - marks else [NONE] for more in (perhaps, maybe)]
        return [frozenset(marks | sure).union(*more) for more in product(*choices)]


def _births(parent: Workflow, child: str) -> Iterator[tuple[set[str], set[str]]]:
    """What a parent's spawns surely and perhaps give a child."""
    for _, move in parent.moves():
        had = {*move.requires} if {*move.by} != {"sys"} else set()
        for effect in move.effects:
            if (spawn := effect.spawn) and spawn.workflow == child:
                sure = {name for name, source in spawn.carry.items() if source in had}
                yield sure | {*spawn.fixed}, {*spawn.carry} - sure
    for ladder in parent.ladders.values():
        for rung in ladder:
            if (spawn := rung.spawn) and spawn.workflow == child:
                yield {*spawn.fixed}, {*spawn.carry}


def _spawns(workflow: Workflow) -> list[Spawn]:
    return [e.spawn for _, t in workflow.moves() for e in t.effects if e.spawn]


def _guards(move: Transition) -> list[tuple[str, str]]:
    return [(name, argument) for name, _, argument in (t.partition(".") for t in move.guards)]

"""Whether an item can still come to an end from wherever it stands, with the people there are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from engine.roster import NOBODY, People

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from engine.checking.configurations import Configuration, Graph, Step
    from engine.checking.silence import Listening, Scene
    from engine.definition import Transition, Workflow

PAIR = 2


def never_sure(step: Step) -> str | None:
    """Why a step cannot be counted on: nothing triggers it, or it is the public's to take."""
    if not step.triggered:
        return f"{step.names[0]}：只有系统可办，而无事触发它 (nothing makes the system act)"
    if {*step.move.by} == {"public"} and len(step.names) == 1:
        return f"{step.names[0]}：只有群众可办，不能指望 (only the public may)"
    return None


def stuck(
    graph: Graph,
    may: Callable[[Step], str | None],
    after: Callable[[Step, Step], bool] = lambda _earlier, _later: True,
) -> list[Configuration]:
    """The open configurations some way into which leads to no end, nearest to `submit` first.

    ``may`` says why a step cannot be made, or None; ``after`` whether one may follow another
    (whoever asked for something may not approve it).
    """
    states = graph.workflow.states
    into: dict[Configuration, list[int]] = defaultdict(list)
    for number, step in enumerate(graph.steps):
        into[step.after].append(number)
    edge = [n for n, step in enumerate(graph.steps) if states[step.after.state].final]
    ending = set(edge)
    for number in edge:
        step = graph.steps[number]
        if step.before is None or states[step.before.state].final or may(step) is not None:
            continue
        for earlier in into[step.before]:
            if earlier not in ending and after(graph.steps[earlier], step):
                ending.add(earlier)
                edge.append(earlier)
    return [c for c in graph.standing if any(n not in ending for n in into[c])]


def family(workflow: Workflow, workflows: Mapping[str, Workflow]) -> list[Workflow]:
    """A workflow, and those whose items may lie in the same family above its own."""
    begets = {
        name: {e.spawn.workflow for _, t in other.moves() for e in t.effects if e.spawn}
        for name, other in workflows.items()
    }
    names = [workflow.workflow]
    for child in names:
        names += [name for name in begets if name not in names and child in begets[name]]
    return [workflow, *(workflows[name] for name in names[1:])]


@dataclass(frozen=True)
class Casting:
    """Who can make which move on the items of one scene, duties kept apart."""

    listening: Listening
    family: Sequence[Workflow]  # this workflow, and those whose items may lie above its own
    scene: Scene

    @cached_property
    def barred(self) -> People:
        """Everybody whose home is in the unit complained of."""
        return self.listening.roster.shut_out(self.scene.subject)

    def _bearers(self, duty: str) -> People:
        """Everybody who may come to bear a duty in the family."""
        roles = {r for w in self.family for r, role in w.roles.items() if role.duty == duty}
        return NOBODY.union(*(self.listening.roster.everyone(role, self.barred) for role in roles))

    def actors(self, move: Transition) -> People:
        """Everybody who may make a move by role."""
        pools = (self.listening.pool(role, self.scene, self.barred) for role in move.by)
        return NOBODY.union(*pools)

    def obstacle(self, step: Step) -> str | None:
        """Why nobody can make a step, or None."""
        if step.move.sources and (idle := never_sure(step)):
            return idle
        key = (step.names[0], id(step.move))
        if key not in self._known:
            self._known[key] = self._obstacle(step.names[0], step.move)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[str, int], str | None]:
        """What stands in the way of each move; the graph keeps the moves alive."""
        return {}

    def _obstacle(self, name: str, move: Transition) -> str | None:
        guards = {text.partition(".")[0] for text in move.guards}
        if "head_is_subject" in guards:
            return f"{name}：只在主要负责人是被反映人时可用 (only where the head is the subject)"
        if "two_handlers" in guards and len(self._handlers(move)) < PAIR:
            return f"{name}：可指派的持证承办人不足两人 (fewer than two certified handlers)"
        if {"public", "sys"} & {*move.by}:
            return None
        actors = self.actors(move)
        if "head_approved" in guards:
            actors = self.listening.pool("head", self.scene, self.barred)
        if not actors:
            return f"{name}：{'、'.join(move.by)} 无人可办 (nobody is there to act)"
        if not self._apart(move, guards, actors):
            return f"{name}：办理的人与承办、审批的人分不开 (duties cannot be kept apart)"
        return None

    def _handlers(self, move: Transition) -> People:
        roles = {e.assign.role for e in move.effects if e.assign} or {"handler"}
        roster = self.listening.roster
        people = NOBODY.union(*(roster.everyone(role, self.barred) for role in roles))
        return people if roster.certified is None else people & roster.certified

    def _apart(self, move: Transition, guards: Collection[str], actors: People) -> bool:
        """Whether different people can be found for the duties this act must be kept apart from."""
        roles = self.listening.workflow.roles
        duties = {roles[role].duty for role in move.by if role in roles}
        slots: list[People] = []
        if "not_case_handler" in guards or duties & {"approve", "revisit"}:
            workers = self._bearers("work")
            slots += [workers] * min(PAIR, len(workers))
        if "revisit" in duties or ("not_case_handler" in guards and "approve" not in duties):
            approvers = self._bearers("approve")
            slots += [approvers] * min(1, len(approvers))
        return _different([actors, *slots])

    def four_eyes(self, earlier: Step, step: Step) -> bool:
        """Whether somebody else than whoever made the earlier move can make this one."""
        if not any(text == "approver_not_requester" for text in step.move.guards):
            return True
        if {"public", "sys"} & {*step.move.by, *earlier.move.by}:
            return True
        return len(self.actors(step.move) | self.actors(earlier.move)) >= PAIR


def _different(slots: Sequence[People]) -> bool:
    """Whether every slot can have a person of its own."""
    holder: dict[str, int] = {}

    def place(slot: int, tried: set[str]) -> bool:
        for person in slots[slot]:
            if person not in tried:
                tried.add(person)
                if person not in holder or place(holder[person], tried):
                    holder[person] = slot
                    return True
        return False

    return all(place(slot, set()) for slot in range(len(slots)))

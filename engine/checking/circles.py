"""Moves somebody can make round and round, so that clocks start anew and nothing gets done."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.checking.configurations import Configuration, Graph, Step


def circles(graph: Graph, role: str) -> list[list[Step]]:
    """The strongly connected moves one role can make without an alarm of the engine's own.

    A return (ping-pong) and a pause (clock abuse) ring by themselves the second time.
    """
    steps = [
        step
        for step in graph.steps
        if step.before is not None
        and role in step.move.by
        and not step.move.returns
        and not step.after.paused - step.before.paused
        and "approver_not_requester" not in step.move.guards
    ]
    while True:  # what cannot be left or entered again lies on no circle
        outs, ins = {s.before for s in steps}, {s.after for s in steps}
        kept = [s for s in steps if s.before in ins and s.after in outs]
        if len(kept) == len(steps):
            break
        steps = kept
    onward: dict[Configuration | None, set[Configuration]] = defaultdict(set)
    for step in steps:
        onward[step.before].add(step.after)
    reach = {node: _reach(node, onward) for node in onward}
    found: list[list[Step]] = []
    seen: set[Configuration | None] = set()
    for node in onward:
        if node is not None and node not in seen and node in reach[node]:
            together = {n for n in reach[node] if node in reach.get(n, ())}
            seen |= together
            found.append([s for s in steps if s.before in together and s.after in together])
    return found


def _reach(
    node: Configuration | None, onward: Mapping[Configuration | None, set[Configuration]]
) -> set[Configuration]:
    found: set[Configuration] = set()
    edge = set(onward.get(node, ()))
    while edge:
        found |= edge
        edge = {after for n in edge for after in onward.get(n, ())} - found
    return found

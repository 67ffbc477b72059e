"""Bind a workflow onto a `transitions` machine: one machine per workflow version, shared by all
items.

The machine owns no models: `Event.trigger` moves any object that has a `state`, while
`Machine.add_model` would reset that state and keep the object alive for ever (ADR-0004). No text of
a file ever reaches the library as a callback: it would import and call any dotted path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from transitions import EventData, Machine

from engine.errors import GuardRefused, NotAvailable
from engine.service_items import ServiceRegister

if TYPE_CHECKING:
    from engine.definition import Transition, Workflow
    from engine.policies import Policies
    from engine.questionnaires import Questionnaire
    from engine.rulebook import Rulebook


class Stateful(Protocol):
    """Anything that stands in a state."""

    state: str


Guard = Callable[[Any, str], str | None]
"""(attempt, argument) -> a sentence saying why not, or None. The argument follows the dot."""


class Fill(NamedTuple):
    """A named function that computes values for fields of a move, and which fields those are."""

    gives: frozenset[str]
    compute: Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Beside:
    """What lies beside the workflow files and items refer to."""

    questionnaires: Mapping[str, Questionnaire] = field(default_factory=dict)  # by label
    services: ServiceRegister = field(default_factory=ServiceRegister)


NOTHING_BESIDE = Beside()


class Bound:
    """A workflow under its law, whose guards and fills are found and whose machine is built."""

    def __init__(
        self,
        workflow: Workflow,
        digest: bytes,
        guards: Mapping[str, Guard],
        fills: Mapping[str, Fill],
        rulebook: Rulebook,
        policies: Policies,
        beside: Beside = NOTHING_BESIDE,
    ) -> None:
        self.workflow = workflow
        self.rulebook = rulebook
        self.beside = beside
        self.policies = policies
        self.digest = digest
        self._fills = {name: fills[name] for _, t in workflow.moves() if (name := t.fill)}
        self._guards = {
            text: (guards[text.partition(".")[0]], text.partition(".")[2])
            for _, transition in workflow.moves()
            for text in transition.guards
        }
        self._machine = Machine(
            model=None,
            states=list(workflow.states),
            initial=workflow.initial,
            auto_transitions=False,
            send_event=True,
        )
        for name, transition in workflow.moves():
            if transition.sources:
                self._machine.add_transition(
                    name,
                    list(transition.sources),
                    transition.to,
                    conditions=[partial(self._check, text) for text in transition.guards],
                )

    def move(self, item: Stateful, name: str, attempt: object) -> Transition:
        """Change an item's state and say by which variant, or raise and leave it as it was.

        Raises NotAvailable where the transition does not leave the state, GuardRefused with the
        guard's own sentence.
        """
        variant = self.workflow.variant(name, item.state)
        if variant is None:
            raise self._astray(item.state, name)
        self._machine.events[name].trigger(item, attempt=attempt)
        return variant

    def objections(self, transition: Transition, attempt: object) -> dict[str, str]:
        """Guard -> its sentence against a transition, {} where all let it pass."""
        answers = {text: self._ask(text, attempt) for text in transition.guards}
        return {text: sentence for text, sentence in answers.items() if sentence}

    def computed(self, transition: Transition) -> frozenset[str]:
        """The fields of a transition that nobody has to give: they are computed in the act."""
        found = self.fill_of(transition)
        return found.gives if found else frozenset()

    def fill_of(self, transition: Transition) -> Fill | None:
        """What computes values for a transition, where anything does."""
        return self._fills[transition.fill] if transition.fill else None

    def title(self, state: str) -> str:
        """A state's Chinese title."""
        return self.workflow.states[state].title

    def _astray(self, state: str, name: str) -> NotAvailable:
        """Why a transition does not leave a state, and what people can do there instead."""
        leaving = self.workflow.leaving(state)
        meant = self.workflow.transitions.get(name)
        ways = [(other, t.title) for other, t in leaving if set(t.by) != {"sys"}]
        instead, in_english = "已是终点", "this is an end"
        if ways:
            instead = "可以：" + "、".join(dict.fromkeys(title for _, title in ways))
            in_english = "what does: " + ", ".join(dict.fromkeys(other for other, _ in ways))
        return NotAvailable(
            f"“{self.title(state)}”环节不能“{meant[0].title if meant else name}”，{instead}。"
            f"{name} does not leave {state}; {in_english}.",
            state=state,
            available=[other for other, _ in leaving],
        )

    def _ask(self, text: str, attempt: object) -> str | None:
        guard, argument = self._guards[text]
        return guard(attempt, argument)

    def _check(self, text: str, event: EventData) -> bool:
        if why_not := self._ask(text, event.kwargs["attempt"]):
            raise GuardRefused(why_not, guard=text)
        return True

"""The shape of a workflow file.

A file names things; it holds no numbers of the law (`rules.yaml` does, once each: `engine.rulebook`) and no
expressions (guards are named Python functions with at most one argument after the dot). What makes
a set of files sound is `engine.checking.soundness`; that none of their items can go silent is
`engine.checking.proof`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from engine.consequences import Effect
from engine.fieldspecs import Column, FieldSpec
from engine.notation import ABUSE_LADDER, BUILT_IN_ROLES, Name, Names, Part, Protection, Title
from engine.rulebook import Rung


class Role(Part):
    """Who may act. `duty` is what acting in this role makes of a person for the whole family."""

    title: Title
    title_en: Title
    duty: Literal["work", "approve", "revisit"] | None = None


class State(Part):
    """Where an item stands. `idle` names the rule after which standing still is a stall."""

    title: Title
    title_en: Title
    final: bool = False
    settled: bool = False  # a parent need not wait for this child any longer
    idle: str | None = None
    waits_on: Names = ()  # workflows of mandatory children whose clocks run meanwhile


class Transition(Part):
    """A named, permitted move. `requires` must be given in the act itself; `known` must be on the
    item by then, given now or earlier. `returns` marks a step back (ping-pong counts them).
    """

    title: Title
    title_en: Title
    also: Name | None = None  # another name outsiders may call it by
    sources: Names = Field(default=(), alias="from")
    to: str
    by: Names = Field(min_length=1)
    requires: Names = ()
    known: Names = ()
    optional: Names = ()
    guards: Names = ()
    fill: str | None = None  # a named function that computes values for fields of this move
    effects: tuple[Effect, ...] = ()
    returns: bool = False
    aside: bool = False  # an alarm: whoever may raise it does not hold the item for that


class Extension(Part):
    """Who may grant more time; how much is in the rule."""

    by: Names = Field(min_length=1)


class RuleChoice(Part):
    """Another rule where a field holds a value (mediation outside consumer law)."""

    field: str
    rules: dict[str, str]


class Deadline(Part):
    """A clock a rule runs on. The rule's version is that of the date of the triggering event:
    the start (default), or the item's receipt.
    """

    title: Title
    title_en: Title
    starts: Names = Field(min_length=1)
    stops: Names = Field(min_length=1)
    rule: str
    instead: RuleChoice | None = None
    dated_by: Literal["start", "receipt"] = "start"
    paused_in: Names = ()
    extension: Extension | None = None
    ladder: str | None = None
    lapses_into: str | None = None
    until: str | None = None  # a date field: due at its end, and not after the rule's span

    def ends_with(self, transition: str) -> bool:
        """Whether a transition ends the clock: one that stops it, or what it lapses into.

        A period runs out once, also where the item stays as it is.
        """
        return transition in self.stops or transition == self.lapses_into


class Once(Part):
    """One item for each value of `field`. Items in which the boolean `apart` is true are counted by
    themselves: they never keep the others out.
    """

    field: str
    apart: str | None = None


class Home(Part):
    """Which unit an item belongs to: the unit named in `field`, else in `or_field`, else `unit`, else
    the submitter's; and `instead` when the subject lies in `unless_subject`.
    """

    unit: str | None = None
    field: str | None = None
    or_field: str | None = None
    unless_subject: Names = ()
    instead: str | None = None


class Opens(Part):
    """Items the sweep begins by itself: on this day of each month one for every open unit whose code
    fits one of the patterns, with the fields `unit` and `month` ("2026-09") and these literals.
    """

    every: Literal["month"]
    day: int = Field(ge=1, le=28)  # every month has it
    units: Names = Field(min_length=1)  # codes, with the wildcards of a shell
    data: dict[Name, str] = {}


def _variants(value: Any) -> Any:
    """One transition may be written alone or as a list of variants from different states."""
    return value if isinstance(value, list) else [value]


class Workflow(Part):
    """One declared machine."""

    workflow: Name
    version: int = Field(ge=1)
    title: Title
    title_en: Title
    number: str = Field(min_length=1, max_length=8)
    initial: str
    sealed: bool = False  # seen only by those who hold it, approve it, or keep it
    protection: Protection = "confidential"  # how identities are kept unless more is asked for
    subject: str | None = None  # the unit field whose people are shut out
    family: str | None = None  # the item field whose family this item joins, or `own`
    home: Home = Home()
    opens: Opens | None = None
    once: Once | None = None
    roles: dict[Name, Role]
    fields: dict[Name, FieldSpec]
    states: dict[Name, State]
    transitions: dict[
        Name, Annotated[tuple[Transition, ...], BeforeValidator(_variants), Field(min_length=1)]
    ]
    deadlines: dict[Name, Deadline] = {}
    ladders: dict[Name, tuple[Rung, ...]] = {}
    idle_ladder: str = "idle"

    @cached_property
    def declaring(self) -> bool:
        """Whether those who work on its items declare that nothing binds them to them."""
        return any("declared" in t.guards for _, t in self.moves())

    def moves(self) -> list[tuple[str, Transition]]:
        """Every (name, variant), in the file's order."""
        return self._moves

    @cached_property
    def _moves(self) -> list[tuple[str, Transition]]:
        return [(name, t) for name, variants in self.transitions.items() for t in variants]

    def variant(self, name: str, state: str) -> Transition | None:
        """The variant of a transition that leaves a state."""
        return next((t for t in self.transitions.get(name, ()) if state in t.sources), None)

    def called(self, name: str, state: str) -> str:
        """The name of the transition somebody means who calls it so in this state."""
        if self.variant(name, state) is not None:
            return name
        meant = (own for own, t in self.leaving(state) if t.also == name)
        return next(meant, name)

    def leaving(self, state: str) -> list[tuple[str, Transition]]:
        """The transitions that leave a state, in the file's order."""
        return self._leaving.get(state, [])

    @cached_property
    def _leaving(self) -> dict[str, list[tuple[str, Transition]]]:
        return {
            state: [(name, t) for name, t in self._moves if state in t.sources]
            for state in {state for _, t in self._moves for state in t.sources}
        }

    @cached_property
    def field_titles(self) -> dict[str, str]:
        """What each field is called in Chinese."""
        return {name: spec.title for name, spec in self.fields.items()}

    @cached_property
    def field_choices(self) -> dict[str, dict[str, str]]:
        """The titles of each field's choices."""
        return {name: spec.choices for name, spec in self.fields.items()}

    @cached_property
    def released(self) -> frozenset[str]:
        """The transitions the system makes as the last mandatory child ends."""
        return frozenset(
            name for name, t in self.moves() if t.by == ("sys",) and "children_done" in t.guards
        )

    @cached_property
    def due_dates(self) -> frozenset[str]:
        """The date fields a clock may be due on."""
        return frozenset(spec.until for spec in self.deadlines.values() if spec.until)

    @cached_property
    def column_choices(self) -> dict[str, dict[str, dict[str, str]]]:
        """The titles of the choices of each field's columns."""
        return {
            name: {key: c.choices for key, c in spec.columns.items() if isinstance(c, Column)}
            for name, spec in self.fields.items()
            if spec.columns
        }

    @cached_property
    def identities(self) -> frozenset[str]:
        """The fields that say who somebody of the public is."""
        return frozenset(name for name, spec in self.fields.items() if spec.seals)

    @cached_property
    def protected_by(self) -> str | None:
        """The field that says how an item's identities are kept."""
        fields = (name for name, spec in self.fields.items() if spec.derived == "protection")
        return next(fields, None)

    @cached_property
    def letters_out(self) -> frozenset[str]:
        """The letters addressed to the petitioner."""
        drafts = (e.document for _, t in self.moves() for e in t.effects if e.document)
        return frozenset(draft.template for draft in drafts if draft.public)

    @cached_property
    def pausing(self) -> frozenset[str]:
        """The states in which some clock stands still."""
        return frozenset(s for spec in self.deadlines.values() for s in spec.paused_in)

    def idle_ladder_in(self, state: str) -> str:
        """The ladder of standing still in a state: too long a pause is an abuse of the clock."""
        return ABUSE_LADDER if state in self.pausing else self.idle_ladder

    @cached_property
    def confided(self) -> frozenset[str]:
        """The fields that only those are shown who would see the item if it were sealed."""
        return frozenset(name for name, spec in self.fields.items() if spec.confided)

    def watchers(self, *, sealed: bool = False) -> tuple[str, ...]:
        """The roles whose members see the items by scope alone.

        Of a sealed workflow those who would work on or revisit it see it only once it is theirs. Of a
        `sealed` item elsewhere (the extension of a sealed one) only those who approve it do: the file
        gives the other roles their sight of it for items that are not sealed.
        """
        if self.sealed:
            return tuple(
                n for n, role in self.roles.items() if role.duty not in {"work", "revisit"}
            )
        if sealed:
            return tuple(n for n, role in self.roles.items() if role.duty == "approve")
        return (*self.roles, "auditor")

    def holders(self, state: str) -> list[str]:
        """The roles (not public, not sys) whose turn it is: they can move the item on.

        Recording something, sending back, suspending or raising an alarm is no moving on, unless
        nothing else is.
        """
        return self._holders[state]

    @cached_property
    def _holders(self) -> dict[str, list[str]]:
        return {state: self._holding(state) for state in self.states}

    def _holding(self, state: str) -> list[str]:
        roles = dict.fromkeys(role for t in self.onward(state) for role in t.by)
        return [role for role in roles if role not in BUILT_IN_ROLES]

    def onward(self, state: str) -> list[Transition]:
        """The transitions by which people move an item on from a state."""
        leaving = [t for _, t in self.leaving(state)]
        back = {state, *self.pausing}
        onward = [t for t in leaving if t.to not in back and not t.returns and not t.aside]
        for moves in (onward, leaving):
            if any(role not in BUILT_IN_ROLES for t in moves for role in t.by):
                return moves
        return []

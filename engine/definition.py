"""The shape of a workflow file, of the rules and of the ladders.

A file names things; it holds no numbers of the law (`rules.yaml` does, once each) and no
expressions (guards are named Python functions with at most one argument after the dot). What makes
a set of files sound is `engine.checking.soundness`; that none of their items can go silent is
`engine.checking.proof`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from engine.calendars import Roll
from engine.vocabularies import Vocabulary, draw
from engine.workdays import Moment, Span

BUILT_IN_ROLES = frozenset({"public", "sys"})
ABUSE_LADDER = "abuse"
"""What ping-pong and every abuse of a clock climb, in the rules or in the workflow's own ladders."""
HOLDER = "holder"
"""In a `tell`: whoever can move the item on from where it stands."""
NUMBER = "number"
UNIT = "unit"  # a field of that name, where the file declares one, goes before the item's own
"""In a `carry`: the item's own number, for a field of type item over there."""
MONTH = "month"
"""The field that says for which month an item opened, beside `unit`."""

ACTS_AT_REST = frozenset(
    {
        "note",
        "message",  # two-way with the petitioner
        "attachment",
        "reveal_request",
        "reveal_grant",
        "reveal_refuse",
        "reveal_view",
        "legal_hold",
        "erasure",
        "conflict",  # somebody is barred by a declared conflict of interest
    }
)
ENGINE_ACTS = ACTS_AT_REST | {
    "assignment",
    "extension",
    "rung",
    "projection",
    "declaration",
    "recusal_request",
    "recusal_grant",
    "recusal_refuse",
}
"""What the engine itself writes into the journal, at rest (in a final state too) and on the way; no
transition may bear these names.
"""

Protection = Literal["open", "confidential", "anonymous"]
PROTECTIONS: tuple[Protection, ...] = ("open", "confidential", "anonymous")
"""How identities are kept, the weakest first: shown to whoever works on the item, with a reason that
is recorded; shown when a second person grants it; never taken in at all.
"""

Duty = Literal["work", "approve", "revisit", "accused", "recused"]
Act = Literal["remind", "urge", "demand", "supervise", "escalate"]
Names = tuple[str, ...]
Title = Annotated[str, Field(min_length=1, max_length=60)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Within = Annotated[Span, BeforeValidator(Span.parse), PlainSerializer(str)]
At = Annotated[Moment, BeforeValidator(Moment.parse), PlainSerializer(str)]


class Part(BaseModel):
    """A piece of a file: frozen, and closed against unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Role(Part):
    """Who may act. `duty` is what acting in this role makes of a person for the whole family."""

    title: Title
    title_en: Title
    duty: Literal["work", "approve", "revisit"] | None = None


FieldType = Literal[
    "text",        # one line, at most 200 characters
    "long_text",   # at most 20,000 characters
    "texts",       # a list of at most 50 lines
    "choice",      # one key of `choices`
    "choices",     # several keys of `choices`
    "unit",        # a unit's code, name or alias; kept as its code
    "units",       # a list of them
    "person",      # an account
    "people",      # a list of accounts; "unknown" where `or_unknown`
    "boolean",
    "number",      # a whole number from 0 to 1,000,000,000
    "date",        # 2026-09-24
    "moment",      # ISO 8601 with offset
    "item",        # the number of an item here, or of a case outside
    "contact",     # {"name", "phone", "address", "email"}, all optional
    "records",     # a list of at most 500 {column: value}
    "roll",        # a text of up to 2,000,000 characters, which only a fill writes
    "answers",     # to the questionnaire of the item's `template_version`
]  # fmt: skip


class Column(Part):
    """A column of records that holds more than one line of text, or must be filled in every record.

    A decimal is written with at most four digits after its point and kept as written. `each_once`:
    every choice stands in one record, and none in two.
    """

    title: Title
    type: Literal["text", "long_text", "texts", "number", "decimal", "unit", "date", "choice"] = (
        "text"
    )
    choices: Annotated[dict[str, str], BeforeValidator(draw)] = {}
    needed: bool = False
    each_once: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("`choices` belong to the type choice, and are needed there")
        if self.each_once and not self.choices:
            raise ValueError("`each_once` belongs to the type choice")
        return self


class FieldSpec(Part):
    """One thing an item may hold. Personal fields never enter lists, events, logs or messages.

    Of the personal ones an `identity` (who somebody of the public is; every contact) is shown to
    nobody of the staff except by a reveal; the others are read by whoever works on the item.
    """

    title: Title
    title_en: Title
    type: FieldType
    choices: Annotated[dict[str, str], BeforeValidator(draw)] = {}
    columns: dict[Name, str | Column] = {}
    personal: bool = False
    identity: bool = False
    or_unknown: bool = False
    duty: Duty | None = None
    derived: Literal["channel", "received_at", "identity", "protection"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.type in {"choice", "choices"}) != bool(self.choices):
            raise ValueError(
                "`choices` belong to the types choice and choices, and are needed there"
            )
        if (self.type == "records") != bool(self.columns):
            raise ValueError("`columns` belong to the type records, and are needed there")
        if self.duty and self.type not in {"person", "people"}:
            raise ValueError("only a person or people can bear a `duty`")
        if self.or_unknown and self.type != "people":
            raise ValueError("`or_unknown` belongs to the type people")
        if (self.identity or self.type == "contact") and not self.personal:
            raise ValueError("an `identity` and a contact are `personal: true`")
        if self.derived == "protection" and set(self.choices) != set(PROTECTIONS):
            raise ValueError(f"the choices of a `protection` are {', '.join(PROTECTIONS)}")
        return self

    @property
    def seals(self) -> bool:
        """Whether the field says who somebody of the public is."""
        return self.identity or self.type == "contact"


class State(Part):
    """Where an item stands. `idle` names the rule after which standing still is a stall."""

    title: Title
    title_en: Title
    final: bool = False
    settled: bool = False  # a parent need not wait for this child any longer
    idle: str | None = None
    waits_on: Names = ()  # workflows of mandatory children whose clocks run meanwhile


When = dict[str, Names]
"""Field -> values: true when each field holds (or contains) one of its values."""


class Notify(Part):
    """Tell a role (or `public`, or `holder`) with a text of `texts.yaml`."""

    to: str
    text: str
    when: When = {}


class Draft(Part):
    """Draft an official document from a template, frozen as text with its digest.

    `public`: it is addressed to the petitioner, who may read it with number and code.
    """

    template: str
    when: When = {}
    public: bool = False


class Spawn(Part):
    """Begin a child. `carry` maps the child's fields to this item's; `each` names a records
    field: one child a record, its columns being the child's fields.
    """

    workflow: str
    carry: dict[str, str] = {}
    fixed: dict[str, str] = {}  # the child's field -> a literal value
    each: str | None = None
    mandatory: bool = False
    once: bool | None = None  # not where the item has a child of that workflow already
    when: When = {}


class Assign(Part):
    """The people of this field become the item's holders in this role."""

    people: str
    role: str


class Tell(Part):
    """The parent makes this transition, if it leaves its present state."""

    transition: str
    carry: dict[str, str] = {}


class Then(Part):
    """`sys` makes this transition at once, in the same transaction; where `when` does not hold, the
    transition `otherwise`.
    """

    transition: str
    when: When = {}
    otherwise: str | None = None

    @property
    def ways(self) -> Names:
        """The transitions it may make, one of them each time."""
        return (self.transition,) if self.otherwise is None else (self.transition, self.otherwise)


class Extend(Part):
    """Extend the parent's deadline named in one field to the date in another."""

    deadline: str
    until: str


class Recuse(Part):
    """Decide on a recusal: the people of this field are barred from the whole family, cleared of
    what barred them, or nothing changes. The parent's journal says which.
    """

    people: str
    outcome: Literal["barred", "cleared", "unchanged"]
    when: When = {}


class Feed(Part):
    """Open items of another workflow and of the same unit make this transition: for each record of
    the field `each` those whose field `match` says the same as the record's column of that name.

    `having` names a column that must hold something; `carry` maps their fields to a column of the
    record or to a field of this item.
    """

    workflow: str
    transition: str
    each: str
    match: str
    having: str | None = None
    carry: dict[str, str] = {}


class Effect(Part):
    """What a transition writes besides the move; exactly one member is set."""

    notify: Notify | None = None
    document: Draft | None = None
    spawn: Spawn | None = None
    assign: Assign | None = None
    parent: Tell | None = None
    then: Then | None = None
    extend: Extend | None = None
    recuse: Recuse | None = None
    feed: Feed | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("an effect names exactly one thing to do")
        return self


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


class Rung(Part):
    """What happens at one moment of a clock, and who hears of it."""

    at: At
    level: int = Field(ge=0, le=5)
    act: Act
    tell: Names = Field(min_length=1)
    document: str | None = None
    spawn: Spawn | None = None


class Rule(Part):
    """One version of one term of the law."""

    since: date
    within: Within
    extension: Within | None = None
    roll: Roll = Roll.RESTDAY
    day_of_month: int | None = Field(default=None, ge=1, le=31)
    weight: Literal["statutory", "policy", "internal"]
    source: str = Field(min_length=3)
    proposed: bool = False


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
    family: str | None = None  # the item field whose family this item joins
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


class Quantity(Part):
    """One version of a number that is no length of time: a count, a share, a weight.

    `unit` says of what ("次", "share of closed cases"); a share is written 0.40, never 40.
    """

    since: date
    value: Decimal
    unit: str = Field(min_length=1)
    weight: Literal["statutory", "policy", "internal"]
    source: str = Field(min_length=3)
    proposed: bool = False


class Rulebook(Part):
    """`rules.yaml`: the terms of the law, quantities, shared lists, and the ladders all may use."""

    rules: dict[str, Annotated[tuple[Rule, ...], Field(min_length=1)]]
    ladders: dict[Name, Annotated[tuple[Rung, ...], Field(min_length=1)]]
    vocabularies: dict[Name, Vocabulary] = {}
    quantities: dict[str, Annotated[tuple[Quantity, ...], Field(min_length=1)]] = {}

    def rule(self, name: str, on: date) -> Rule:
        """The version of a rule in force on a date; the oldest for dates before all of them."""
        versions = self.newest_first[name]
        return next((rule for rule in versions if rule.since <= on), versions[-1])

    def quantity(self, name: str, on: date) -> Decimal:
        """The value of a quantity in force on a date; the oldest for dates before all of them."""
        versions = sorted(self.quantities[name], key=lambda version: version.since, reverse=True)
        return next((q.value for q in versions if q.since <= on), versions[-1].value)

    @cached_property
    def newest_first(self) -> dict[str, list[Rule]]:
        """Every rule's versions, the newest first."""
        return {
            name: sorted(versions, key=lambda rule: rule.since, reverse=True)
            for name, versions in self.rules.items()
        }

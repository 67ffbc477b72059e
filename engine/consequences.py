"""What a transition writes besides the move: messages, letters, children, and moves of other items."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from engine.notation import Names, Part

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

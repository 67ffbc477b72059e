"""The words every file of a workflow folder is written in: names, titles, duties, acts and spans."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from engine.workdays import Moment, Span

BUILT_IN_ROLES = frozenset({"public", "sys"})
ABUSE_LADDER = "abuse"
"""What ping-pong and every abuse of a clock climb, in the rules or in the workflow's own ladders."""
OWN_FAMILY = "own"
"""As `family`: items of this workflow are a matter of their own, whoever spawned them."""
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

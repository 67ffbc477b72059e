"""The shape of `rules.yaml`: the terms of the law, quantities, shared lists, and the ladders."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from engine.calendars import Roll
from engine.consequences import Spawn
from engine.notation import Act, At, Name, Names, Part, Within
from engine.vocabularies import Vocabulary


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

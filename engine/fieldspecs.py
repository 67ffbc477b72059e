"""What an item may hold: fields with their types, and the columns of records."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, model_validator

from engine.notation import PROTECTIONS, Duty, Name, Part, Title
from engine.vocabularies import draw

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
    nobody of the staff except by a reveal; the others are read by whoever works on the item. What is
    `confided` is about a sealed matter that an item which is not sealed has led to: it is shown to those
    who would see the item if it were sealed, and an act that brings nothing else to them alone.
    """

    title: Title
    title_en: Title
    type: FieldType
    choices: Annotated[dict[str, str], BeforeValidator(draw)] = {}
    columns: dict[Name, str | Column] = {}
    personal: bool = False
    identity: bool = False
    confided: bool = False
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
        if self.confided and self.personal:
            raise ValueError("what is `confided` is not personal; the vault has its own readers")
        if self.derived == "protection" and set(self.choices) != set(PROTECTIONS):
            raise ValueError(f"the choices of a `protection` are {', '.join(PROTECTIONS)}")
        return self

    @property
    def seals(self) -> bool:
        """Whether the field says who somebody of the public is."""
        return self.identity or self.type == "contact"

"""Reading the office's files into their shapes: every complaint of pydantic's with the file's own line.

Also the shape of `texts.yaml`: what a message may say, and the closed list of what it may say it of.
"""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from engine.definition import Workflow
from engine.errors import DefinitionError, Finding
from engine.notation import Name, Part, Title
from engine.questionnaires import Questionnaire
from engine.rulebook import Rulebook
from engine.service_items import ServiceRegister
from engine.vocabularies import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.loader import Document
    from engine.vocabularies import Vocabulary

PLACEHOLDERS = (
    "number",
    "workflow",
    "state",
    "deadline",
    "due_on",
    "act",
    "link",
    "office",
)
"""All a message may say of an item. Nothing personal, no complaint, no name: whoever reads a
message in transit learns that there is work, not whom it concerns."""


class Text(Part):
    """What a message says, with placeholders of the closed list above and no others."""

    title: Title
    body: str = Field(min_length=1, max_length=2000)
    title_en: Title
    body_en: str = Field(min_length=1, max_length=2000)

    @model_validator(mode="after")
    def _only_placeholders(self) -> Self:
        for template in (self.title, self.body, self.title_en, self.body_en):
            for _, name, form, conversion in Formatter().parse(template):
                if name is not None and (name not in PLACEHOLDERS or form or conversion):
                    raise ValueError(f"a text may say only {', '.join(PLACEHOLDERS)}, in braces")
        return self


_TEXTS = TypeAdapter(dict[Name, Text])


def read_workflow(document: Document, shared: Mapping[str, Vocabulary] | None = None) -> Workflow:
    """The workflow a file declares, its choices drawn from the `shared` lists.

    Raises DefinitionError with every finding and its line.
    """
    try:
        return Workflow.model_validate(document.data, context={CONTEXT: shared or {}})
    except ValidationError as error:
        raise DefinitionError(findings_of(document, error)) from error


def read_rulebook(document: Document) -> Rulebook:
    """The rules and ladders of `rules.yaml`. Raises DefinitionError like read_workflow."""
    try:
        return Rulebook.model_validate(document.data)
    except ValidationError as error:
        raise DefinitionError(findings_of(document, error)) from error


def read_texts(document: Document) -> dict[str, Text]:
    """The texts of `texts.yaml`. Raises DefinitionError like read_workflow."""
    try:
        return _TEXTS.validate_python(document.data)
    except ValidationError as error:
        raise DefinitionError(findings_of(document, error)) from error


def read_questionnaire(document: Document) -> Questionnaire:
    """The questionnaire of a file. Raises DefinitionError like read_workflow: a question that lacks
    its options and is to be published is refused here.
    """
    try:
        return Questionnaire.model_validate(document.data)
    except ValidationError as error:
        raise DefinitionError(findings_of(document, error)) from error


def read_services(document: Document) -> ServiceRegister:
    """The register of service items and windows. Raises DefinitionError like read_workflow."""
    try:
        return ServiceRegister.model_validate(document.data)
    except ValidationError as error:
        raise DefinitionError(findings_of(document, error)) from error


def findings_of(document: Document, error: ValidationError) -> list[Finding]:
    """Pydantic's complaints with the file's own lines."""
    found: list[Finding] = []
    for complaint in error.errors(include_url=False, include_input=False):
        path = tuple(part for part in complaint["loc"] if part != "[key]")
        where = ".".join(str(part) for part in path) or "the file"
        name = complaint["type"] if complaint["type"].startswith("unknown-") else "malformed"
        found.append(
            Finding(document.name, document.line(path), name, f"{where}: {complaint['msg']}")
        )
    return found

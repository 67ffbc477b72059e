"""What the citizens' portal answers, and what staff read of a conversation, as the OpenAPI document
describes it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from api.schemas import Listed


class PortalSession(BaseModel):
    """A petitioner's session: a quarter of an hour from the last visit."""

    token: str
    expires_at: datetime


class Challenge(BaseModel):
    """A puzzle for the altcha widget; `parameters` are signed."""

    parameters: dict[str, Any]
    signature: str


class PetitionerMessage(BaseModel):
    """A message as the petitioner sees it: of the office a unit and a role, never a name; `body` is
    null where it was erased.
    """

    seq: int
    at: datetime
    from_: Annotated[Literal["petitioner", "office"], Field(alias="from")]
    unit: str | None
    role: str | None
    body: str | None


class Conversation(Listed):
    """What petitioner and office wrote, oldest first."""

    items: list[PetitionerMessage]


class CaseMessage(BaseModel):
    """A message as those who work on the item see it."""

    seq: int
    at: datetime
    from_: Annotated[Literal["petitioner", "office"], Field(alias="from")]
    actor: str | None
    role: str
    body: str | None


class Correspondence(Listed):
    """What petitioner and office wrote, oldest first."""

    items: list[CaseMessage]


class PrintedOption(BaseModel):
    """A choice as printed; an exclusive one stands alone."""

    n: int
    text: str
    exclusive: bool


class PrintedQuestion(BaseModel):
    """A question as printed. `many`: several options may be chosen; `follow_up`: a line to be filled
    in beside them; `most`: characters of an answer in one's own words.
    """

    id: str
    stem: str
    kind: Literal["choice", "long_text"]
    required: bool
    many: bool
    options: list[PrintedOption]
    follow_up: str | None
    most: int | None


class PrintedSection(BaseModel):
    """A part of a questionnaire."""

    id: str
    heading: str | None
    questions: list[PrintedQuestion]


class Questionnaire(BaseModel):
    """What is published of a questionnaire; answers name its `template_version`."""

    code: str
    version: int
    template_version: str
    title: str
    title_in_text: str
    sections: list[PrintedSection]


class Invitation(BaseModel):
    """An open invitation to answer a questionnaire."""

    number: str
    state: str
    invited_at: datetime
    open_until: datetime | None
    questionnaire: Questionnaire


class Invitations(BaseModel):
    """What the petitioner is asked, oldest first."""

    items: list[Invitation]


class Posted(BaseModel):
    """A message is in the house: the number and the moment of its event."""

    seq: int
    at: datetime


class Paragraph(BaseModel):
    """A paragraph of the rights."""

    title: str
    title_en: str
    body: str
    body_en: str


class LimitView(BaseModel):
    """A limit with the rule it follows; `when` the values it holds for instead of the usual rule;
    `weight` says how binding the source is, which is null where the office set the limit itself.
    """

    deadline: str
    title: str
    title_en: str
    when: str | None
    rule: str
    span: str
    span_zh: str
    extension: str | None
    extension_zh: str | None
    weight: Literal["statutory", "policy", "internal"]
    source: str | None


class PublicActView(BaseModel):
    """Something the petitioner may do: from which states, and what it asks for."""

    transition: str
    title: str
    title_en: str
    states: list[str]
    fields: list[str]


class Rights(BaseModel):
    """What a petitioner is told of procedure and rights; limits as they stand on a day."""

    workflow: str
    title: str
    title_en: str
    on: date
    sections: list[Paragraph]
    limits: list[LimitView]
    acts: list[PublicActView]

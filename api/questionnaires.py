"""Questionnaires: what is published of them, and how whoever is asked answers.

An invitation is met where its matter is: in the session of number and code, or with both in one
body. No code of its own goes anywhere, so none can be lost on its way.
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
from fastapi import APIRouter, Path, Query, Response

from api.counter import Answer, Process, sent
from api.forms import Move, Number, Transition
from api.petitioners import Visitor, at_hand, shown, use_right
from api.schemas import Tracked
from api.schemas_portal import Invitations, Questionnaire
from engine.answers import Given
from engine.invitations import invitations, invited
from engine.walls import stand_for

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter(tags=["questionnaires"])

Code = Annotated[
    str,
    Path(
        pattern=r"^[A-Z0-9][A-Z0-9-]{0,30}$",
        description="Code of a questionnaire.",
        examples=["XC-YFXZ-2023"],
    ),
]
Version = Annotated[
    int | None,
    Query(ge=1, le=10_000, description="A version; the newest where none is named.", examples=[1]),
]


@router.get(
    "/questionnaires/{code}", response_model=Questionnaire, summary="A published questionnaire"
)
def show(code: Code, counter: Process, version: Version = None) -> Response:
    """What is asked, word for word as its source has it. A question whose options the source lacks is
    withheld: it is neither here nor can it be answered.
    """
    found = counter.casework.catalog.questionnaire(code, version)
    return sent(Given(200, orjson.dumps(found.shown())))


@router.get("/portal/questionnaires", response_model=Invitations, summary="What I am asked")
def asked(visitor: Visitor) -> Response:
    """The open invitations that ask about the petitioner's item, each with its questionnaire and until
    when it can be answered. Answering is free and has no effect on the matter.
    """

    def listed(session: Session, number: str) -> Answer:
        return Answer({"items": invitations(session, visitor.counter.casework, number)})

    return visitor.look(listed)


@router.post(
    "/portal/questionnaires/{number}/transitions/{name}",
    response_model=Tracked,
    summary="Open or answer a questionnaire",
)
def answer(number: Number, name: Transition, form: Move, visitor: Visitor) -> Response:
    """`open`, then `submit_answers` (or `submit`) with `answers`, `template_version` and `channel`.
    One invitation takes one answer. Answers that do not fit are refused with a pointer for each.
    """

    def move(session: Session, own: str) -> Answer:
        invited(session, visitor.counter.casework, own, number)
        actor = at_hand(visitor.counter, visitor.request, session)
        stand_for(session, f"item:{number}")
        use_right(visitor.counter, session, number, name, form.data, actor)
        return Answer(shown(visitor.counter, session, number))

    return visitor.act(move)

"""What would become of open items if something happened to their people; nothing is done here."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from api.counter import Answer, Look
from api.forms import Foresight, Number, OfficeForesight
from api.schemas import Gaps
from engine.foresight import foresee_absence, foresee_item

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(tags=["foresight"])


@router.post(
    "/items/{number}/foresight", response_model=Gaps, summary="What if these people fell out"
)
def of_item(number: Number, form: Foresight, look: Look) -> Response:
    """Which items of this matter would lack lawful people, were these accounts named as accused,
    recused or gone; and for each the smallest change that would help. A dry run.
    """

    def told(session: Session, actor: Actor) -> Answer:
        found = foresee_item(
            session,
            look.counter.casework,
            number,
            actor,
            barred=[*form.accused, *form.recused],
            left=form.gone,
        )
        return Answer({"items": found})

    return look.look(told)


@router.get("/office/foresight", response_model=Gaps, summary="What if somebody is away")
def of_office(look: Look, asked: Annotated[OfficeForesight, Query()]) -> Response:
    """Which open items the caller may know of would lack lawful people while somebody is away, or
    once they have left where no days are given; and for each the smallest change that would help.
    """

    def told(session: Session, actor: Actor) -> Answer:
        found = foresee_absence(
            session,
            look.counter.casework,
            actor,
            asked.leave,
            asked.first,
            asked.last,
            asked.substitute,
        )
        return Answer({"items": found})

    return look.look(told)

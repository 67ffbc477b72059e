"""How long personal data are kept: legal holds, and the first step of erasing on request."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from api.counter import Act, Answer, Look, Revision
from api.forms import EraseStep, Hold, Number
from api.schemas import Kept, Likenesses
from engine import erasures
from engine.duplicates import duplicates

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(tags=["personal data"])


@router.post("/items/{number}/legal-holds", response_model=Kept, summary="Set or lift a legal hold")
def hold(number: Number, form: Hold, revision: Revision, act: Act) -> Response:
    """While a hold is set nothing personal of the item is erased, by nobody. For the law section's
    hub and the discipline liaison, with a reason.
    """
    casework = act.counter.casework

    def put(session: Session, actor: Actor) -> Answer:
        return Answer(
            erasures.hold(
                session, casework, number, actor, form.reason, held=form.held, revision=revision
            )
        )

    return act.answer(put, fresh=True)


@router.post("/items/{number}/erasures", response_model=Kept, summary="Restrict, or undo it")
def erase(number: Number, form: EraseStep, revision: Revision, act: Act) -> Response:
    """`restrict` hides everything personal of a closed item and of what came of it; when the term of
    the rule `vault.restrict` is over it is shredded. Until then `release` undoes it.
    """
    casework = act.counter.casework
    step = erasures.restrict if form.step == "restrict" else erasures.release

    def make(session: Session, actor: Actor) -> Answer:
        return Answer(step(session, casework, number, actor, form.reason, revision=revision))

    return act.answer(make, fresh=True)


@router.get("/items/{number}/erasures", response_model=Kept, summary="Whether it is kept")
def show(number: Number, look: Look) -> Response:
    """Whether the personal data of an item are held, restricted or erased."""
    casework = look.counter.casework
    return look.look(
        lambda session, actor: Answer(erasures.shown(session, casework, number, actor))
    )


@router.get("/items/{number}/duplicates", response_model=Likenesses, summary="Possible duplicates")
def list_duplicates(number: Number, look: Look) -> Response:
    """Other items, of those the caller may see, whose petitioner gave the same telephone number or
    name. For intake and the liaison; a hint, no rule.
    """
    casework = look.counter.casework

    def listed(session: Session, actor: Actor) -> Answer:
        return Answer({"items": duplicates(session, casework, number, actor), "next": None})

    return look.look(listed)

"""Who the petitioner is: asked for with a reason, granted by another person, seen for ten minutes.

Whoever comes here is about to see, or to let others see, what the vault keeps: asking, deciding and
seeing want a fresh proof of who it is.
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from api.counter import Act, Answer, Look, Revision, who
from api.forms import Ask, Decision, Number, Reveal
from api.schemas import Reveals, RevealView
from engine import reveals

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(prefix="/items/{number}/reveals", tags=["reveals"])


@router.post("", response_model=RevealView, status_code=201, summary="Ask to see an identity")
def ask(number: Number, form: Ask, revision: Revision, act: Act) -> Response:
    """Those who work on an item ask with a reason. Of an open item it is granted at once; of a
    confidential one another person decides, the liaison first, and without a decision the request
    lapses. The petitioner sees who asked, and why.
    """
    casework = act.counter.casework

    def begin(session: Session, actor: Actor) -> Answer:
        given = (form.reason, form.fields)
        return Answer(reveals.ask(session, casework, number, actor, *given, revision=revision), 201)

    return act.answer(begin, fresh=True)


@router.get("", response_model=Reveals, summary="The requests about an item")
def list_reveals(number: Number, look: Look) -> Response:
    """Every request to see an identity of this item, oldest first."""
    casework = look.counter.casework

    def listed(session: Session, actor: Actor) -> Answer:
        return Answer({"items": reveals.listed(session, casework, number, actor), "next": None})

    return look.look(listed)


@router.post("/{reveal}/grant", response_model=RevealView, summary="Grant a request")
def grant(number: Number, reveal: Reveal, form: Decision, revision: Revision, act: Act) -> Response:
    """The liaison (where there is none: the head) grants what somebody else asked for."""
    return _decide(number, reveal, form, revision, act, grant=True)


@router.post("/{reveal}/refuse", response_model=RevealView, summary="Refuse a request")
def refuse(
    number: Number, reveal: Reveal, form: Decision, revision: Revision, act: Act
) -> Response:
    """The liaison (where there is none: the head) refuses what somebody else asked for."""
    return _decide(number, reveal, form, revision, act, grant=False)


def _decide(
    number: str, reveal: Reveal, form: Decision, revision: int, act: Act, *, grant: bool
) -> Response:
    casework = act.counter.casework

    def decide(session: Session, actor: Actor) -> Answer:
        return Answer(
            reveals.decide(
                session,
                casework,
                number,
                reveal,
                actor,
                form.reason,
                grant=grant,
                revision=revision,
            )
        )

    return act.answer(decide, fresh=True)


@router.get("/{reveal}", response_model=RevealView, summary="See an identity")
def show(number: Number, reveal: Reveal, look: Look) -> Response:
    """Where a request stands; for ten minutes after the grant, and for who asked alone, `data` holds
    the identity. Each such look is an event of the item, committed before anything is shown.
    """
    counter = look.counter
    casework = counter.casework

    def note(session: Session) -> dict[str, Any]:
        actor = who(session, counter, look.shown, fresh=True).actor
        return reveals.note_view(session, casework, number, reveal, actor)

    noted = counter.database.perform(note)
    return look.look(
        lambda session, actor: Answer(reveals.unseal(session, casework, number, actor, noted))
    )

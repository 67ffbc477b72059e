"""The discipline office's side: what was referred to it, and its receipt."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from api.counter import Act, Answer, Look, Revision, of_item
from api.forms import Cursor, Limit, Move, Number, Word
from api.schemas import Item, Worklist
from engine import views
from engine.queries import Filters, worklist
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

REFERRAL = "referral"

router = APIRouter(tags=["referrals"])


@router.get("/referrals", response_model=Worklist, summary="What was referred")
def list_referrals(
    look: Look, state: Word = None, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Referrals the caller may know of, next due first; with a final `state` the closed ones. To the
    discipline office these are the notices that wrote themselves; the letters of each are its
    documents (`GET /items/{number}/documents`).
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        filters = Filters(workflow=REFERRAL, state=state)
        page = worklist(session, counter.casework, actor, filters, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.post(
    "/referrals/{number}/acknowledge", response_model=Item, summary="Acknowledge a referral"
)
def acknowledge(number: Number, form: Move, revision: Revision, act: Act) -> Response:
    """The receiving body confirms that the referral reached it. What `data` leaves out is told by
    the act itself: who signs for it is the caller, the moment is now, and the receipt is electronic.
    """
    casework = act.counter.casework

    def sign_for(session: Session, actor: Actor) -> Answer:
        now = casework.house(session).now.astimezone(SHANGHAI)
        receipt = {
            "receipt_signed_by": actor.person.name if actor.person else "",
            "receipt_at": now.isoformat(timespec="seconds"),
            "receipt_scan": f"电子回执 {number}",
        }
        casework.advance(
            session, number, "acknowledge", actor, {**receipt, **form.data}, revision=revision
        )
        return of_item(views.view_after(session, casework, actor, number))

    return act.answer(sign_for)

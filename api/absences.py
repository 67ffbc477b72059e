"""Who is away, who leaves for good, and who must stay out of what."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from api.counter import Act, Answer, Look
from api.forms import Cursor, Limit
from api.forms_office import (
    Account,
    Confirmation,
    LeaveEnd,
    Leaving,
    NewConflict,
    NewLeave,
    Serial,
)
from api.office import opened, proven
from api.schemas_office import Conflicts, Leaves, Left, Numbered
from engine.administration import conflicts, directory, leave, leaving
from engine.foresight import absence_in_words

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(tags=["office"], prefix="/office")


@router.get("/leave", response_model=Leaves, summary="Who is away, and who stands in")
def list_leave(look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """The latest registered first. Admin and head see all, others their own and where they stand in."""
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        house = counter.casework.house(session)
        after = counter.cursors.read(cursor)
        page = directory.leaves(session, house, actor, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.post("/leave", response_model=Numbered, status_code=201, summary="Register a leave")
def add_leave(form: NewLeave, act: Act) -> Response:
    """One leave at a time for each person. The substitute acts in the roles of the absent, so they
    must be able to bear them lawfully, be there all the time, and be certified where handlers must.
    """

    def add(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        besides = leave.doubts(register, form.account, form.first_on, form.last_on)
        days_off = form.first_on, form.last_on, form.substitute
        besides += absence_in_words(session, act.counter.casework, actor, form.account, *days_off)
        number = leave.add(register, form.account, form.first_on, form.last_on, form.substitute)
        days = leave.days(register, form.first_on, form.last_on)
        proven(act, register, confirm=form.confirm, days=days, besides=besides)
        return Answer({"id": number}, 201)

    return act.answer(add)


@router.post("/leave/{number}/ending", response_model=Numbered, summary="Let a leave end earlier")
def shorten_leave(number: Serial, form: LeaveEnd, act: Act) -> Response:
    """Somebody is back: the last day, not before yesterday."""

    def shorten(session: Session, actor: Actor) -> Answer:
        leave.shorten(opened(act, session, actor), number, form.last_on)
        return Answer({"id": number})

    return act.answer(shorten)


@router.post("/leave/{number}/cancelling", response_model=Numbered, summary="Take back a leave")
def cancel_leave(number: Serial, form: Confirmation, act: Act) -> Response:  # noqa: ARG001 - an empty body
    """A leave that has not begun before today; one that has ends earlier instead."""

    def cancel(session: Session, actor: Actor) -> Answer:
        leave.cancel(opened(act, session, actor), number)
        return Answer({"id": number})

    return act.answer(cancel)


@router.post("/people/{account}/leaving", response_model=Left, summary="Somebody leaves the office")
def leave_office(account: Account, form: Leaving, act: Act) -> Response:
    """From `on` they are gone: logins end, every open item assigned to them goes to a lawful
    successor (those named first), or its unit's head is told that it needs one; what was queued for
    them is told to whoever takes over. A day to come waits for the worker. Counts only: an
    administrator does not read cases.
    """

    def left(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        casework = act.counter.casework
        besides = leaving.doubts(register, account, form.on)
        besides += absence_in_words(session, casework, actor, account)
        told = leaving.leave(register, casework, account, form.on, form.successors)
        proven(act, register, confirm=form.confirm, days=[form.on], besides=besides)
        return Answer(told)

    return act.answer(left)


@router.get("/conflicts", response_model=Conflicts, summary="Declared conflicts of interest")
def list_conflicts(look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """The latest first: one's own; admin, head and liaison see all but those declared with them."""
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        house = counter.casework.house(session)
        after = counter.cursors.read(cursor)
        page = directory.conflicts(session, house, actor, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.post(
    "/conflicts", response_model=Numbered, status_code=201, summary="Declare a conflict of interest"
)
def declare(form: NewConflict, act: Act) -> Response:
    """Any member of staff declares their own; admin and liaison register those of others. With a
    person, a unit, or a category outside: never a name of somebody outside. Where an open item is
    about that person or unit, the declarer is barred from it with the same act.
    """

    def declared(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        found = conflicts.Declared(form.ground, form.person, form.unit, form.outside)
        account = form.account or actor.account
        number = conflicts.declare(register, account, found)
        act.counter.casework.heed_conflicts(session, actor, account)
        return Answer({"id": number}, 201)

    return act.answer(declared)


@router.post("/conflicts/{number}/ending", response_model=Numbered, summary="A conflict is over")
def end_conflict(number: Serial, form: Confirmation, act: Act) -> Response:  # noqa: ARG001 - an empty body
    """By admin or liaison after looking into it, never by the declarer alone."""

    def ended(session: Session, actor: Actor) -> Answer:
        conflicts.end(opened(act, session, actor), number)
        return Answer({"id": number})

    return act.answer(ended)

"""The escalation queue, and one act for many of its items."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response

from api import problems
from api.counter import Act, Answer, Counter, Look
from api.forms import Bulk, Cursor, Limit, Word
from api.schemas import BulkResults, Stalls
from engine import reminders
from engine.boards import stalls
from engine.errors import BanjieError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(tags=["stalls"])


@router.get("/stalls", response_model=Stalls, summary="What does not move")
def list_stalls(
    look: Look,
    rung: Annotated[int | None, Query(ge=1, le=5, description="Clocks on this rung only.")] = None,
    unit: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Clocks whose alarm has fired while the item stood still, highest rung first. `kind` says what
    is wrong: overdue, idle, ping_pong or clock_abuse. A limit that was only pushed early, before it
    is due, is no stall and left out; with `rung` it is shown, as `due_soon`.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        page = stalls(
            session, counter.casework, actor, rung=rung, unit=unit, after=after, limit=limit
        )
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.post("/stalls/bulk", response_model=BulkResults, summary="One act for many items")
def act_on_many(form: Bulk, act: Act) -> Response:
    """Urge, reassign, extend or take over. Every item is a transaction of its own: one that refuses
    stops no other, and its result holds the problem. No If-Match: the acts are decided on each item
    as it stands. Sent again with the same key, items that were done are not done again.
    """
    look_up = {"urge": _urge, "reassign": _reassign, "extend": _extend, "take_over": _take_over}
    results = []
    for number in dict.fromkeys(form.numbers):
        result: dict[str, Any] = {"number": number, "ok": True, "status": 200, "problem": None}

        def deed(session: Session, actor: Actor, number: str = number) -> Answer:
            look_up[form.act](session, act.counter, number, actor, form)
            return Answer({})

        try:
            act.act(deed, part=number)
        except problems.Unauthenticated:
            raise
        except BanjieError as refusal:
            problem = problems.document(refusal, problems.request_id(act.request))
            result |= {"ok": False, "status": problem["status"], "problem": problem}
        results.append(result)
    return Answer({"results": results}).response()


def _urge(session: Session, counter: Counter, number: str, actor: Actor, form: Bulk) -> None:
    reminders.urge(session, counter.casework, number, actor, form.note or "")


def _reassign(session: Session, counter: Counter, number: str, actor: Actor, form: Bulk) -> None:
    counter.casework.assign(session, number, actor, form.role, form.people, form.data)


def _take_over(session: Session, counter: Counter, number: str, actor: Actor, form: Bulk) -> None:
    people = list(dict.fromkeys([actor.account, *form.people]))
    counter.casework.assign(session, number, actor, form.role, people, form.data)


def _extend(session: Session, counter: Counter, number: str, actor: Actor, form: Bulk) -> None:
    if form.deadline and form.until and form.reason:
        counter.casework.extend(session, number, actor, form.deadline, form.until, form.reason)

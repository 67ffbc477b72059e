"""Concentrated complaints: counting them now, and what lies behind an analysis."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from api.counter import Act, Answer, Look
from api.forms import Cursor, Limit, Number
from api.schemas import Begun, Cluster
from engine.clusters import members, tally_when_asked

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(tags=["clusters"])


@router.post("/clusters", response_model=Begun, summary="Count what comes in too often, now")
def count(act: Act) -> Response:
    """The system counts once a day by itself; the law section's hub, audit and the heads may ask for it
    at any hour. Answers with the analyses that began and the caller may know of.
    """

    def counted(session: Session, actor: Actor) -> Answer:
        return Answer({"numbers": tally_when_asked(session, act.counter.casework, actor)})

    return act.answer(counted)


@router.get(
    "/items/{number}/cluster", response_model=Cluster, summary="What was counted behind an analysis"
)
def behind(number: Number, look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """The items behind an analysis that the system began, of those the caller may know of, oldest
    first. The analysis itself holds the counts and the query; of an item nobody counted: none.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        page = members(session, counter.casework, actor, number, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)

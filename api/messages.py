"""What was pushed about items, and what the caller was told."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Response

from api.counter import Answer, Look
from api.forms import Cursor, Limit, Word
from api.schemas import Inbox, Messages
from engine.boards import inbox, messages

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(tags=["messages"])
Status = Literal["ready", "leased", "sent", "dead", "withdrawn"]


@router.get("/messages", response_model=Messages, summary="What was pushed")
def list_messages(
    look: Look,
    status: Annotated[Status | None, Query(description="Messages in this status only.")] = None,
    item: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Messages about items the caller may see, the newest first. `recipient` is an account, `public`
    for the petitioner, or `endpoint` for a system outside. `dead` ones need somebody to look.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        page = messages(
            session, counter.casework, actor, status=status, item=item, after=after, limit=limit
        )
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.get("/inbox", response_model=Inbox, summary="What I was told")
def list_inbox(look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """The caller's own messages in words, the newest first, however they were sent besides."""
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        page = inbox(session, counter.casework, actor, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)

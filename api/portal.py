"""The citizens' side: a short session opened by number and code, and what can be done in it.

The same functions serve `/submissions/track` and `/submissions/act`; a session only spares entering
the code each time. The code is in one POST body and nowhere else.
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response

from api.counter import Answer, Counter, IdempotencyKey, Process, sent
from api.forms import Cursor, Limit, Move, RecusalWish, Tracking, Transition, Wording, WorkflowName
from api.petitioners import Visitor, at_hand, begin_session, let_in, shown, use_right, want_recusal
from api.schemas import Tracked
from api.schemas_portal import Challenge, Conversation, PortalSession, Posted, Rights
from engine import conversation
from engine.answers import Given
from engine.rights import rights_of
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter(prefix="/portal", tags=["portal"])


@router.get("/challenge", response_model=Challenge, summary="A proof-of-work challenge")
def challenge(counter: Process) -> Response:
    """A puzzle that costs a computer half a second, for the altcha widget or any program: find the
    counter whose PBKDF2 key begins with `keyPrefix`. Good for ten minutes, and for one request.
    Wanted only after too many tries; the answer that wants one says so.
    """
    return sent(Given(200, orjson.dumps(counter.door.proofs.challenge())))


@router.post(
    "/sessions", response_model=PortalSession, status_code=201, summary="Enter number and code"
)
def enter(
    form: Tracking,
    request: Request,
    counter: Process,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - see below
) -> Response:
    """A token good for a quarter of an hour from the last visit, four hours in all; the same token
    comes as a cookie. A key is taken and means nothing here: a token is never kept to be given again.
    """
    let_in(counter, request, form.number, form.code, form.altcha)
    token, expires_at = begin_session(counter, form.number)
    body = orjson.dumps({"token": token, "expires_at": expires_at})
    return sent(Given(201, body, {"Set-Cookie": counter.door.cookie_with(token)}))


@router.delete("/sessions/current", status_code=204, summary="Leave")
def leave(visitor: Visitor, counter: Process) -> Response:
    """End the session now, and let the browser forget what it kept of it."""
    visitor.end()
    headers = {
        "Clear-Site-Data": '"cache", "cookies", "storage"',
        "Set-Cookie": counter.door.cookie_with(""),
    }
    return Response(status_code=204, headers=headers)


@router.get("/item", response_model=Tracked, summary="My item")
def item(visitor: Visitor) -> Response:
    """What POST /submissions/track shows."""

    def look(session: Session, number: str) -> Answer:
        return Answer(shown(visitor.counter, session, number, words=True))

    return visitor.look(look)


@router.post("/transitions/{name}", response_model=Tracked, summary="Use a right")
def use(name: Transition, form: Move, visitor: Visitor) -> Response:
    """Object, withdraw, supply what was missing: one of the `rights` of the item, with its fields."""

    def move(session: Session, number: str) -> Answer:
        actor = at_hand(visitor.counter, visitor.request, session)
        return Answer(use_right(visitor.counter, session, number, name, form.data, actor))

    return visitor.act(move)


@router.get("/rights/{name}", response_model=Rights, summary="My rights, before I submit")
def rights_before(name: WorkflowName, counter: Process) -> Response:
    """What happens with a submission, by when, who may know, and what its petitioner may do: in
    plain words, Chinese and English, without a login. The limits are those the office counts by.
    """

    def told(session: Session) -> dict[str, Any]:
        return _rights(counter, session, name)

    return sent(Given(200, orjson.dumps(counter.database.perform(told))))


@router.get("/rights", response_model=Rights, summary="My rights")
def rights(visitor: Visitor) -> Response:
    """The same for the petitioner's item."""

    def told(session: Session, number: str) -> Answer:
        workflow = shown(visitor.counter, session, number)["workflow"]
        return Answer(_rights(visitor.counter, session, workflow))

    return visitor.look(told)


def _rights(counter: Counter, session: Session, workflow: str) -> dict[str, Any]:
    house = counter.casework.house(session)
    office = house.office.units[house.office.root].name
    today = house.now.astimezone(SHANGHAI).date()
    return rights_of(counter.casework.catalog, workflow, office, today)


@router.post("/recusals", response_model=Tracked, summary="Ask for recusal")
def ask_recusal(form: RecusalWish, visitor: Visitor) -> Response:
    """What POST /submissions/recusals does: ask that whoever handles the item, or somebody by name,
    stay out of it.
    """

    def ask(session: Session, number: str) -> Answer:
        return Answer(want_recusal(visitor.counter, session, number, form))

    return visitor.act(ask)


@router.get("/messages", response_model=Conversation, summary="What was written")
def read_messages(visitor: Visitor, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """What petitioner and office wrote to each other, oldest first. What is shown counts as read:
    `unread` of the item tells how many messages of the office are new.
    """
    counter = visitor.counter

    def listed(session: Session, number: str) -> Answer:
        after = counter.cursors.read(cursor)
        page = conversation.shown_to_petitioner(
            session, counter.casework, number, after=after, limit=limit
        )
        return Answer(counter.cursors.listed(page))

    return visitor.look(listed)


@router.post("/messages", response_model=Posted, status_code=201, summary="Write to the office")
def write(form: Wording, visitor: Visitor) -> Response:
    """Write to whoever handles the item; twenty messages a day, and until the item ends. The office
    owes an answer: a deadline runs until there is one.
    """

    def post(session: Session, number: str) -> Answer:
        dossier = conversation.write(session, visitor.counter.casework, number, form.body)
        return Answer({"seq": dossier.seq, "at": dossier.now}, 201)

    return visitor.act(post)

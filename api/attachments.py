"""Attachments: given in a request of parts, listed, and had again as downloads that run nowhere.

A request with files holds neither a thread nor a connection while it arrives. Once it is here, two at
a time are judged, drawn anew and put into the store, and then one transaction makes attachments of
them. What is served is always a download from a sandbox, whatever it is.
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote
from uuid import UUID

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from api.counter import (
    Act,
    Answer,
    Counter,
    IdempotencyKey,
    Look,
    Revision,
    Shown,
    who,
)
from api.forms import Cursor, Limit, Number, OriginalWanted
from api.petitioners import Visitor
from api.schemas import AttachmentsGiven, AttachmentsListed
from api.uploads import MULTIPART, Consignment, receive
from engine import attachments
from engine.attachments import Words
from engine.depot import discard, judge, shelve
from engine.errors import BanjieError, Invalid
from engine.forms import MOST_NOTE, MOST_TEXT, plain_text
from engine.people import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.orm import Session

    from engine.attachments import Opened
    from engine.people import Actor

router = APIRouter(tags=["attachments"])
AT_WORK = CapacityLimiter(2)
"""Requests whose files are judged and stored at once: pictures take memory and a processor each."""

OF_STAFF = frozenset({"title", "note", "to_public"})
OF_PUBLIC = frozenset({"title", "note"})
SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"
DOWNLOAD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, always as a download.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
AttachmentId = Annotated[
    UUID,
    Path(description="`id` of the attachment.", examples=["0b1d8f0e-5a0c-4c39-9d3e-6f3f2f1f7c11"]),
]
Warned = Annotated[
    bool,
    Query(description="`true`: I know that it is suspicious or was not scanned.", examples=[True]),
]


def _described(fields: Mapping[str, str]) -> dict[str, Any]:
    """The body of a request with files, for the OpenAPI document."""
    properties: dict[str, Any] = {
        name: {"type": "string", "description": told} for name, told in fields.items()
    }
    properties["file"] = {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "description": "Once for each file, after the fields.",
    }
    schema = {"type": "object", "properties": properties, "required": ["file"]}
    return {"requestBody": {"required": True, "content": {MULTIPART: {"schema": schema}}}}


TITLE, NOTE = "What the files are.", "What is to be known about them."


@router.post(
    "/items/{number}/attachments",
    response_model=AttachmentsGiven,
    status_code=201,
    summary="Add files",
    openapi_extra=_described(
        {"title": TITLE, "note": NOTE, "to_public": "`true`: the petitioner may have them too."}
    ),
)
async def add(
    number: Number,
    request: Request,
    revision: Revision,
    act: Act,
) -> Response:
    """Whoever works on an item adds files to it. Pictures are shown as copies drawn anew, without
    what a camera wrote into them; the file as received stays sealed.
    """
    counter = act.counter

    def give(consignment: Consignment) -> Response:
        words = _words(consignment.fields)

        def deed(session: Session, actor: Actor) -> Answer:
            made = attachments.attach(
                session,
                counter.casework,
                counter.depot,
                number,
                actor,
                consignment.arrivals,
                words,
                revision=revision,
            )
            return Answer({"items": made}, 201)

        return act.answer(deed)

    await run_sync(lambda: _may_staff(act.shown, counter, number, revision))
    return await _taken(request, counter, OF_STAFF, give)


@router.post(
    "/portal/attachments",
    response_model=AttachmentsGiven,
    status_code=201,
    summary="Add files to my item",
    openapi_extra=_described({"title": TITLE, "note": NOTE}),
)
async def add_mine(visitor: Visitor, request: Request) -> Response:
    """Evidence for one's own item, from the session of POST /portal/sessions, until the item has
    ended. Whoever holds the item is told.
    """
    counter = visitor.counter

    def give(consignment: Consignment) -> Response:
        words = _words(consignment.fields)

        def deed(session: Session, number: str) -> Answer:
            made = attachments.attach(
                session,
                counter.casework,
                counter.depot,
                number,
                PUBLIC,
                consignment.arrivals,
                words,
            )
            return Answer({"items": made}, 201)

        return visitor.act(deed)

    await run_sync(partial(visitor.look, partial(_may_give, counter)))
    return await _taken(request, counter, OF_PUBLIC, give)


async def _taken(
    request: Request,
    counter: Counter,
    fields: frozenset[str],
    give: Callable[[Consignment], Response],
) -> Response:
    """Receive files and make attachments of them."""
    depot = counter.depot
    depot.check_room()
    consignment = Consignment()
    try:
        await receive(request, depot, fields, consignment)
        request.scope["state"]["body"] = consignment.digest
        work = partial(_store, counter, consignment, give)
        return await run_sync(work, limiter=AT_WORK)
    finally:
        await run_sync(consignment.close)


def _store(
    counter: Counter, consignment: Consignment, give: Callable[[Consignment], Response]
) -> Response:
    """Judge the files, put them into the store, and give them to the item. What does not become an
    attachment, because something is refused or because this was a repeated request, is removed.
    """
    depot = counter.depot
    for at, arrival in enumerate(consignment.arrivals):
        try:
            judge(arrival, depot)
        except BanjieError as error:
            error.members = {**error.members, "pointer": f"/file/{at}"}
            raise
    try:
        shelve(counter.database, depot, consignment.arrivals)
        return give(consignment)
    finally:
        names = [name for arrival in consignment.arrivals for name in arrival.names]
        with suppress(BanjieError):  # else the next sweep finds them
            discard(counter.database, depot, names)


def _may_staff(shown: Shown, counter: Counter, number: str, revision: int) -> None:
    """Refuse early what would be refused after all the files had come."""
    with counter.database.transaction() as session:
        actor = who(session, counter, shown).actor
        attachments.check_gift(session, counter.casework, number, actor, revision)


def _may_give(counter: Counter, session: Session, number: str) -> Answer:
    """The same for a petitioner."""
    attachments.check_gift(session, counter.casework, number, PUBLIC)
    return Answer(None)


def _words(fields: Mapping[str, str]) -> Words:
    """Title and note of the files. Raises Invalid."""
    public = fields.get("to_public", "false")
    if public not in {"true", "false"}:
        raise Invalid([("/to_public", "应为 true 或 false。Give true or false.")])
    return Words(
        plain_text("/title", fields.get("title", ""), MOST_TEXT),
        plain_text("/note", fields.get("note", ""), MOST_NOTE),
        to_public=public == "true",
    )


@router.get(
    "/items/{number}/attachments",
    response_model=AttachmentsListed,
    summary="The attachments of an item",
)
def list_attachments(
    number: Number, look: Look, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The files of an item, oldest first. Names, titles and notes are shown to whoever works on it.
    `scan` is `not_scanned` where no scanner is set up: then nothing was looked at.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        page = attachments.listed(
            session, counter.casework, number, actor, after=after, limit=limit
        )
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.get(
    "/items/{number}/attachments/{attachment}",
    response_class=Response,
    responses=DOWNLOAD,
    summary="Download an attachment",
)
def download(
    number: Number,
    attachment: AttachmentId,
    look: Look,
    warned: Warned = False,  # noqa: FBT002
) -> Response:
    """A file, for whoever works on the item; of a picture the copy drawn anew. What is suspicious or
    waits to be scanned needs `warned=true`; what is infected is not served.
    """
    counter = look.counter
    found = look.call(
        lambda session, caller: attachments.find(
            session, counter.casework, number, caller.actor, attachment, warned=warned
        )
    )
    return _served(found.open(counter.depot.store))


@router.post(
    "/items/{number}/attachments/{attachment}/original",
    response_class=Response,
    responses=DOWNLOAD,
    summary="Download a file as it was received",
)
def original(
    number: Number,
    attachment: AttachmentId,
    form: OriginalWanted,
    revision: Revision,
    look: Look,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - see below
) -> Response:
    """The file as received, with all that a camera wrote into it, for whoever just proved again who
    they are. The reason stays in the journal. A key is taken and means nothing here: every reading is
    an event of its own.
    """
    counter = look.counter
    found = look.call(
        lambda session, caller: attachments.open_original(
            session,
            counter.casework,
            number,
            caller.actor,
            attachment,
            form.reason,
            revision=revision,
        ),
        fresh=True,
    )
    return _served(found.open(counter.depot.store, original=True))


@router.get(
    "/portal/attachments", response_model=AttachmentsListed, summary="The attachments of my item"
)
def list_mine(visitor: Visitor, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """What the petitioner gave, and what the office released to them, oldest first."""
    counter = visitor.counter

    def listed(session: Session, number: str) -> Answer:
        after = counter.cursors.read(cursor)
        page = attachments.listed(
            session, counter.casework, number, PUBLIC, after=after, limit=limit
        )
        return Answer(counter.cursors.listed(page))

    return visitor.look(listed)


@router.get(
    "/portal/attachments/{attachment}",
    response_class=Response,
    responses=DOWNLOAD,
    summary="Download an attachment of my item",
)
def download_mine(
    attachment: AttachmentId,
    visitor: Visitor,
    warned: Warned = False,  # noqa: FBT002
) -> Response:
    """One of the files that the list shows; of a picture the copy drawn anew."""
    counter = visitor.counter
    found = visitor.read(
        lambda session, number: attachments.find(
            session, counter.casework, number, PUBLIC, attachment, warned=warned
        )
    )
    return _served(found.open(counter.depot.store))


def _served(opened: Opened) -> Response:
    """A file as a download from a sandbox; nothing of it is taken from what was declared."""
    plain = "".join(
        char if char.isascii() and (char.isalnum() or char in "._- ") else "_"
        for char in opened.name
    )
    return StreamingResponse(
        opened.blocks,
        media_type=opened.kind.served_as,
        headers={
            "Content-Disposition": (
                f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(opened.name, safe='')}"
            ),
            "Content-Length": str(opened.size),
            "Content-Security-Policy": SANDBOX,
            "Accept-Ranges": "none",
        },
    )

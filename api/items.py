"""Items: the worklist, the page of one, and every act of staff on it."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from api.counter import Act, Answer, Look, Revision, of_item
from api.forms import (
    Assignment,
    Cursor,
    Declaration,
    ExtensionRequest,
    Limit,
    Move,
    Note,
    Number,
    RecusalRequest,
    Registration,
    Told,
    Transition,
    WorklistQuery,
)
from api.schemas import Drafts, Item, Journal, Worklist
from api.schemas_portal import Correspondence
from engine import conversation, reminders, views
from engine.desk import REQUESTS
from engine.errors import Invalid
from engine.queries import Filters, worklist
from engine.recusals import Application
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.people import Actor

router = APIRouter(tags=["items"])

AT_THE_ITEM = (
    "请在事项上申请:POST /items/{number}/extensions 或 /items/{number}/recusals。"
    "Ask at the item itself: POST /items/{number}/extensions or /items/{number}/recusals."
)


@router.get("/items", response_model=Worklist, summary="What I may see, next due first")
def list_items(look: Look, asked: Annotated[WorklistQuery, Query()]) -> Response:
    """Open items the caller may know of. A final `state` lists closed items, the last closed first;
    `q` searches open and closed items by number. `unit` takes a code, name or alias and includes
    the units below; `assignee` an account; `stalled` items on which an alarm has fired.
    """
    counter = look.counter
    moment = asked.due_before
    if moment is not None and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), SHANGHAI)
    filters = Filters(
        workflow=asked.workflow,
        state=asked.state,
        unit=asked.unit,
        assignee=asked.assignee,
        stalled=asked.stalled,
        due_before=moment,
        number=asked.q,
    )

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(asked.cursor)
        page = worklist(session, counter.casework, actor, filters, after=after, limit=asked.limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.post("/items", response_model=Item, status_code=201, summary="Register an item")
def register(form: Registration, act: Act) -> Response:
    """Staff register what reached them in person, by letter or by telephone."""
    if form.workflow in REQUESTS:
        raise Invalid([("/workflow", AT_THE_ITEM)])
    casework = act.counter.casework

    def begin(session: Session, actor: Actor) -> Answer:
        born = casework.submit(session, form.workflow, actor, form.data, channel=form.channel)
        view = views.view_after(session, casework, actor, born.number)
        return of_item(view, 201)

    return act.answer(begin, fresh=act.counter.accuses(form.data))


@router.get("/items/{number}", response_model=Item, summary="One item")
def show(number: Number, look: Look) -> Response:
    """An item with its deadlines, its relatives and what the caller can do. Personal fields are
    shown only to those who are assigned or can move it on. The ETag names its revision.
    """

    def shown(session: Session, actor: Actor) -> Answer:
        casework = look.counter.casework
        return of_item(views.item_view(session, casework, actor, number, personal=True))

    return look.look(shown)


@router.get("/items/{number}/events", response_model=Journal, summary="The journal of an item")
def journal(number: Number, look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Everything that happened to an item, oldest first, each event with the hash that chains it.
    `personal` holds what an event committed to, for those who may work on the item.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        page = views.events(session, counter.casework, actor, number, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.get("/items/{number}/documents", response_model=Drafts, summary="The letters of an item")
def letters(number: Number, look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """The official letters drafted so far, oldest first, frozen as they were drafted: notices,
    decisions, the referral letter.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        page = views.documents(session, counter.casework, actor, number, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.post("/items/{number}/transitions/{name}", response_model=Item, summary="Move an item on")
def advance(number: Number, name: Transition, form: Move, revision: Revision, act: Act) -> Response:
    """Make a transition. The answer is the item after it and after all that followed from it,
    without personal fields. Naming somebody as accused wants a fresh proof.
    """
    casework = act.counter.casework

    def move(session: Session, actor: Actor) -> Answer:
        casework.advance(session, number, name, actor, form.data, revision=revision)
        return of_item(views.view_after(session, casework, actor, number))

    return act.answer(move, fresh=act.counter.accuses(form.data))


@router.post(
    "/items/{number}/extensions", response_model=Item, status_code=201, summary="Ask for more time"
)
def extend(number: Number, form: ExtensionRequest, revision: Revision, act: Act) -> Response:
    """Whoever holds an item asks for more time before a deadline expires. The answer is the
    extension request, an item of its own that the right person decides.
    """
    casework = act.counter.casework

    def ask(session: Session, actor: Actor) -> Answer:
        born = casework.extend(
            session, number, actor, form.deadline, form.until, form.reason, revision=revision
        )
        return of_item(views.view_after(session, casework, actor, born.number), 201)

    return act.answer(ask)


@router.post(
    "/items/{number}/recusals", response_model=Item, status_code=201, summary="Ask for recusal"
)
def ask_recusal(number: Number, form: RecusalRequest, revision: Revision, act: Act) -> Response:
    """Ask that somebody stay out of an item: oneself, or anybody else (公务员法 art. 77); or, with
    `lift`, that they may come back. The answer is the application, an item of its own that the
    right head decides by `grant` or `refuse`. It stops no investigation; a mediation it suspends.
    """
    casework = act.counter.casework

    def ask(session: Session, actor: Actor) -> Answer:
        officers = (form.officer,) if form.officer else ()
        asked = Application(officers, form.ground, form.reason, form.lift)
        born = casework.ask_recusal(session, number, actor, asked, revision=revision)
        return of_item(views.view_after(session, casework, actor, born.number), 201)

    return act.answer(ask)


@router.post(
    "/items/{number}/declarations", response_model=Item, summary="Declare that nothing binds me"
)
def declare(number: Number, form: Declaration, revision: Revision, act: Act) -> Response:
    """Sign for one item that nothing binds the signer to it: "本人与本事项的当事人、被反映人及其近亲属没有
    利害关系…". With `conflict` it is an application for one's own recusal, and the answer is that.
    Whoever acts on an item without having signed declares the same by acting.
    """
    casework = act.counter.casework

    def sign(session: Session, actor: Actor) -> Answer:
        if form.conflict:
            asked = Application((actor.account,), form.ground, form.reason or "")
            born = casework.ask_recusal(session, number, actor, asked, revision=revision)
            return of_item(views.view_after(session, casework, actor, born.number))
        casework.declare(session, number, actor, revision=revision)
        return of_item(views.view_after(session, casework, actor, number))

    return act.answer(sign)


@router.post("/items/{number}/assignments", response_model=Item, summary="Assign to other people")
def assign(number: Number, form: Assignment, revision: Revision, act: Act) -> Response:
    """Give an item to other people in a role, under the guards of its first assignment."""
    casework = act.counter.casework

    def hand_over(session: Session, actor: Actor) -> Answer:
        casework.assign(
            session, number, actor, form.role, form.people, form.data, revision=revision
        )
        return of_item(views.view_after(session, casework, actor, number))

    return act.answer(hand_over)


@router.post("/items/{number}/notes", response_model=Item, status_code=201, summary="Write a note")
def note(number: Number, form: Note, revision: Revision, act: Act) -> Response:
    """Write something down beside an item. It is kept like personal data and moves no clock."""
    casework = act.counter.casework

    def write(session: Session, actor: Actor) -> Answer:
        casework.hold(session, number, actor, revision=revision)
        casework.note(session, number, actor, form.text)
        return of_item(views.view_after(session, casework, actor, number), 201)

    return act.answer(write)


@router.get("/items/{number}/messages", response_model=Correspondence, summary="What was written")
def read_messages(number: Number, look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """What petitioner and office wrote to each other, oldest first, for those who work on the item.
    While the petitioner waits for an answer the item has a deadline `unanswered`.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        page = conversation.shown_to_staff(
            session, counter.casework, actor, number, after=after, limit=limit
        )
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.post(
    "/items/{number}/messages", response_model=Item, status_code=201, summary="Tell somebody"
)
def tell(number: Number, form: Told, revision: Revision, act: Act) -> Response:
    """Send one of the office's own texts about an item to the petitioner, the holders or a role, or
    write to the petitioner in own words (`body`). Those are read in the portal, under the name of a
    unit and a role; what is pushed says only that there is a message. `note` is kept beside the item.
    """
    casework = act.counter.casework

    def say(session: Session, actor: Actor) -> Answer:
        if form.text is None:
            conversation.answer(
                session, casework, number, actor, form.body or "", revision=revision
            )
        else:
            words = form.note or ""
            reminders.tell(
                session, casework, number, actor, form.to, form.text, words, revision=revision
            )
        return of_item(views.view_after(session, casework, actor, number), 201)

    return act.answer(say)

"""The office: its units, its people, their roles. Staff read the directory, administrators change it."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response

from api.counter import Act, Answer, Look, Revision, of_item
from api.forms import Cursor, Limit, Word
from api.forms_office import (
    Account,
    Confirmation,
    Decision,
    NewPerson,
    NewUnit,
    PersonChange,
    RoleChange,
    Serial,
    UnitChange,
    UnitCode,
)
from api.schemas_office import (
    OfficeEvents,
    People,
    PersonView,
    Proposals,
    RoleOutcome,
    Units,
    UnitView,
)
from engine.administration import directory, people, record, roles, units
from engine.administration.register import (
    ADMIN,
    HEAD,
    Register,
    bears,
    demand_no_silence,
    not_permitted,
    open_register,
)
from engine.foresight import revocation_in_words
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from sqlalchemy.orm import Session

    from api.counter import Counter, Writing
    from engine.people import Actor

router = APIRouter(tags=["office"], prefix="/office")


def opened(act: Writing, session: Session, actor: Actor) -> Register:
    """The register, open under the caller's name."""
    return open_register(session, act.counter.casework.catalog, actor)


def proven(
    act: Writing,
    register: Register,
    *,
    confirm: bool,
    days: Iterable[date] = (),
    besides: Iterable[str] = (),
) -> None:
    """Raise Unconfirmed where something may go silent after a change that is not confirmed."""
    demand_no_silence(register, act.counter.prover, confirm=confirm, days=days, besides=besides)


# --- units --------------------------------------------------------------------------------------


@router.get("/units", response_model=Units, summary="The units of the office")
def list_units(look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Every unit by its code; `under` is the unit above. Closed ones bear `closed_on`."""
    counter = look.counter

    def listed(session: Session, _: Actor) -> Answer:
        after = counter.cursors.read(cursor)
        return Answer(counter.cursors.listed(directory.units(session, after=after, limit=limit)))

    return look.look(listed)


@router.get("/units/{code}", response_model=UnitView, summary="One unit")
def show_unit(code: UnitCode, look: Look) -> Response:
    """A unit; the ETag is what the next If-Match names."""
    return look.look(lambda session, _: of_item(directory.unit(session, code)))


@router.post("/units", response_model=UnitView, status_code=201, summary="Add a unit")
def add_unit(form: NewUnit, act: Act) -> Response:
    """For administrators of the unit above. One root, and no word that another unit bears."""

    def add(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        register.demand(ADMIN)
        units.create(register, form.code, form.name, form.under, form.aliases)
        proven(act, register, confirm=form.confirm)
        return of_item(directory.unit(session, form.code), 201)

    return act.answer(add)


@router.patch("/units/{code}", response_model=UnitView, summary="Rename or move a unit")
def change_unit(code: UnitCode, form: UnitChange, act: Act, revision: Revision) -> Response:
    """A unit moves with everything below it, never below itself."""

    def change(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        units.change(
            register, code, revision, name=form.name, under=form.under, aliases=form.aliases
        )
        proven(act, register, confirm=form.confirm)
        return of_item(directory.unit(session, code))

    return act.answer(change)


@router.post("/units/{code}/closing", response_model=UnitView, summary="Close a unit")
def close_unit(code: UnitCode, form: Confirmation, act: Act, revision: Revision) -> Response:
    """Refused while it has people, units below it or open items. Its roles end with it; it stays in
    the record and its name stays taken.
    """

    def close(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        units.close(register, code, revision)
        proven(act, register, confirm=form.confirm)
        return of_item(directory.unit(session, code))

    return act.answer(close)


# --- people -------------------------------------------------------------------------------------


@router.get("/people", response_model=People, summary="The directory")
def list_people(
    look: Look,
    unit: Word = None,
    role: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Who works where and bears which role, by account. `unit` includes the units below. Admin and
    head see leavers, addresses and certificates too.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        house = counter.casework.house(session)
        after = counter.cursors.read(cursor)
        filters = {"unit": unit, "role": role}
        page = directory.people(session, house, actor, filters=filters, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.get("/people/{account}", response_model=PersonView, summary="Somebody of the office")
def show_person(account: Account, look: Look) -> Response:
    """An entry of the directory; for admin and head the ETag is what the next If-Match names."""
    return look.look(lambda session, actor: _shown(look.counter, session, actor, account))


@router.get("/certificates", response_model=People, summary="Certificates that end soon")
def list_certificates(
    look: Look,
    within: Annotated[int, Query(ge=0, le=3660, description="Days from today.")] = 90,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Whose enforcement certificate (行政执法证) has ended or ends within so many days; for admin and
    head.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        house = counter.casework.house(session)
        after = counter.cursors.read(cursor)
        page = directory.people(session, house, actor, expiring=within, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.post("/people", response_model=PersonView, status_code=201, summary="Add somebody")
def add_person(form: NewPerson, act: Act) -> Response:
    """Without roles and without a password: both are given by further acts."""
    given = form.model_dump(exclude={"confirm"})

    def add(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        register.demand(ADMIN)
        people.create(register, people.Newcomer(**given))
        proven(act, register, confirm=form.confirm)
        return _shown(act.counter, session, actor, form.account, 201)

    return act.answer(add)


@router.patch("/people/{account}", response_model=PersonView, summary="Change somebody's entry")
def change_person(account: Account, form: PersonChange, act: Act, revision: Revision) -> Response:
    """Name, unit, post, address, certificate. Nobody changes their own unit, post or certificate."""
    changes = form.model_dump(exclude={"confirm"}, exclude_unset=True)

    def change(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        people.change(register, account, revision, changes)
        proven(act, register, confirm=form.confirm)
        return _shown(act.counter, session, actor, account)

    return act.answer(change)


def _shown(
    counter: Counter, session: Session, actor: Actor, account: str, status: int = 200
) -> Answer:
    # the office as this transaction sees it: an entry only just written must not enter the copy
    # that the whole process shares, for it may still be undone
    shown = directory.person(session, counter.casework.house_now(session), actor, account)
    headers = (("ETag", f'"{shown["revision"]}"'),) if shown["revision"] is not None else ()
    return Answer(shown, status, headers)


# --- roles --------------------------------------------------------------------------------------


@router.post(
    "/people/{account}/roles", response_model=RoleOutcome, summary="Grant or revoke a role"
)
def change_role(account: Account, form: RoleChange, act: Act) -> Response:
    """A role for a unit and the units below it. Nobody changes their own roles; admin, head, deputy,
    liaison and discipline wait for a second person (`proposal`), and so does any role for an account whose
    password or token one was shown; roles that exclude one another are refused.
    """

    def change(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        besides = (
            []
            if form.granted
            else revocation_in_words(
                session, act.counter.casework, actor, account, form.role, form.unit
            )
        )
        outcome = roles.change(register, account, form.role, form.unit, granted=form.granted)
        if outcome.done:
            proven(act, register, confirm=form.confirm, besides=besides)
        return Answer(outcome._asdict())

    return act.answer(change)


@router.get("/proposals", response_model=Proposals, summary="Changes of roles that two people make")
def list_proposals(look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """The latest first, decided ones too; for admin and head."""
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        house = counter.casework.house(session)
        after = counter.cursors.read(cursor)
        page = directory.proposals(session, house, actor, after=after, limit=limit)
        return Answer(counter.cursors.listed(page))

    return look.look(listed)


@router.post(
    "/proposals/{number}/decision",
    response_model=RoleOutcome,
    summary="Confirm or refuse a proposal",
)
def decide(number: Serial, form: Decision, act: Act) -> Response:
    """By another admin or the head, never by whoever proposed it nor by whom it concerns."""

    def decided(session: Session, actor: Actor) -> Answer:
        register = opened(act, session, actor)
        roles.decide(register, number, confirmed=form.confirmed)
        proven(act, register, confirm=form.confirm)
        return Answer({"done": form.confirmed, "proposal": number})

    return act.answer(decided)


# --- the record ---------------------------------------------------------------------------------


@router.get("/events", response_model=OfficeEvents, summary="The record of the office")
def list_events(look: Look, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Every change of units, people, roles, leave and conflicts, the newest first, chained by hash;
    for admin, head and auditor.
    """
    counter = look.counter

    def listed(session: Session, actor: Actor) -> Answer:
        house = counter.casework.house(session)
        readers = (ADMIN, HEAD, "auditor")
        if not bears(house.office, actor, readers, house.now.astimezone(SHANGHAI).date()):
            raise not_permitted(*readers)
        after = counter.cursors.read(cursor)
        return Answer(counter.cursors.listed(record.events(session, after=after, limit=limit)))

    return look.look(listed)

"""What somebody logs in with: their password, their second factor, their recovery codes."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from api import schemas, schemas_access
from api.auth import Guess, session_opened
from api.counter import Answer, Change, Look
from api.forms import Confirmation, PasswordChange
from api.problems import StepUpRequired
from engine import factors, passwords, sessions, throttles
from engine.access import write_event
from engine.codes import hash_code
from engine.database import execute
from engine.errors import Invalid, Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.sessions import Caller, Opened

CHANGE = """
UPDATE person SET password_hash = %(hash)s, password_temporary = false
WHERE id = %(person)s AND password_hash = %(present)s RETURNING id
"""
SETTLE = "UPDATE login SET owes = nullif(owes, 'factor') WHERE id = %s"
ENROLLED = (
    "已有第二因素,如换设备请先撤除。"
    "You have a second factor already; remove it first to change devices."
)
NOT_RIGHT = "动态码不对,请核对设备时间后再试。The code is wrong; check the clock of your device and try again."

router = APIRouter(tags=["credentials"])


@router.get("/credentials", response_model=schemas_access.Credentials, summary="My credentials")
def show_credentials(look: Look) -> Response:
    """Whether the caller has a second factor, and how many recovery codes are left."""

    def shown(session: Session, caller: Caller) -> Answer:
        enrolled, left = factors.standing(session, caller.person.id)
        return Answer({"second_factor": enrolled, "recovery_codes": left})

    return look.call(shown).response()


@router.put(
    "/credentials/password",
    response_model=schemas.Session,
    status_code=201,
    summary="Change my password",
)
def change_password(form: PasswordChange, request: Request, look: Change) -> Response:
    """A new password for the present one: at least 12 characters and not one that many people would try.
    Every session ends; the answer is a new one.
    """
    counter = look.counter
    caller = look.call(lambda _, caller: caller)
    person = caller.person
    guess = Guess.of(counter, request, person.account)
    if not guess.fits(form.present):
        guess.wrong("step_up_refused", "wrong_password")
        raise StepUpRequired("现口令不对,请核对。The present password is wrong; check it.")
    own = (person.account, person.name, counter.settings.office_name)
    refusal = passwords.refusal_of(form.new, *own)
    if form.new == form.present:
        refusal = "新口令须与现口令不同。Choose a password other than the present one."
    if refusal is not None:
        raise Invalid([("/new", refusal)])
    digest = hash_code(form.new)

    def change(session: Session) -> Opened | None:
        values = {"hash": digest, "person": person.id, "present": guess.password_hash}
        if execute(session, CHANGE, values).fetchone() is None:
            return None
        throttles.forgive(session, guess.keys)
        write_event(session, "password_changed", person.id)
        by_cookie = look.shown.by_cookie
        return sessions.begin(session, person.id, counter.limits, by_cookie=by_cookie, shown=True)

    opened = counter.database.perform(change)
    if opened is None:
        raise Refused("口令刚被改过,请重新登录。The password was just changed; log in again.")
    return session_opened(counter, opened, by_cookie=look.shown.by_cookie)


@router.post(
    "/credentials/second-factor",
    response_model=schemas_access.FactorOffer,
    status_code=201,
    summary="Enrol a second factor",
)
def offer_factor(look: Change) -> Response:
    """A secret for an authenticator app, shown once; it counts once its first code is given. Wants a fresh
    proof.
    """

    def offer(session: Session, caller: Caller) -> Answer:
        made = look.counter.factors.offer(session, caller.person.id, caller.person.account)
        if made is None:
            raise Refused(ENROLLED)
        write_event(session, "factor_offered", caller.person.id)
        return Answer(made._asdict(), 201)

    return look.call(offer, fresh=True).response()


@router.post(
    "/credentials/second-factor/confirmation",
    response_model=schemas_access.RecoveryCodes,
    summary="Give the first code of the device",
)
def confirm_factor(form: Confirmation, look: Change) -> Response:
    """The second factor counts from now on, and every other session ends. The answer holds ten recovery
    codes: keep them on paper, away from the device.
    """

    def confirm(session: Session, caller: Caller) -> Answer:
        person = caller.person.id
        if not look.counter.factors.take(session, person, form.otp, confirming=True):
            raise Invalid([("/otp", NOT_RIGHT)])
        execute(session, SETTLE, (caller.login,))
        sessions.end(session, person, but=caller.login)
        write_event(session, "factor_confirmed", person)
        codes = look.counter.factors.renew_recovery_codes(session, person)
        return Answer({"recovery_codes": codes})

    return look.call(confirm, fresh=True).response()


@router.delete("/credentials/second-factor", status_code=204, summary="Remove my second factor")
def remove_factor(look: Look) -> Response:
    """Take the second factor and its recovery codes away, to change devices; every other session ends.
    Where the office demands one, the next login asks for a new one. Wants a fresh proof.
    """

    def remove(session: Session, caller: Caller) -> None:
        person = caller.person.id
        if not factors.remove(session, person):
            raise Refused("您没有登记第二因素。You have no second factor.")
        sessions.end(session, person, but=caller.login)
        write_event(session, "factor_removed", person)

    look.call(remove, fresh=True)
    return Response(status_code=204)


@router.post(
    "/credentials/recovery-codes",
    response_model=schemas_access.RecoveryCodes,
    status_code=201,
    summary="New recovery codes",
)
def renew_codes(look: Change) -> Response:
    """Ten new codes; all old ones end. Wants a fresh proof."""

    def renew(session: Session, caller: Caller) -> Answer:
        person = caller.person.id
        enrolled, _ = factors.standing(session, person)
        if not enrolled:
            raise Refused("请先登记第二因素。Enrol a second factor first.")
        write_event(session, "recovery_codes_renewed", person)
        codes = look.counter.factors.renew_recovery_codes(session, person)
        return Answer({"recovery_codes": codes}, 201)

    return look.call(renew, fresh=True).response()

"""Logging in and out, and proving again that it is you.

A token is 256 random bits, kept as a keyed digest in the database, so that naming somebody as accused
or ending their employment takes effect with the next request. An unknown account costs the same
statements and the same hash as a wrong password, and is answered alike. Every guess is counted.
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Request, Response

from api import schemas, schemas_access
from api.counter import Answer, Change, Counter, IdempotencyKey, Look, Process, sent
from api.forms import Login, SessionId, StepUp
from api.problems import SecondFactorRequired, StepUpRequired, Unauthenticated
from engine import sessions, throttles
from engine.access import write_event
from engine.answers import Given
from engine.codes import code_fits
from engine.database import execute
from engine.errors import NotFound
from engine.factors import standing

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.access import Act
    from engine.sessions import Caller, Opened
    from engine.throttles import Keys

FIND = """
SELECT id, password_hash FROM person
WHERE account = %s AND (left_on IS NULL OR left_on > now())
"""
WRONG = "账号或口令不对,请核对。Account or password is wrong; check both."
CODE_WANTED = "请再输入动态码或恢复码。Give a code too: otp, or recovery_code."
CODE_WRONG = (
    "动态码不对或已用过,请等下一个。The code is wrong or was used already; wait for the next one."
)
NOT_PROVEN = "口令或动态码不对,请核对。Password or code is wrong; check it."

router = APIRouter(tags=["sessions"])


@dataclass(frozen=True)
class Guess:
    """Somebody says who they are: where it is counted, and what is known of the account."""

    counter: Counter
    account: str
    keys: Keys
    person: int | None
    password_hash: str | None

    @classmethod
    def of(cls, counter: Counter, request: Request, account: str) -> Guess:
        """Let a guess pass. Raises TooMany."""
        keys = throttles.keys_of(counter.secret, account, counter.origins.network(request.scope))

        def admit(session: Session) -> dict[str, Any] | None:
            throttles.admit(session, keys)
            return execute(session, FIND, (account,)).fetchone()

        found = counter.database.perform(admit) or {}
        return cls(counter, account, keys, found.get("id"), found.get("password_hash"))

    def fits(self, password: str) -> bool:
        """Whether the password is right. It holds no connection: a hash takes longer than all the
        rest; where there is no account a hash is made all the same.
        """
        return code_fits(password, self.password_hash) and self.person is not None

    def wrong(self, act: Act, reason: str) -> None:
        """Count it and write it down."""

        def count(session: Session) -> None:
            throttles.count_failure(session, self.keys)
            write_event(session, act, self.person, reason=reason)

        self.counter.database.perform(count)


@router.post(
    "/sessions",
    response_model=schemas.Session,
    status_code=201,
    summary="Log in",
    responses={401: {"description": "unauthenticated"}},
)
def log_in(
    form: Login,
    request: Request,
    counter: Process,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - see below
) -> Response:
    """A session for an account: a token, or with `cookie` a cookie and the token of its forms. Whoever has
    a second factor gives `otp` or `recovery_code` too. An unknown account takes as long and is answered as a
    wrong password; after some wrong tries the next one has to wait. A key is taken and means nothing
    here: a second login does no harm and gives a second token.
    """
    if form.cookie:
        counter.origins.demand_own(request.headers)
    guess = Guess.of(counter, request, form.account)
    if not guess.fits(form.password):
        known = guess.person is not None
        guess.wrong("login_refused", "wrong_password" if known else "unknown_account")
        raise Unauthenticated(WRONG)

    def begin(session: Session) -> Opened | None:
        person = guess.person or 0
        enrolled, _ = standing(session, person)
        if enrolled and not took_code(session, counter, person, form):
            return None
        throttles.forgive(session, guess.keys)
        return sessions.begin(session, person, counter.limits, by_cookie=form.cookie, shown=True)

    opened = counter.database.perform(begin)
    if opened is None:
        if not (form.otp or form.recovery_code):
            raise SecondFactorRequired(CODE_WANTED)
        guess.wrong("login_refused", "wrong_code")
        raise SecondFactorRequired(CODE_WRONG)
    return session_opened(counter, opened, by_cookie=form.cookie)


@router.get("/sessions", response_model=schemas_access.Sessions, summary="My sessions")
def list_sessions(look: Look) -> Response:
    """Where the caller is logged in, the newest first."""

    def listed(session: Session, caller: Caller) -> Answer:
        rows = sessions.own(session, caller.person.id, look.counter.limits)
        items = [{**row, "current": row["id"] == caller.login} for row in rows]
        return Answer({"items": items, "next": None})

    return look.call(listed).response()


@router.get(
    "/sessions/current", response_model=schemas_access.CurrentSession, summary="This session"
)
def show_session(look: Look) -> Response:
    """Who is logged in, what they still owe, and for a cookie the token of its forms."""

    def shown(_: Session, caller: Caller) -> Answer:
        cookies = look.counter.cookies
        by_cookie = look.shown.by_cookie
        return Answer(
            {
                "account": caller.person.account,
                "name": caller.person.name,
                "owes": caller.owes,
                "fresh": caller.fresh,
                "form_token": cookies.form_token(look.shown.token) if by_cookie else None,
            }
        )

    return look.call(shown).response()


@router.delete("/sessions", status_code=204, summary="End my other sessions")
def end_others(look: Look) -> Response:
    """End every session of the caller but this one."""
    look.call(lambda session, caller: sessions.end(session, caller.person.id, but=caller.login))
    return Response(status_code=204)


@router.delete("/sessions/current", status_code=204, summary="Log out")
def log_out(look: Look) -> Response:
    """End this session now, and have the browser forget what it kept."""

    def end(session: Session, caller: Caller) -> None:
        execute(session, "DELETE FROM login WHERE id = %s", (caller.login,))
        write_event(session, "logout", caller.person.id, subject=caller.login)

    look.call(end)
    gone = Response(status_code=204, headers={"Clear-Site-Data": '"cache", "cookies", "storage"'})
    if look.shown.by_cookie:
        look.counter.cookies.forget(gone)
    return gone


@router.delete("/sessions/{id}", status_code=204, summary="End one of my sessions")
def end_session(id: SessionId, look: Look) -> Response:  # noqa: A002 - the name in the address
    """End a session of the caller's, wherever it is open."""

    def end(session: Session, caller: Caller) -> int:
        return sessions.end(session, caller.person.id, only=id)

    if not look.call(end):
        raise NotFound("您没有这个会话。You have no such session.")
    return Response(status_code=204)


@router.post(
    "/sessions/current/step-up",
    response_model=schemas_access.CurrentSession,
    summary="Prove again that it is me",
)
def step_up(form: StepUp, request: Request, look: Change) -> Response:
    """The password, a code of the second factor or a recovery code: for some minutes the session may then
    do what must not be done from a desk left open. A wrong one is counted as at the login.
    """
    counter = look.counter
    caller = look.call(lambda _, caller: caller)
    guess = Guess.of(counter, request, caller.person.account)
    if form.password is not None:
        right = guess.fits(form.password) and caller.owes != "otp"
    else:
        right = counter.database.perform(
            lambda session: took_code(session, counter, caller.person.id, form)
        )
    if not right:
        guess.wrong("step_up_refused", "wrong_password" if form.password else "wrong_code")
        raise StepUpRequired(NOT_PROVEN)

    def prove(session: Session) -> None:
        throttles.forgive(session, guess.keys)
        execute(session, sessions.PROVEN, {"login": caller.login})
        write_event(session, "step_up", caller.person.id, subject=caller.login)

    counter.database.perform(prove)
    return show_session(look)


def took_code(session: Session, counter: Counter, person: int, form: Login | StepUp) -> bool:
    """Whether the code of a form is right; it is used up then."""
    if form.otp is not None:
        return counter.factors.take(session, person, form.otp)
    if form.recovery_code is None:
        return False
    used = counter.factors.use_recovery_code(session, person, form.recovery_code)
    if used:
        write_event(session, "recovery_code_used", person)
    return used


def session_opened(counter: Counter, opened: Opened, *, by_cookie: bool) -> Response:
    """A new session as it is answered: its token, or a cookie and the token of its forms."""
    told: dict[str, Any] = {"expires_at": opened.expires_at}
    if by_cookie:
        told["form_token"] = counter.cookies.form_token(opened.token)
    else:
        told["token"] = opened.token
    if opened.owes:
        told["owes"] = opened.owes
    answer = sent(Given(201, orjson.dumps(told)))
    if by_cookie:
        counter.cookies.keep(answer, opened.token, counter.limits.lasts)
    return answer

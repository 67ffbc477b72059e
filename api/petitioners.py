"""Who comes with number and code: let in once, then known for a quarter of an hour.

One way in for `/submissions/track`, `/submissions/act` and the portal's session. A wrong code, an
unknown number and an item without a code cost the same work and are answered alike; who guesses
waits (`engine.tries`). A code is never part of an address, a log line or a kept answer.
"""

# ruff: noqa: TC003 - FastAPI reads these annotations while running
from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.cookies import SAFE
from api.counter import (
    Answer,
    Counter,
    IdempotencyKey,
    Process,
    answered,
    asked,
    sent,
)
from api.problems import Unauthenticated
from engine import tries
from engine.codes import code_fits, peppered
from engine.database import execute
from engine.desk import not_found
from engine.errors import NotFound, TooMany
from engine.invitations import invitations
from engine.people import AT_DESK, PUBLIC, Actor
from engine.recusals import Application
from engine.reveals import told_to_petitioner
from engine.sessions import find, token_digest
from engine.signatures import receipt
from engine.telling import tell
from engine.views import track_view
from engine.walls import SYS, stand_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session
    from starlette.responses import Response

    from api.forms import RecusalWish

T = TypeVar("T")
CHALLENGE = "/api/v1/portal/challenge"
INSTEAD = f"也可先完成验证再试。 Or solve a challenge and send it as `altcha`: GET {CHALLENGE}."

FIND = "SELECT code_hash FROM item WHERE number = %s"
FIRST = """
SELECT e.at, e.hash FROM event e JOIN item i ON i.id = e.item_id WHERE i.number = %s AND e.seq = 1
"""
OPEN = """
WITH gone AS (DELETE FROM portal_session WHERE expires_at <= now())
INSERT INTO portal_session (token_digest, item_id, expires_at)
SELECT %(digest)s, id, now() + interval '15 minutes' FROM item WHERE number = %(number)s
RETURNING expires_at
"""
KNOWN = """
WITH s AS (SELECT token_digest, item_id, began_at, expires_at FROM portal_session
  WHERE token_digest = %s AND expires_at > now()),
t AS (UPDATE portal_session p
  SET expires_at = least(now() + interval '15 minutes', s.began_at + interval '4 hours')
  FROM s WHERE p.token_digest = s.token_digest AND s.expires_at < now() + interval '14 minutes')
SELECT i.number FROM s JOIN item i ON i.id = s.item_id
"""
"""A quarter of an hour from the last visit, four hours in all; renewed once a minute at most."""
END = "DELETE FROM portal_session WHERE token_digest = %s"

bearer = HTTPBearer(
    scheme_name="Portal",
    auto_error=False,
    description="The token of POST /portal/sessions, or its cookie.",
)


def let_in(counter: Counter, request: Request, number: str, code: str, proof: str | None) -> None:
    """Let in who knows number and code.

    Raises NotFound, after the same work, for everybody else; TooMany where somebody must wait, said
    before the code is looked at; Invalid for a proof that is no good.
    """
    door = counter.door
    tallies = [door.marks.number(number), door.marks.network(address(request))]

    def take_turn(session: Session) -> tuple[tries.Turn, str | None]:
        if proof is not None:
            door.proofs.spend(session, proof)
        turn = tries.wait(session, tallies, proven=proof is not None)
        if turn.seconds:
            raise TooMany(turn.seconds, INSTEAD, challenge=CHALLENGE)
        stand_for(session, f"item:{number}")
        row = execute(session, FIND, (number,)).fetchone()
        return turn, row["code_hash"] if row else None

    turn, kept = counter.database.perform(take_turn)
    # hashing holds no connection and no lock: it takes longer than all the rest
    if not code_fits(peppered(code, number, door.pepper), kept):
        counts = counter.database.perform(lambda session: tries.fail(session, tallies))
        _warn(counts)
        raise NotFound("编号或查询码不对,请核对。Number or code is wrong; check both.")
    if turn.counted:
        counter.database.perform(lambda session: tries.forgive(session, tallies[0]))


def _warn(counts: list[int]) -> None:
    """Say in the log that somebody guesses; not at which number, which may be one they made up."""
    of_number, of_network = counts
    for what, count, least in (("number", of_number, 10), ("network", of_network, 100)):
        if count >= least and tries.alarming(count):
            tell("codes.guessed", count=count, of=what)


def admit(counter: Counter, request: Request, proof: str | None) -> None:
    """Let a submission pass; in a flood only with a proof. Nothing is dropped in silence.

    Raises TooMany, or Invalid for a proof that is no good.
    """
    door = counter.door
    limits = door.marks.submissions(address(request), door.of_network, door.of_office)

    def pass_by(session: Session) -> None:
        if seconds := tries.count(session, limits):
            if proof is None:
                raise TooMany(seconds, INSTEAD, challenge=CHALLENGE)
            door.proofs.spend(session, proof)

    if limits:
        counter.database.perform(pass_by)


def at_hand(
    counter: Counter, request: Request, session: Session, *, by_header: bool = False
) -> Actor:
    """Who acts for the public: the public itself, or (where the request also shows that staff are
    logged in) the public at a desk of ours, from which nobody rates or answers. `by_header`: the
    header of a login is looked at too; in a portal's session it bears the portal's own token.
    """
    token = counter.cookies.given(request)
    shown_too = [(token, True)] if token else []
    scheme, _, bearer_token = request.headers.get("authorization", "").partition(" ")
    if by_header and scheme.lower() == "bearer":
        shown_too.append((bearer_token, False))
    logged_in = any(
        find(session, each, counter.limits, by_cookie=by_cookie) for each, by_cookie in shown_too
    )
    return AT_DESK if logged_in else PUBLIC


def use_right(
    counter: Counter,
    session: Session,
    number: str,
    transition: str,
    data: Mapping[str, Any],
    actor: Actor = PUBLIC,
) -> dict[str, Any]:
    """A right of the petitioner, used; the item as they see it afterwards."""
    counter.casework.advance(session, number, transition, actor, data)
    return shown(counter, session, number)


def want_recusal(
    counter: Counter, session: Session, number: str, wish: RecusalWish
) -> dict[str, Any]:
    """The petitioner asks that somebody stay out; the item as they see it afterwards."""
    officers = (wish.officer,) if wish.officer else ()
    counter.casework.ask_recusal(
        session, number, PUBLIC, Application(officers, wish.ground, wish.reason)
    )
    return shown(counter, session, number)


def shown(
    counter: Counter, session: Session, number: str, *, words: bool = False
) -> dict[str, Any]:
    """The item as its petitioner sees it, with the receipt as it was given at the beginning, and who
    asked for their identity; why they asked with `words` only, which no kept answer may hold.
    """
    view = track_view(session, counter.casework, PUBLIC, number)
    first = execute(session, FIRST, (number,)).fetchone()
    if first is None:
        raise not_found()
    dossier = counter.casework.look(session, number, PUBLIC)
    return {
        **view,
        "reveals": told_to_petitioner(session, dossier, words=words),
        "invitations": [each["number"] for each in invitations(session, counter.casework, number)],
        "receipt": receipt(counter.signer, number, first["at"], bytes(first["hash"])),
    }


def address(request: Request) -> str:
    """Where a request comes from; behind a proxy that uvicorn trusts, what the proxy says."""
    return request.client.host if request.client else ""


def begin_session(counter: Counter, number: str) -> tuple[str, datetime]:
    """A new token for an item whose number and code were right, and until when it is good."""
    token = secrets.token_urlsafe(32)
    values = {"digest": token_digest(counter.door.key, token), "number": number}

    def begin(session: Session) -> datetime:
        stand_for(session, f"item:{number}")
        row = execute(session, OPEN, values).fetchone()
        expires_at: datetime = (row or {})["expires_at"]
        return expires_at

    return token, counter.database.perform(begin)


@dataclass(frozen=True)
class Visit:
    """A petitioner in their session."""

    request: Request
    counter: Counter
    token: str
    key: str | None

    def look(self, deed: Callable[[Session, str], Answer]) -> Response:
        """Answer about the petitioner's item, from one transaction."""
        return sent(self.read(deed).given())

    def read(self, deed: Callable[[Session, str], T]) -> T:
        """What a deed finds out about the petitioner's item, in one transaction."""
        return self.counter.database.perform(lambda session: deed(session, self._number(session)))

    def act(self, deed: Callable[[Session, str], Answer]) -> Response:
        """Do something on the petitioner's item, once for each key."""

        def once(session: Session) -> Any:
            number = self._number(session)
            ask = asked(self.counter, self.request, f"item:{number}", self.key)
            return answered(session, ask, lambda: deed(session, number).given())

        return sent(self.counter.database.perform(once))

    def end(self) -> None:
        """End the session now."""

        def leave(session: Session) -> None:
            self._number(session)
            execute(session, END, (token_digest(self.counter.door.key, self.token),))

        self.counter.database.perform(leave)

    def _number(self, session: Session) -> str:
        stand_for(session, SYS)  # whose item it is, is just being found out
        row = execute(session, KNOWN, (token_digest(self.counter.door.key, self.token),)).fetchone()
        if row is None:
            raise Unauthenticated(
                "会话已结束,请重新输入编号和查询码。Your session has ended; "
                "enter number and code again: POST /api/v1/portal/sessions."
            )
        number: str = row["number"]
        stand_for(session, f"item:{number}")
        return number


async def visiting(
    request: Request,
    counter: Process,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    idempotency_key: IdempotencyKey = None,
) -> Visit:
    """Somebody with the token of a session, in the header or in its cookie; what a cookie lets do
    must come from our own page.
    """
    token = credentials.credentials if credentials else request.cookies.get(counter.door.cookie)
    if credentials is None and token and request.method not in SAFE:
        counter.origins.demand_own(request.headers)
    if not token:
        raise Unauthenticated(
            "请先输入编号和查询码。Enter number and code first: POST /api/v1/portal/sessions."
        )
    return Visit(request, counter, token, idempotency_key)


Visitor = Annotated[Visit, Depends(visiting)]

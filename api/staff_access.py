"""What administrators do about other people's way in, and what happened at the door.

Nobody takes over an account alone: a temporary password takes two people, and whoever was shown one
may not take away the second factor within thirty days, nor the other way round. Each act is written down
where it cannot be rewritten.
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from api import schemas_access
from api.counter import Answer, Change, Look
from api.forms import Account, Cursor, Limit, Word
from engine import factors, sessions
from engine.access import ask_or_second, read_events, write_event
from engine.codes import hash_code
from engine.database import execute
from engine.errors import NotFound, Refused
from engine.factors import SYMBOLS
from engine.paging import Page

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.access import Act
    from engine.sessions import Caller

FIND = "SELECT id FROM person WHERE account = %s"
RESET = "UPDATE person SET password_hash = %s, password_temporary = true WHERE id = %s"
DID = """
SELECT FROM access_event
WHERE person_id = %s AND actor_id = %s AND act = %s AND at > now() - interval '30 days'
"""
TWO_HANDS = (
    "同一人三十日内不得既重置口令又撤除第二因素,请由另一人办理。"
    "Who resets a password may not remove the second factor too within 30 days; another person does."
)

router = APIRouter(tags=["office"])


@router.post(
    "/office/people/{account}/password-reset",
    response_model=schemas_access.TemporaryPassword,
    responses={202: {"model": schemas_access.WayInAsked, "description": "Asked for"}},
    summary="Give a temporary password",
)
def reset_password(account: Account, look: Change) -> Response:
    """Takes two people. Who calls first asks, and changes nothing (202). An administrator or the head other than
    they who calls within seven days is shown a temporary password, once: it lets its person in only to choose
    their own; all their sessions end. Neither does it for himself. Administrators and the head; wants a fresh proof.
    """
    drawn = "".join(secrets.choice(SYMBOLS.lower()) for _ in range(20))
    password = "-".join(drawn[at : at + 5] for at in range(0, 20, 5))
    digest = hash_code(password)

    def reset(session: Session, caller: Caller) -> Answer:
        person = _found(session, account)
        if until := ask_or_second(session, "password_reset", person, caller.person.id):
            return Answer({"account": account, "until": until}, 202)
        _demand_two_hands(session, person, caller, "factor_removed")
        execute(session, RESET, (digest, person))
        write_event(session, "password_reset", person, actor=caller.person.id)
        return Answer({"account": account, "password": password})

    return look.call(reset, fresh=True).response()


@router.delete(
    "/office/people/{account}/second-factor",
    status_code=204,
    summary="Take away a lost second factor",
)
def remove_factor(account: Account, look: Look) -> Response:
    """For somebody who lost device and recovery codes: both are void, all their sessions end, and where the
    office demands a second factor the next login asks for a new one. Administrators; wants a fresh proof.
    """

    def remove(session: Session, caller: Caller) -> None:
        person = _found(session, account)
        _demand_two_hands(session, person, caller, "password_reset")
        if not factors.remove(session, person):
            raise Refused("此人没有登记第二因素。They have no second factor.")
        sessions.end(session, person, actor=caller.person.id)
        write_event(session, "factor_removed", person, actor=caller.person.id)

    look.call(remove, fresh=True)
    return Response(status_code=204)


@router.delete(
    "/office/people/{account}/sessions", status_code=204, summary="End somebody's sessions"
)
def end_sessions(account: Account, look: Look) -> Response:
    """Wherever somebody is logged in, they are not any more. Administrators."""

    def end(session: Session, caller: Caller) -> None:
        sessions.end(session, _found(session, account), actor=caller.person.id)

    look.call(end)
    return Response(status_code=204)


@router.get(
    "/access-events",
    response_model=schemas_access.AccessEvents,
    summary="What happened at the door",
)
def list_events(
    look: Look, account: Word = None, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Logins and refusals, changes of credentials, tokens and sessions ended, the newest first. A refusal of
    an account that does not exist names nobody. Auditors and administrators.
    """
    cursors = look.counter.cursors

    def listed(session: Session, _: Caller) -> Answer:
        after = cursors.read(cursor)
        person = _found(session, account) if account else None
        rows = read_events(session, person, after[0] if after else None, limit + 1)
        end = [rows[limit - 1]["id"]] if len(rows) > limit else None
        return Answer(cursors.listed(Page(rows[:limit], end)))

    return look.call(listed).response()


def _found(session: Session, account: str) -> int:
    row = execute(session, FIND, (account,)).fetchone()
    if row is None:
        raise NotFound("没有这个账号。There is no such account.")
    person: int = row["id"]
    return person


def _demand_two_hands(session: Session, person: int, caller: Caller, act: Act) -> None:
    if execute(session, DID, (person, caller.person.id, act)).fetchone() is not None:
        raise Refused(TWO_HANDS)

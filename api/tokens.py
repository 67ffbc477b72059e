"""Tokens of systems: made and ended by their owner; of accounts nobody logs in to, by two people."""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from api import schemas_access
from api.counter import Answer, Change, Look
from api.forms import Account, TokenId, TokenRequest
from engine import tokens
from engine.access import ask_or_second
from engine.database import execute
from engine.errors import NotFound, Refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from engine.sessions import Caller

FIND = """
SELECT id, password_hash IS NOT NULL AS logs_in FROM person
WHERE account = %s AND (left_on IS NULL OR left_on > now())
"""

router = APIRouter(tags=["tokens"])


@router.get("/credentials/tokens", response_model=schemas_access.Tokens, summary="My tokens")
def list_tokens(look: Look) -> Response:
    """Tokens of the caller, and those the caller made for systems, the newest first; ended ones too."""

    def listed(session: Session, caller: Caller) -> Answer:
        return Answer({"items": tokens.tokens_of(session, caller.person.id), "next": None})

    return look.call(listed).response()


@router.post(
    "/credentials/tokens",
    response_model=schemas_access.NewToken,
    status_code=201,
    summary="Make a token",
)
def create_token(form: TokenRequest, look: Change) -> Response:
    """A token by which a system acts as the caller, within its scopes, until it ends; shown once. It never
    does what wants a fresh proof. Wants a fresh proof.
    """

    def create(session: Session, caller: Caller) -> Answer:
        return _made(session, look, caller.person.id, form, by=caller.person.id)

    return look.call(create, fresh=True).response()


@router.post(
    "/office/people/{account}/tokens",
    response_model=schemas_access.NewToken,
    status_code=201,
    responses={202: {"model": schemas_access.WayInAsked, "description": "Asked for"}},
    summary="Make a token for a system's account",
)
def create_system_token(account: Account, form: TokenRequest, look: Change) -> Response:
    """A token for an account without a password, which is a system's and nobody's: in the name of a person
    nobody else acts. Takes two people: who calls first asks, and nothing is made (202); an administrator or the head
    other than they who calls for the same scopes within seven days is shown the token. Administrators and the head;
    wants a fresh proof.
    """

    def create(session: Session, caller: Caller) -> Answer:
        found = execute(session, FIND, (account,)).fetchone()
        if found is None:
            raise NotFound("没有这个账号。There is no such account.")
        if found["logs_in"]:
            raise Refused(
                "此账号有人登录,令牌须由本人创建。"
                "Somebody logs in to this account; only they make its tokens."
            )
        scopes = ",".join(sorted(set(form.scopes)))
        until = ask_or_second(
            session, "token_created", found["id"], caller.person.id, reason=scopes
        )
        if until:
            return Answer({"account": account, "until": until}, 202)
        return _made(session, look, found["id"], form, by=caller.person.id)

    return look.call(create, fresh=True).response()


@router.delete("/credentials/tokens/{id}", status_code=204, summary="End a token")
def end_token(id: TokenId, look: Look) -> Response:  # noqa: A002 - the name in the address
    """End a token of one's own, or one made for a system, at once."""
    if not look.call(lambda session, caller: tokens.end(session, id, by=caller.person.id)):
        raise NotFound("您没有这个令牌。You have no such token.")
    return Response(status_code=204)


def _made(session: Session, look: Change, person: int, form: TokenRequest, *, by: int) -> Answer:
    key = look.counter.limits.key
    made = tokens.create(session, key, person, form.name, form.scopes, form.days, by=by)
    return Answer({**made._asdict(), "scopes": sorted(set(form.scopes))}, 201)

"""Logging in and out: an account and a password for a bearer token of twelve hours.

A token is 256 random bits, kept as its SHA-256 in the database, so that naming somebody as accused
or ending their employment takes effect with the next request. The hour of its end is the
database's own clock: moving the practice clock logs nobody out.
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter, Response

from api import schemas
from api.counter import Answer, IdempotencyKey, Look, Process, sent, token_digest
from api.forms import Login
from api.problems import Unauthenticated
from engine.answers import Given
from engine.codes import code_fits
from engine.database import execute

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.people import Actor

LASTS = timedelta(hours=12)

FIND = """
SELECT id, password_hash FROM person
WHERE account = %s AND (left_on IS NULL OR left_on > now())
"""
OPEN = """
WITH gone AS (DELETE FROM login WHERE person_id = %(person)s AND expires_at <= now())
INSERT INTO login (token_digest, person_id, expires_at)
VALUES (%(digest)s, %(person)s, now() + %(lasts)s) RETURNING expires_at
"""

router = APIRouter(tags=["sessions"])


@router.post(
    "/sessions",
    response_model=schemas.Session,
    status_code=201,
    summary="Log in",
    responses={401: {"description": "unauthenticated"}},
)
def log_in(
    form: Login,
    counter: Process,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - see below
) -> Response:
    """A token for an account. An unknown account takes as long and is answered as a wrong password. A key is
    taken and means nothing here: a second login does no harm and gives a second token.
    """
    with counter.database.transaction() as session:
        found = execute(session, FIND, (form.account,)).fetchone()
    # hashing holds no connection: it takes longer than all the rest
    if not code_fits(form.password, found["password_hash"] if found else None) or found is None:
        raise Unauthenticated("账号或口令不对,请核对。Account or password is wrong; check both.")
    token = secrets.token_urlsafe(32)
    values = {"person": found["id"], "digest": token_digest(token), "lasts": LASTS}

    def begin(session: Session) -> datetime:
        row = execute(session, OPEN, values).fetchone()
        expires_at: datetime = (row or {})["expires_at"]
        return expires_at

    answer = {"token": token, "expires_at": counter.database.perform(begin)}
    return sent(Given(201, orjson.dumps(answer)))


@router.delete("/sessions/current", status_code=204, summary="Log out")
def log_out(look: Look) -> Response:
    """End this login now."""

    def end(session: Session, _: Actor) -> Answer:
        digest = token_digest(look.token)
        execute(session, "DELETE FROM login WHERE token_digest = %s", (digest,))
        return Answer(None)

    look.look(end)
    return Response(status_code=204, headers={"Clear-Site-Data": '"cache", "storage"'})

"""The public door: submit without a login, then follow and act with number and code.

A code is derived from the house's secret and a nonce. The nonce may be kept to give the same answer
twice; the code is never kept, only its Argon2id hash. An unknown number costs the same work as a
wrong code and is answered alike (reliability 2.8).
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter, Request, Response

from api.counter import Counter, IdempotencyKey, Process, answered, asked, sent
from api.forms import PublicAct, Submission, Tracking
from api.schemas import Receipt, Tracked
from engine.answers import Given
from engine.codes import code_fits, derive_code
from engine.database import execute
from engine.errors import NotFound
from engine.people import PUBLIC
from engine.views import track_view

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter(tags=["public door"])
NONCE_BYTES = 16


@router.post("/submissions", response_model=Receipt, status_code=201, summary="Submit")
def submit(
    form: Submission, request: Request, counter: Process, idempotency_key: IdempotencyKey = None
) -> Response:
    """Bring something to the bureau. The answer holds the number and a code of 16 digits: with
    both, and only with both, it can be followed. The code is shown this once.
    """

    def begin(session: Session) -> Given:
        nonce = secrets.token_bytes(NONCE_BYTES)
        born = counter.casework.submit(
            session,
            form.workflow,
            PUBLIC,
            form.data,
            channel=form.channel,
            code=derive_code(counter.secret, nonce),
        )
        return Given(201, orjson.dumps({"number": born.number, "nonce": nonce.hex()}))

    ask = asked(counter, request, "public", idempotency_key)
    kept = counter.database.perform(lambda session: answered(session, ask, lambda: begin(session)))
    receipt = orjson.loads(kept.body)
    code = derive_code(counter.secret, bytes.fromhex(receipt["nonce"]))
    return sent(Given(201, orjson.dumps({"number": receipt["number"], "code": code})))


@router.post("/submissions/track", response_model=Tracked, summary="Follow a submission")
def track(form: Tracking, counter: Process) -> Response:
    """Where it stands in plain words, which unit has it, by when it is due and how that was counted,
    what was told, the letters, and what the petitioner may do now.
    """
    _know(counter, form.number, form.code)
    with counter.database.transaction() as session:
        view = track_view(session, counter.casework, PUBLIC, form.number)
    return sent(Given(200, orjson.dumps(view)))


@router.post("/submissions/act", response_model=Tracked, summary="Use a right")
def act(
    form: PublicAct, request: Request, counter: Process, idempotency_key: IdempotencyKey = None
) -> Response:
    """Object, withdraw, supply what was missing: one of the `rights` of the tracking view."""
    _know(counter, form.number, form.code)

    def move(session: Session) -> Given:
        counter.casework.advance(session, form.number, form.transition, PUBLIC, form.data)
        view = track_view(session, counter.casework, PUBLIC, form.number)
        return Given(200, orjson.dumps(view))

    ask = asked(counter, request, f"item:{form.number}", idempotency_key)
    return sent(
        counter.database.perform(lambda session: answered(session, ask, lambda: move(session)))
    )


def _know(counter: Counter, number: str, code: str) -> None:
    """Let in who knows number and code. Raises NotFound, after the same work, for everybody else."""
    with counter.database.transaction() as session:
        row = execute(session, "SELECT code_hash FROM item WHERE number = %s", (number,)).fetchone()
    if not code_fits(code, row["code_hash"] if row else None):
        raise NotFound(
            "编号或查询码不对,请核对。Number or code is wrong; check both.",
        )

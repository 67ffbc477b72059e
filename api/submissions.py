"""The public door: submit without a login, then follow and act with number and code.

A code is derived from the house's secret and a nonce. The nonce may be kept to give the same answer
twice; the code is never kept, only its Argon2id hash. An unknown number costs the same work as a
wrong code and is answered alike (reliability 2.8).
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING

import orjson
from fastapi import APIRouter, Request, Response

from api.counter import Counter, IdempotencyKey, Process, answered, asked, sent
from api.forms import PublicAct, PublicRecusal, Submission, Tracking
from api.petitioners import admit, at_hand, let_in, shown, use_right, want_recusal
from api.schemas import Receipt, Tracked
from engine.answers import Given
from engine.codes import derive_code, hash_code, peppered
from engine.errors import Invalid
from engine.signatures import receipt

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter(tags=["public door"])
NONCE_BYTES = 16


@router.post("/submissions", response_model=Receipt, status_code=201, summary="Submit")
def submit(
    form: Submission, request: Request, counter: Process, idempotency_key: IdempotencyKey = None
) -> Response:
    """Bring something to the bureau. The answer holds the number and a code of 16 digits: with
    both, and only with both, it can be followed. The code is shown this once. The receipt is signed:
    with it anybody can prove later that the matter was brought. In a flood the answer is 429 and says
    where to get a challenge; sent again with its solution, the submission is taken.
    """
    admit(counter, request, form.altcha)
    _demand_its_channel(counter, form)

    def begin(session: Session) -> Given:
        nonce = secrets.token_bytes(NONCE_BYTES)
        code = derive_code(counter.secret, nonce)
        born = counter.casework.submit(
            session,
            form.workflow,
            at_hand(counter, request, session, by_header=True),
            form.data,
            channel=form.channel,
            code_hash=lambda number: hash_code(peppered(code, number, counter.door.pepper)),
        )
        kept = {
            "number": born.number,
            "nonce": nonce.hex(),
            "at": born.at.isoformat(timespec="microseconds"),
            "event": born.hash.hex(),
        }
        return Given(201, orjson.dumps(kept))

    ask = asked(counter, request, "public", idempotency_key)
    kept = counter.database.perform(lambda session: answered(session, ask, lambda: begin(session)))
    told = orjson.loads(kept.body)
    answer = {
        "number": told["number"],
        "code": derive_code(counter.secret, bytes.fromhex(told["nonce"])),
        "receipt": receipt(
            counter.signer,
            told["number"],
            datetime.fromisoformat(told["at"]),
            bytes.fromhex(told["event"]),
        ),
    }
    return sent(Given(201, orjson.dumps(answer)))


def _demand_its_channel(counter: Counter, form: Submission) -> None:
    """A rating comes from a window, a grievance does not. Raises Invalid, NotFound."""
    fields = counter.casework.catalog.named(form.workflow).workflow.fields.values()
    for spec in fields:
        if spec.derived == "channel" and form.channel not in spec.choices:
            ways = ", ".join(spec.choices)
            raise Invalid([("/channel", f"应从下列各项中选择 (choose from): {ways}")])


@router.post("/submissions/track", response_model=Tracked, summary="Follow a submission")
def track(form: Tracking, request: Request, counter: Process) -> Response:
    """Where it stands in plain words, which unit has it, by when it is due and how that was counted,
    what was told, the letters, and what the petitioner may do now. After some wrong codes the answer
    is 429 and says how long to wait.
    """
    let_in(counter, request, form.number, form.code, form.altcha)
    with counter.database.transaction() as session:
        view = shown(counter, session, form.number, words=True)
    return sent(Given(200, orjson.dumps(view)))


@router.post("/submissions/act", response_model=Tracked, summary="Use a right")
def act(
    form: PublicAct, request: Request, counter: Process, idempotency_key: IdempotencyKey = None
) -> Response:
    """Object, withdraw, supply what was missing: one of the `rights` of the tracking view."""
    let_in(counter, request, form.number, form.code, form.altcha)

    def move(session: Session) -> Given:
        actor = at_hand(counter, request, session, by_header=True)
        view = use_right(counter, session, form.number, form.transition, form.data, actor)
        return Given(200, orjson.dumps(view))

    ask = asked(counter, request, f"item:{form.number}", idempotency_key)
    return sent(
        counter.database.perform(lambda session: answered(session, ask, lambda: move(session)))
    )


@router.post("/submissions/recusals", response_model=Tracked, summary="Ask for recusal")
def ask_recusal(
    form: PublicRecusal, request: Request, counter: Process, idempotency_key: IdempotencyKey = None
) -> Response:
    """Ask that whoever handles the item, or somebody by name, stay out of it. A head decides; the
    answer is told in the tracking view.
    """
    let_in(counter, request, form.number, form.code, form.altcha)

    def ask(session: Session) -> Given:
        view = want_recusal(counter, session, form.number, form)
        return Given(200, orjson.dumps(view))

    claim = asked(counter, request, f"item:{form.number}", idempotency_key)
    return sent(
        counter.database.perform(lambda session: answered(session, claim, lambda: ask(session)))
    )

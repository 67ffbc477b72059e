"""The log as anybody may read it: the signed checkpoint, and proofs that events are in it.

Nothing here tells which items there are. A proof is given for an event's hash, which only somebody
knows who was shown the event; by number only to those who may see the item (ADR-0019).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response

from api.counter import Counter, PerhapsCredential, Process, Shown, sent, unknown, who
from api.schemas import Consistency, Inclusion, SignedHead
from engine import log
from engine.answers import Given
from engine.checkpoints import newest
from engine.errors import Invalid
from engine.signatures import read_checkpoint

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

router = APIRouter(prefix="/log", tags=["log"])
HASHED = re.compile(r"[0-9a-f]{64}", re.ASCII)
NUMBERED = re.compile(r"([^\x00-\x1f\x7f:]{1,40}):([1-9][0-9]{0,8})", re.ASCII)

Size = Annotated[int, Query(ge=1, le=2**62, examples=[3])]


@router.get("/checkpoint", response_model=SignedHead, summary="The signed head of the log")
def checkpoint(counter: Process) -> Response:
    """The newest checkpoint: how many events the log holds, the root of its tree, when, and the digest
    of the checkpoint before; `note` is the same as signed (C2SP tlog-checkpoint). `key` is the
    public key; better take it from where the office printed it.
    """
    with counter.database.transaction() as session:
        note = newest(session).note
    head = read_checkpoint(note)
    return _told(
        origin=head.origin,
        size=head.size,
        root=head.root.hex(),
        time=head.at,
        previous=head.previous.hex(),
        note=note,
        key=str(counter.signer.verifier),
    )


@router.get("/consistency", response_model=Consistency, summary="That the log only grew")
def consistency(counter: Process, first: Size, second: Size) -> Response:
    """The proof (RFC 6962, 2.1.2) that the log of `second` events begins with that of `first`. Both
    are at most the size of the newest checkpoint.
    """
    if first > second:
        raise Invalid([("/first", "不能大于 second。Must not be greater than second.")])
    with counter.database.transaction() as session:
        if second > newest(session).size:
            raise Invalid([("/second", "大于最新检查点。Greater than the newest checkpoint.")])
        proof = log.consistency(session, first, second)
    return _told(first=first, second=second, proof=[each.hex() for each in proof])


@router.get("/proof", response_model=Inclusion, summary="That an event is in the log")
def proof(
    counter: Process,
    shown: PerhapsCredential,
    event: Annotated[
        str,
        Query(
            max_length=64,
            description="The event's hash (64 hexadecimal digits, as on a receipt), for everybody; or "
            "`NUMBER:SEQ`, for those who may see the item.",
            examples=["daf3e0fc4b4dbe48b43823de7a22525a1981b5bb603e409469d2ffc8ce36d127"],
        ),
    ],
) -> Response:
    """The proof (RFC 6962, 2.1.1) that an event is in the log of the newest checkpoint. Its leaf's data
    are `banjie-event-v1`, number, seq and hash, each followed by a line break.
    """
    with counter.database.transaction() as session:
        leaf = _named(session, counter, event, shown)
        signed = newest(session)
        found = log.inclusion(session, leaf, signed.size)
    return _told(
        position=found.position,
        size=signed.size,
        leaf=found.leaf.hex(),
        proof=[each.hex() for each in found.hashes],
        note=signed.note,
    )


def _named(session: Session, counter: Counter, event: str, shown: Shown | None) -> log.Leaf:
    """The leaf a request names. Raises Invalid, Unauthenticated, and NotFound where the item is not
    theirs to know of.
    """
    if HASHED.fullmatch(event):
        return log.Leaf.hashed(bytes.fromhex(event))
    if shown is None:
        raise unknown()
    actor = who(session, counter, shown).actor
    found = NUMBERED.fullmatch(event)
    if found is None:
        raise Invalid(
            [("/event", "应为哈希或 编号:序号。Must be a hash, or number:seq like 执诉2026-0:1.")]
        )
    item = counter.casework.look(session, found[1], actor)
    return log.Leaf.numbered(item.id, int(found[2]))


def _told(**answer: Any) -> Response:
    return sent(Given(200, orjson.dumps(answer)))

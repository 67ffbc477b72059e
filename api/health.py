"""Whether this process lives, and whether it can work."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Response

from api.counter import Process, sent
from api.schemas import Alive, Ready
from engine.answers import Given
from engine.boards import readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=Alive, summary="Alive")
async def healthz() -> Response:
    """The process answers; nothing else is asked."""
    return sent(Given(200, b'{"status":"alive"}'))


@router.get("/readyz", response_model=Ready, summary="Ready")
def readyz(counter: Process) -> Response:
    """The database answers. `sweep` and `outbox` say by how many seconds the oldest alarm and the
    oldest message are late, in whole minutes; `durable` whether what is confirmed survives a power
    cut. 503 where the database is away.

    No counts: whoever counts alarms twice learns that an item began which they may not know of.
    """
    with counter.database.transaction() as session:
        found = readiness(session)
    late = {name: {"oldest": found[name]["oldest"] // 60 * 60} for name in ("sweep", "outbox")}
    return sent(Given(200, orjson.dumps({"status": "ready", **late, "durable": found["durable"]})))

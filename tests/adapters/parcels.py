"""A parcel as the outbox hands it to a channel."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from engine.outbox import PLACEHOLDERS, Parcel
from tests.posting import SECRET

PLAIN = Parcel(
    id=UUID("01a2070e-e957-7dfa-af17-676cba1b3cdb"),
    number="诉2026-0000000001",
    channel="mail",
    address="officer@office.example",
    title="催办 诉2026-0000000001 Reminder",
    body="请尽快办理。\n\nPlease act.\n",
    payload=dict.fromkeys(PLACEHOLDERS, "") | {"number": "诉2026-0000000001"},
    text="urge",
    rung=2,
    attempt=1,
    missed=(),
    created_at=datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
    at=datetime(2026, 11, 23, 9, 5, tzinfo=UTC),
    secret=SECRET,
)


def parcel(**changes: Any) -> Parcel:
    """The plain parcel with some fields changed."""
    return replace(PLAIN, **changes)

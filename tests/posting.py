"""Rows the outbox needs, written straight into the database: people, endpoints, items, messages."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from engine.errors import DeliveryError
from engine.reading import Text

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from engine.outbox import Parcel

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TEXTS = {
    "urge": Text(
        title="催办 {number}",
        body="{workflow}应于{due_on}前办结。",
        title_en="Reminder {number}",
        body_en="{workflow} is due on {due_on}.",
    )
}
PAYLOAD = {"number": "诉2026-0000000001", "workflow": "信访", "due_on": "2026-12-01"}


class Office:
    """An almost empty office: one unit, and whoever the test names."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self._serial = itertools.count(1)
        self.unit = self.one("INSERT INTO unit (code, name) VALUES ('u', '局') RETURNING id")

    def close(self) -> None:
        """Leave."""
        self.connection.close()

    def one(self, statement: str, *values: object) -> Any:
        """The first column of the first row."""
        row = self.connection.execute(statement.encode(), values).fetchone()
        return next(iter(row.values())) if row else None

    def run(self, statement: str, *values: object) -> None:
        """A statement without an answer."""
        self.connection.execute(statement.encode(), values)

    def person(self, email: str | None = "officer@office.example") -> int:
        """Somebody, with the address of their mail."""
        person: int = self.one(
            "INSERT INTO person (account, name, unit_id, email) VALUES (%s, '某', %s, %s)"
            " RETURNING id",
            f"p{next(self._serial)}",
            self.unit,
            email,
        )
        return person

    def endpoint(self, url: str) -> int:
        """A system outside."""
        endpoint: int = self.one(
            "INSERT INTO endpoint (url, secret, unit_id) VALUES (%s, %s, %s) RETURNING id",
            url,
            SECRET,
            self.unit,
        )
        return endpoint

    def message(self, item: int = 1, seq: int = 1, wait: float = -1, **columns: object) -> UUID:
        """A ready message, due `wait` seconds from now."""
        given: dict[str, object] = {
            "item_id": item,
            "seq": seq,
            "channel": "mail",
            "text": "urge",
            "payload": Jsonb(PAYLOAD),
            "status": "ready",
        } | columns
        names = ", ".join(given)
        marks = ", ".join(["%s"] * len(given))
        message: UUID = self.one(
            f"INSERT INTO message ({names}, not_before, created_at)"
            f" VALUES ({marks}, now() + make_interval(secs => %s), now()) RETURNING id",
            *given.values(),
            wait,
        )
        return message

    def item(self, item: int = 1) -> int:
        """An item that was received and nothing more."""
        with self.connection.transaction():
            self.run("INSERT INTO workflow_version VALUES ('w', 1, '') ON CONFLICT DO NOTHING")
            self.run("INSERT INTO edge VALUES ('w', 1, 'submit', '', 'new') ON CONFLICT DO NOTHING")
            self.run(
                "INSERT INTO item (id, number, workflow, version, state, revision, seq, head,"
                " unit_id, family_id, channel, received_at, entered_at) OVERRIDING SYSTEM VALUE"
                " VALUES (%s, %s, 'w', 1, 'new', 1, 1, '', %s, %s, 'web', now(), now())",
                item,
                f"诉2026-{item:010}",
                self.unit,
                item,
            )
            self.run(
                "INSERT INTO event (item_id, seq, workflow, version, act, from_state, to_state,"
                " role, at, data, hash) VALUES"
                " (%s, 1, 'w', 1, 'submit', '', 'new', 'public', now(), '{}', sha256(''))",
                item,
            )
        return item

    def bar(self, person: int, item: int, duty: str = "accused") -> None:
        """Somebody may no longer know of the item."""
        self.run(
            "INSERT INTO item_duty (item_id, family_id, person_id, role, duty, began_at)"
            " VALUES (%s, %s, %s, '', %s, now())",
            item,
            item,
            person,
            duty,
        )

    def row(self, message: UUID) -> dict[str, Any]:
        """A message as it stands."""
        found = self.connection.execute("SELECT * FROM message WHERE id = %s", [message]).fetchone()
        assert found is not None
        return found

    def statuses(self) -> dict[str, int]:
        """How many messages there are in each status."""
        rows = self.connection.execute("SELECT status, count(*) AS n FROM message GROUP BY 1")
        return {row["status"]: row["n"] for row in rows}

    def abandon(self, message: UUID) -> None:
        """Let a lease run out."""
        self.run("UPDATE message SET leased_until = now() WHERE id = %s", message)

    def hasten(self) -> None:
        """Let every wait be over."""
        self.run("UPDATE message SET not_before = now() - interval '1s' WHERE status = 'ready'")


@dataclass
class Recorder:
    """A party that remembers what it was sent and answers as told."""

    name: str = "mail"
    answer: Callable[[Parcel], None] = field(default=lambda _: None)
    sent: list[Parcel] = field(default_factory=list)

    def send(self, message: Parcel) -> str:
        """Remember, or raise what `answer` raises."""
        self.answer(message)
        self.sent.append(message)
        return "ok"

    def close(self) -> None:
        """Nothing is kept open."""


def refusal(detail: str = "450", **members: object) -> Callable[[Parcel], None]:
    """An answer that is always a retry."""

    def refuse(_: Parcel) -> None:
        raise DeliveryError(detail, **members)

    return refuse

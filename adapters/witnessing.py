"""Where a witness reads a log: at the office's address, or in a database it may read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from engine import log
from engine.checkpoints import newest
from engine.database import Database
from engine.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.witness import Source

PROBLEM = "application/problem+json"
"""What the office's own refusals come as; they say what to do."""

TIMEOUT = 20.0
"""Seconds for each answer."""


class Office:
    """A log behind HTTP."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def checkpoint(self) -> tuple[str, str]:
        """The newest note, and the public key that is said to sign it. Raises Refused."""
        told = self._ask("checkpoint", {})
        return str(told.get("note")), str(told.get("key"))

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """The proof that the log only grew. Raises Refused."""
        told = self._ask("consistency", {"first": first, "second": second}).get("proof")
        try:
            return [bytes.fromhex(each) for each in told] if isinstance(told, list) else []
        except (TypeError, ValueError):
            return []

    def _ask(self, what: str, query: dict[str, int]) -> dict[str, Any]:
        try:
            told = self.client.get(f"/api/v1/log/{what}", params=query)
            if told.headers.get("Content-Type") == PROBLEM:
                raise Refused(f"未副署。Nothing was signed. {told.json().get('detail')}")
            answer = told.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise Refused(
                f"总账读不到({type(error).__name__}),未副署。"
                "The log could not be read there; nothing was signed. Check the address."
            ) from None
        return answer if isinstance(answer, dict) else {}


class Copy:
    """A log in a database; without the office, the key is said by nobody."""

    def __init__(self, database: Database, key: str) -> None:
        self.database = database
        self.key = key

    def checkpoint(self) -> tuple[str, str]:
        """The newest note, and the key handed in. Raises NotFound."""
        with self.database.transaction() as session:
            return newest(session).note, self.key

    def consistency(self, first: int, second: int) -> Sequence[bytes]:
        """The proof that the log only grew."""
        with self.database.transaction() as session:
            return log.consistency(session, first, second)


@contextmanager
def source(address: str, key: str) -> Iterator[Source]:
    """The log at an address: http(s)://… or postgresql://…, for the time of a block."""
    if address.startswith(("http://", "https://")):
        with httpx.Client(base_url=address, timeout=TIMEOUT) as client:
            yield Office(client)
    else:
        database = Database(address, 1)
        try:
            yield Copy(database, key)
        finally:
            database.close()

"""The console channel: a line in the log in place of a party that is not configured.

It says which message went where by id and number; never an address, for logs are read by many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.telling import tell

if TYPE_CHECKING:
    from engine.outbox import Parcel


class Console:
    """Writes every message to the log and accepts it."""

    def __init__(self, name: str = "console") -> None:
        self.name = name

    def send(self, message: Parcel) -> str:
        """Log the message's id and item; the receipt is "console"."""
        item = {"item": message.number} if message.number else {}
        tell("message.noted", channel=self.name, message=str(message.id), **item)
        return "console"

    def close(self) -> None:
        """Nothing is kept open."""

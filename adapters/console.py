"""The console channel: a line in the log in place of a party that is not configured.

It says which message went where by id and number; never an address, for logs are read by many.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.outbox import Parcel

log = logging.getLogger("banjie.console")


class Console:
    """Writes every message to the log and accepts it."""

    def __init__(self, name: str = "console") -> None:
        self.name = name

    def send(self, message: Parcel) -> str:
        """Log the message's id, item and title; the receipt is "console"."""
        log.info("%s %s %s %s", self.name, message.id, message.number, message.title)
        return "console"

    def close(self) -> None:
        """Nothing is kept open."""

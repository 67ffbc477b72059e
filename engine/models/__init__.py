"""The tables, and the promises they keep by themselves.

The engine refuses with a sentence; these constraints refuse for good. An item's path is legal by
foreign keys: an event follows an edge of the item's own workflow version and continues where the
event before it ended, and the item stands where its last event left it. History cannot be changed:
triggers refuse UPDATE, DELETE and TRUNCATE on `event`, and let a duty only end and an item only
move on (see the first migration).
"""

from engine.models import (
    access,
    attachments,
    clocks,
    clusters,
    counter,
    items,
    log,
    office,
    outgoing,
    portal,
    vault,
)
from engine.models.base import Base

__all__ = [
    "Base",
    "access",
    "attachments",
    "clocks",
    "clusters",
    "counter",
    "items",
    "log",
    "office",
    "outgoing",
    "portal",
    "vault",
]

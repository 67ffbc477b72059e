"""Where a page ended, sealed: a cursor holds keys of our tables, which would tell how much lies
between two items somebody may see.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.fernet import Fernet, InvalidToken

from engine.paging import unknown

if TYPE_CHECKING:
    from engine.paging import Key, Page


class Cursors:
    """Seals keys with a key of its own, derived from the house's secret."""

    def __init__(self, secret: bytes) -> None:
        self._seal = Fernet(urlsafe_b64encode(hashlib.sha256(b"cursor" + secret).digest()))

    def read(self, cursor: str | None) -> Key | None:
        """The key of a cursor. Raises Invalid where it is none of ours."""
        if cursor is None:
            return None
        try:
            key = orjson.loads(self._seal.decrypt(cursor.encode()))
        except (InvalidToken, ValueError):
            raise unknown(
                "cursor", "游标无效,请从第一页重新开始。Not one of ours; start anew."
            ) from None
        return list(key)

    def listed(self, page: Page) -> dict[str, Any]:
        """A page as it is answered: `items`, and `next` for the next one."""
        after = None if page.next is None else self._seal.encrypt(orjson.dumps(page.next)).decode()
        return {"items": page.items, "next": after}

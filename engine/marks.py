"""Marks (标记): what is kept of a telephone number or a name so that it can be met again, and nothing
else. Each is an HMAC under a key that lies outside the database.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.keys import Keyring

_LEAST = {"phone": 7, "name": 2}
"""A mark of less would meet half the town."""


def bare(text: str) -> str:
    """A text as an eye compares it: full-width as half-width, no spaces, no hyphens."""
    return "".join(
        char
        for char in unicodedata.normalize("NFKC", text).casefold()
        if not char.isspace() and unicodedata.category(char) not in {"Pd", "Cf"}
    )


def marks_of(keyring: Keyring | None, values: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(purpose, mark) of every telephone number and name in the contacts among these values."""
    for contact in values.values():
        if keyring is None or not isinstance(contact, dict):
            continue
        for purpose, least in _LEAST.items():
            plain = bare(str(contact.get(purpose) or ""))
            if purpose == "phone":
                plain = re.sub("^(?:86|0086)(?=1[0-9]{10}$)", "", re.sub("[^0-9]", "", plain))
            if len(plain) >= least:
                yield purpose, keyring.mark(purpose, plain)

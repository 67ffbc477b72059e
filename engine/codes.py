"""The petitioner's code: shown once, kept as Argon2id, never in a URL or a log."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

_AT_ONCE = threading.BoundedSemaphore(4)  # each hash takes 19 MiB; more at once helps nobody
_HASHER = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
_DUMMY = _HASHER.hash(secrets.token_hex(8))


def derive_code(secret: bytes, nonce: bytes) -> str:
    """16 digits from a nonce and the house's secret: the nonce may be kept, the code never is."""
    value = int.from_bytes(hmac.new(secret, nonce, hashlib.sha256).digest())
    return f"{value % 10**16:016d}"


def hash_code(code: str) -> str:
    """Argon2id (19 MiB, two passes), some 40 ms."""
    with _AT_ONCE:
        return _HASHER.hash(code)


def code_fits(code: str, kept: str | None) -> bool:
    """Whether a code is the one kept; the same work where nothing is kept."""
    with _AT_ONCE:
        right = _HASHER.verify(code, kept or _DUMMY)
    return right and kept is not None

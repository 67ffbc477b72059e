"""What only its owner knows: the petitioner's code, which is shown once, and passwords. Both are kept
as Argon2id of one strength, so that a name that does not exist costs the same work as one that does.

A code is 53 bits, few enough to be searched by who has copied the database and owns machines. So
what is hashed is not the code but an HMAC of it and its item's number under a pepper, a key derived
from the house's secret, which lies in a file and never in the database (ASVS V6.5.2; ADR-0017). A
hash copied to another item's row opens nothing there.
"""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import os
import secrets
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

if TYPE_CHECKING:
    from pathlib import Path

SECRET_BYTES = 32
OWN_MAP = 1 << 20
with suppress(OSError, AttributeError):
    # glibc: memory of this size and above is mapped by itself and given back. Left alone, malloc
    # learns from the first hash to keep 19 MiB for each thread that ever hashed (M_MMAP_THRESHOLD).
    ctypes.CDLL(None).mallopt(-3, OWN_MAP)
_AT_ONCE = threading.BoundedSemaphore(4)  # each hash takes 19 MiB; more at once helps nobody
_HASHER = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
_DUMMY = _HASHER.hash(secrets.token_hex(8))


def derive_code(secret: bytes, nonce: bytes) -> str:
    """16 digits from a nonce and the house's secret: the nonce may be kept, the code never is."""
    value = int.from_bytes(hmac.new(secret, nonce, hashlib.sha256).digest())
    return f"{value % 10**16:016d}"


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose, from the house's secret (HKDF-SHA-256, RFC 5869): what one
    purpose leaks tells nothing of another's key.
    """
    return HKDF(SHA256(), SECRET_BYTES, salt=None, info=f"banjie {purpose}".encode()).derive(secret)


def peppered(code: str, number: str, pepper: bytes) -> str:
    """What is hashed in place of a code: good for the item of this number, and for no other."""
    return hmac.digest(pepper, f"{number} {code}".encode(), hashlib.sha256).hex()


def hash_code(words: str) -> str:
    """Argon2id (19 MiB, two passes), some 40 ms; of a peppered code, or of a password."""
    with _AT_ONCE:
        return _HASHER.hash(words)


def code_fits(words: str, kept: str | None) -> bool:
    """Whether a peppered code or a password is the one kept; the same work where nothing is kept."""
    with _AT_ONCE:
        right = _HASHER.verify(words, kept or _DUMMY)
    return right and kept is not None


def read_secret(path: Path) -> bytes:
    """The house's secret, 32 bytes; made on the first start, readable by its owner alone.

    Safe when several processes start at once: whoever links the file first wins.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    secret = path.read_bytes()
    if len(secret) < SECRET_BYTES:
        raise ValueError(f"{path} is no key of 32 bytes; restore it from the backup")
    return secret

"""A file sealed in blocks (AES-256-GCM), so that none of any size is ever whole in memory.

Each block carries its place and whether it is the last one, so blocks cannot be swapped, repeated or
cut off. A key seals one file and its copy, each once; it is never used for anything else.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.errors import BanjieError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LABEL, SEALED_WITH = "attachment", "attachment_key"
"""The personal values of an attachment's event: what the file is called and about, and its key."""
OF_FILES = {LABEL, SEALED_WITH}
"""They are read with the file and nowhere else."""

BLOCK = 64 * 1024
TAG = 16
ORIGINAL, COPY = b"o", b"c"
"""What is sealed: the file as it was received, or the copy drawn from it."""


class SealBroken(BanjieError):
    """A file of the store is not what was put there."""

    code = "seal-broken"


def new_key() -> bytes:
    """A key for one file and its copy (32 bytes)."""
    return secrets.token_bytes(32)


def seal(key: bytes, what: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The sealed blocks of a file given in pieces of any size."""
    cipher = AESGCM(key)
    for place, (block, last) in enumerate(_blocks(pieces, BLOCK)):
        yield cipher.encrypt(_nonce(what, place, last=last), block, None)


def unseal(key: bytes, what: bytes, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks of a sealed file given in pieces of any size. Raises SealBroken."""
    cipher = AESGCM(key)
    for place, (block, last) in enumerate(_blocks(pieces, BLOCK + TAG)):
        try:
            yield cipher.decrypt(_nonce(what, place, last=last), block, None)
        except InvalidTag:
            raise SealBroken(
                "文件库中的文件已被改动,请从备份恢复。"
                "A file of the store was changed; bring it back from the backup."
            ) from None


def _nonce(what: bytes, place: int, *, last: bool) -> bytes:
    return what + bytes(6) + place.to_bytes(4) + bytes([last])


def _blocks(pieces: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Blocks of one size and a last one, which may be shorter; there always is a last one."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) > size:
            yield bytes(held[:size]), False
            del held[:size]
    yield bytes(held), True

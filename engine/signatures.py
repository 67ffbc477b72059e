"""Signed notes (C2SP signed-note) and what Banjie writes in them: checkpoints of the log, in the form
of C2SP tlog-checkpoint; a witness's cosignature (C2SP tlog-cosignature/v1); a petitioner's receipt.

A note is lines of text, an empty line, and a line `— name base64(key id, signature)` for each
signature. Keys are Ed25519; a key's id is the beginning of SHA-256 over its name and itself, so
that a signature says which key to look for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from engine.errors import Refused
from engine.merkle import HASH_BYTES
from engine.workdays import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNING = "checkpoint"
"""The key file (of `engine.keys.Keyring`) that signs checkpoints and receipts."""

PLAIN, COSIGNED = 1, 4
"""The kinds of signature: over the text; over a time and the text (a witness's)."""

ID_BYTES, TIME_BYTES, KEY_BYTES = 4, 8, 32


@dataclass(frozen=True)
class Verifier:
    """A public key under its name."""

    name: str
    key: bytes  # 32 bytes
    kind: int = PLAIN

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256 over name and key."""
        told = self.name.encode() + b"\n" + bytes([self.kind]) + self.key
        return hashlib.sha256(told).digest()[:ID_BYTES]

    def __str__(self) -> str:
        """The key as people hand it on: name+id+base64."""
        return f"{self.name}+{self.id.hex()}+{_text(bytes([self.kind]) + self.key)}"

    def signed(self, note: str) -> bool:
        """Whether a note carries a signature of this key that holds."""
        for line in note.rpartition("\n\n")[2].splitlines():
            mark, _, rest = line.partition(" ")
            name, _, encoded = rest.rpartition(" ")
            told = _bytes(encoded)
            if mark == "—" and name == self.name and told[:ID_BYTES] == self.id:
                signature = told[ID_BYTES:]
                if self.kind != COSIGNED:
                    return self.holds(text_of(note).encode(), signature)
                at = int.from_bytes(signature[:TIME_BYTES])
                return self.holds(_cosigned(text_of(note), at), signature[TIME_BYTES:])
        return False

    def holds(self, signed: bytes, signature: bytes) -> bool:
        """Whether a signature over these bytes is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, signed)
        except InvalidSignature:
            return False
        return True


def read_verifier(text: str) -> Verifier:
    """A public key from what people hand on: name+id+base64. Raises Refused."""
    name, _, rest = text.strip().partition("+")
    key = _bytes(rest.partition("+")[2])
    found = Verifier(name, key[1:], key[0]) if len(key) == KEY_BYTES + 1 else None
    if found is None or str(found) != text.strip():
        raise Refused(
            "这不是公钥,请核对。This is no public key (name+id+key); check where it came from."
        )
    return found


class Signer:
    """A private key: its 32 bytes, and the name it signs under.

    Without a name it is named after itself: `banjie-` and the beginning of its public key's digest,
    so that a log is as new as its key and no two offices have a log of one name.
    """

    def __init__(self, seed: bytes, kind: int = PLAIN, name: str = "") -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key().public_bytes_raw()
        own = (
            f"{'banjie' if kind == PLAIN else 'witness'}-{hashlib.sha256(public).hexdigest()[:12]}"
        )
        self.verifier = Verifier(name or own, public, kind)

    @property
    def name(self) -> str:
        """The name it signs under; of the log's key, the log's name."""
        return self.verifier.name

    def sign(self, body: str) -> str:
        """A note: the text (which ends with a line break) and this key's signature."""
        return f"{body}\n{self._line(self._key.sign(body.encode()))}"

    def signature(self, text: str) -> str:
        """A signature alone, in base64."""
        return _text(self._key.sign(text.encode()))

    def cosign(self, note: str, at: datetime) -> str:
        """The note with a witness's signature added, which says when it was made."""
        seconds = int(at.timestamp())
        signature = self._key.sign(_cosigned(text_of(note), seconds))
        return note + self._line(seconds.to_bytes(TIME_BYTES) + signature)

    def _line(self, signature: bytes) -> str:
        return f"— {self.name} {_text(self.verifier.id + signature)}\n"


def text_of(note: str) -> str:
    """The text of a note, without its signatures."""
    return note.rpartition("\n\n")[0] + "\n"


class TreeHead(NamedTuple):
    """What a checkpoint says."""

    origin: str
    size: int
    root: bytes
    at: datetime
    previous: bytes  # digest of the checkpoint before, 32 zero bytes for the first


FIRST = bytes(HASH_BYTES)
RECEIPT = ("log", "number", "time", "event")
HASHED = re.compile(r"[0-9a-f]{64}", re.ASCII)


def checkpoint_text(head: TreeHead) -> str:
    """The text of a checkpoint: origin, size, root; then, as extensions, time and predecessor."""
    return (
        f"{head.origin}\n{head.size}\n{_text(head.root)}\n"
        f"time {head.at.astimezone(UTC).isoformat(timespec='seconds')}\n"
        f"previous {_text(head.previous)}\n"
    )


def read_checkpoint(note: str) -> TreeHead:
    """What a note says that is a checkpoint of ours. Raises Refused for any other text."""
    try:
        origin, size, root, time, previous = text_of(note).splitlines()
        head = TreeHead(
            origin,
            int(size),
            _bytes(root),
            datetime.fromisoformat(time.removeprefix("time ")),
            _bytes(previous.removeprefix("previous ")),
        )
    except ValueError:
        head = None
    if head is None or checkpoint_text(head) != text_of(note) or len(head.root) != HASH_BYTES:
        raise Refused(
            "这不是检查点,请核对来源。This is no checkpoint of Banjie's; check where it came from."
        )
    return head


def note_digest(note: str) -> bytes:
    """What the next checkpoint calls this one: SHA-256 over its signed text, signatures apart."""
    return hashlib.sha256(text_of(note).encode()).digest()


def receipt_text(receipt: Mapping[str, str]) -> str:
    """The text a petitioner's receipt is signed over."""
    return "banjie-receipt-v1\n" + "".join(f"{receipt[name]}\n" for name in RECEIPT)


def receipt(signer: Signer, number: str, at: datetime, event: bytes) -> dict[str, str]:
    """A receipt (回执): this item began at this moment with this event, and the log will show it."""
    told = {
        "number": number,
        "time": at.astimezone(SHANGHAI).isoformat(timespec="microseconds"),
        "event": event.hex(),
        "log": signer.name,
        "key_id": signer.verifier.id.hex(),
    }
    return {**told, "signature": signer.signature(receipt_text(told))}


def receipt_holds(verifier: Verifier, told: Mapping[str, str]) -> bool:
    """Whether a receipt is whole and signed by this key."""
    return (
        set(told) == {*RECEIPT, "key_id", "signature"}
        and told["log"] == verifier.name
        and HASHED.fullmatch(told["event"]) is not None
        and verifier.holds(receipt_text(told).encode(), _bytes(told["signature"]))
    )


def _cosigned(body: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{body}".encode()


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""

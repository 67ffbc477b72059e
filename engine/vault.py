"""The vault (密库): whatever is personal lies here, encrypted, and nowhere else.

Every item that is given something personal has a data key of its own, wrapped by the key of a month
(`engine.keys`). A field is AES-256-GCM under the item's key, bound to its item, event and name, so
that no row can stand in for another. The event holds a commitment over the salt, the digest of the
ciphertext and the key's own commitment (GCM alone commits to no key): it is checked without any
key, and goes on proving the event when the payload has been erased (reliability 2.6, 2.7).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.database import execute
from engine.errors import KeyFault
from engine.keys import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy.orm import Session

    from engine.keys import Keyring

NONCE_BYTES = 12
PADDED_TO = 64
"""Bytes: a text is filled up with blanks, so that its length tells little (a name, a number)."""
DOMAIN = b"banjie vault 1"


class DataKey(NamedTuple):
    """An item's key, unwrapped, and what commits to it."""

    key: bytes
    commitment: bytes


class Sealed(NamedTuple):
    """What an event gave, encrypted: field -> base64 of nonce and ciphertext."""

    fields: dict[str, str]
    salt: bytes
    commitment: bytes


def commitment_to(fields: Mapping[str, str], salt: bytes, key_commitment: bytes) -> bytes:
    """SHA-256 over salt, the digest of the ciphertexts, and the key's commitment (32 bytes)."""
    ciphertext = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).digest()
    return hashlib.sha256(DOMAIN + salt + ciphertext + key_commitment).digest()


@dataclass
class Vault:
    """One item's part of the vault, for the time of one request.

    The data key is unwrapped when it is first needed and forgotten with this object. Nothing of an
    item whose personal data are restricted is opened, unless for `erasing` them.
    """

    session: Session
    keyring: Keyring | None
    item_id: int
    erasing: bool = False
    restricted: bool = False  # known once the data key was read
    _key: DataKey | None = None

    def seal(self, seq: int, values: Mapping[str, Any]) -> tuple[Sealed, dict[str, Any] | None]:
        """Encrypt what an event gave; beside it the row of a data key, where the item had none.

        Raises KeyFault.
        """
        row = None
        if self._key is None and seq > 1:
            self._key = self._held()
        if self._key is None:
            self._key, row = self._begin()
        key = self._key
        fields = {
            name: _encrypt(key.key, value, self._of(seq, name)) for name, value in values.items()
        }
        salt = secrets.token_bytes(32)
        return Sealed(fields, salt, commitment_to(fields, salt, key.commitment)), row

    def open(self, seq: int, fields: Mapping[str, str], names: Collection[str]) -> dict[str, Any]:
        """Those fields of an event's payload that are named, in clear. Raises KeyFault."""
        wanted = [name for name in fields if name in names]
        if not wanted:
            return {}
        if self._key is None:
            self._key = self._held()
        if self._key is None:
            raise _unreadable()
        if self.restricted and not self.erasing:
            return {}
        key = self._key.key
        return {name: _decrypt(key, fields[name], self._of(seq, name)) for name in wanted}

    def mark(self, purpose: str, text: str) -> bytes:
        """A keyed hash of a text under a key of the house (`Keyring.mark`)."""
        return _there(self.keyring).mark(purpose, text)

    def latest(self) -> Latest:
        """The newest payload of each personal field of the item, still sealed. Nothing of an item
        whose personal data are restricted or erased.
        """
        found: dict[str, tuple[int, str]] = {}
        for row in execute(self.session, PAYLOADS, {"item": self.item_id}):
            found |= {name: (row["seq"], text) for name, text in row["sealed"].items()}
        return Latest(self, found)

    def _of(self, seq: int, name: str) -> bytes:
        return f"{self.item_id}/{seq}/{name}".encode()

    def _held(self) -> DataKey | None:
        row = execute(self.session, KEY, (self.item_id,)).fetchone()
        if row is None:
            return None
        self.restricted = row["restricted"]
        return unwrap(self.keyring, self.item_id, row)

    def _begin(self) -> tuple[DataKey, dict[str, Any]]:
        keyring = _there(self.keyring)
        key, epoch = secrets.token_bytes(KEY_BYTES), keyring.epoch()
        wrapped = wrap(keyring.key(epoch, make=True), key, self.item_id, epoch)
        commitment = _derived(key, b"commit")
        row = {"id": self.item_id, "epoch": epoch, "wrapped": wrapped.hex()}
        return DataKey(_derived(key, b"encrypt"), commitment), {
            **row,
            "commitment": commitment.hex(),
        }


@dataclass(frozen=True)
class Latest:
    """Which personal fields an item has; what they hold is read by name."""

    vault: Vault
    fields: Mapping[str, tuple[int, str]]

    @property
    def names(self) -> frozenset[str]:
        """The fields that were given."""
        return frozenset(self.fields)

    def read(self, names: Collection[str]) -> dict[str, Any]:
        """Those of the fields that are named, in clear. Raises KeyFault."""
        found: dict[str, Any] = {}
        for name, (seq, text) in self.fields.items():
            found |= self.vault.open(seq, {name: text}, names)
        return found


def renew(session: Session, keyring: Keyring, limit: int = 500) -> int:
    """Wrap the next data keys that lie under older epochs anew; how many, 0 when none is left.

    Raises KeyFault where an older key is lost.
    """
    epoch = keyring.epoch()
    rows = execute(session, OLDER, {"epoch": epoch, "limit": limit}).fetchall()
    for row in rows:
        item = row["item_id"]
        wrapped = wrap(keyring.key(epoch, make=True), bare_key(keyring, item, row), item, epoch)
        execute(session, WRAPPED, {"item": item, "epoch": epoch, "wrapped": wrapped})
    return len(rows)


def wrap(epoch_key: bytes, key: bytes, item_id: int, epoch: str) -> bytes:
    """A data key under the key of a month: nonce and ciphertext, bound to the item and the month."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(epoch_key).encrypt(nonce, key, f"{item_id}/{epoch}".encode())


def unwrap(keyring: Keyring | None, item_id: int, row: Mapping[str, Any]) -> DataKey:
    """A row of `vault.data_key` as the key to use. Raises KeyFault."""
    key = bare_key(_there(keyring), item_id, row)
    return DataKey(_derived(key, b"encrypt"), bytes(row["commitment"]))


def bare_key(keyring: Keyring, item_id: int, row: Mapping[str, Any]) -> bytes:
    """The data key of a row, as it was drawn. Raises KeyFault where it is not the one committed to."""
    wrapped, epoch = bytes(row["wrapped"]), str(row["epoch"])
    try:
        key = AESGCM(keyring.key(epoch)).decrypt(
            wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], f"{item_id}/{epoch}".encode()
        )
    except InvalidTag:
        raise _unreadable() from None
    if not hmac.compare_digest(_derived(key, b"commit"), bytes(row["commitment"])):
        raise _unreadable()
    return key


def _there(keyring: Keyring | None) -> Keyring:
    if keyring is None:
        raise KeyFault("没有指定密钥文件夹。No folder of keys was named.")
    return keyring


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, DOMAIN + b" " + purpose, hashlib.sha256)


def _encrypt(key: bytes, value: object, bound_to: bytes) -> str:
    plain = orjson.dumps(value)
    plain += b" " * (-len(plain) % PADDED_TO)  # blanks after JSON mean nothing
    nonce = secrets.token_bytes(NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, bound_to)).decode()


def _decrypt(key: bytes, text: str, bound_to: bytes) -> Any:
    kept = base64.b64decode(text)
    try:
        plain = AESGCM(key).decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], bound_to)
    except InvalidTag:
        raise _unreadable() from None
    return orjson.loads(plain)


def _unreadable() -> KeyFault:
    return KeyFault(
        "密库内容与密钥不符,请核对密钥文件夹并运行 banjie verify。"
        "The vault does not open with these keys; check the folder of keys, run `banjie verify`."
    )


def family_values(
    session: Session, keyring: Keyring | None, family_id: int, name: str
) -> list[Any]:
    """Every value that was given to a field of this name anywhere in a family. Raises KeyFault."""
    found: list[Any] = []
    for row in execute(session, OF_FAMILY, {"family": family_id, "name": name}):
        key = unwrap(keyring, row["item_id"], row)
        bound_to = f"{row['item_id']}/{row['seq']}/{name}".encode()
        found.append(_decrypt(key.key, row["text"], bound_to))
    return found


def broken_commitments(session: Session, after: int, upto: int) -> Iterable[str]:
    """A sentence for every payload of the items in (after, upto] that is not what its event
    committed to, and for every payload and letter that is gone without an erasure that says so. No
    key is needed.
    """
    for row in execute(session, COMMITTED, {"after": after, "upto": upto}):
        salt, key = bytes(row["salt"]), bytes(row["key_commitment"])
        if commitment_to(row["sealed"], salt, key) != bytes(row["commitment"] or b""):
            yield (
                f"{row['number']}: 第{row['seq']}条记录所附个人信息被改动。"
                f"The personal data of event {row['seq']} were changed."
            )
    for row in execute(session, UNEXPLAINED, {"after": after, "upto": upto}):
        what, what_en = MISSING[row["kind"]]
        yield (
            f"{row['number']}: 第{row['seq']}条记录所附{what}不在,也没有删除记录。"
            f"The {what_en} of event {row['seq']} is gone, and no erasure says why."
        )


MISSING = {"payload": ("个人信息", "personal data"), "letter": ("文书", "letter")}
UNEXPLAINED = """
SELECT i.number, gone.kind, gone.seq FROM (
  SELECT 'payload' AS kind, e.item_id, e.seq, 'seqs' AS list FROM event e
  WHERE e.commitment IS NOT NULL AND e.item_id > %(after)s AND e.item_id <= %(upto)s
    AND NOT EXISTS (SELECT FROM vault.payload p WHERE p.item_id = e.item_id AND p.seq = e.seq)
  UNION ALL
  SELECT 'letter', d.item_id, d.seq, 'letters' FROM document d
  WHERE d.body IS NULL AND d.item_id > %(after)s AND d.item_id <= %(upto)s
) gone JOIN item i ON i.id = gone.item_id
WHERE NOT EXISTS (SELECT FROM event x WHERE x.item_id = gone.item_id AND x.act = 'erasure'
  AND x.seq > gone.seq AND x.data ->> 'step' = 'shred'
  AND x.data -> gone.list @> to_jsonb(gone.seq))
ORDER BY gone.item_id, gone.seq
"""
OLDER = """
SELECT item_id, epoch, wrapped, commitment FROM vault.data_key
WHERE epoch < %(epoch)s ORDER BY item_id LIMIT %(limit)s FOR UPDATE
"""
WRAPPED = """
UPDATE vault.data_key SET epoch = %(epoch)s, wrapped = %(wrapped)s WHERE item_id = %(item)s
"""
KEY = """
SELECT k.epoch, k.wrapped, k.commitment, EXISTS (SELECT FROM vault.erasure x
  WHERE x.item_id = k.item_id AND x.shredded_at IS NULL) AS restricted
FROM vault.data_key k WHERE k.item_id = %s
"""
PAYLOADS = """
SELECT seq, sealed FROM vault.payload WHERE item_id = %(item)s
  AND NOT EXISTS (SELECT FROM vault.erasure WHERE item_id = %(item)s AND shredded_at IS NULL)
ORDER BY seq
"""
OF_FAMILY = """
SELECT p.item_id, p.seq, p.sealed ->> %(name)s AS text, k.epoch, k.wrapped, k.commitment
FROM item i JOIN vault.payload p ON p.item_id = i.id JOIN vault.data_key k ON k.item_id = i.id
WHERE i.family_id = %(family)s AND p.sealed ? %(name)s
"""
COMMITTED = """
SELECT i.number, p.seq, p.sealed, p.salt, k.commitment AS key_commitment, e.commitment
FROM vault.payload p JOIN vault.data_key k ON k.item_id = p.item_id
JOIN item i ON i.id = p.item_id
LEFT JOIN event e ON e.item_id = p.item_id AND e.seq = p.seq
WHERE p.item_id > %(after)s AND p.item_id <= %(upto)s ORDER BY p.item_id, p.seq
"""

"""The second factor: a code that a device counts from a secret and the time (TOTP, RFC 6238), and
codes for the day the device is lost.

The secret lies sealed (AES-256-GCM) under a key derived from the house's secret and bound to the
person, so a copy of the database makes no codes. A code is good once: the last step taken is kept, and
only a later one is. Recovery codes are 120 random bits, so a keyed hash is enough to keep of them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, NamedTuple

import pyotp
import segno
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.codes import derive_key
from engine.database import execute

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ISSUER = "Banjie"
STEP = 30
NONCE_BYTES = 12
RECOVERY_CODES = 10
SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
RECOVERY_LENGTH = 24

OFFER = """
INSERT INTO second_factor (person_id, secret) VALUES (%s, %s)
ON CONFLICT (person_id) DO UPDATE SET secret = excluded.secret, last_step = 0, offered_at = now()
WHERE second_factor.confirmed_at IS NULL RETURNING person_id
"""
FIND = """
SELECT secret, last_step, confirmed_at, extract(epoch FROM now())::bigint AS now
FROM second_factor WHERE person_id = %s FOR UPDATE
"""
TAKE = """
UPDATE second_factor SET last_step = %s, confirmed_at = coalesce(confirmed_at, now())
WHERE person_id = %s
"""
STAND = """
SELECT f.confirmed_at, (SELECT count(*)::int FROM recovery_code c
  WHERE c.person_id = %(person)s AND c.used_at IS NULL) AS recovery_codes
FROM (SELECT) AS one LEFT JOIN second_factor f
  ON f.person_id = %(person)s AND f.confirmed_at IS NOT NULL
"""
USE = """
UPDATE recovery_code SET used_at = now()
WHERE digest = %s AND person_id = %s AND used_at IS NULL RETURNING person_id
"""
KEEP = "INSERT INTO recovery_code (digest, person_id) SELECT unnest(%s::bytea[]), %s"


class Offer(NamedTuple):
    """What somebody copies into their device, shown once."""

    secret: str
    uri: str
    picture: str


class Factors:
    """Seals and checks with keys of its own, derived from the house's secret."""

    def __init__(self, secret: bytes) -> None:
        self._seal = AESGCM(derive_key(secret, "second factor"))
        self._hash = derive_key(secret, "recovery code")

    def offer(self, session: Session, person: int, account: str) -> Offer | None:
        """A secret for somebody's device, to be confirmed by a code of it; an offer not taken up
        is replaced. None where a second factor is confirmed already.
        """
        secret = pyotp.random_base32()
        sealed = self._sealed(secret.encode(), person)
        if execute(session, OFFER, (person, sealed)).fetchone() is None:
            return None
        uri = pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER)
        picture = segno.make(uri, error="m").svg_inline(scale=4, border=4)
        return Offer(secret, uri, picture)

    def take(self, session: Session, person: int, otp: str, *, confirming: bool = False) -> bool:
        """Whether a code is right now and was not taken before; the first one confirms an offer.

        One step (30 s) early or late is right too. The time is the database's.
        """
        row = execute(session, FIND, (person,)).fetchone()
        if row is None or (row["confirmed_at"] is None) is not confirming:
            return False
        device = pyotp.TOTP(self._opened(row["secret"], person).decode())
        now = row["now"] // STEP
        for step in (now - 1, now, now + 1):
            right = hmac.compare_digest(device.generate_otp(step), otp)
            if right and step > row["last_step"]:
                execute(session, TAKE, (step, person))
                return True
        return False

    def use_recovery_code(self, session: Session, person: int, code: str) -> bool:
        """Whether a recovery code is somebody's and was not used; it is now."""
        digest = self._digest(person, code)
        return execute(session, USE, (digest, person)).fetchone() is not None

    def renew_recovery_codes(self, session: Session, person: int) -> list[str]:
        """Ten new codes in place of all old ones; shown once."""
        codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
        execute(session, "DELETE FROM recovery_code WHERE person_id = %s", (person,))
        execute(session, KEEP, ([self._digest(person, code) for code in codes], person))
        return codes

    def _digest(self, person: int, code: str) -> bytes:
        plain = "".join(char for char in code.upper() if char in SYMBOLS)
        return hmac.new(self._hash, f"{person}:{plain}".encode(), hashlib.sha256).digest()

    def _sealed(self, plain: bytes, person: int) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, plain, str(person).encode())

    def _opened(self, sealed: bytes, person: int) -> bytes:
        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return self._seal.decrypt(nonce, rest, str(person).encode())


def standing(session: Session, person: int) -> tuple[bool, int]:
    """Whether somebody's second factor is confirmed, and how many recovery codes are left."""
    row = execute(session, STAND, {"person": person}).fetchone() or {}
    return row["confirmed_at"] is not None, row["recovery_codes"]


def remove(session: Session, person: int) -> bool:
    """Take a second factor and its recovery codes away; whether there was one."""
    execute(session, "DELETE FROM recovery_code WHERE person_id = %s", (person,))
    gone = execute(
        session, "DELETE FROM second_factor WHERE person_id = %s RETURNING person_id", (person,)
    )
    return gone.fetchone() is not None


def _recovery_code() -> str:
    drawn = "".join(secrets.choice(SYMBOLS) for _ in range(RECOVERY_LENGTH))
    return "-".join(drawn[at : at + 6] for at in range(0, RECOVERY_LENGTH, 6))

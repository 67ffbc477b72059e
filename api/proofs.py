"""Proofs of work: what makes trying dear when it is tried often. The one file that knows altcha.

A challenge is signed and not kept; a solution is taken once. The cost, half a second of a telephone,
is nothing to a citizen and a day of machines to who tries a hundred thousand times.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altcha

from engine import tries
from engine.errors import Invalid

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

ALGORITHM = "PBKDF2/SHA-256"
COST = 5000
LASTS = 10 * 60
"""Seconds: the time to fill in a form. Who made a challenge judges its age, by the same clock."""


@dataclass(frozen=True)
class Proofs:
    """Challenges under one key, derived from the house's secret for this alone."""

    key: bytes

    def challenge(self) -> dict[str, Any]:
        """A new challenge, as the altcha widget reads it."""
        made = altcha.create_challenge(
            ALGORITHM, COST, expires_at=int(time.time()) + LASTS, hmac_secret=self.key
        )
        found: dict[str, Any] = made.to_dict()
        return found

    def spend(self, session: Session, solution: str) -> None:
        """Take a solution, once. Raises Invalid where it is wrong, too old or was taken before."""
        if not altcha.verify_solution(solution, self.key).verified:
            raise _refused("验证未通过或者已过期,请重新取题。The proof is wrong or too old;")
        digest = hashlib.sha256(_challenge_of(solution)).digest()
        if not tries.spend(session, digest):
            raise _refused("该验证已用过,请重新取题。This proof was used before;")


def _challenge_of(solution: str) -> bytes:
    """What names the challenge whatever else the solution says: its signature, which is checked."""
    return str(altcha.Payload.from_base64(solution).challenge.signature).encode()


def _refused(why: str) -> Invalid:
    return Invalid([("/altcha", f"{why} ask for a new challenge: GET /api/v1/portal/challenge.")])

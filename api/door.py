"""The public door of a process: its keys, its limits, and the name of its cookie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from api.proofs import Proofs
from engine.codes import derive_key
from engine.tries import Marks

if TYPE_CHECKING:
    from engine.settings import Settings


@dataclass(frozen=True)
class Door:
    """Each key is derived from the house's secret for one purpose; `key` is that of sessions' tokens.
    `of_network` and `of_office` are
    the submissions of an hour and of a minute that need no proof, 0 for any number.
    """

    pepper: bytes
    key: bytes
    marks: Marks
    proofs: Proofs
    of_network: int
    of_office: int
    secure: bool

    @classmethod
    def of(cls, settings: Settings, secret: bytes) -> Self:
        """The door of an installation."""
        return cls(
            pepper=derive_key(secret, "pepper of codes"),
            key=derive_key(secret, "tokens of petitioners"),
            marks=Marks(derive_key(secret, "marks of tries")),
            proofs=Proofs(derive_key(secret, "proofs of work")),
            of_network=settings.submissions_most("network"),
            of_office=settings.submissions_most("minute"),
            secure=settings.address.startswith("https://"),
        )

    @property
    def cookie(self) -> str:
        """The name of the session's cookie: with https one that no other host can set."""
        return "__Host-portal" if self.secure else "portal"

    def cookie_with(self, token: str) -> str:
        """The cookie of a session: this site only, no script, gone with the browser; with an empty
        token gone at once.
        """
        parts = [f"{self.cookie}={token}", "Path=/", "HttpOnly", "SameSite=Strict"]
        parts += ["Secure"] if self.secure else []
        parts += [] if token else ["Max-Age=0"]
        return "; ".join(parts)

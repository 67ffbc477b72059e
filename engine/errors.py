"""Every way Banjie says no.

* BanjieError
  + DefinitionError            a file the office wrote is wrong; the process must not start
  + NotFound                   no such thing (or it is not yours to know of)
  + Invalid                    the data given is missing or malformed
  + Refused
    - NotPermitted             this actor may not do this here
    - NotAvailable             the transition does not leave the item's present state
    - GuardRefused             a guard said no, and says why
    - Stale                    the item moved on since the actor saw it
    - Exhausted                the law allows no further extension
    - Repeated                 the idempotency key was used for something else
    - Unconfirmed              something may go silent after this; say that it must be
  + Unfit                      this installation must not serve as it is set up
  + Busy                       somebody else holds the item; try again shortly
  + TooMany                    too many tries from one source, or for one account; wait
  + KeyFault                   a key of the vault is missing, broken or open to others
  + DeliveryError              a message could not be sent; it will be tried again
    - Undeliverable            trying again cannot help
  + Unscannable                the virus scanner did not take a file
"""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing wrong with a file: where, and what to do about it.

    ``name`` is a short stable code (``clock-removed``); ``line`` is 0 where the fault lies
    between files.
    """

    file: str
    line: int
    name: str
    sentence: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: [{self.name}] {self.sentence}"


class BanjieError(Exception):
    """Something went wrong that Banjie has a name for."""

    code = "error"

    def __init__(self, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members


class DefinitionError(BanjieError):
    """A file the office wrote contradicts itself; ``findings`` lists every fault."""

    code = "definition-error"

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


class NotFound(BanjieError):
    """There is no such thing, or it is not yours to know of."""

    code = "not-found"


class Invalid(BanjieError):
    """Something given is missing or malformed; ``errors`` holds a pointer and a sentence each."""

    code = "invalid"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__(
            "; ".join(f"{pointer} {sentence}" for pointer, sentence in errors),
            errors=[{"pointer": pointer, "detail": sentence} for pointer, sentence in errors],
        )


class Refused(BanjieError):
    """The rules do not allow this now."""

    code = "refused"


class NotPermitted(Refused):
    """This actor may not do this here."""

    code = "not-permitted"


class NotAvailable(Refused):
    """The transition does not leave the item's present state."""

    code = "transition-not-available"


class GuardRefused(Refused):
    """A guard said no, and says why."""

    code = "guard-refused"


class Stale(Refused):
    """The item moved on since the actor saw it."""

    code = "stale"


class Exhausted(Refused):
    """The law allows no further extension of this deadline."""

    code = "extension-exhausted"


class Repeated(Refused):
    """The idempotency key was already used for another request."""

    code = "idempotency-conflict"


class Unconfirmed(Refused):
    """Something may go silent after this change; send it again with confirm if it must be."""

    code = "confirmation-needed"


class Unfit(BanjieError):
    """This installation must not serve as it is set up; the sentences say what to change."""

    code = "unfit"


class Busy(BanjieError):
    """Somebody else holds the item; try again shortly."""

    code = "busy"


class TooMany(BanjieError):
    """Too many tries; wait before the next one.

    ``retry_after`` is in seconds, at least 1. It is the same for a name that exists and for one
    that does not: the caller chooses it by what was tried, never by what was found. ``instead``
    ends the sentence with what may be done rather than wait, and ``members`` tell programs of it.
    """

    code = "too-many"

    def __init__(self, retry_after: int, instead: str = "", **members: object) -> None:
        seconds = max(1, retry_after)
        super().__init__(
            f"尝试过于频繁,请 {seconds} 秒后再试。Too many tries; wait {seconds} seconds.{instead}",
            retry_after=seconds,
            **members,
        )
        self.retry_after = seconds


class KeyFault(BanjieError):
    """A key of the vault is missing, broken, or open to others."""

    code = "key-fault"


class DeliveryError(BanjieError):
    """A message could not be sent; it will be tried again."""

    code = "delivery-error"


class Undeliverable(DeliveryError):
    """A message can never be sent this way; somebody must look at it."""

    code = "undeliverable"


class Unscannable(BanjieError):
    """The virus scanner did not take this file."""

    code = "unscannable"

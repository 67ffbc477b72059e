"""Who may call what: a line for every address, and no address without one.

`to` says who is let in at all: `anyone`, `petitioner` (with the token of number and code), `staff` (the endpoint and the engine decide about the item),
or the roles of which one is needed. `scope` says which tokens of systems are let in; where there is none,
only a person is. An address without a line refuses everybody, and a test finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastapi import Request  # noqa: TC002 - read while running

from engine import disclosure
from engine.errors import NotPermitted

if TYPE_CHECKING:
    from engine.sessions import Owes, Scope


class Permit(NamedTuple):
    """What an address demands; a session that still owes one of `owing` may come here too."""

    to: str
    scope: Scope | None = None
    owing: tuple[Owes, ...] = ()

    @property
    def roles(self) -> list[str]:
        """The roles of which one is needed; none where anybody, or all staff, may come."""
        return [] if self.to in {"anyone", "petitioner", "staff"} else self.to.split("|")


ANYONE = Permit("anyone")
PERSON = Permit("staff")
"""A person about their own credentials."""
LEAVING = Permit("staff", owing=("password", "factor", "otp"))
"""The same, whatever they still owe."""
ENROLLING = Permit("staff", owing=("factor",))
ADMIN = Permit("admin")
OVERSEERS = Permit("admin|head")
READERS = Permit("|".join(disclosure.READERS))
"""Those who lead, supervise or audit, each for the units they hold that for."""
PETITIONER = Permit("petitioner")
"""Whoever has the token of number and code."""


def _staff(scope: Scope) -> Permit:
    return Permit("staff", scope)


PERMITS: dict[str, Permit] = {
    # health
    "GET /healthz": ANYONE,
    "GET /readyz": ANYONE,
    # logging in
    "POST /sessions": ANYONE,
    "GET /sessions": LEAVING,
    "DELETE /sessions": LEAVING,
    "GET /sessions/current": LEAVING,
    "DELETE /sessions/current": LEAVING,
    "POST /sessions/current/step-up": LEAVING,
    "DELETE /sessions/{id}": LEAVING,
    "GET /credentials": LEAVING,
    "PUT /credentials/password": Permit("staff", owing=("password",)),
    "POST /credentials/second-factor": ENROLLING,
    "POST /credentials/second-factor/confirmation": ENROLLING,
    "DELETE /credentials/second-factor": PERSON,
    "POST /credentials/recovery-codes": PERSON,
    "GET /credentials/tokens": PERSON,
    "POST /credentials/tokens": PERSON,
    "DELETE /credentials/tokens/{id}": PERSON,
    "GET /access-events": Permit("admin|auditor"),
    "POST /office/people/{account}/password-reset": OVERSEERS,
    "DELETE /office/people/{account}/second-factor": ADMIN,
    "DELETE /office/people/{account}/sessions": ADMIN,
    "POST /office/people/{account}/tokens": OVERSEERS,
    "GET /office/foresight": _staff("read"),
    "GET /office/units": _staff("read"),
    "POST /office/units": ADMIN,
    "GET /office/units/{code}": _staff("read"),
    "PATCH /office/units/{code}": ADMIN,
    "POST /office/units/{code}/closing": ADMIN,
    "GET /office/people": _staff("read"),
    "POST /office/people": ADMIN,
    "GET /office/people/{account}": _staff("read"),
    "PATCH /office/people/{account}": ADMIN,
    "POST /office/people/{account}/roles": ADMIN,
    "POST /office/people/{account}/leaving": ADMIN,
    "GET /office/certificates": OVERSEERS,
    "GET /office/proposals": OVERSEERS,
    "POST /office/proposals/{number}/decision": OVERSEERS,
    "GET /office/events": Permit("admin|head|auditor"),
    "GET /office/leave": _staff("read"),
    "POST /office/leave": ADMIN,
    "POST /office/leave/{number}/ending": ADMIN,
    "POST /office/leave/{number}/cancelling": ADMIN,
    "GET /office/conflicts": PERSON,
    "POST /office/conflicts": PERSON,  # one's own word: no system gives it
    "POST /office/conflicts/{number}/ending": Permit("admin|liaison"),
    "POST /office/imports": ADMIN,
    "GET /office/export.csv": OVERSEERS,
    # the public door
    "POST /submissions": ANYONE,
    "POST /submissions/track": ANYONE,
    "POST /submissions/act": ANYONE,
    "POST /submissions/recusals": ANYONE,
    "GET /portal/challenge": ANYONE,
    "POST /portal/sessions": ANYONE,
    "DELETE /portal/sessions/current": PETITIONER,
    "GET /portal/item": PETITIONER,
    "POST /portal/transitions/{name}": PETITIONER,
    "GET /questionnaires/{code}": ANYONE,
    "GET /portal/questionnaires": PETITIONER,
    "POST /portal/questionnaires/{number}/transitions/{name}": PETITIONER,
    "GET /portal/rights": PETITIONER,
    "GET /portal/rights/{name}": ANYONE,
    "GET /portal/messages": PETITIONER,
    "POST /portal/messages": PETITIONER,
    "POST /portal/recusals": PETITIONER,
    "GET /portal/attachments": PETITIONER,
    "POST /portal/attachments": PETITIONER,
    "GET /portal/attachments/{attachment}": PETITIONER,
    # the log
    "GET /log/checkpoint": ANYONE,
    "GET /log/consistency": ANYONE,
    "GET /log/proof": ANYONE,
    # items
    "GET /items": _staff("read"),
    "POST /items": _staff("submit"),
    "GET /items/{number}": _staff("read"),
    "GET /items/{number}/events": _staff("read"),
    "GET /items/{number}/documents": _staff("read"),
    "GET /items/{number}/messages": _staff("read"),
    "POST /items/{number}/transitions/{name}": _staff("advance"),
    "POST /items/{number}/extensions": _staff("advance"),
    "POST /items/{number}/recusals": _staff("advance"),
    "POST /items/{number}/declarations": PERSON,  # one's own word: no system gives it
    "POST /items/{number}/foresight": _staff("read"),
    "POST /items/{number}/assignments": _staff("advance"),
    "POST /items/{number}/notes": _staff("advance"),
    "POST /items/{number}/messages": _staff("advance"),
    "GET /items/{number}/attachments": _staff("read"),
    "POST /items/{number}/attachments": _staff("advance"),
    "GET /items/{number}/attachments/{attachment}": _staff("read"),
    "POST /items/{number}/attachments/{attachment}/original": PERSON,  # evidence: no system's
    "GET /items/{number}/reveals": _staff("read"),
    "POST /items/{number}/reveals": PERSON,  # who somebody is: no system asks, decides or sees
    "GET /items/{number}/reveals/{reveal}": PERSON,
    "POST /items/{number}/reveals/{reveal}/grant": PERSON,
    "POST /items/{number}/reveals/{reveal}/refuse": PERSON,
    "GET /items/{number}/duplicates": PERSON,
    "GET /items/{number}/cluster": _staff("read"),
    "GET /items/{number}/erasures": _staff("read"),
    "POST /items/{number}/erasures": PERSON,
    "POST /items/{number}/legal-holds": PERSON,
    # supervising
    "GET /stalls": _staff("read"),
    "POST /stalls/bulk": _staff("supervise"),
    "GET /messages": _staff("read"),
    "GET /inbox": _staff("read"),
    "POST /clusters": Permit("law_hub|audit|deputy|head"),
    "GET /referrals": _staff("read"),
    "POST /referrals/{number}/acknowledge": _staff("advance"),
    # what is counted
    "GET /figures": READERS,
    "GET /reports/{month}": READERS,
    # what is declared
    "GET /workflows": ANYONE,
    "GET /workflows/{name}": ANYONE,
    "GET /workflows/{name}/diagram.svg": ANYONE,
    "GET /calendar/due": ANYONE,
    "POST /practice/clock": PERSON,
}


def permit_of(request: Request) -> Permit:
    """What the address of a request demands. Raises NotPermitted where nobody wrote that down."""
    permit = PERMITS.get(f"{request.method} {request.scope['route'].path}")
    if permit is None:
        raise NotPermitted(
            "此地址未登记权限,不予开放。Nobody declared who may call this address; it stays shut."
        )
    return permit


async def refuse_undeclared(request: Request) -> None:
    """Deny by default. Raises NotPermitted."""
    permit_of(request)

"""What every endpoint stands on: who asks, under which key, in which transaction.

The transaction is opened and committed inside the endpoint, before the answer: a dependency that
commits would do so after the client has its 200 (ADR-0003).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from api.openapi import describe
from api.permits import Permit, permit_of
from api.problems import (
    CredentialOwed,
    Malformed,
    StepUpRequired,
    Unauthenticated,
    Unconditional,
)
from engine.answers import Ask, Given, claim, request_digest, settle
from engine.database import Database, execute
from engine.desk import not_found
from engine.errors import Invalid, NotPermitted
from engine.sessions import Caller, Limits, find
from engine.telling import name_asker
from engine.views import read_item
from engine.walls import stand_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from api.cookies import Cookies
    from api.cursors import Cursors
    from api.door import Door
    from api.origins import Origins
    from api.workflows import Gallery
    from engine.casework import Casework
    from engine.checkpoints import CheckpointFile
    from engine.depot import Depot
    from engine.factors import Factors
    from engine.people import Actor
    from engine.settings import Settings
    from engine.signatures import Signer
    from workflows import Prover

T = TypeVar("T")

JSON = "application/json"
bearer = HTTPBearer(
    auto_error=False, description="The token of POST /sessions: `Authorization: Bearer <token>`."
)

HOLDS = "SELECT FROM membership WHERE person_id = %s AND role = ANY(%s) LIMIT 1"
DEBTS = {
    "password": "请先改掉临时口令:PUT /api/v1/credentials/password。"
    "Choose a password of your own first: PUT /api/v1/credentials/password.",
    "factor": "请先登记第二因素:POST /api/v1/credentials/second-factor。"
    "Enrol a second factor first: POST /api/v1/credentials/second-factor.",
    "otp": "请先输入动态码:POST /api/v1/sessions/current/step-up。"
    "Give a code of your second factor first: POST /api/v1/sessions/current/step-up.",
}
STEP_UP = (
    "此操作须刚刚验证过本人,请再次输入口令或动态码:POST /api/v1/sessions/current/step-up。"
    "Prove again that it is you, with a password or a code: POST /api/v1/sessions/current/step-up."
)


@dataclass(frozen=True)
class Counter:
    """One per process: the settings, the database, the verbs, the house's secret, and the key that
    signs receipts.
    """

    settings: Settings
    database: Database
    casework: Casework
    secret: bytes
    signer: Signer
    checkpoints: CheckpointFile
    cursors: Cursors
    gallery: Gallery
    door: Door
    depot: Depot
    prover: Prover
    origins: Origins
    cookies: Cookies
    factors: Factors
    limits: Limits

    @cached_property
    def accusing(self) -> frozenset[str]:
        """The fields, of all workflows, that name somebody as accused."""
        return frozenset(
            name
            for bound in self.casework.catalog.current.values()
            for name, field in bound.workflow.fields.items()
            if field.duty == "accused"
        )

    def accuses(self, data: dict[str, Any]) -> bool:
        """Whether what is given names somebody as accused: that is not done from a desk left open."""
        return any(
            data[name] not in (None, "", [], "unknown") for name in self.accusing & data.keys()
        )


@dataclass(frozen=True)
class Answer:
    """What an endpoint answers: anything JSON can say, a status, and headers of its own."""

    payload: Any
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    def given(self) -> Given:
        """The bytes."""
        return Given(self.status, orjson.dumps(self.payload), dict(self.headers))

    def response(self) -> Response:
        """The same as a response."""
        return sent(self.given())


def of_item(view: dict[str, Any], status: int = 200) -> Answer:
    """An item with the ETag that its next If-Match names."""
    return Answer(view, status, (("ETag", f'"{view["revision"]}"'),))


def sent(given: Given) -> Response:
    """An answer as a response."""
    return Response(given.body, given.status, dict(given.headers), JSON)


@dataclass(frozen=True)
class Shown:
    """What somebody showed at the counter, and what the address demands of them."""

    token: str
    by_cookie: bool
    permit: Permit


def who(session: Session, counter: Counter, shown: Shown, *, fresh: bool = False) -> Caller:
    """Who it is, where they may come in here. Raises Unauthenticated, CredentialOwed, NotPermitted,
    and StepUpRequired where a `fresh` proof is wanted.
    """
    caller = find(session, shown.token, counter.limits, by_cookie=shown.by_cookie)
    permit = shown.permit
    if caller is None:
        raise Unauthenticated("登录已失效,请重新登录。Your login has ended; log in again.")
    name_asker(f"person:{caller.person.id}")
    if caller.owes and caller.owes not in permit.owing:
        raise CredentialOwed(DEBTS[caller.owes], owes=caller.owes)
    if caller.scopes is not None and (permit.scope is None or permit.scope not in caller.scopes):
        raise NotPermitted(
            "此令牌的范围不含这一操作。The scopes of this token do not include this.",
            scope=permit.scope,
        )
    held = (caller.person.id, permit.roles)
    if permit.roles and execute(session, HOLDS, held).fetchone() is None:
        raise NotPermitted(
            "您没有办理此事的角色。You do not hold a role for this.", roles=permit.roles
        )
    if fresh and not caller.fresh:
        raise StepUpRequired(STEP_UP)
    return caller


async def of_process(request: Request) -> Counter:
    """The counter of this process."""
    counter: Counter = request.app.state.counter
    return counter


async def shown(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Shown:
    """What somebody showed who must show something. Raises Unauthenticated, CrossSite."""
    found = shown_by(request, credentials)
    if found is None:
        raise unknown()
    return found


async def perhaps_shown(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Shown | None:
    """What somebody showed at an address that is open to anyone. Raises CrossSite."""
    return shown_by(request, credentials)


def shown_by(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Shown | None:
    """The bearer token, else the cookie of a browser, which must come from our own page. Raises
    CrossSite.
    """
    permit = permit_of(request)
    if credentials is not None:
        return Shown(credentials.credentials, by_cookie=False, permit=permit)
    cookies: Cookies = request.app.state.counter.cookies
    token = cookies.given(request)
    if token is None:
        return None
    cookies.demand_own_form(request, token)
    return Shown(token, by_cookie=True, permit=permit)


def unknown() -> Unauthenticated:
    """Nothing was shown."""
    return Unauthenticated("请先登录。Log in first: POST /api/v1/sessions.")


async def revision_given(
    if_match: Annotated[
        str | None,
        Header(
            description='The revision you saw, in quotes (the ETag of the item): `"7"`.',
            examples=['"7"'],
        ),
    ] = None,
) -> int:
    """The revision of If-Match. Raises Unconditional or Malformed."""
    if if_match is None:
        raise Unconditional(
            '请在 If-Match 中写明所见版本,如 "7"。Name the revision you saw: If-Match: "7".'
        )
    found = re.fullmatch(r'"([0-9]{1,9})"', if_match.strip(), re.ASCII)
    if found is None:
        raise Malformed('If-Match 应为带引号的版本号,如 "7"。If-Match must be a revision like "7".')
    return int(found[1])


IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Any text of your own, new for each request: sent again with the same key, a "
        "request has one effect and the same answer.",
        examples=["0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"],
    ),
]


@dataclass(frozen=True)
class Reading:
    """Somebody asks and changes nothing."""

    counter: Counter
    shown: Shown

    def look(self, deed: Callable[[Session, Actor], Answer], *, fresh: bool = False) -> Response:
        """Answer from one transaction."""
        with self.counter.database.transaction() as session:
            caller = who(session, self.counter, self.shown, fresh=fresh)
            answer = deed(session, caller.actor)
        return sent(answer.given())

    def call(self, deed: Callable[[Session, Caller], T], *, fresh: bool = False) -> T:
        """A deed about the caller's own way in. Nothing of its answer is kept, for an answer may
        hold what is shown once.
        """
        return self.counter.database.perform(
            lambda session: deed(session, who(session, self.counter, self.shown, fresh=fresh))
        )


@dataclass(frozen=True)
class Writing:
    """Somebody acts, once for each key."""

    request: Request
    counter: Counter
    shown: Shown
    key: str | None

    def act(
        self, deed: Callable[[Session, Actor], Answer], part: str = "", *, fresh: bool = False
    ) -> Given:
        """Do a deed and keep its answer, in one transaction that is committed on return.

        `part` names one of several deeds of the same request; a `fresh` proof is asked for what
        must not be done from a desk left open.
        """

        def once(session: Session) -> Given:
            actor = who(session, self.counter, self.shown, fresh=fresh).actor
            ask = asked(self.counter, self.request, f"person:{actor.id}", self.key, part)
            done = False

            def do() -> Given:
                nonlocal done
                done = True
                return deed(session, actor).given()

            given = answered(session, ask, do)
            if not done:
                self._demand_unbarred(session, actor, given)
            return given

        return self.counter.database.perform(once)

    def _demand_unbarred(self, session: Session, actor: Actor, kept: Given) -> None:
        """A kept answer is not given again to whoever was barred since. Raises NotFound, as for an
        item that does not exist.
        """
        told = orjson.loads(kept.body)
        number = told.get("number") if isinstance(told, dict) else None
        if number is None and self.request.scope["route"].path.startswith("/items/"):
            number = self.request.path_params.get("number")
        if not isinstance(number, str):
            return
        if read_item(session, self.counter.casework, number).shut_out(actor.id or 0):
            raise not_found()

    def answer(self, deed: Callable[[Session, Actor], Answer], *, fresh: bool = False) -> Response:
        """The same as a response."""
        return sent(self.act(deed, fresh=fresh))


def asked(
    counter: Counter, request: Request, principal: str, key: str | None, part: str = ""
) -> Ask | None:
    """The claim a request makes on its key, None where it has none."""
    if key is None:
        return None
    route = f"{request.method} {request.url.path} {part}"
    body: bytes = request.scope["state"]["body"]
    return Ask(principal, f"{key} {part}".strip(), request_digest(counter.secret, route, body))


def answered(session: Session, ask: Ask | None, deed: Callable[[], Given]) -> Given:
    """The kept answer of a claim, or a deed's own, kept from now on."""
    if ask is None:
        return deed()
    stand_for(session, ask.principal)
    if (kept := claim(session, ask)) is not None:
        return kept
    given = deed()
    settle(session, ask, given)
    return given


async def refuse_strange_filters(request: Request) -> None:
    """Refuse a query parameter nobody asked for, or given twice: a filter misspelt would silently
    filter nothing, and of two values one would silently count. Raises Invalid.
    """
    if not request.query_params:
        return
    if len(request.query_params.multi_items()) > len(request.query_params):
        raise Invalid(
            [("/", "同一参数出现两次,请删去一个。A parameter stands twice; leave one out.")]
        )
    operation = describe(request.app)["paths"][request.scope["route"].path][request.method.lower()]
    parameters = operation.get("parameters", [])
    known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    if any(name not in known for name in request.query_params):
        raise Invalid(
            [
                (
                    "/",
                    f"此处只收这些参数 (this takes these parameters only): {', '.join(sorted(known))}",
                )
            ]
        )


Process = Annotated[Counter, Depends(of_process)]
Credential = Annotated[Shown, Depends(shown)]
PerhapsCredential = Annotated[Shown | None, Depends(perhaps_shown)]
Revision = Annotated[int, Depends(revision_given)]


async def reading(counter: Process, credential: Credential) -> Reading:
    """Somebody who asks (a coroutine: a plain function would cost a change of threads)."""
    return Reading(counter, credential)


async def changing(
    counter: Process,
    credential: Credential,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - see below
) -> Reading:
    """Somebody about their own way in. A key is taken and means nothing: what is shown once is never
    kept to be given again.
    """
    return Reading(counter, credential)


async def writing(
    request: Request,
    counter: Process,
    credential: Credential,
    idempotency_key: IdempotencyKey = None,
) -> Writing:
    """Somebody who acts."""
    return Writing(request, counter, credential, idempotency_key)


Look = Annotated[Reading, Depends(reading)]
Change = Annotated[Reading, Depends(changing)]
Act = Annotated[Writing, Depends(writing)]

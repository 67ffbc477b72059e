"""What every endpoint stands on: who asks, under which key, in which transaction.

The transaction is opened and committed inside the endpoint, before the answer: a dependency that
commits would do so after the client has its 200 (ADR-0003).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from api.openapi import describe
from api.problems import Malformed, Unauthenticated, Unconditional
from engine.answers import Ask, Given, claim, request_digest, settle
from engine.database import Database, execute
from engine.errors import Invalid
from engine.people import Actor, PersonEntry
from engine.telling import name_asker
from engine.walls import stand_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from api.cursors import Cursors
    from api.door import Door
    from api.workflows import Gallery
    from engine.casework import Casework
    from engine.checkpoints import CheckpointFile
    from engine.settings import Settings
    from engine.signatures import Signer

JSON = "application/json"
bearer = HTTPBearer(
    auto_error=False, description="The token of POST /sessions: `Authorization: Bearer <token>`."
)

WHO = """
SELECT p.id, p.account, p.name, p.unit_id, p.email, p.certified_until, p.left_on,
  set_config('banjie.principal', 'person:' || p.id, true) AS principal
FROM login l JOIN person p ON p.id = l.person_id
WHERE l.token_digest = %s AND l.expires_at > now() AND (p.left_on IS NULL OR p.left_on > now())
"""


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


def token_digest(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode(errors="replace")).digest()


def who(session: Session, token: str) -> Actor:
    """The person a token stands for. Raises Unauthenticated."""
    row = execute(session, WHO, (token_digest(token),)).fetchone()
    if row is None:
        raise Unauthenticated("登录已失效,请重新登录。Your login has ended; log in again.")
    name_asker(f"person:{row['id']}")
    session.info["principal"] = row.pop("principal")
    return Actor("person", PersonEntry(**row))


async def of_process(request: Request) -> Counter:
    """The counter of this process."""
    counter: Counter = request.app.state.counter
    return counter


async def token_given(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> str:
    """The bearer token. Raises Unauthenticated where there is none."""
    return token_of(credentials)


def token_of(credentials: HTTPAuthorizationCredentials | None) -> str:
    """The bearer token of a request, where it has one. Raises Unauthenticated where it has none."""
    if credentials is None:
        raise Unauthenticated("请先登录。Log in first: POST /api/v1/sessions.")
    return credentials.credentials


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
    token: str

    def look(self, deed: Callable[[Session, Actor], Answer]) -> Response:
        """Answer from one transaction."""
        with self.counter.database.transaction() as session:
            answer = deed(session, who(session, self.token))
        return sent(answer.given())


@dataclass(frozen=True)
class Writing:
    """Somebody acts, once for each key."""

    request: Request
    counter: Counter
    token: str
    key: str | None

    def act(self, deed: Callable[[Session, Actor], Answer], part: str = "") -> Given:
        """Do a deed and keep its answer, in one transaction that is committed on return.

        `part` names one of several deeds of the same request.
        """

        def once(session: Session) -> Given:
            actor = who(session, self.token)
            ask = asked(self.counter, self.request, f"person:{actor.id}", self.key, part)
            return answered(session, ask, lambda: deed(session, actor).given())

        return self.counter.database.perform(once)

    def answer(self, deed: Callable[[Session, Actor], Answer]) -> Response:
        """The same as a response."""
        return sent(self.act(deed))


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
    """Refuse a query parameter nobody asked for: a filter misspelt would silently filter nothing.
    Raises Invalid.
    """
    if not request.query_params:
        return
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
Token = Annotated[str, Depends(token_given)]
Revision = Annotated[int, Depends(revision_given)]


async def reading(counter: Process, token: Token) -> Reading:
    """Somebody who asks (a coroutine: a plain function would cost a change of threads)."""
    return Reading(counter, token)


async def writing(
    request: Request, counter: Process, token: Token, idempotency_key: IdempotencyKey = None
) -> Writing:
    """Somebody who acts."""
    return Writing(request, counter, token, idempotency_key)


Look = Annotated[Reading, Depends(reading)]
Act = Annotated[Writing, Depends(writing)]

"""The two pages of single sign-on: to the issuer, and back with its word.

What belongs to one visit (state, nonce, PKCE verifier) travels sealed in a cookie of ten minutes, so that
visits nobody finishes leave nothing, and the way back works in the browser that set out and once. Nobody
is made by it: the account must be there.
"""

# ruff: noqa: TC001 - FastAPI reads these annotations while running
from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import orjson
from cryptography.fernet import Fernet, InvalidToken
from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.auth import FIND
from api.counter import Counter, Process
from api.pages import page
from api.problems import Unauthenticated
from engine import sessions
from engine.access import write_event
from engine.codes import derive_key
from engine.database import execute
from engine.errors import NotFound

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from api.issuer import Issuer
    from engine.sessions import Opened

COOKIE = "banjie-visit"
LASTS = timedelta(minutes=10)
REFUSED = (
    "单点登录未成,请重新开始;如再不成,请联系管理员。"
    "Signing on did not work; begin again at /sign-on, and tell the administrator if it fails again."
)
# A page and not a redirect: the browser sends a strict cookie only where our own page leads.
WELCOME = """<h1>已登录<small lang="en">Logged in</small></h1>
<p><a href="/">进入系统 <span lang="en">Go on</span></a></p>"""

router = APIRouter(include_in_schema=False)


class Doubted(Exception):
    """What the issuer's side or the browser sent does not hold; the reason is a word of ours."""


Told = Annotated[str, Query(max_length=2000)]


@router.get("/sign-on")
def leave(counter: Process) -> Response:
    """Send a browser to the issuer. Raises NotFound where the house has none, Busy."""
    issuer = _issuer(counter)
    state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
    try:
        away = RedirectResponse(issuer.door(state, nonce, verifier), 303)
    except Doubted:
        raise Unauthenticated(REFUSED) from None
    visit = _seal(counter).encrypt(orjson.dumps([state, nonce, verifier])).decode()
    cookies = counter.cookies
    cookies.set(away, cookies.name(COOKIE), visit, LASTS, strict=False)
    return away


@router.get("/sign-on/callback")
def come_back(
    request: Request, counter: Process, state: Told = "", code: Told = ""
) -> HTMLResponse:
    """Take the issuer's word. Raises Unauthenticated, NotFound, Busy."""
    issuer = _issuer(counter)
    cookies = counter.cookies
    try:
        nonce, verifier = _visit(counter, request, state)
        account = issuer.account(code, nonce, verifier)
    except Doubted as doubt:
        reason = f"sign_on_{doubt}"
        counter.database.perform(lambda s: write_event(s, "login_refused", None, reason=reason))
        raise Unauthenticated(REFUSED) from None

    def begin(session: Session) -> Opened | None:
        found = execute(session, FIND, (account,)).fetchone()
        if found is None:
            write_event(session, "login_refused", None, reason="sign_on_unknown_account")
            return None
        return sessions.begin(session, found["id"], counter.limits, by_cookie=True, shown=False)

    opened = counter.database.perform(begin)
    if opened is None:
        raise Unauthenticated(REFUSED)
    welcome = page("已登录 Logged in", WELCOME)
    cookies.keep(welcome, opened.token, counter.limits.lasts)
    cookies.forget(welcome, cookies.name(COOKIE))
    return welcome


def _visit(counter: Counter, request: Request, state: str) -> tuple[str, str]:
    """Nonce and verifier of the visit this browser set out on. Raises Doubted."""
    sealed = request.cookies.get(counter.cookies.name(COOKIE), "")
    try:
        plain = _seal(counter).decrypt(sealed.encode(), ttl=int(LASTS.total_seconds()))
    except InvalidToken:
        raise Doubted("no_visit") from None
    kept, nonce, verifier = orjson.loads(plain)
    if not hmac.compare_digest(kept.encode(), state.encode()):
        raise Doubted("state")
    return nonce, verifier


def _issuer(counter: Counter) -> Issuer:
    if not counter.settings.oidc_issuer:
        raise NotFound("本单位没有单点登录。This office has no single sign-on.")
    from api.issuer import Issuer  # ten megabytes that an office without an issuer does not need

    return Issuer(counter.settings)


def _seal(counter: Counter) -> Fernet:
    return Fernet(urlsafe_b64encode(derive_key(counter.secret, "visits to the issuer")))

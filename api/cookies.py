"""Sessions of browsers: the token in a cookie that no script can read, and the proof that a request
was made by our own page.

Behind https the cookie is `__Host-banjie`: Secure, for this host alone, for every path. Over plain http
on the machine itself, where a browser would not keep a Secure cookie, it is `banjie`. Which of the two is
decided by the office's own address (BANJIE_PUBLIC_URL, else host and port), never by a request; an office
reached by plain http from elsewhere gets the Secure cookie, so that its browsers keep none.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from api.origins import CROSS_SITE
from api.problems import CrossSite
from engine.codes import derive_key

if TYPE_CHECKING:
    from datetime import timedelta

    from starlette.requests import Request
    from starlette.responses import Response

    from api.origins import Origins

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_HEADER, FORM_FIELD = "x-banjie-form", "form_token"
FORM = "application/x-www-form-urlencoded"


class Cookies:
    """Names, sets and takes back the cookie, and binds forms to it."""

    def __init__(self, origins: Origins, secret: bytes) -> None:
        self.origins = origins
        self.secure = not origins.local
        self._key = derive_key(secret, "form token")

    def name(self, what: str = "banjie") -> str:
        """What a cookie is called here."""
        return f"__Host-{what}" if self.secure else what

    def given(self, request: Request) -> str | None:
        """The token a browser sends."""
        return request.cookies.get(self.name())

    def keep(self, response: Response, token: str, lasts: timedelta) -> None:
        """Have the browser keep a session."""
        self.set(response, self.name(), token, lasts, strict=True)

    def set(
        self, response: Response, name: str, value: str, lasts: timedelta, *, strict: bool
    ) -> None:
        """A cookie that no script reads; `strict`: nor is it sent when another site leads here."""
        response.set_cookie(
            name,
            value,
            max_age=int(lasts.total_seconds()),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="strict" if strict else "lax",
        )

    def forget(self, response: Response, name: str | None = None) -> None:
        """Have the browser drop it."""
        name = name or self.name()
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="strict")

    def form_token(self, token: str) -> str:
        """What a form of a session holds; nobody without the house's secret can make it."""
        return hmac.new(self._key, token.encode(errors="replace"), hashlib.sha256).hexdigest()

    def demand_own_form(self, request: Request, token: str) -> None:
        """Demand that our own page sent what a cookie lets do. Raises CrossSite."""
        if request.method in SAFE:
            return
        self.origins.demand_own(request.headers)
        given = request.headers.get(FORM_HEADER) or _of_form(request)
        if not hmac.compare_digest(given.encode(), self.form_token(token).encode()):
            raise CrossSite(CROSS_SITE)


def _of_form(request: Request) -> str:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return ""
    body: bytes = request.scope["state"]["body"]
    return parse_qs(body.decode("utf-8", "replace"), max_num_fields=1000).get(FORM_FIELD, [""])[0]

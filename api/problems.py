"""Errors as problem details (RFC 9457): one table from class to status, one shape for every no.

A problem never repeats what it was given: what a person wrote may be personal, and answers are
logged by whoever stands between.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from engine.attachments import Overfull
from engine.errors import (
    BanjieError,
    Busy,
    Exhausted,
    GuardRefused,
    Invalid,
    KeyFault,
    NotAvailable,
    NotFound,
    NotPermitted,
    Refused,
    Repeated,
    Stale,
    TooMany,
)
from engine.inspection import Unacceptable
from engine.pictures import Undrawable
from engine.telling import tell, told_of

if TYPE_CHECKING:
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "2"  # seconds


class Unauthenticated(BanjieError):
    """Log in first: the token is missing, unknown or expired."""

    code = "unauthenticated"


class SecondFactorRequired(Unauthenticated):
    """The password was right; a code of the second factor is needed too."""

    code = "second-factor-required"


class StepUpRequired(BanjieError):
    """Prove again that it is you: this act wants a password or a code given just now."""

    code = "step-up-required"


class CredentialOwed(BanjieError):
    """This session must first choose a password, or enrol or show a second factor."""

    code = "credential-owed"


class CrossSite(BanjieError):
    """A request with a cookie that does not come from our own page."""

    code = "cross-site"


class Unconditional(BanjieError):
    """Name the revision you saw: the header If-Match is missing."""

    code = "precondition-required"


class Malformed(BanjieError):
    """The request cannot be read."""

    code = "malformed"


class MethodNotAllowed(BanjieError):
    """This address does not take that method."""

    code = "method-not-allowed"


class NotAcceptable(BanjieError):
    """The answer is not available in the media type asked for."""

    code = "not-acceptable"


class TooSlow(BanjieError):
    """The request did not arrive in time."""

    code = "too-slow"


class TooLarge(BanjieError):
    """The request is larger than the counter takes."""

    code = "too-large"


class Unsupported(BanjieError):
    """The request is not written in a media type the counter reads."""

    code = "unsupported-media-type"


STATUSES: dict[type[BanjieError], int] = {
    BanjieError: 500,
    NotFound: 404,
    Invalid: 422,
    Refused: 409,
    NotPermitted: 403,
    NotAvailable: 409,
    GuardRefused: 409,
    Stale: 412,
    Exhausted: 409,
    Repeated: 409,
    Busy: 503,
    TooMany: 429,
    KeyFault: 503,
    Malformed: 400,
    Unauthenticated: 401,
    StepUpRequired: 403,
    CredentialOwed: 403,
    CrossSite: 403,
    MethodNotAllowed: 405,
    NotAcceptable: 406,
    TooSlow: 408,
    TooLarge: 413,
    Overfull: 413,
    Unacceptable: 415,
    Undrawable: 422,
    Unsupported: 415,
    Unconditional: 428,
}
"""Class -> status; a class that is not named has the status of the nearest one above it."""

OUR_FAULT = (
    "系统出错,已记录,请稍后再试。Something went wrong here; it was recorded. Try again later."
)


def status_of(kind: type[BanjieError]) -> int:
    """The status of an error class."""
    return next(STATUSES[base] for base in kind.__mro__ if base in STATUSES)


def title_of(kind: type[BanjieError]) -> str:
    """The title of a problem type: the first sentence of the class's docstring."""
    return (kind.__doc__ or kind.__name__).strip().splitlines()[0].replace("`", "")


def kinds() -> dict[str, type[BanjieError]]:
    """Every problem type there is, by its code."""
    found: dict[str, type[BanjieError]] = {}
    waiting = [BanjieError]
    while waiting:
        kind = waiting.pop()
        if not kind.__name__.startswith("_"):
            found.setdefault(kind.code, kind)
        waiting += kind.__subclasses__()
    return dict(sorted(found.items()))


def document(error: BanjieError, request_id: str) -> dict[str, Any]:
    """The body of a problem: type, title, status, detail, instance, and the error's members."""
    status = status_of(type(error))
    ours = status == HTTPStatus.INTERNAL_SERVER_ERROR
    return {
        "type": f"/problems/{error.code}",
        "title": title_of(type(error)),
        "status": status,
        "detail": OUR_FAULT if ours else error.detail,
        "instance": f"urn:uuid:{request_id}",
        **({} if ours else error.members),
    }


def answer(
    error: BanjieError,
    request_id: str,
    headers: dict[str, str] | None = None,
    cause: Exception | None = None,
) -> Response:
    """A problem as a response; `headers` go along (Allow, say). A fault of ours is logged, by its
    `cause` where it has one.
    """
    body = document(error, request_id)
    headers = dict(headers or {})
    if body["status"] == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_AFTER
    elif isinstance(error, TooMany):
        headers["Retry-After"] = str(error.retry_after)
    elif body["status"] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="banjie"'
    elif body["status"] == HTTPStatus.INTERNAL_SERVER_ERROR:
        tell("request.failed", **told_of(cause or error))
    return Response(orjson.dumps(body), body["status"], headers, MEDIA_TYPE)


def request_id(request: Request) -> str:
    """The id the gate gave this request."""
    return str(request.scope["state"]["request_id"])


async def refuse(request: Request, error: Exception) -> Response:
    """Answer one of Banjie's own errors."""
    if not isinstance(error, BanjieError):
        raise TypeError from error
    return answer(error, request_id(request))


async def refuse_request(request: Request, error: Exception) -> Response:
    """Answer a request that does not fit its declared shape: where, and what would."""
    complaints: RequestValidationError = error  # type: ignore[assignment]
    found: list[dict[str, str]] = []
    for complaint in complaints.errors():
        where, *path = complaint["loc"]
        if complaint["type"] == "json_invalid":
            unreadable = Malformed("请求不是有效的 JSON。The body is not JSON; check it.")
            return answer(unreadable, request_id(request))
        if complaint["type"] == "extra_forbidden":
            path[-1:] = ["?"]  # a name the caller made up
        pointer = "".join(f"/{_name(part)}" for part in path)
        found.append({"pointer": pointer, "in": str(where), "detail": _sentence(complaint)})
    invalid = Invalid([])
    invalid.detail = "; ".join(f"{each['pointer']} {each['detail']}".lstrip() for each in found)
    invalid.members = {"errors": found}
    return answer(invalid, request_id(request))


def _name(part: object) -> str:
    """A name that somebody else may have made up, fit for a pointer and for being shown."""
    plain = (char if char.isalnum() or char in "_-?" else "?" for char in str(part)[:40])
    return "".join(plain)


SENTENCES = {
    "missing": "请填写。This is needed.",
    "extra_forbidden": "此处不收这一项,请删去。This is not asked for here; leave it out.",
    "string_too_long": "内容过长,请缩短。Too long; shorten it.",
    "string_too_short": "请填写内容。Too short; say more.",
    "string_unicode": "含有无法保存的字符。Holds characters that cannot be stored.",
    "string_pattern_mismatch": "格式不符,请对照接口说明。Not of the form described; see the API.",
}


def _sentence(complaint: dict[str, Any]) -> str:
    """What would fit, never what was given."""
    if complaint["type"] == "value_error":  # a sentence of our own
        return str(complaint["ctx"]["error"]) + "."
    return SENTENCES.get(complaint["type"]) or f"格式不符。{complaint['msg']}."


async def refuse_plainly(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses: no such address, no such method, a body it cannot read."""
    refusal: HTTPException = error  # type: ignore[assignment]
    kind: dict[int, BanjieError] = {
        404: NotFound("没有这个地址,请核对。There is no such address; check it."),
        405: MethodNotAllowed("此地址不支持该方法。This address does not take that method."),
        400: Malformed("无法读取请求。The request cannot be read; check its body."),
    }
    found = kind.get(refusal.status_code, BanjieError("refused"))
    return answer(found, request_id(request), dict(refusal.headers or {}))


async def break_down(request: Request, error: Exception) -> Response:
    """Answer a fault of our own: it is logged by its place, and nothing of it is shown."""
    return answer(BanjieError("broken"), request_id(request), cause=error)

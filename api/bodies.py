"""Reading a body: all of it, within a size and a time, and as JSON in one meaning only.

RFC 8259 leaves open what a repeated name, a number of ten thousand digits or a NaN means, and every
reader chooses differently; so what is not plain is refused before anybody reads it.
"""

from __future__ import annotations

import json
from asyncio import timeout
from math import isfinite
from typing import TYPE_CHECKING, Any

from api import problems
from engine.errors import Invalid

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Receive

    from engine.errors import BanjieError

MOST_BYTES = 64 * 1024
SECONDS = 20.0
"""In which a body must have arrived."""
MOST_DEEP = 64
MOST_DIGITS = 18
"""Of a whole number: what fits into 64 bits, whatever its digits are."""


async def read(headers: Headers, receive: Receive, most: int = MOST_BYTES) -> bytes:
    """The body, at most so many bytes, whole before anything parses it. Raises TooLarge, TooSlow."""
    told = headers.get("content-length", "0")
    if not told.isdecimal() or int(told[:20]) > most:
        raise _too_large(most)
    try:
        async with timeout(SECONDS):
            return await _gather(receive, most)
    except TimeoutError:
        raise problems.TooSlow(
            "请求体未能及时收到,请重新发送。The body did not arrive in time; send it again."
        ) from None


async def _gather(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise _too_large(most)
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large(most: int) -> BanjieError:
    kib = most // 1024
    return problems.TooLarge(
        f"请求超过{kib} KiB,请缩短。The request is over {kib} KiB; shorten it."
    )


def judge_json(body: bytes) -> None:
    """Raise Malformed where a body is no JSON or names a thing twice, Invalid where it holds numbers
    or depths that nobody needs.
    """
    try:
        text = body.decode()
        found = json.loads(
            text,
            object_pairs_hook=_once,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_no_number,
        )
        if text.count("[") + text.count("{") > MOST_DEEP:
            _measure(found, MOST_DEEP)
    except (ValueError, RecursionError):
        raise problems.Malformed(
            "请求不是有效的 JSON。The body is not JSON in UTF-8; check it."
        ) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise problems.Malformed(
            "同一名称在 JSON 对象中出现两次,请删去一个。"
            "A name stands twice in a JSON object; leave one out."
        )
    return found


def _whole(digits: str) -> int:
    if len(digits.lstrip("-")) > MOST_DIGITS:
        raise _unfit("数字过长,请缩短。A number is too long; shorten it.")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not isfinite(value):
        raise _unfit("数字须为有限值。A number must be finite.")
    return value


def _no_number(_word: str) -> float:
    raise ValueError  # NaN and Infinity are no JSON


def _unfit(sentence: str) -> Invalid:
    return Invalid([("/", sentence)])


def _measure(value: Any, left: int) -> None:
    """Raise Invalid where lists and objects lie deeper in one another than anybody needs."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not left and inside:
        raise _unfit("JSON 嵌套过深,请简化。The JSON is nested too deep; make it flatter.")
    for each in inside:
        _measure(each, left - 1)

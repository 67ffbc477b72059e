"""What every request passes first and every answer last: an id, the host it names, a limit on size, the
media types, the headers of a careful house, and a stop for faults so that no trace with somebody's
words is printed.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request

from api import bodies, problems
from api.headers import dress
from api.turnstile import Turnstile
from engine.errors import BanjieError, Busy
from engine.telling import asking, tell

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names under which health checks ask."""
ROOMLESS = frozenset({"/api/v1/sessions", "/api/v1/sessions/current", "/api/v1/submissions/track"})
"""What is answered though the disk is nearly full: without it nobody could read."""
WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
JSON = "application/json"
PICTURE = "image/svg+xml"
CSV = "text/csv"
ENDINGS = {".svg": PICTURE, ".csv": CSV}
"""What is offered at addresses that end so; elsewhere JSON."""
TABLES = {"/api/v1/office/imports": (CSV, 1024 * 1024)}
"""Addresses whose body is no JSON: its media type, and the most bytes of it."""


_FILES_IN = re.compile(r"/api/v1/(items/[^/]+|portal)/attachments")
"""Where files come in: `api.uploads` reads them as they come, under limits of its own."""
_FILE_OUT = re.compile(r"/api/v1/(items/[^/]+|portal)/attachments/[0-9a-fA-F-]{36}(/original)?")
"""Where a file is answered."""


@dataclass(frozen=True)
class Room:
    """The disk the state folder lies on, and how much of it stays free for the database."""

    home: Path
    reserve: int  # bytes

    def is_left(self) -> bool:
        """Whether there is room for more than the database needs to stay on its feet."""
        if not self.reserve:
            return True
        for place in (
            f"{self.home}/servers",
            f"{self.home}",
        ):  # a link where the data lie elsewhere
            with suppress(OSError):
                disk = os.statvfs(place)
                return disk.f_bavail * disk.f_frsize >= self.reserve
        return True  # no state folder, no room to measure


class Gate:
    """Wraps the whole application; `host` is the name people reach it by, empty for any."""

    def __init__(self, app: ASGIApp, places: int, room: Room, host: str = "") -> None:
        self.app = app
        self.turnstile = Turnstile(places)
        self.room = room
        self.hosts = frozenset({host, *LOOPBACK}) if host else frozenset[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through; other kinds of connection are not ours."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        state["request_id"] = _id(headers.get("x-request-id"))
        asked = asking(state["request_id"])
        status = size = 0

        async def let_out(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                dress(MutableHeaders(scope=message), scope["path"], state["request_id"])
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._pass(scope, headers, receive, let_out)
        except Exception as error:  # noqa: BLE001 - whatever it is, its words stay in here
            if not status:
                response = await problems.break_down(Request(scope), error)
                await response(scope, receive, let_out)
        route = scope.get("route")
        tell(
            "request",
            method=scope["method"] if scope["method"] in METHODS else "OTHER",
            route=getattr(route, "path", "-"),  # the pattern: an address may hold what was typed
            status=status,
            ms=round((time.monotonic() - began) * 1000, 1),
            who=asked["who"],
            bytes=size,
        )

    async def _pass(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        try:
            self._judge_host(headers)
            scope["state"]["body"] = body = b""
            streams = _comes_in_parts(scope)
            if scope["method"] in WITH_BODY and not streams:
                _, most = TABLES.get(scope["path"], (JSON, bodies.MOST_BYTES))
                scope["state"]["body"] = body = await bodies.read(headers, receive, most)
            if scope["path"].startswith("/api/"):
                _judge(headers, scope["path"], body)
            if scope["method"] in WITH_BODY and scope["path"] not in ROOMLESS:
                self._demand_room()
            if not _is_light(scope["path"]) and not streams:
                await self.turnstile.enter()
        except BanjieError as refusal:
            # what else is on this connection, a body left unread or the next of a flood, goes with it
            answer = problems.answer(refusal, scope["state"]["request_id"], {"Connection": "close"})
            await answer(scope, receive, send)
            return
        await self._work(scope, body, receive, send)

    async def _work(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Hand the request over; its place is free again as soon as there is an answer to send."""
        streams = _comes_in_parts(scope)
        has_place = not _is_light(scope["path"]) and not streams
        given = scope["method"] not in WITH_BODY or streams

        async def hand_over() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def let_go(message: Message) -> None:
            nonlocal has_place
            if has_place:
                has_place = False
                self.turnstile.leave()
            await send(message)

        try:
            await self.app(scope, hand_over, let_go)
        finally:
            if has_place:
                self.turnstile.leave()

    def _judge_host(self, headers: Headers) -> None:
        """Refuse who asks for another house than ours. Raises Malformed."""
        given = headers.getlist("host")
        try:
            name = urlsplit(f"//{given[0]}").hostname if len(given) == 1 else None
        except ValueError:
            name = None
        if name is None or (self.hosts and name not in self.hosts):
            raise problems.Malformed(
                "请求的主机名不对,请核对地址。The request names another host; check the address."
            )

    def _demand_room(self) -> None:
        """Raise Busy while the disk is nearly full: better no new item than no database."""
        if not self.room.is_left():
            raise Busy(
                "磁盘空间不足,暂不能受理新内容,仍可查看;请联系管理员。"
                "The disk is nearly full: reading goes on, nothing new is taken; tell the administrator."
            )


def _comes_in_parts(scope: Scope) -> bool:
    """Whether a request brings files: it is read as it comes, and takes no place while it does."""
    return scope["method"] == "POST" and _FILES_IN.fullmatch(scope["path"]) is not None


def _is_light(path: str) -> bool:
    """Whether an answer needs neither the database nor a long thought."""
    return path.startswith("/static/") or path.endswith("/healthz")


def _id(given: str | None) -> str:
    """The caller's own id where it is a UUID, else a new one."""
    try:
        return str(UUID(given)) if given else str(uuid4())
    except ValueError:
        return str(uuid4())


def _judge(headers: Headers, path: str, body: bytes) -> None:
    """Raise Unsupported, NotAcceptable, Malformed or Invalid."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    taken, _ = TABLES.get(path, (JSON, 0))
    if body and kind != taken:
        raise problems.Unsupported(f"请求体须为 {taken}。Send the body as {taken}.")
    wanted = headers.get("accept")
    offered = next((kind for end, kind in ENDINGS.items() if path.endswith(end)), JSON)
    if _FILE_OUT.fullmatch(path):
        wanted = None  # what it is, the file decides
    if wanted is not None and not _accepts(wanted, offered):
        raise problems.NotAcceptable(f"此处只提供 {offered}。This is available as {offered} only.")
    if body and taken == JSON:
        bodies.judge_json(body)


def _accepts(wanted: str, offered: str) -> bool:
    """Whether an Accept header admits a media type (RFC 9110, 12.5.1; a weight of 0 forbids)."""
    major = offered.partition("/")[0]
    if not wanted.strip():
        return True
    weights: dict[str, bool] = {}
    for part in wanted.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        zero = any(p.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"} for p in parameters)
        weights[name] = not zero
    return next((weights[n] for n in (offered, f"{major}/*", "*/*") if n in weights), False)

"""A request with files, read as it comes: counted, digested and written to files without names.

Nothing is kept in memory but the piece at hand. What is over a limit, too slow or not readable ends the
request at once, and what had come of it is gone with its files.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anyio import fail_after
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from api.problems import Malformed, TooLarge, TooSlow, Unsupported
from engine.depot import MEBI, Arrival
from engine.errors import Invalid
from engine.inspection import clean_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from engine.depot import Depot

MULTIPART = "multipart/form-data"
MOST_FIELDS = 8
MOST_FIELD = 8000  # bytes: a note of 2,000 characters
MOST_BOUNDARY = 70  # RFC 2046, 5.1.1
AROUND_FILES = 64 * 1024  # what headers and fields may take beside the files
PAUSE = 20.0
"""Seconds a client may stay silent in the middle of a request."""


@dataclass
class Consignment:
    """What a request brought: fields, files, and a digest of both whatever the boundary was."""

    fields: dict[str, str] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    digest: bytes = b""

    def close(self) -> None:
        """Forget everything that came."""
        for arrival in self.arrivals:
            arrival.close()


class _Reader:
    """The parts of one request, as the parser tells of them."""

    def __init__(self, depot: Depot, allowed: frozenset[str], into: Consignment) -> None:
        self.depot, self.allowed, self.into = depot, allowed, into
        self.whole = False
        self._digest = hashlib.sha256()
        self._of_file = hashlib.sha256()
        self._headers: dict[str, bytes] = {}
        self._name, self._header, self._value = "", b"", b""
        self._text = bytearray()
        self._at: Arrival | None = None

    def callbacks(self) -> Any:
        """What the parser calls, by its names for it."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._close,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._headers, self._header, self._value = {}, b"", b""

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.decode("ascii", "replace").lower()] = self._value
        self._header, self._value = b"", b""

    def _open(self) -> None:
        """The headers of a part are here: is it a field or a file?"""
        kind, options = parse_options_header(self._headers.get("content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise _unreadable()
        self._name = options[b"name"].decode("ascii", "replace")
        if b"filename" in options:
            self._open_file(options[b"filename"])
            told = f"file {self._at.name if self._at else ''}"
        else:
            self._open_field()
            told = f"field {self._name}"
        self._digest.update(hashlib.sha256(told.encode(errors="replace")).digest())

    def _open_file(self, filename: bytes) -> None:
        if self._name not in {"file", "files"}:
            raise Invalid([("/", "文件项应名为 file。Name the part of a file: file.")])
        if len(self.into.arrivals) == self.depot.files:
            raise TooLarge(
                f"一次最多{self.depot.files}个文件,请分次上传。"
                f"At most {self.depot.files} files at once; send the others afterwards."
            )
        self._of_file = hashlib.sha256()
        self._at = Arrival(
            self.depot.new_file(),
            clean_name(filename.decode("utf-8", "replace")),
            self._headers.get("content-type", b"").decode("ascii", "replace"),
        )
        self.into.arrivals.append(self._at)

    def _open_field(self) -> None:
        if self._name not in self.allowed or self._name in self.into.fields:
            raise Invalid(
                [
                    (
                        "/",
                        "此处只收这些字段,各一次 (this takes these fields only, each once): "
                        + ", ".join(("file", *sorted(self.allowed))),
                    )
                ]
            )
        if len(self.into.fields) == MOST_FIELDS:
            raise _unreadable()
        self._at = None
        self._text = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        self._digest.update(piece)
        if self._at is None:
            self._text += piece
            if len(self._text) > MOST_FIELD:
                raise Invalid([(f"/{self._name}", "内容过长,请缩短。Too long; shorten it.")])
            return
        self._at.size += len(piece)
        if self._at.size > self.depot.file_bytes:
            most = self.depot.file_bytes // MEBI
            raise TooLarge(
                f"单个文件不得超过{most} MiB,请压缩或者分开。"
                f"A file may have {most} MiB; make it smaller or divide it."
            )
        self._of_file.update(piece)
        self._at.file.write(piece)

    def _close(self) -> None:
        if self._at is not None:
            self._at.sha256 = self._of_file.digest()
            self._at = None
            return
        try:
            self.into.fields[self._name] = self._text.decode()
        except UnicodeDecodeError:
            raise Invalid([(f"/{self._name}", "应为 UTF-8 文字。Send text as UTF-8.")]) from None

    def _end(self) -> None:
        self.whole = True
        self.into.digest = self._digest.digest()


def check_headers(headers: Mapping[str, str], depot: Depot) -> bytes:
    """The boundary of a request with files. Raises Unsupported, Malformed, TooLarge."""
    kind, options = parse_options_header(headers.get("content-type"))
    if kind != MULTIPART.encode():
        raise Unsupported(
            f"文件须以 {MULTIPART} 上传。Send files as {MULTIPART}, in parts named file."
        )
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= MOST_BOUNDARY:
        raise _unreadable()
    told = headers.get("content-length", "0")
    if not told.isdecimal() or len(told) > 15 or int(told) > _most(depot):  # noqa: PLR2004 - digits
        raise _too_much(depot)
    return boundary


async def receive(
    request: Request,
    depot: Depot,
    fields: frozenset[str],
    into: Consignment,
) -> None:
    """Read a request with files. Raises Malformed, Invalid, TooLarge, TooSlow, Unsupported."""
    boundary = check_headers(request.headers, depot)
    reader = _Reader(depot, fields, into)
    parser = MultipartParser(boundary, reader.callbacks(), max_header_count=8, max_header_size=4096)
    size = 0
    stream = request.stream().__aiter__()
    try:
        with fail_after(depot.seconds):
            while True:
                with fail_after(PAUSE):
                    chunk = await anext(stream, None)
                if chunk is None:
                    break
                size += len(chunk)
                if size > _most(depot):
                    raise _too_much(depot)
                parser.write(chunk)
            parser.finalize()
    except TimeoutError:
        raise TooSlow(
            "上传中断或者太慢,请换好一些的网络再试。"
            "The files came too slowly; try again on a better line."
        ) from None
    except (FormParserError, ClientDisconnect):
        raise _unreadable() from None
    if not reader.whole:
        raise _unreadable()
    if not into.arrivals or any(not arrival.size for arrival in into.arrivals):
        raise Invalid([("/file", "没有文件或者文件是空的。There is no file, or an empty one.")])
    if sum(arrival.size for arrival in into.arrivals) > depot.request_bytes:
        raise _too_much(depot)


def _most(depot: Depot) -> int:
    return depot.request_bytes + AROUND_FILES


def _too_much(depot: Depot) -> TooLarge:
    most = depot.request_bytes // MEBI
    return TooLarge(
        f"一次上传不得超过{most} MiB,请分次上传。"
        f"One request may have {most} MiB; send the files in several."
    )


def _unreadable() -> Malformed:
    return Malformed(
        "无法读取上传内容(multipart 残缺),请再传一次。"
        "The multipart body is cut off or malformed; send it again."
    )

"""ClamAV by its daemon: a file is sent in pieces (INSTREAM), the verdict is a line.

The protocol is that of clamd(8): `zINSTREAM` and NUL, then pieces with their length in four bytes, then a
length of nothing; the answer ends with NUL: `stream: OK`, `stream: NAME FOUND`, or `… ERROR`.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.errors import Busy, Unscannable

if TYPE_CHECKING:
    from collections.abc import Iterable

WAIT = 60.0  # seconds for each answer; a large archive takes a while
MOST_ANSWER = 1000


class Clamd:
    """One daemon, `unix:///path` or `tcp://host:port`. A connection for each file."""

    def __init__(self, url: str) -> None:
        self.place = urlsplit(url)

    def scan(self, blocks: Iterable[bytes]) -> bool:
        """Whether a virus was found. Raises Busy, Unscannable."""
        try:
            with self._connect() as line:
                line.sendall(b"zINSTREAM\0")
                for block in blocks:
                    if block:  # a length of nothing would end the file
                        line.sendall(len(block).to_bytes(4) + block)
                line.sendall(bytes(4))
                answer = self._answer(line)
        except OSError as error:
            raise Busy("查毒服务暂不可用。The virus scanner is away.") from error
        if answer.endswith("FOUND"):
            return True
        if answer.endswith("OK"):
            return False
        raise Unscannable("查毒服务拒收该文件。The scanner did not take the file; see its log.")

    def _connect(self) -> socket.socket:
        if self.place.scheme == "tcp":
            place = (self.place.hostname or "localhost", self.place.port or 3310)
            return socket.create_connection(place, timeout=WAIT)
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(WAIT)
        try:
            line.connect(self.place.path)
        except OSError:
            line.close()
            raise
        return line

    def _answer(self, line: socket.socket) -> str:
        """The verdict, in at most a thousand bytes. Raises OSError where none comes."""
        told = b""
        while b"\0" not in told and len(told) < MOST_ANSWER:
            if not (piece := line.recv(MOST_ANSWER)):
                break
            told += piece
        if not told:
            raise ConnectionError("no answer")
        return told.partition(b"\0")[0].decode("ascii", "replace").strip()

"""A system outside that receives webhooks, on this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

Answer = Callable[["Door"], None]


def say(status: int, **headers: str) -> Answer:
    """An answer with this status."""

    def answer(door: Door) -> None:
        door.send_response(status)
        for name, value in headers.items():
            door.send_header(name.replace("_", "-"), value)
        door.send_header("Content-Length", "0")
        door.end_headers()

    return answer


@dataclass
class Party:
    """A system outside: how it answers, and what it received."""

    answer: Answer
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


class Door(BaseHTTPRequestHandler):
    """Where the party receives."""

    party: Party

    def do_POST(self) -> None:
        """Remember the request and answer as the party does."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.party.received.append((headers, body))
        try:
            self.party.answer(self)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def outside(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[Party]:
    """A party on a free port of this machine."""
    party = Party(answer)
    door = type("ThisDoor", (Door,), {"party": party})
    server = ThreadingHTTPServer(("127.0.0.1", 0), door)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if context is None else "https"
    party.url = f"{scheme}://localhost:{server.server_address[1]}/hooks?token=1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield party
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

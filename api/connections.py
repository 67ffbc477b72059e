"""Connections as the counter takes them: uvicorn's, with the limits it lacks.

Its parser of HTTP (httptools, strict) waits for the head of a request as long and as far as
somebody cares to send it; a thousand such connections cost the sender nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

HEAD_SECONDS = 10.0
"""In which the head of a request must have arrived, from its first byte or the connection's start."""
MOST_HEAD = 16 * 1024
"""Bytes of the head of a request."""


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    _clock: asyncio.TimerHandle | None = None
    _at_head = True
    _size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went, or was sent away."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes; a head that never ends is cut off."""
        self._size += len(data)
        super().data_received(data)
        if self._at_head and self._size > MOST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._at_head, self._size = True, 0
        if self._clock is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """The head is there. A ValueError makes uvicorn answer 400 and close."""
        self._wait_no_more()
        self._at_head = False
        if len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers) > MOST_HEAD:
            raise ValueError("the head of the request is too long")
        super().on_headers_complete()

    def _wait(self) -> None:
        self._clock = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

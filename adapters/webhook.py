"""Signed webhooks after the Standard Webhooks specification (https://www.standardwebhooks.com).

The webhook-id stays the same over all tries, the timestamp is fresh and comes from the database's
clock, the signature is HMAC-SHA256 over id.timestamp.body under the endpoint's own secret. The
endpoint is not trusted: see `adapters.outbound` for where a webhook may go; of the answer only the
status counts, at most 64 KiB of it are read and never unpacked, redirects are not followed and no
proxy is taken from the environment.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import httpx
import orjson
from standardwebhooks.webhooks import Webhook as Signer

from adapters.outbound import aim
from engine.errors import DeliveryError, Undeliverable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from types import TracebackType

    from engine.outbox import Parcel

CONNECT = 3.0
"""Seconds to wait for a connection."""
MOST_BYTES = 64 * 1024
"""Of an answer's body; it is read only so that the other side can finish."""
_LATER = {429, 503}
_GONE = 410


class Webhook:
    """The channel to every endpoint. `hosts`: listed hosts; `timeout`: seconds for all of a try."""

    name = "webhook"

    def __init__(self, hosts: frozenset[str] = frozenset(), timeout: float = 10.0) -> None:
        self._hosts = hosts
        self._timeout = timeout

    def send(self, message: Parcel) -> str:
        """Post one message; the receipt is the status.

        Raises Undeliverable for 410 (and the endpoint is switched off), for a URL that is not
        allowed and for an unusable secret; DeliveryError for any other status but 2xx, with
        `retry_after` where 429 or 503 say so, and for every failure to talk.
        """
        body = content(message)
        headers = {"Content-Type": "application/json", "User-Agent": "Banjie"}
        headers |= signature(message, body)
        target = aim(message.address, self._hosts)
        headers["Host"] = target.authority
        try:
            with _Line() as line, self._client() as client:
                request = client.build_request(
                    "POST",
                    target.url,
                    content=body,
                    headers=headers,
                    extensions={"sni_hostname": target.host, "trace": line.watch},
                )
                line.cut_after(self._timeout)
                response = client.send(request, stream=True)
                try:
                    self._read(response)
                finally:
                    response.close()
        except httpx.HTTPError as error:
            raise DeliveryError(f"HTTP {type(error).__name__}", away=True) from None
        return _judge(response)

    def close(self) -> None:
        """Nothing is kept open: an address is judged for one message only."""

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """The authorities of the Web and those the machine's owner installed."""
        context = httpx.create_ssl_context(trust_env=False)
        context.load_default_certs()
        return context

    def _client(self) -> httpx.Client:
        return httpx.Client(
            verify=self._trust,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._timeout, connect=min(CONNECT, self._timeout)),
        )

    @staticmethod
    def _read(response: httpx.Response) -> None:
        """Let the other side finish its answer; once there is a status, trouble here is no matter."""
        size = 0
        with suppress(httpx.HTTPError):
            for piece in response.iter_raw():
                size += len(piece)
                if size > MOST_BYTES:
                    break


def content(message: Parcel) -> bytes:
    """The body: {"type", "timestamp", "data"}, the same bytes on every try.

    `data` holds the placeholders of `engine.outbox`, the rung, and the ids of earlier messages of
    the same item that never arrived.
    """
    return orjson.dumps(
        {
            "type": f"item.{message.text}",
            "timestamp": message.created_at,
            "data": {
                **message.payload,
                "rung": message.rung,
                "missed": [str(lost) for lost in message.missed],
            },
        }
    )


def signature(message: Parcel, body: bytes) -> Mapping[str, str]:
    """The three headers of Standard Webhooks. Raises Undeliverable for an unusable secret."""
    try:
        # The package takes any time for UTC, whatever its zone says.
        signed = Signer(message.secret).sign(
            str(message.id), message.at.astimezone(UTC), body.decode()
        )
    except Exception as error:
        raise Undeliverable("the endpoint's secret is unusable") from error
    return {
        "webhook-id": str(message.id),
        "webhook-timestamp": str(int(message.at.timestamp())),
        "webhook-signature": signed,
    }


def _judge(response: httpx.Response) -> str:
    """The receipt of an accepted message, or why it was not."""
    status = response.status_code
    if response.is_success:
        return f"HTTP {status}"
    if status == _GONE:
        raise Undeliverable("HTTP 410", gone=True)
    if status in _LATER:
        raise DeliveryError(f"HTTP {status}", away=True, retry_after=_retry_after(response))
    raise DeliveryError(f"HTTP {status}")


def _retry_after(response: httpx.Response) -> float:
    """Seconds of a Retry-After (RFC 9110, 10.2.3), 0 without one.

    A date is measured from the answer's own Date: whose clock is right does not matter then.
    """
    wish = response.headers.get("retry-after", "").strip()
    if wish.isascii() and wish.isdigit():
        return float(wish[:9])
    try:
        then, now = (parsedate_to_datetime(text) for text in (wish, response.headers["date"]))
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError, KeyError):
        return 0.0


class _Line:
    """The connection of one try, and the scissors for it.

    httpx bounds each wait for a byte, not their sum: an endpoint that drips would hold its lane for
    hours. A second handle on the socket stays good through the change to TLS.
    """

    def __init__(self) -> None:
        self._handle: socket.socket | None = None
        self._timer: threading.Timer | None = None
        self._late = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._handle is not None:
            self._handle.close()

    def watch(self, event: str, details: Mapping[str, Any]) -> None:
        """Httpcore's trace: take the handle as soon as there is a connection."""
        if event == "connection.connect_tcp.complete":
            line = details["return_value"].get_extra_info("socket")
            self._handle = socket.fromfd(line.fileno(), line.family, line.type)
            if self._late:
                self._cut()

    def cut_after(self, seconds: float) -> None:
        """Cut when so many seconds have passed in all."""
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        self._late = True
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

"""Mail, one message to one person at a time (RFC 5321, RFC 5322).

A message keeps its Message-ID over all tries, so that a copy sent after an unknown outcome (the
connection dropped after the final dot) can be known as one. It says it was made by a machine
(Auto-Submitted, RFC 3834), so that an absence note does not answer it. It holds what the text says
and nothing else.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from engine.errors import DeliveryError, Undeliverable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.outbox import Parcel

LONGEST = 30.0
"""Seconds one message may take in all, however slowly the server drips."""
_PORTS = {"smtp": 25, "smtps": 465}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Mail:
    """A mail server named by a URL: smtp://user:password@host:port or smtps://...

    With smtp:// the connection turns to TLS when the server offers it, and a password is sent only
    then (or on this machine). `timeout` is for each answer of the server, in seconds. The
    connection is kept for a batch.
    """

    name = "mail"

    def __init__(self, url: str, sender: str, timeout: float = 20.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(
                "BANJIE_SMTP_URL 应写作 smtp://主机:端口 或 smtps://主机:端口。"
                "Write BANJIE_SMTP_URL as smtp://host:port or smtps://host:port."
            )
        self._implicit_tls = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender
        self._domain = sender.rpartition("@")[2]
        self._timeout = timeout
        self._open: smtplib.SMTP | None = None
        self._turn = threading.Lock()

    def send(self, message: Parcel) -> str:
        """Hand one mail over; the receipt is its Message-ID.

        Raises Undeliverable where the server refuses the recipient or the content for good (5xx
        after RCPT or DATA), and DeliveryError for everything else: a wrong password or a refused
        sender is the office's fault and must not kill its messages.
        """
        mail = self._letter(message)
        with self._turn, _named_faults():
            server = self._server()
            try:
                with _bounded(server):
                    server.send_message(mail, self._sender, [message.address])
            except BaseException:
                self._drop()
                raise
        return str(mail["Message-ID"])

    def close(self) -> None:
        """End the session politely."""
        with self._turn:
            if self._open is not None:
                with suppress(smtplib.SMTPException, OSError):
                    self._open.quit()
                self._drop()

    def _letter(self, message: Parcel) -> EmailMessage:
        mail = EmailMessage()
        body = message.body
        if message.missed:
            count = len(message.missed)
            body += (
                f"\n此前有 {count} 条通知未能送达,请登录系统查看。"
                f"\n{count} earlier message(s) could not be delivered; please look into Banjie.\n"
            )
        try:
            mail["From"] = self._sender
            mail["To"] = message.address
            mail["Subject"] = message.title
        except (ValueError, IndexError) as error:
            raise Undeliverable("the address is malformed") from error
        mail["Date"] = format_datetime(message.at)
        mail["Message-ID"] = f"<{message.id}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(body, cte="base64")
        return mail

    def _server(self) -> smtplib.SMTP:
        """The open connection if it still answers, else a new one."""
        if self._open is not None:
            with suppress(smtplib.SMTPException, OSError), _bounded(self._open):
                if self._open.noop()[0] == 250:  # noqa: PLR2004 - RFC 5321: done
                    return self._open
            self._drop()
        if self._implicit_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        self._open = server
        try:
            with _bounded(server):
                self._introduce(server)
        except BaseException:
            self._drop()
            raise
        return server

    def _introduce(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if not self._implicit_tls and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        if self._user:
            if not isinstance(server.sock, ssl.SSLSocket) and self._host not in _LOOPBACK:
                raise DeliveryError("the mail server offers no TLS for the password", away=True)
            server.login(self._user, self._password)

    def _drop(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


@contextmanager
def _bounded(server: smtplib.SMTP) -> Iterator[None]:
    """Cut the line when an exchange takes longer than LONGEST in all.

    The greeting is not covered: smtplib reads it while it connects.
    """
    timer = threading.Timer(LONGEST, _cut, [server])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(server: smtplib.SMTP) -> None:
    """Shut the connection under a waiting read; its TLS, if any, is left as it is."""
    if server.sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(server.sock, socket.SHUT_RDWR)


@contextmanager
def _named_faults() -> Iterator[None]:
    """What smtplib raises, as Banjie's own, by code alone: servers repeat addresses in words."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code = next((answer[0] for answer in error.recipients.values()), 0)
        raise _refusal("RCPT", code) from None
    except smtplib.SMTPDataError as error:
        raise _refusal("DATA", error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise Undeliverable("the mail server cannot write to this address") from None
    except smtplib.SMTPResponseException as error:
        raise DeliveryError(f"SMTP {error.smtp_code}", away=True) from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryError(f"SMTP {type(error).__name__}", away=True) from None


def _refusal(command: str, code: int) -> DeliveryError:
    """Refused at RCPT or DATA: 5xx for good; 421 means the server as a whole is going away."""
    if 500 <= code < 600:  # noqa: PLR2004 - RFC 5321 4.2.1
        return Undeliverable(f"SMTP {code} {command}")
    return DeliveryError(f"SMTP {code} {command}", away=code == 421)  # noqa: PLR2004

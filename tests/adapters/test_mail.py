from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from adapters import mail as mail_module
from adapters.mail import Mail
from engine.errors import DeliveryError, Undeliverable
from tests.adapters.certificates import certify
from tests.adapters.parcels import PLAIN, parcel

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

SENDER = "banjie@office.example"


@dataclass
class Postmaster:
    """A mail server's conduct: what it answers, what it received."""

    at_rcpt: list[str] = field(default_factory=list)
    at_data: list[str] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    drops: int = 0
    sessions: int = 0

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count sessions."""
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Take the recipient, or answer as told."""
        if self.at_rcpt:
            return self.at_rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Take the mail, answer as told, or vanish after the final dot."""
        if self.at_data:
            return self.at_data.pop(0)
        self.received.append(envelope.content)
        self.recipients += envelope.rcpt_tos
        if self.drops:
            self.drops -= 1
            server.transport.abort()
            await asyncio.sleep(0)
        return "250 OK"

    def letters(self) -> list[EmailMessage]:
        """What arrived, read as mail."""
        return [
            email.message_from_bytes(content, policy=email.policy.default)
            for content in self.received
        ]


class Server(Controller):
    """aiosmtpd on a free port."""

    def __init__(self, handler: Postmaster, **options: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        super().__init__(handler, hostname="127.0.0.1", port=port, **options)


@contextmanager
def serving(postmaster: Postmaster, **options: Any) -> Iterator[str]:
    """Host and port of a server with this conduct."""
    server = Server(postmaster, **options)
    server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        server.stop()


@contextmanager
def channel(url: str, timeout: float = 5.0) -> Iterator[Mail]:
    """The mail channel, closed afterwards."""
    mail = Mail(url, SENDER, timeout)
    try:
        yield mail
    finally:
        mail.close()


def test_a_mail_is_chinese_and_machine_made_and_known_by_its_id() -> None:
    """Subject and body survive the wire; the headers are those RFC 5322 and RFC 3834 ask for."""
    postmaster = Postmaster()
    with serving(postmaster) as place, channel(f"smtp://{place}") as mail:
        receipt = mail.send(PLAIN)
    (letter,) = postmaster.letters()
    assert letter["Subject"] == PLAIN.title
    assert letter.get_content().replace("\r\n", "\n") == PLAIN.body
    assert letter["Message-ID"] == receipt == f"<{PLAIN.id}@office.example>"
    assert letter["Date"] == "Mon, 23 Nov 2026 09:05:00 +0000"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert (letter["From"], letter["To"]) == (SENDER, PLAIN.address)
    assert postmaster.recipients == [PLAIN.address]
    postmaster.received[0].decode("ascii")


def test_a_mail_tells_of_those_that_never_arrived() -> None:
    """The successor of a dead message says that something is missing."""
    postmaster = Postmaster()
    with serving(postmaster) as place, channel(f"smtp://{place}") as mail:
        mail.send(parcel(missed=(PLAIN.id,)))
    body = postmaster.letters()[0].get_content()
    assert "1 条通知未能送达" in body
    assert "1 earlier message" in body


def test_a_batch_goes_through_one_session() -> None:
    """Servers count connections; ten mails need one, and a refused one does not end the others."""
    postmaster = Postmaster()
    with serving(postmaster) as place, channel(f"smtp://{place}") as mail:
        for _ in range(10):
            mail.send(PLAIN)
    assert len(postmaster.received) == 10
    assert postmaster.sessions == 1


@pytest.mark.parametrize(
    ("stage", "answer", "hopeless"),
    [
        ("at_rcpt", "450 4.2.0 officer@office.example greylisted", False),
        ("at_rcpt", "550 5.1.1 officer@office.example unknown", True),
        ("at_data", "451 4.3.0 officer@office.example later", False),
        ("at_data", "554 5.7.1 officer@office.example rejected", True),
    ],
)
def test_a_refusal_is_read_by_its_code(stage: str, answer: str, *, hopeless: bool) -> None:
    """4xx is tried again, 5xx is not, and the server's words (with the address) are dropped."""
    postmaster = Postmaster()
    getattr(postmaster, stage).append(answer)
    with serving(postmaster) as place, channel(f"smtp://{place}") as mail:
        with pytest.raises(DeliveryError) as caught:
            mail.send(PLAIN)
        assert isinstance(caught.value, Undeliverable) is hopeless
        assert answer[:3] in caught.value.detail
        assert "@" not in caught.value.detail
        assert not caught.value.members.get("away")
        mail.send(PLAIN)
    assert len(postmaster.received) == 1


def test_a_connection_lost_after_the_dot_means_the_same_message_again() -> None:
    """The outcome is unknown, so it is tried again, and the copy bears the same Message-ID."""
    postmaster = Postmaster(drops=1)
    with serving(postmaster) as place, channel(f"smtp://{place}") as mail:
        with pytest.raises(DeliveryError) as caught:
            mail.send(PLAIN)
        assert not isinstance(caught.value, Undeliverable)
        mail.send(parcel(attempt=2))
    first, second = postmaster.letters()
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_password_opens_the_door() -> None:
    """User and password come from the URL, percent-encoded; a wrong one kills no message."""
    postmaster = Postmaster()
    seen: list[LoginPassword] = []

    def check(_server: Any, _session: Any, _envelope: Any, _way: str, given: Any) -> AuthResult:
        seen.append(given)
        good = given.password == b"p@ss"
        return AuthResult(success=good, handled=good)

    options = {"authenticator": check, "auth_required": True, "auth_require_tls": False}
    with serving(postmaster, **options) as place:
        with channel(f"smtp://banjie:p%40ss@{place}") as mail:
            mail.send(PLAIN)
        with channel(f"smtp://banjie:wrong@{place}") as mail:
            with pytest.raises(DeliveryError) as caught:
                mail.send(PLAIN)
            assert not isinstance(caught.value, Undeliverable)
            assert caught.value.members["away"] is True
        with channel(f"smtp://{place}") as mail, pytest.raises(DeliveryError) as caught:
            mail.send(PLAIN)
        assert not isinstance(caught.value, Undeliverable), "the office's fault, not the message's"
    assert seen[0].login == b"banjie"
    assert len(postmaster.received) == 1


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_tls_is_used_and_the_server_must_be_who_it_says(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STARTTLS where offered, TLS from the first byte with smtps; an unknown certificate stops it."""
    context, trusted = certify(tmp_path)
    postmaster = Postmaster()
    options: dict[str, ssl.SSLContext | bool] = (
        {"tls_context": context, "require_starttls": True}
        if scheme == "smtp"
        else {"ssl_context": context}
    )
    with serving(postmaster, **options) as place:
        with channel(f"{scheme}://{place}") as mail, pytest.raises(DeliveryError):
            mail.send(PLAIN)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        with channel(f"{scheme}://{place}") as mail:
            mail.send(PLAIN)
    assert len(postmaster.received) == 1


def test_a_malformed_address_is_hopeless() -> None:
    """A line break in an address cannot write a header."""
    with pytest.raises(Undeliverable):
        Mail("smtp://127.0.0.1:1", SENDER).send(parcel(address="a@b.example\r\nBcc: c@d.example"))


def test_a_server_that_is_away_or_silent_or_drips_is_left_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody there, nothing said, one byte at a time: each ends in a retry, none holds us long."""
    monkeypatch.setattr(mail_module, "LONGEST", 1.0)

    def drip(listener: socket.socket) -> None:
        guest, _ = listener.accept()
        with guest:
            guest.sendall(b"220 here\r\n")
            try:
                while True:
                    guest.sendall(b"2")
                    time.sleep(0.1)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with channel(f"smtp://127.0.0.1:{port}", 0.5) as mail:
            began = time.monotonic()
            with pytest.raises(DeliveryError, match="SMTP") as caught:
                mail.send(PLAIN)
            assert time.monotonic() - began < 4
            assert caught.value.members["away"] is True
    with channel(f"smtp://127.0.0.1:{port}") as mail, pytest.raises(DeliveryError):
        mail.send(PLAIN)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        with channel(f"smtp://127.0.0.1:{listener.getsockname()[1]}", 5) as mail:
            began = time.monotonic()
            with pytest.raises(DeliveryError):
                mail.send(PLAIN)
            assert time.monotonic() - began < 4

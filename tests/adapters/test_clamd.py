"""Scanning: the protocol against a daemon of our own making, and what becomes of the files."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from adapters.clamd import Clamd
from engine.errors import Busy, Unscannable
from engine.scanning import scan
from engine.settings import Settings
from tests.api.conftest import desk  # noqa: F401 - a fixture
from tests.api.test_attachments import PLAIN, give
from tests.api.uploads import EICAR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.conftest import Desk


class Daemon(socketserver.ThreadingTCPServer):
    """Says what clamd says: FOUND for the test virus, an error beyond its limit."""

    daemon_threads = True
    allow_reuse_address = True
    most = 1 << 20

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Session)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"tcp://127.0.0.1:{self.server_address[1]}"


class _Session(socketserver.StreamRequestHandler):
    server: Daemon

    def handle(self) -> None:
        assert self.rfile.read(10) == b"zINSTREAM\0"
        content = b""
        while size := int.from_bytes(self.rfile.read(4)):
            content += self.rfile.read(size)
            if len(content) > self.server.most:
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.server.seen.append(content)
        found = b"Win.Test.EICAR_HDB-1 FOUND" if EICAR in content else b"OK"
        self.wfile.write(b"stream: " + found + b"\0")


@contextmanager
def _running() -> Iterator[Daemon]:
    with Daemon() as daemon:
        threading.Thread(target=daemon.serve_forever, daemon=True).start()
        yield daemon
        daemon.shutdown()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A scanner that runs."""
    with _running() as found:
        yield found


@pytest.fixture
def settings(app_url: str, home: Path, daemon: Daemon) -> Settings:
    """A sample office with a scanner."""
    return Settings(
        home=home,
        database_url=SecretStr(app_url),
        sample=True,
        pool_size=4,
        clamd_url=daemon.url,
    )


def test_the_protocol_is_spoken(daemon: Daemon) -> None:
    """Pieces arrive whole and in order; a virus is found, plain words are not."""
    scanner = Clamd(daemon.url)
    assert scanner.scan([b"one", b"", b"two"]) is False
    assert scanner.scan([EICAR[:20], EICAR[20:]]) is True
    assert daemon.seen[0] == b"onetwo"


def test_a_scanner_that_refuses_or_is_away_is_no_verdict(daemon: Daemon) -> None:
    """Over its limit, silent, or not there: never a clean file."""
    daemon.most = 10
    with pytest.raises((Unscannable, Busy)):
        Clamd(daemon.url).scan([b"a" * 100])
    with pytest.raises(Busy):
        Clamd("unix:///nowhere/clamd.ctl").scan([b"a"])
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        threading.Thread(target=_hang_up, args=(deaf,), daemon=True).start()
        with pytest.raises(Busy):
            Clamd(f"tcp://127.0.0.1:{deaf.getsockname()[1]}").scan([b"a"])


def _hang_up(deaf: socket.socket) -> None:
    deaf.accept()[0].close()


def _round(desk: Desk, url: str | None) -> Any:  # noqa: F811
    counter = desk.app.state.counter
    scanner = Clamd(url) if url else None
    return scan(desk.worker, counter.depot.store, counter.casework, scanner)


def _scans(desk: Desk, number: str) -> list[str]:  # noqa: F811
    shown = desk.look("intake", f"/items/{number}/attachments").json()["items"]
    return [each["scan"] for each in shown]


def test_an_infected_file_is_never_served(desk: Desk, daemon: Daemon) -> None:  # noqa: F811
    """What waits is had with a warning only; then the clean one is free, the infected one locked, its
    event written, and the holder told.
    """
    number = desk.submit()["number"]
    made = give(desk, "intake", number, PLAIN, ("b.txt", EICAR, "text/plain")).json()["items"]
    places = [f"/items/{number}/attachments/{each['id']}" for each in made]
    assert _scans(desk, number) == ["pending", "pending"]
    assert desk.look("intake", places[0]).status_code == 409
    assert desk.look("intake", places[0], warned="true").status_code == 200
    assert _round(desk, daemon.url) == (1, 1, 0)
    assert sorted(daemon.seen, key=len) == sorted([PLAIN[1], EICAR], key=len)
    assert _scans(desk, number) == ["scanned", "infected"]
    assert desk.look("intake", places[0]).status_code == 200
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    locked = (
        desk.look("intake", places[1]),
        desk.look("intake", places[1], warned="true"),
        desk.send("intake", f"{places[1]}/original", {"reason": "x"}, If_Match=f'"{revision}"'),
    )
    assert [answer.status_code for answer in locked] == [409] * 3
    last = desk.look("intake", f"/items/{number}/events").json()["items"][-1]
    assert last["data"] == {"id": made[1]["id"], "scan": "infected"}
    assert last["role"] == "sys"
    assert desk.one("SELECT count(*) FROM message WHERE text = 'attachment_infected'") > 0
    assert _round(desk, daemon.url) == (0, 0, 0)


def test_a_scanner_that_is_away_loses_nothing(desk: Desk, daemon: Daemon) -> None:  # noqa: F811
    """Files wait without using up their tries; a worker that died in the middle is made up for; what
    is refused five times is told as failed, never as clean.
    """
    number = desk.submit()["number"]
    give(desk, "intake", number, PLAIN)
    _round(desk, "tcp://127.0.0.1:1")
    assert desk.one("SELECT scan_attempts FROM attachment") == 0
    assert _scans(desk, number) == ["pending"]
    daemon.most = 1
    for _ in range(5):
        with desk.worker.transaction() as session:
            session.connection().exec_driver_sql("UPDATE attachment SET scan_after = now()")
        _round(desk, daemon.url)
    assert _scans(desk, number) == ["failed"]


def test_without_a_scanner_everything_says_so(desk: Desk) -> None:  # noqa: F811
    """What waited for a scanner that was taken away is told as not scanned."""
    number = desk.submit()["number"]
    give(desk, "intake", number, PLAIN)
    _round(desk, None)
    assert _scans(desk, number) == ["not_scanned"]

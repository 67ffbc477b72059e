"""What is no honest HTTP, too much of it, or too slow: refused or cut off, and others are answered.

Against the real server, started as an office starts it.
"""

from __future__ import annotations

import json
import re
import resource
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from adapters import sample
from api.connections import HEAD_SECONDS, MOST_HEAD
from engine.casework import Casework
from engine.database import Database
from tests.conftest import _database
from tests.serving import Served, serving
from workflows import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = 2


@pytest.fixture(scope="module")
def address(_servers: dict[str, str], _template: str) -> Iterator[str]:
    """A database with the sample office, for all of this file."""
    for url in _database(_servers["postgres"], _template):
        database = Database(url, 1)
        sample.load(database, Casework(catalog()))
        database.close()
        yield url


@pytest.fixture(scope="module")
def served(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The counter, with two places."""
    home = tmp_path_factory.mktemp("wire")
    with serving(home, address, pool_size=str(PLACES), public_url="http://office.example") as found:
        yield found


HOST = b"Host: office.example\r\n"
SECOND = b"GET /api/v1/healthz HTTP/1.1\r\nHost: office.example\r\n\r\n"
FORM = b"Content-Type: application/json\r\n"
POST = b"POST /api/v1/submissions HTTP/1.1\r\n" + HOST + FORM
GET = b"GET /api/v1/healthz HTTP/1.1\r\n"

DISHONEST: dict[str, bytes] = {
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
    "a list of lengths": POST + b"Content-Length: 0, 40\r\n\r\n",
    "a length with a sign": POST + b"Content-Length: +0\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length in hexadecimal": POST + b"Content-Length: 0x0\r\n\r\n",
    "a length beyond 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "no such coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n",
    "chunked before another": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked hidden by a tab": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 0\r\n\r\n",
    "a chunk of no size": POST + b"Transfer-Encoding: chunked\r\n\r\nZ\r\n\r\n",
    "a chunk with a sign": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    "a chunk that overflows": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
    "a folded header": GET + HOST + b"X-A: b\r\n Content-Length: 0\r\n\r\n",
    "a fold first": GET + b" X: y\r\n" + HOST + b"\r\n",
    "a bare line feed": GET + HOST + b"X-A: b\nX-C: d\r\n\r\n",
    "a bare carriage return": GET + HOST + b"X-A: b\rX-C: d\r\n\r\n",
    "a zero byte": GET + HOST + b"X-A: b\x00c\r\n\r\n",
    "a header without a colon": GET + HOST + b"nonsense\r\n\r\n",
    "a header with a space": GET + HOST + b"X A: b\r\n\r\n",
    "an empty header name": GET + HOST + b": b\r\n\r\n",
    "no host": GET + b"\r\n",
    "two hosts": GET + HOST + b"Host: other.example\r\n\r\n",
    "another host": GET + b"Host: evil.example\r\n\r\n",
    "a host with a user": GET + b"Host: office.example@evil.example\r\n\r\n",
    "half an address for a host": GET + b"Host: [::1\r\n\r\n",
    "an empty host": GET + b"Host:\r\n\r\n",
    "no version": b"GET /api/v1/healthz\r\n\r\n",
    "no such version": b"GET /api/v1/healthz HTTP/9.9\r\n" + HOST + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no such method": b"FROB /api/v1/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the address": b"GET /api/v1/ healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "bytes in the address": "GET /办结 HTTP/1.1\r\n".encode() + HOST + b"\r\n",
    "TLS": bytes.fromhex("16030100a1010000 9d0303") + b"\x00" * 150,
    "nonsense": b"\xff\xfe\x00\x01" * 64 + b"\r\n\r\n",
    "a long address": b"GET /" + b"a" * (MOST_HEAD + 1) + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a long header": GET + HOST + b"X-A: " + b"b" * (MOST_HEAD + 1) + b"\r\n\r\n",
    "many headers": GET + HOST + b"X-A: b\r\n" * 4000 + b"\r\n",
}


@pytest.mark.parametrize("name", DISHONEST)
def test_no_dishonest_request_gets_through(served: Served, name: str) -> None:
    """One refusal at most, and nothing that follows it on the wire is taken for a request."""
    answer = served.raw(DISHONEST[name] + SECOND, 1.0)
    statuses = re.findall(rb"HTTP/1\.1 (\d{3})", answer)
    assert len(statuses) <= 1, answer
    assert all(400 <= int(status) < 500 for status in statuses), answer
    assert served.ask("/healthz")[0] == 200
    assert not [line for line in served.said() if line["event"] in {"request.failed", "unlisted"}]


def test_nothing_of_an_address_gets_into_a_header(served: Served) -> None:
    """Line breaks in address, query and own request id end in no answer's head."""
    for path in (
        "/%0d%0aX-Evil:%201",
        "/api/v1/items?q=%0d%0aX-Evil:%201",
        "/problems/%0d%0aX-Evil",
    ):
        answer = served.raw(
            f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"Connection: close\r\n\r\n"
        )
        assert b"X-Evil" not in answer.partition(b"\r\n\r\n")[0]
    own = served.raw(GET + HOST + b"X-Request-ID: <b>1</b>\r\nConnection: close\r\n\r\n")
    assert b"<b>" not in own


def test_who_proxies_is_believed_only_if_listed(served: Served) -> None:
    """X-Forwarded-For and -Proto of a stranger change nothing: no cookie is told to be secure."""
    status, _, _ = served.ask("/healthz", None, 5.0, **{"X-Forwarded-For": "1.2.3.4"})
    assert status == 200
    assert "1.2.3.4" not in served.log.read_text()


def test_whoever_says_nothing_or_drips_is_cut_off(served: Served) -> None:
    """500 connections that say nothing and 100 that send a byte a second: others are answered within
    the second, and after the time for a head all of them are gone.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    idle = [served.connect(20) for _ in range(500)]
    slow = [served.connect(20) for _ in range(100)]
    try:
        for wire in slow:
            wire.sendall(GET)
        began = time.monotonic()
        while time.monotonic() - began < HEAD_SECONDS - 2:
            asked = time.monotonic()
            assert served.ask("/api/v1/readyz", seconds=5)[0] == 200
            assert time.monotonic() - asked < 2
            for wire in slow:
                wire.sendall(b"X: ")
            time.sleep(1)
        ended = sum(_is_cut(wire) for wire in (*idle, *slow))
        assert ended == 600
        assert time.monotonic() - began < HEAD_SECONDS + 10
    finally:
        for wire in (*idle, *slow):
            wire.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _is_cut(wire: socket.socket) -> bool:
    """Whether the other side ends the connection, by itself, in time."""
    try:
        while wire.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def test_a_body_that_does_not_come_costs_nobody_a_place(served: Served) -> None:
    """Ten times as many unfinished bodies as there are places: a submission passes them all."""
    wires = [served.connect() for _ in range(PLACES * 10)]
    try:
        for wire in wires:
            wire.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        began = time.monotonic()
        assert served.ask("/api/v1/readyz")[0] == 200
        assert time.monotonic() - began < 2
    finally:
        for wire in wires:
            wire.close()


def test_an_answer_nobody_fetches_costs_nobody_a_place(served: Served) -> None:
    """Clients that ask for the largest answers and never read: others are answered."""
    wires = [served.connect() for _ in range(PLACES * 4)]
    try:
        for wire in wires:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.sendall((b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 5)
        assert served.ask("/api/v1/readyz", seconds=5)[0] == 200
    finally:
        for wire in wires:
            wire.close()


def test_overload_is_answered_and_passes(served: Served, address: str) -> None:
    """Thirty at once where two have a place, while the database holds two of them: every answer is
    2xx or 503 with Retry-After, none takes longer than wait and statement may, memory stays, and
    afterwards all is as before.
    """
    before = _resident(served)
    form = {"number": "执诉2026-0000000000", "code": "0" * 16}

    def ask(at: int) -> tuple[int, float, str | None]:
        began = time.monotonic()
        path = "/api/v1/readyz" if at % 3 else "/api/v1/submissions/track"
        status, headers, _ = served.ask(path, None if at % 3 else form)
        return status, time.monotonic() - began, headers.get("retry-after")

    with psycopg.connect(address) as hand, ThreadPoolExecutor(30) as crowd:
        hand.execute("LOCK TABLE deadline, portal_try IN ACCESS EXCLUSIVE MODE")
        asked = [crowd.submit(ask, at) for at in range(150)]
        time.sleep(3)
        hand.rollback()
        answers = [each.result() for each in asked]
    seen = Counter(status for status, _, _ in answers)
    assert set(seen) <= {200, 404, 429, 503}, seen
    assert seen[503] > 0
    assert all(wait for status, _, wait in answers if status in {429, 503})
    took = sorted(seconds for _, seconds, _ in answers)
    assert took[-1] < 15
    began = time.monotonic()
    assert served.ask("/api/v1/readyz")[0] == 200
    assert time.monotonic() - began < 2
    assert _resident(served) - before < 60
    print(dict(seen), f"p99 {took[int(len(took) * 0.99)]:.2f} s, max {took[-1]:.2f} s")  # noqa: T201


def _resident(served: Served) -> float:
    """Megabytes of the process."""
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


def test_a_process_with_keys_is_closed_to_others(served: Served) -> None:
    """No core file; not dumpable, so its memory and environment are root's alone; files are its own."""
    process = Path(f"/proc/{served.process.pid}")
    limits = process.joinpath("limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)
    assert process.joinpath("environ").stat().st_uid == 0
    assert "Umask:\t0077" in process.joinpath("status").read_text()


def test_the_log_of_all_this_is_one_json_object_a_line(served: Served) -> None:
    """Whatever was sent, each line has what every line has, and no address of a client."""
    assert served.ask("/healthz")[0] == 200
    for line in served.said():
        assert {"time", "level", "event", "program", "pid"} <= set(line)
        assert "127.0.0.1" not in json.dumps(line)

"""The counter under load: two API processes, sixteen keep-alive connections, a client of our own.

The client speaks just enough HTTP/1.1 for answers with a Content-Length. In a closed loop each
connection asks again as soon as it is answered; in an open loop requests have planned moments, and
a late answer counts from the plan, not from when a connection was free to send it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import uvloop

from adapters.sample import PASSWORD
from bench.ground import MOVE, number
from bench.load import resident

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.ground import Ground
    from engine.queries import Filters

PROCESSES = 2
CONNECTIONS = 16
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Ask:
    """One request, and the status it must be answered with."""

    text: bytes
    status: int = 200


@dataclass
class Counters:
    """Running API processes."""

    ports: list[int]
    pids: list[int]

    def log_in(self, account: str) -> str:
        """A bearer token."""
        form = orjson.dumps({"account": account, "password": PASSWORD})
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[0]}/api/v1/sessions",
            form,
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            token: str = orjson.loads(answer.read())["token"]
        return token

    def closed(self, asks: Sequence[Ask]) -> tuple[float, list[float]]:
        """Answers a second and what each took, every connection busy all the time."""
        began = time.perf_counter()
        took = uvloop.run(_drive(self.ports, asks, None))
        return len(asks) / (time.perf_counter() - began), took

    def open(self, asks: Sequence[Ask], rate: float) -> list[float]:
        """What each took from its planned moment, at a fixed rate a second."""
        return uvloop.run(_drive(self.ports, asks, rate))

    def memory(self) -> float:
        """Megabytes of the larger process."""
        return max(map(resident, self.pids))


@contextmanager
def counters(ground: Ground, home: Path) -> Iterator[Counters]:
    """Two API processes as `make run` starts them, each on a port of its own."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BANJIE_")},
        "BANJIE_DATABASE_URL": ground.app_url,
        "BANJIE_HOME": str(home),
        "BANJIE_SAMPLE": "1",
        "PYTHONPATH": str(ROOT),
    }
    ports = [_free_port() for _ in range(PROCESSES)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "api"],
            env={**environment, "BANJIE_PORT": str(port)},
            cwd=ROOT,
            stderr=subprocess.DEVNULL,  # a line for each request, written as in an office
        )
        for port in ports
    ]
    try:
        for port in ports:
            _await(port)
        yield Counters(ports, [process.pid for process in processes])
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def moves(ground: Ground, prefix: str, token: str, count: int) -> list[Ask]:
    """`count` first moves of as many waiting items, each with its If-Match."""
    start = ground.take(count)
    return [
        _ask(
            "POST",
            f"/items/{_quoted(number(prefix, ground.item(start + at)))}/transitions/{MOVE}",
            token,
            {"data": {}},
            'If-Match: "1"\r\n',
        )
        for at in range(count)
    ]


def worklists(
    ports: Counters, asked: Iterable[tuple[str, Filters]], chains: int, length: int
) -> list[Ask]:
    """Pages of fifty as people turn them: for each of them chains of pages, next after next."""
    asks: list[Ask] = []
    for account, filters in asked:
        token = ports.log_in(account)
        query = "limit=50" + "".join(
            f"&{name}={value}" for name, value in vars(filters).items() if value is not None
        )
        cursor: str | None = None
        for _ in range(length):
            page = f"/items?{query}" + (f"&cursor={cursor}" if cursor else "")
            asks += [_ask("GET", page, token)] * chains
            request = urllib.request.Request(
                f"http://127.0.0.1:{ports.ports[0]}/api/v1{page}",
                headers={"Authorization": f"Bearer {token}"},
            )
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                cursor = orjson.loads(answer.read())["next"]
            if cursor is None:
                break
    return asks


def start_seconds(ground: Ground, home: Path) -> float:
    """Seconds from nothing imported to an application made, in a fresh process."""
    program = (
        "import time; began = time.perf_counter(); from api.main import create_app; create_app();"
        " print(time.perf_counter() - began)"
    )
    environment = {
        "BANJIE_DATABASE_URL": ground.app_url,
        "BANJIE_HOME": str(home),
        "PATH": "/usr/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split()[-1])


def _ask(method: str, path: str, token: str, body: Any = None, more: str = "") -> Ask:
    sent = b"" if body is None else orjson.dumps(body)
    kind = "Content-Type: application/json\r\n" if sent else ""
    head = (
        f"{method} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"{kind}Content-Length: {len(sent)}\r\n{more}\r\n"
    )
    return Ask(head.encode() + sent)


def _quoted(text: str) -> str:
    return urllib.request.quote(text)  # type: ignore[attr-defined, no-any-return]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def _await(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("an API process does not answer")


async def _drive(ports: Sequence[int], asks: Sequence[Ask], rate: float | None) -> list[float]:
    """Send every request over the connections, whichever is free next; seconds each took."""
    waiting = iter(enumerate(asks))
    took: list[float] = []
    began = time.perf_counter() + 0.05

    async def talk(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for at, ask in waiting:
            planned = time.perf_counter() if rate is None else began + at / rate
            if (early := planned - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            writer.write(ask.text)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            took.append(time.perf_counter() - planned)
            status = int(head[9:12])
            assert status == ask.status, f"{status}: {body.decode(errors='replace')[:300]}"
        writer.close()

    async with asyncio.TaskGroup() as group:
        for at in range(CONNECTIONS):
            group.create_task(talk(ports[at % len(ports)]))
    return took

"""A counter as `banjie run` and the containers start it: a process of its own, behind a real port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Served:
    """The process, its port and what it wrote."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def said(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def raw(self, request: bytes, seconds: float = 5.0) -> bytes:
        """Send these bytes and read until the other side closes, or nothing comes any more."""
        found = b""
        with self.connect(seconds) as wire:
            try:
                wire.sendall(request)
                while part := wire.recv(65536):
                    found += part
            except (TimeoutError, ConnectionError):
                pass
        return found

    def connect(self, seconds: float = 5.0) -> socket.socket:
        """A connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def ask(
        self, path: str, body: Any = None, seconds: float = 30.0, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; POST where there is a body."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310 - http
                return answer.status, _small(answer.headers), answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, _small(refused.headers), refused.read()


def free_port() -> int:
    """A port nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _small(headers: Message) -> dict[str, str]:
    """Headers by their names in small letters."""
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def serving(home: Path, database_url: str, **settings: str) -> Iterator[Served]:
    """A counter that answers, ended in the end. `settings` without their BANJIE_."""
    port = free_port()
    log = home / "counter.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "api", "--grace", "1"],
            cwd=ROOT,
            env={
                **{name: value for name, value in os.environ.items() if "BANJIE" not in name},
                "BANJIE_HOME": str(home),
                "BANJIE_DATABASE_URL": database_url,
                "BANJIE_PORT": str(port),
                "BANJIE_SAMPLE": "1",
                **{f"BANJIE_{name.upper()}": value for name, value in settings.items()},
            },
            stdout=file,
            stderr=file,
        )
    served = Served(process, port, log)
    try:
        end = time.monotonic() + 60
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            try:
                assert served.ask("/healthz")[0] == 200
            except OSError:
                time.sleep(0.1)
            else:
                break
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

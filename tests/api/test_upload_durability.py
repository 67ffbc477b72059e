"""Uploads through the real server: what is on the disk before the answer, and who is too slow."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.settings import Settings
    from tests.api.conftest import Desk

ROOT = Path(__file__).parents[2]
CALLS = "openat,rename,renameat,renameat2,link,linkat,write,fsync,fdatasync,sendto,sendmsg,close"
traced = pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace here")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


@contextmanager
def serving(settings: Settings, *before: str, **more: str) -> Iterator[str]:
    """The counter in a process of its own, below another program; its address."""
    port = _free_port()
    assert settings.database_url is not None
    environment = {
        **{name: value for name, value in os.environ.items() if "BANJIE" not in name},
        "BANJIE_HOME": str(settings.home),
        "BANJIE_DATABASE_URL": settings.database_url.get_secret_value(),
        "BANJIE_SECRETS_DIR": str(settings.home / "none"),
        "BANJIE_SAMPLE": "1",
        **more,
    }
    told = ["uvicorn", "--factory", "api.main:create_app", "--port", str(port)]
    process = subprocess.Popen(
        [*before, sys.executable, "-m", *told, "--log-level", "warning"],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                if httpx.get(f"{address}/healthz").is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@traced
@pytest.mark.slow
def test_bytes_and_name_are_on_the_disk_before_the_answer(
    desk: Desk, settings: Settings, tmp_path: Path
) -> None:
    """The object takes its name, its bytes are synced, its folder is synced, and only then 201 is
    sent: read from the calls the server made.
    """
    number = desk.submit()["number"]
    trace = tmp_path / "trace"
    tracer = ("strace", "-f", "-y", "-s", "60", "-e", f"trace={CALLS}", "-o", str(trace))
    with serving(settings, *tracer) as address:
        answer = httpx.post(
            f"{address}/api/v1/items/{number}/attachments",
            files=[("file", ("a.txt", b"text", "text/plain"))],
            headers=desk.headers("intake", If_Match='"1"'),
            timeout=60,
        )
    assert answer.status_code == 201, answer.text
    (stored,) = (settings.home / "attachments").iterdir()
    calls = trace.read_text(errors="replace").splitlines()

    def first(pattern: str, after: int = 0) -> int:
        return next(at for at in range(after, len(calls)) if re.search(pattern, calls[at]))

    named = first(rf"(rename|link)\w*\(.*{stored.name}")
    synced = first(rf"f(data)?sync\(\d+<[^>]*{stored.name}>", named)
    folder = first(r"fsync\(\d+<[^>]*/attachments>", synced)
    told = first(r"(write|sendto|sendmsg)\(.*HTTP/1\.1 201")
    assert named < synced < folder < told


def test_a_slow_client_is_ended(desk: Desk, settings: Settings) -> None:
    """Whoever drips their file is answered 408 after the time there is, and nothing is left."""
    number = desk.submit()["number"]
    head = (
        f"POST /api/v1/items/{quote(number)}/attachments HTTP/1.1\r\nHost: x\r\n"
        f'Authorization: {desk.headers("intake")["Authorization"]}\r\nIf-Match: "1"\r\n'
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    )
    with serving(settings, BANJIE_UPLOAD_SECONDS="1") as address:
        host, _, port = address.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=0.2) as line:
            line.sendall(head.encode())
            began, answer = time.monotonic(), b""
            while not answer and time.monotonic() - began < 20:
                line.sendall(b"a")
                try:
                    answer = line.recv(2000)
                except TimeoutError:
                    continue
    assert answer.startswith(b"HTTP/1.1 408")
    assert list((settings.home / "spool").iterdir()) == []
    assert desk.one("SELECT count(*) FROM attachment") == 0

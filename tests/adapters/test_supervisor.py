"""`banjie run` keeps its children alive and stops them in order.

The supervisor is told to run a counter and a worker made here: what it promises holds for any program.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.workflows.sample import LETTER, RULES, TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

COUNTER = """
import os
import uvicorn
from fastapi import FastAPI
from engine.settings import Settings
app = FastAPI()
@app.get("/api/v1/healthz")
def healthz() -> int: return os.getpid()
uvicorn.run(app, port=Settings().port)
"""
WORKER = """
from celery import Celery
from engine.settings import Settings
app = Celery(broker=Settings().redis_url.get_secret_value())
app.conf.broker_connection_retry_on_startup = True
"""
PROGRAM = """
import sys
from pathlib import Path
from adapters import supervisor
from adapters.place import ServerError
from engine.settings import Settings
supervisor._ROOT = Path(sys.argv[1])
try:
    supervisor.serve(Settings())
except ServerError as error:
    sys.exit(str(error))
"""


class Office:
    """A supervisor in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        office = home / "programs"
        for name, text in (("api/__main__.py", COUNTER), ("adapters/worker.py", WORKER)):
            (office / name).parent.mkdir(parents=True, exist_ok=True)
            (office / name).write_text(text)
            (office / name).with_name("__init__.py").touch()
        law = home / "workflows"
        law.mkdir(exist_ok=True)
        for name, text in (("letter", LETTER), ("rules", RULES), ("texts", TEXTS)):
            (law / f"{name}.yaml").write_text(text)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.process = self.launch()

    def launch(self) -> subprocess.Popen[str]:
        """Start it; its output is a pipe."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("BANJIE_")}
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.home / "programs")],
            cwd=ROOT,
            env={
                **environment,
                "BANJIE_HOME": str(self.home),
                "BANJIE_PORT": str(self.port),
                "BANJIE_SAMPLE": "1",
                "BANJIE_WORKFLOWS": str(self.home / "workflows"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def counter(self) -> int:
        """The process id the counter answers with, 0 if it does not answer."""
        try:
            url = f"http://127.0.0.1:{self.port}/api/v1/healthz"
            with urllib.request.urlopen(url, timeout=2) as answer:
                return int(answer.read())
        except OSError:
            return 0

    def is_open(self) -> bool:
        """Whether the counter answers and the worker has found Valkey."""
        log = self.home / "log" / "worker.log"
        return self.counter() > 0 and log.exists() and " ready." in log.read_text()

    def family(self) -> dict[str, int]:
        """The supervisor's children, by a word of their command."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        found: dict[str, int] = {}
        for pid in listed.split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            for word in ("api", "beat", "worker"):
                if word in command:
                    found[word] = int(pid)
            for word in ("postgres", "valkey-server"):
                if command[0].split(" ")[0].endswith(word):
                    found[word] = int(pid)
        return found


@contextmanager
def running(home: Path) -> Iterator[Office]:
    """An office that answers, and that is gone in the end."""
    office = Office(home)
    try:
        assert until(lambda: office.process.poll() is not None or office.is_open(), 60)
        assert office.process.poll() is None, office.process.communicate()[0]
        yield office
    finally:
        office.process.kill()
        office.process.communicate()


def until(fact: Callable[[], bool], seconds: float) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def are_gone(pids: list[int]) -> bool:
    """Whether none of these processes is left; one that nobody has waited for counts as gone."""
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            return False
    return True


def test_an_office_heals_itself_and_leaves_nothing_behind(home: Path) -> None:
    """Kill -9 of counter, PostgreSQL and Valkey is healed; SIGTERM ends all five within 20 s, rc 0."""
    with running(home) as office:
        before = office.family()
        for word in ("api", "postgres", "valkey-server"):
            os.kill(before[word], signal.SIGKILL)
        assert until(lambda: office.counter() not in {0, before["api"]}, 30)
        assert until(lambda: len(office.family()) == 5, 30)
        after = office.family()
        assert after["postgres"] != before["postgres"]
        assert after["worker"] == before["worker"]
        office.process.send_signal(signal.SIGTERM)
        said, _ = office.process.communicate(timeout=20)
        assert office.process.returncode == 0
        assert f"http://127.0.0.1:{office.port}" in said
        assert "banjie-sample" in said
        assert "stopped" in said
        assert are_gone(list(after.values()))
        assert not list((home / "run").glob("banjie_*"))


def test_a_second_office_in_the_same_folder_is_told_so(home: Path) -> None:
    """The second `banjie run` ends at once with a sentence and does not disturb the first."""
    with running(home) as office:
        second = office.launch()
        said, _ = second.communicate(timeout=30)
        assert second.returncode == 1
        assert "already runs" in said
        assert office.counter() > 0


def test_no_child_outlives_a_killed_supervisor_and_the_next_one_starts(home: Path) -> None:
    """After kill -9 of the supervisor the family goes, and a new office opens on the same port."""
    with running(home) as office:
        family = office.family()
        secret = (home / "secrets" / "postgres").read_bytes()
        for pid in family.values():
            process = Path(f"/proc/{pid}")
            assert secret not in (process / "cmdline").read_bytes()
            assert secret not in (process / "environ").read_bytes()
        office.process.kill()
        office.process.communicate()
        office.process = office.launch()
        assert until(lambda: office.counter() not in {0, family["api"]}, 60)
        assert until(lambda: are_gone(list(family.values())), 10)
        office.process.send_signal(signal.SIGINT)
        office.process.communicate(timeout=20)
        assert office.process.returncode == 0


def test_a_workflow_that_may_go_silent_does_not_start(home: Path) -> None:
    """The sample office refuses a ladder that ends at the person who is slow, before any release."""
    deaf = RULES.replace("tell: [head, liaison]", "tell: [holder]")
    deaf = deaf.replace("tell: [holder, unit_head]}", "tell: [holder]}")
    for name, text in (("letter", LETTER), ("rules", deaf), ("texts", TEXTS)):
        (home / "workflows").mkdir(exist_ok=True)
        (home / "workflows" / f"{name}.yaml").write_text(text)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BANJIE_")}
    environment |= {
        "BANJIE_HOME": str(home),
        "BANJIE_SAMPLE": "1",
        "BANJIE_WORKFLOWS": str(home / "workflows"),
    }
    with socket.create_server(("127.0.0.1", 0)) as probe:
        environment["BANJIE_PORT"] = str(probe.getsockname()[1])
    ended = subprocess.run(
        [Path(sys.executable).parent / "banjie", "run"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout
    assert "[ladder-ends-inside]" in ended.stdout + ended.stderr

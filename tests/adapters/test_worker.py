from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
from pydantic import SecretStr

from adapters.worker import create_app
from engine.settings import Settings
from tests.adapters.test_mail import Postmaster, serving
from tests.posting import Office

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from celery import Celery

ROOT = Path(__file__).parents[2]
TEXT = "urge"
READY = '"event":"worker.ready"'
LAW = {
    "rules.yaml": """
rules:
  rest:
    - {since: "2020-01-01", within: 5 working days, weight: internal, source: none}
ladders:
  idle:
    - {at: due, level: 3, act: demand, tell: [clerk]}
""",
    "texts.yaml": """
urge: {title: "催办 {number}", body: "请办理:{link}", title_en: Reminder, body_en: Please act}
""",
    "errand.yaml": """
workflow: errand
version: "1"
title: 事务
title_en: Errand
number: 事
initial: open
home: {unit: u}
roles:
  clerk: {title: 经办, title_en: Clerk}
fields: {}
states:
  open: {title: 在办, title_en: Open, idle: rest}
  done: {title: 办结, title_en: Done, final: "true"}
transitions:
  submit: {title: 登记, title_en: Submit, to: open, by: [clerk]}
  finish: {title: 办结, title_en: Finish, from: [open], to: done, by: [clerk]}
""",
}
"""The least a worker can start with; the true law is none of its business here."""


class Program:
    """A worker or a beat as its own group of processes, so that it can be killed whole."""

    def __init__(self, log: Path, environment: dict[str, str], *arguments: str) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "--app", "adapters.worker", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def kill(self) -> None:
        """As a crash would: at once and without a word."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self._log.close()

    def stop(self) -> int:
        """As an operator would; the exit status."""
        self.process.terminate()
        try:
            status = self.process.wait(15)
        except subprocess.TimeoutExpired:
            status = -1
        self.kill()
        return status


class Yard:
    """Where the programs of a test run."""

    def __init__(self, home: Path, settings: dict[str, str]) -> None:
        self.log = home / "programs.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if "BANJIE" not in name},
            **settings,
            "BANJIE_HOME": str(home),
            "BANJIE_SECRETS_DIR": str(home / "none"),
            "PYTHONUNBUFFERED": "1",
        }
        self.running: list[Program] = []

    def start(self, *arguments: str) -> Program:
        """Start `celery ARGUMENTS`."""
        program = Program(self.log, self.environment, *arguments, "--loglevel", "INFO")
        self.running.append(program)
        return program

    def worker(self) -> Program:
        """Start a worker and wait until it listens."""
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        ready = self.log.read_text().count(READY) if self.log.exists() else 0
        program = self.start("worker", "--concurrency", "2", *quiet)
        until(lambda: self.log.read_text().count(READY) > ready)
        return program

    def beat(self) -> Program:
        """Start a beat."""
        return self.start("beat", "--pidfile=")


def until(true: Callable[[], object], seconds: float = 25) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.05)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    """A hand on the test's database."""
    hand = Office(database_url)
    yield hand
    hand.close()


@pytest.fixture
def gate() -> threading.Event:
    """While it is shut, the mail server takes one mail and says nothing."""
    return threading.Event()


@pytest.fixture
def postmaster(gate: threading.Event) -> Postmaster:
    """A mail server that falls silent after its fourth mail."""

    class Silent(Postmaster):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            answer = await super().handle_DATA(server, session, envelope)
            if len(self.received) == 4 and not gate.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(30)
            return answer

    return Silent()


@pytest.fixture
def yard(tmp_path: Path, app_url: str, redis_url: str, postmaster: Postmaster) -> Iterator[Yard]:
    """Programs that find the test's servers in their settings."""
    law = tmp_path / "law"
    (law / "documents").mkdir(parents=True)
    for name, content in LAW.items():
        (law / name).write_text(content)
    with serving(postmaster) as place:
        yard = Yard(
            tmp_path,
            {
                "BANJIE_DATABASE_URL": app_url,
                "BANJIE_REDIS_URL": redis_url,
                "BANJIE_WORKFLOWS": str(law),
                "BANJIE_SMTP_URL": f"smtp://{place}",
                "BANJIE_MAIL_FROM": "banjie@office.example",
            },
        )
        yield yard
        for program in yard.running:
            program.kill()


@pytest.fixture
def hints(redis_url: str) -> Iterator[Celery]:
    """Somebody who can write into Valkey."""
    app = create_app(Settings(redis_url=SecretStr(redis_url)))
    yield app
    app.close()


@pytest.mark.slow
def test_a_worker_killed_in_mid_delivery_and_a_wiped_valkey_lose_nothing(
    office: Office, yard: Yard, postmaster: Postmaster, gate: threading.Event, redis_url: str
) -> None:
    """Killed while the mail server had the mail and had not said so: that mail comes twice, with one
    id; every other comes once. The wiped queue is filled again by the beat, which never stopped.
    """
    first = [office.message(item, recipient_id=office.person(), text=TEXT) for item in range(20)]
    beat = yard.beat()
    worker = yard.worker()
    until(lambda: len(postmaster.received) == 4)
    worker.kill()
    gate.set()
    with redis.Redis.from_url(redis_url) as valkey:
        valkey.flushdb()
    assert office.statuses() == {"sent": 3, "leased": 17}
    office.run("UPDATE message SET leased_until = now() WHERE status = 'leased'")
    more = [office.message(item, recipient_id=office.person(), text=TEXT) for item in range(20, 25)]
    worker = yard.worker()
    until(lambda: office.statuses() == {"sent": 25})
    assert beat.process.poll() is None
    assert worker.stop() == 0

    found = Counter(str(letter["Message-ID"]) for letter in postmaster.letters())
    assert set(found) == {f"<{message}@office.example>" for message in [*first, *more]}
    assert sorted(found.values()) == [1] * 24 + [2]
    log = yard.log.read_text()
    assert "officer@office.example" not in log
    assert "Traceback" not in log


@pytest.mark.slow
def test_forged_hints_do_no_harm_and_old_answers_go(
    office: Office, yard: Yard, hints: Celery, redis_url: str, gate: threading.Event
) -> None:
    """Unknown tasks and arguments are passed over. Nonsense ends the worker once: the next one
    begins with an empty queue. Tidying keeps what is young.
    """
    gate.set()
    for age in ("8 days", "6 days"):
        office.run(
            "INSERT INTO answer (principal, key, request, created_at)"
            " VALUES ('p', %s, '', now() - %s::interval)",
            age,
            age,
        )
    person = office.person()
    for token, age in ((b"a", "1 hour"), (b"b", "-1 hour")):
        office.run(
            "INSERT INTO login (token_digest, person_id, expires_at)"
            " VALUES (%s, %s, now() - %s::interval)",
            token,
            person,
            age,
        )
    office.message(recipient_id=person, text=TEXT)
    worker = yard.worker()
    hints.send_task("os.system", args=["true"])
    hints.send_task("deliver", args=["unexpected"], kwargs={"limit": -1})
    hints.send_task("tidy")
    until(lambda: office.one("SELECT count(*) FROM login") == 1)
    assert office.one("SELECT key FROM answer") == "6 days"
    with redis.Redis.from_url(redis_url) as valkey:
        valkey.lpush("banjie", "{}", '{"body": 1}', *["nonsense"] * 100)
        until(lambda: worker.process.poll() is not None)
        valkey.set("unacked", "of the wrong type")
        yard.worker()
        assert valkey.type("unacked") != b"string"
    hints.send_task("deliver")
    until(lambda: office.statuses() == {"sent": 1})


def test_no_task_takes_an_argument(hints: Celery) -> None:
    """What comes out of Valkey says at most "look": it names nothing and decides nothing."""
    own = {name for name in hints.tasks if not name.startswith("celery.")}
    own_names = {
        "sweep",
        "deliver",
        "append",
        "publish",
        "verify",
        "scan",
        "tally",
        "tidy",
        "depart",
    }
    assert own == own_names
    for name in own:
        assert not inspect.signature(hints.tasks[name].run).parameters
    assert {entry["task"] for entry in hints.conf.beat_schedule.values()} == own
    for entry in hints.conf.beat_schedule.values():
        assert set(entry) == {"task", "schedule"}


def test_a_hint_is_given_back_later_than_any_task_may_take(hints: Celery) -> None:
    """A shorter visibility timeout runs one task several times at once."""
    conf = hints.conf
    options = conf.broker_transport_options
    assert options["visibility_timeout"] == conf.visibility_timeout == 300
    assert conf.task_soft_time_limit < conf.task_time_limit < options["visibility_timeout"]
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.task_ignore_result
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_enable_remote_control is False
    assert conf.accept_content == ["json"]
    assert conf.task_send_sent_event is False

"""The worker's memory: Celery as `make run` starts it, after it has swept and delivered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import redis
from pydantic import SecretStr

from adapters.embedded import Valkey
from adapters.worker import QUEUE, create_app
from bench.counter import ROOT
from bench.load import resident, tree
from engine.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.ground import Ground

PATIENCE = 30.0  # seconds it is given to start, and then to take its tasks
WORK = 3.0


def memory(ground: Ground, home: Path) -> float:
    """Megabytes of the largest process of the worker."""
    with Valkey(home) as valkey:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BANJIE_")},
            "BANJIE_DATABASE_URL": ground.app_url,
            "BANJIE_REDIS_URL": valkey.url(0),
            "BANJIE_HOME": str(home),
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "celery", "--app", "adapters.worker", "worker"]
        command += ["--concurrency", "2", "--without-gossip", "--without-mingle"]
        with (home / "worker.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--loglevel", "INFO"], env=environment, cwd=ROOT, stderr=log, stdout=log
            )
        try:
            _await(lambda: "worker.ready" in (home / "worker.log").read_text(errors="replace"))
            app = create_app(Settings(redis_url=SecretStr(valkey.url(0))))
            for task in ("sweep", "deliver"):
                app.send_task(task)
            app.close()
            with redis.Redis.from_url(valkey.url(0)) as hints:
                _await(lambda: not hints.llen(QUEUE))
            time.sleep(WORK)  # the sweeps of this benchmark left more messages than it can wait for
            return max(resident(pid) for pid in tree(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _await(done: Callable[[], bool]) -> None:
    """Wait until something is so; AssertionError where it does not come."""
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until, "the worker does not work"
        time.sleep(0.1)

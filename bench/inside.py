"""Moves made in process: two processes, each with its pool and its threads, as the office has them."""

from __future__ import annotations

import multiprocessing
import threading
import time
from typing import TYPE_CHECKING

from bench.ground import MOVE, number, person

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from bench.ground import Ground
    from engine.casework import Casework
    from engine.database import Database
    from engine.people import Actor

PROCESSES = 2
THREADS = 4


class Movers:
    """Processes that wait for a share of items and move them."""

    def __init__(self, ground: Ground) -> None:
        context = multiprocessing.get_context("spawn")
        self.ground = ground
        self.pipes: list[Connection] = []
        self.processes = []
        for _ in range(PROCESSES):
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, ground), daemon=True)
            process.start()
            self.pipes.append(here)
            self.processes.append(process)
        self.pids = [process.pid for process in self.processes if process.pid]

    def run(self, each: int) -> tuple[float, list[float]]:
        """Move `each` items per thread; moves a second, and what each took in seconds."""
        count = PROCESSES * THREADS * each
        start = self.ground.take(count)
        began = time.perf_counter()
        for at, pipe in enumerate(self.pipes):
            pipe.send((start + at * THREADS * each, each))
        took = [seconds for pipe in self.pipes for seconds in pipe.recv()]
        assert len(took) == count, "some moves were not made"
        return count / (time.perf_counter() - began), took

    def close(self) -> None:
        """Let the processes go."""
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.processes:
            process.join()


def _serve(pipe: Connection, ground: Ground) -> None:
    database, casework = ground.open(THREADS)
    with database.transaction() as session:
        intake = person(casework, session, "intake")
    prefix = casework.catalog.named("grievance").workflow.number
    while (share := pipe.recv()) is not None:
        start, each = share
        numbers = [number(prefix, ground.item(start + at)) for at in range(THREADS * each)]
        took: list[float] = []
        threads = [
            threading.Thread(
                target=_move, args=(database, casework, intake, numbers[at::THREADS], took)
            )
            for at in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pipe.send(took)


def _move(
    database: Database, casework: Casework, actor: Actor, numbers: list[str], took: list[float]
) -> None:
    for one in numbers:
        began = time.perf_counter()
        database.perform(
            lambda session, name=one: casework.advance(session, name, MOVE, actor, revision=1)  # type: ignore[misc]
        )
        took.append(time.perf_counter() - began)

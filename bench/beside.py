"""Two checkouts side by side: how fast items advance in this one, measured against another.

    .venv/bin/python -m bench.beside OTHER_CHECKOUT [ROUNDS]

Figures of two runs minutes apart differ by what else the machine does. Here both have a server and
processes of their own at once and take turns, a round each, so that what slows one slows the other;
the median of the rounds' ratios says whether a change costs. OTHER_CHECKOUT has had `make setup`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parents[1]
ITEMS = 60_000
MOVES = 200  # of each client in a round
REQUESTS = 800
ROUNDS = 10


class Round(NamedTuple):
    """Moves a second, and microseconds of processor a move: of PostgreSQL and of our processes."""

    rate: float
    server: float
    python: float


def main() -> None:
    """Measure both checkouts in turns and print what they did."""
    other = Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    for way in ("in process", "over HTTP"):
        with ExitStack() as running:
            before, now = (running.enter_context(_runner(at, way)) for at in (other, HERE))
            pairs = [_turn(before, now, number) for number in range(rounds)]
        for name, found in (("before", [a for a, _ in pairs]), ("now", [b for _, b in pairs])):
            rate, server, python = (median(column) for column in zip(*found, strict=True))
            print(
                f"{way:<11}{name:<7}{rate:>7.0f} a second, {server:>5.0f} us server, {python:>5.0f} us Python"
            )
        print(f"{way:<11}now / before: {median(b.rate / a.rate for a, b in pairs):.3f}", flush=True)


def _turn(
    before: Callable[[], Round], now: Callable[[], Round], number: int
) -> tuple[Round, Round]:
    """One round each, the other one first every second time."""
    if number % 2:
        first = before()
        return first, now()
    last = now()
    return before(), last


@contextmanager
def _runner(checkout: Path, way: str) -> Iterator[Callable[[], Round]]:
    """This file run by a checkout's Python over that checkout's code: a round for each line sent."""
    command = [checkout / ".venv/bin/python", __file__, "--serve", way]
    with subprocess.Popen(
        command,
        cwd=checkout,
        env={"PYTHONPATH": str(checkout), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout

        def ask() -> Round:
            assert process.stdin
            assert process.stdout
            process.stdin.write(b"\n")
            process.stdin.flush()
            return Round(*orjson.loads(process.stdout.readline()))

        assert process.stdout.readline(), f"{checkout} does not start"
        try:
            yield ask
        finally:
            process.stdin.close()


def serve(way: str) -> None:
    """Lay the ground, then a round for each line read."""
    from bench import counter, ground, inside
    from bench.load import spending

    with ExitStack() as held:
        home = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="banjie-bench-")))
        home.chmod(0o711)
        postgres = held.enter_context(ground.server())
        large = ground.lay(postgres, "large", ITEMS)
        if way == "in process":
            movers = inside.Movers(large)
            held.callback(movers.close)
            movers.run(100)
            pids, count = movers.pids, inside.PROCESSES * inside.THREADS * MOVES

            def once() -> float:
                return movers.run(MOVES)[0]
        else:
            database, casework = large.open(1)
            database.close()
            prefix = casework.catalog.named("grievance").workflow.number
            counters = held.enter_context(counter.counters(large, home))
            token = counters.log_in("intake")
            counters.closed(counter.moves(large, prefix, token, 400))
            pids, count = counters.pids, REQUESTS

            def once() -> float:
                return counters.closed(counter.moves(large, prefix, token, REQUESTS))[0]

        print("ready", flush=True)
        for _ in sys.stdin:
            with spending(postgres.pid or 0) as server, spending(*pids) as python:
                rate = once()
            spent = [each.cpu / count * 1e6 for each in (server, python)]
            print(orjson.dumps([rate, *spent]).decode(), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        main()

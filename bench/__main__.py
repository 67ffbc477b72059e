"""`make bench`: every figure beside its floor, in one run on one server.

    make bench                  1,000,000 open items, under twelve minutes
    make bench ARGS=--small     100,000, under three, to see whether a change made something slow

Prints one table and writes bench/results.json: [{"figure", "measured", "limit", "ok"}]. Figures
that have no floor (limit null) are there to read the others by.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import orjson

from bench import counter, files, ground, inhouse, limit, workdays, worker
from bench.inside import PROCESSES, THREADS, Movers
from bench.load import spending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from adapters.embedded import Postgres
    from bench.ground import Ground

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    items: int
    rounds: int
    moves: int  # of each client in a round, in process and in pgbench
    requests: int  # over HTTP in a round
    pages: int
    imported: int


FULL = Size(1_000_000, 5, 600, 2400, 1800, 10_000)
SMALL = Size(100_000, 3, 250, 1000, 600, 3_000)
FEW = 10_000  # open items of the other ground
SWEEPS = 7  # of a thousand alarms on each ground; the small one has items for no more


@dataclass(frozen=True)
class Row:
    """One figure: at least, or at most, its limit."""

    figure: str
    measured: float
    limit: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the floor is kept."""
        if self.limit is None:
            return True
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def main() -> None:
    """Measure, print, write."""
    size = SMALL if "--small" in sys.argv[1:] else FULL
    rows: list[Row] = []
    with ground.server() as postgres, tempfile.TemporaryDirectory(prefix="banjie-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        print(f"laying {size.items:,} and {FEW:,} open items", flush=True)
        large = ground.lay(postgres, "large", size.items)
        small = ground.lay(postgres, "small", FEW)
        parts = (
            _inside(postgres, large, home, size),
            _over_http(postgres, large, home, size),
            _pages(large, size),
            _sweeps(large, small),
            _bulk(large, size),
            _memory(large, home),
            [Row("adding working days to a date, ns", workdays.adding(), 2000)],
            [Row("reading and proving all workflow files, s", files.checking(), 2)],
        )
        for part in parts:
            for row in part:
                rows.append(row)
                _print(row)
    kept = [{**asdict(row), "ok": row.ok} for row in rows]
    RESULTS.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2))
    missed = sum(not row.ok for row in rows)
    print(f"{missed} floors missed" if missed else "every floor kept")


def _inside(postgres: Postgres, large: Ground, home: Path, size: Size) -> Iterator[Row]:
    script = limit.limit(large)
    movers = Movers(large)
    movers.run(50)
    clients = PROCESSES * THREADS
    ratios, rates, limits, cpu, cpu_limit = [], [], [], [], []
    pids = (postgres.pid or 0, *movers.pids)
    for _ in range(size.rounds):
        with spending(postgres.pid or 0) as by_itself:
            limits.append(script.run(postgres, large, home, clients, size.moves))
        with spending(*pids) as with_python:
            rate, _ = movers.run(size.moves)
        rates.append(rate)
        ratios.append(rate / limits[-1])
        cpu.append(with_python.cpu / clients / size.moves * 1e6)
        cpu_limit.append(by_itself.cpu / clients / size.moves * 1e6)
    movers.close()
    limit.check(large)
    yield Row(f"the same {script.statements} statements in pgbench, a second", median(limits))
    yield Row("advance in process, a second", median(rates))
    yield Row("advance in process / pgbench", median(ratios), 0.20, at_least=True)
    yield Row("processor time of it, pgbench, us", median(cpu_limit))
    yield Row("processor time of it, engine, us", median(cpu))


def _over_http(postgres: Postgres, large: Ground, home: Path, size: Size) -> Iterator[Row]:
    script = limit.limit(large)
    prefix = _prefix(large)
    with counter.counters(large, home) as counters:
        token = counters.log_in("intake")
        counters.closed(counter.moves(large, prefix, token, 300))
        ratios, rates = [], []
        for _ in range(size.rounds):
            each = size.moves // 2
            of = script.run(postgres, large, home, counter.CONNECTIONS, each)
            rate, _ = counters.closed(counter.moves(large, prefix, token, size.requests))
            rates.append(rate)
            ratios.append(rate / of)
        half = median(rates) / 2
        planned = counters.open(counter.moves(large, prefix, token, size.requests), half)
        counters.open(counter.worklists(counters, inhouse.ASKED, 8, 3), 50)  # every connection warm
        turned = counters.open(counter.worklists(counters, inhouse.ASKED, 8, 15), 50)
        limit.check(large)
        yield Row("advance over HTTP, a second", median(rates))
        yield Row("advance over HTTP / pgbench", median(ratios), 0.10, at_least=True)
        yield Row(f"advance over HTTP at {half:.0f} a second, p99 ms", _p99(planned), 60)
        yield Row("worklist page over HTTP, p99 ms", _p99(turned), 40)
        yield Row("memory of an API process, MB", counters.memory(), 130)


def _pages(large: Ground, size: Size) -> Iterator[Row]:
    database, casework = large.open(1)
    inhouse.pages(large, database, casework, size.pages // 6)
    took = inhouse.pages(large, database, casework, size.pages)
    database.close()
    yield Row("worklist page in process, p50 ms", median(took) * 1000)
    yield Row("worklist page in process, p99 ms", _p99(took), 10)


def _sweeps(large: Ground, small: Ground) -> Iterator[Row]:
    offices = [(each, *each.open(1)) for each in (large, small)]
    took: list[list[float]] = []
    for _ in range(SWEEPS + 1):
        took.append([])
        for each, database, casework in offices:
            inhouse.alarm(each, database, casework)
            took[-1].append(inhouse.swept(database, casework))
    empty = inhouse.empty_sweeps(*offices[0], 1000)
    for _, opened, _ in offices:
        opened.close()
    warm = took[1:]
    yield Row("sweep of 1,000 alarms, s", median(pair[0] for pair in warm), 1.0)
    yield Row(
        f"the same among {large.size:,} / {FEW:,}", median(pair[0] / pair[1] for pair in warm), 1.3
    )
    yield Row("empty sweep, p99 ms", _p99(empty), 2.0)


def _bulk(large: Ground, size: Size) -> Iterator[Row]:
    database, casework = large.open(1)
    rates = [inhouse.imported(database, casework, size.imported // 2, run) for run in range(3)]
    database.close()
    yield Row("import, items a second", median(rates), 1500, at_least=True)


def _memory(large: Ground, home: Path) -> Iterator[Row]:
    yield Row("memory of a worker process, MB", worker.memory(large, home), 110)
    starts = [counter.start_seconds(large, home) for _ in range(3)]
    yield Row("create_app in a fresh process, s", median(starts), 1.5)


def _prefix(large: Ground) -> str:
    database, casework = large.open(1)
    database.close()
    return casework.catalog.named("grievance").workflow.number


def _p99(took: Sequence[float]) -> float:
    """The 99th percentile in milliseconds."""
    return sorted(took)[len(took) * 99 // 100] * 1000


def _print(row: Row) -> None:
    sign = "" if row.limit is None else ("≥" if row.at_least else "≤")
    edge = "" if row.limit is None else f"{sign} {row.limit:g}"
    said = "" if row.limit is None else ("ok" if row.ok else "MISSED")
    print(f"{row.figure:<52} {row.measured:>10.3g} {edge:>8} {said}", flush=True)


if __name__ == "__main__":
    main()

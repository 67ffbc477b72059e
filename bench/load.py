"""What processes cost: processor time of a process and of everything below it, and memory."""

from __future__ import annotations

import os
import resource
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Spent:
    """Seconds on the wall and on the processors."""

    wall: float = 0.0
    cpu: float = 0.0


def cpu_of(pid: int) -> float:
    """Seconds a process and all below it used, those that have ended included."""
    total = 0.0
    for each in tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue
        total += (
            sum(map(int, fields[11:15])) / TICK
        )  # own and waited-for children's, user and system
    return total


def tree(pid: int) -> Iterable[int]:
    """A process and everything below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (task / "children").read_text().split()
        except FileNotFoundError:
            continue
        for child in children:
            yield from tree(int(child))


def resident(pid: int) -> float:
    """Megabytes of memory a process holds (RSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


@contextmanager
def spending(*pids: int) -> Iterator[Spent]:
    """Measure a block: the wall, and the processors' time of these processes (with all below them)
    and of the programs that this process waited for.
    """
    spent = Spent()
    before, began = _used(pids), time.perf_counter()
    yield spent
    spent.wall = time.perf_counter() - began
    spent.cpu = _used(pids) - before


def _used(pids: Iterable[int]) -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(map(cpu_of, pids)) + ended.ru_utime + ended.ru_stime

"""Pictures are seen as copies drawn anew in a process that may not do much (`engine.darkroom`)."""

from __future__ import annotations

import subprocess
import sys
from typing import IO, TYPE_CHECKING

from engine import darkroom
from engine.errors import Refused

if TYPE_CHECKING:
    from engine.inspection import Kind

WAIT = darkroom.SECONDS + 10
"""Seconds until a child that sleeps is ended; one that works is ended by its own limit."""

SENTENCES = {
    darkroom.TOO_MANY_POINTS: (
        "图片超过4000万像素,请缩小后再传。The picture has over 40 million points; make it smaller."
    ),
    darkroom.UNREADABLE: (
        "图片残缺或者无法读取,请重新导出后再传。"
        "The picture is cut off or cannot be read; export it again."
    ),
}
TOO_HEAVY = (
    "图片处理所需资源过多,请缩小后再传。The picture takes too much to draw; make it smaller."
)


class Undrawable(Refused):
    """A picture cannot be drawn."""

    code = "undrawable"


def redraw(source: IO[bytes], target: IO[bytes], kind: Kind) -> None:
    """Draw a picture anew: nothing but its points goes from one file into the other.

    Raises Undrawable with what to do about it.
    """
    source.seek(0)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-B", darkroom.__file__, kind.name],
            stdin=source,
            stdout=target,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=WAIT,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        done = darkroom.TOO_MUCH_MEMORY
    if done:
        raise Undrawable(SENTENCES.get(done, TOO_HEAVY))

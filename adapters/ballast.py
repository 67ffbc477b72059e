"""A file that holds room on the database's disk, to be deleted when the disk is full.

PostgreSQL that finds no room for its log ends itself and does not start again until there is some
(reliability F18). Deleting `ballast` in the servers' folder gives it that room at once; the next
start of `banjie run` lays it again where there is plenty.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BYTES = 64 << 20
PLENTY = 10
"""Times its size that must be free before it is laid."""


def lay_ballast(folder: Path) -> bool:
    """Make `<folder>/ballast` of real blocks, unless it is there or room is short; whether it is
    there now.
    """
    path = folder / "ballast"
    if path.exists():
        return True
    if not hasattr(os, "posix_fallocate") or shutil.disk_usage(folder).free < PLENTY * BYTES:
        return False
    part = folder / "ballast.part"
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, BYTES)
        part.rename(path)
    except OSError:  # no such call on this kind of disk, or room went in between
        with suppress(OSError):
            part.unlink(missing_ok=True)
        return False
    return True

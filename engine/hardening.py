"""What a process that holds keys does first: no core file, no reading of its memory by others, no
file that others may read.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def harden() -> None:
    """Close this process; the programs it starts begin open again and must do so themselves.

    Not dumpable, its `/proc` belongs to root: another process of the same user can read neither its
    memory nor its environment, and cannot trace it.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

"""What the embedded servers share: place, lock, port, log, start, stop.

**One server per home.** The process that starts a server holds a lock on `<home>/<name>.lock` while
it lives. Whoever else starts it meanwhile gets the address of the running server, and stopping it
does nothing.

**Death.** On Linux the kernel tells a server when the process that started it is gone, even by
kill -9, and it shuts down (the signal follows the *thread* that started it: one that stays). A start
that still finds a server of a dead owner waits for it, then ends it. Children of a killed PostgreSQL
may hold its memory for a moment; the start is tried again for some seconds.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import resource
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from adapters.place import Place, ServerError, place_in

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Server", "dies_with_us"]

_START_SECONDS = 30.0
_PASSING = ("pre-existing shared memory block", "lock file", "Address already in use")
_LOG_BYTES = 10_000_000
_PORTS = range(20_000, 32_000)  # below the range the kernel hands out to clients
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C", "TZ": "UTC", "HOME": "/"}


class Server:
    """What the two servers share: place, lock, port, start, stop."""

    name: ClassVar[str]
    goodbye: ClassVar[signal.Signals]
    harder: ClassVar[signal.Signals]
    patience: ClassVar[float]

    def __init__(self, home: Path, port: int | None = None) -> None:
        self.home = home.absolute()
        self.port = port or 0
        self._fixed_port = port is not None
        self._child: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    # -- what each server says for itself

    def _data(self) -> Path:
        raise NotImplementedError

    def _pid_file(self) -> Path:
        raise NotImplementedError

    def _launch(self) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    # -- common ground

    @property
    def place(self) -> Place:
        """Where the servers of this home live."""
        return place_in(self.home)

    @property
    def password(self) -> str:
        """The server's password, made on the first call; a file only we may read keeps it."""
        return self.secret(self.name)

    def secret(self, name: str) -> str:
        """A password of this home, made on the first call; a file only we may read keeps it."""
        path = self.home / "secrets" / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(32))
        return path.read_text()

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.home / "log" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, whoever started it; None when there is none."""
        if self._child is not None:
            return self._child.pid if self._child.poll() is None else None
        return self._found_running()

    @property
    def owned(self) -> bool:
        """Whether this object started the server, so that its `stop()` ends it."""
        return self._lock is not None

    @property
    def alive(self) -> bool:
        """Whether the server's process is there."""
        return self.pid is not None

    def _start(self) -> None:
        """Start the server, or find it running; raise ServerError with a sentence."""
        if self.alive and self.owned and self._answers():
            return
        place_in(self.home)
        (self.home / "log").mkdir(mode=0o700, exist_ok=True)
        deadline = time.monotonic() + _START_SECONDS
        while not self._take_lock():
            self.port = self._remembered_port()
            if self.port and self._answers():
                return
            if time.monotonic() > deadline:
                message = (
                    f"{self.home} is in use by another process, whose {self.name} does not answer. "
                    f"See {self.log}, or end that process first."
                )
                raise ServerError(message)
            time.sleep(0.2)
        try:
            self._end_orphan()
            if self._child is not None:
                self._child.wait(self.patience)  # ours, ended above or before
            self._start_until(deadline)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server cleanly if this object started it; safe to call twice."""
        child, self._child = self._child, None
        try:
            if child is not None and child.poll() is None:
                self._end(child)
        finally:
            self._drop_lock()

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        for sign in (self.goodbye, self.harder, signal.SIGKILL):
            child.send_signal(sign)
            with suppress(subprocess.TimeoutExpired):
                child.wait(self.patience)
                return

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _take_lock(self) -> bool:
        if self._lock is not None:
            return True
        lock = os.open(self.home / f"{self.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _drop_lock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _remembered_port(self) -> int:
        with suppress(OSError, ValueError):
            return int((self.home / f"{self.name}.port").read_text())
        return 0

    def _choose_port(self) -> None:
        """Keep the port of last time if it is free; a port the caller named is never changed."""
        if self._fixed_port:
            return
        port = self._remembered_port()
        while not (port and _is_free(port)):
            port = random.choice(_PORTS)  # noqa: S311 - a free port is no secret
        self.port = port
        (self.home / f"{self.name}.port").write_text(str(port))

    def _start_until(self, deadline: float) -> None:
        """Launch until the server answers; what passes by itself is tried again."""
        begun = time.monotonic()
        while True:
            self._choose_port()
            if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
            told_before = self.log.stat().st_size if self.log.exists() else 0
            self._child = self._launch()
            while self._child.poll() is None and time.monotonic() < deadline:
                if self._answers():
                    return
                time.sleep(0.03)
            told = self.log.read_bytes()[told_before:].decode(errors="replace").strip()
            if self._fixed_port and "Address already in use" in told:
                deadline = min(deadline, begun + self.patience)
            passing = any(sign in told for sign in _PASSING)
            if not passing or time.monotonic() > deadline:
                last = told.splitlines()[-1] if told else "it wrote nothing"
                message = f"{self.name} did not start: {last} (all of it: {self.log})"
                raise ServerError(message)
            time.sleep(0.3)

    def _popen(
        self, program: Path, *arguments: str, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        user = self.place.user
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [program, *arguments],
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=user and user[0],
                group=user and user[1],
                extra_groups=None if user is None else [],
                cwd="/",
                env=_ENVIRONMENT,
                umask=0o077,
                start_new_session=True,  # Ctrl-C is for us; we end the servers in order
                preexec_fn=dies_with_us(self.goodbye),  # noqa: PLW1509 - two system calls, no locks
            )

    def _found_running(self) -> int | None:
        """The server's process as its pid file tells, if it is one and of this home."""
        with suppress(OSError, ValueError, IndexError):
            pid = int(self._pid_file().read_text().split()[0])
            os.kill(pid, 0)
            if sys.platform != "linux":
                return pid
            # Numbers of processes come again, after a restart of the machine most of all. Both
            # servers work in their data folder, so that tells ours from a stranger.
            if Path(f"/proc/{pid}/cwd").resolve() == self._data().resolve():
                return pid
        return None

    def _end_orphan(self) -> None:
        """A server whose owner died shuts down by itself; wait for it, then help."""
        plan = ((None, 5.0), (self.goodbye, 5.0), (self.harder, 3.0), (signal.SIGKILL, 3.0))
        for sign, seconds in plan:
            deadline = time.monotonic() + seconds
            while (pid := self._found_running()) is not None:
                if sign is not None:
                    with suppress(ProcessLookupError):
                        os.kill(pid, sign)
                    sign = None  # noqa: PLW2901 - said once
                if time.monotonic() > deadline:
                    break
                time.sleep(0.05)
        if self._found_running() is None:
            # A stale file with a number that a stranger has now would stop the start for ever.
            self._pid_file().unlink(missing_ok=True)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def dies_with_us(goodbye: signal.Signals) -> Callable[[], None]:
    """What a child does before it becomes its program: promise to die with us, dump no core."""
    owner = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None

    def promise() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if prctl is not None:
            # PR_SET_PDEATHSIG = 1; here the change of user is done, which would undo it, prctl(2).
            prctl(1, int(goodbye), 0, 0, 0)
            if os.getppid() != owner:
                os._exit(1)

    return promise

"""`banjie run`: the whole office as one command.

Order of birth: PostgreSQL, Valkey, migrations, the sample office, then three children: the counter
(`python -m api`), the worker and beat (Celery). Order of death: counter, beat, worker, Valkey, PostgreSQL, so
that nobody talks to something that has gone; all of it within twenty seconds.

A child that dies is started again, after 1, 2, 4 … 30 seconds; so is a server. Each child writes to
`<home>/log/<name>.log`. Addresses with passwords reach the children as secret files in `<home>/run`,
not as arguments and not in their environment, even where ours had them.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from adapters.ballast import lay_ballast
from adapters.embedded import Postgres, ServerError, Valkey
from adapters.place import make_home
from adapters.server import dies_with_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from engine.settings import Settings

__all__ = ["serve"]

SECRET = ("database_url", "redis_url", "smtp_url", "oidc_client_secret")
"""Settings with passwords: the children read them from files, whatever way they came to us."""
_ROOT = Path(__file__).resolve().parent.parent
_LOG_BYTES = 20_000_000
_LONGEST_PAUSE = 30.0
_HEALTHY_AFTER = 60.0


@dataclass
class _Child:
    """One program of the office, kept alive."""

    name: str
    command: list[str]
    patience: float  # seconds between asking it to leave and making it leave
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    pause: float = 1.0
    born: float = 0.0
    again_at: float = 0.0

    def start(self) -> None:
        """Start it, adding to its log."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=_ROOT,
                env=self.environment,
                umask=0o077,
                start_new_session=True,  # Ctrl-C is for us; the children leave in order
                preexec_fn=dies_with_us(signal.SIGTERM),  # noqa: PLW1509 - two system calls, no locks
            )
        self.born = time.monotonic()

    def keep(self) -> None:
        """Start it again if it died, later each time it dies young."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.poll() is None:
                return
            if now - self.born > _HEALTHY_AFTER:
                self.pause = 1.0
            _say(
                f"{self.name} 已退出({self.process.returncode}),{self.pause:.0f} 秒后重启 · ended, "
                f"starting again; see {self.log}"
            )
            self.process = None
            self.again_at = now + self.pause
            self.pause = min(self.pause * 2, _LONGEST_PAUSE)
        elif now >= self.again_at:
            self.start()

    def stop(self) -> None:
        """Ask, wait, then end it with everything it started."""
        process, self.process = self.process, None
        if process is None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                if sign is signal.SIGKILL:
                    os.killpg(process.pid, sign)
                else:
                    process.send_signal(sign)
            with suppress(subprocess.TimeoutExpired):
                process.wait(self.patience)
                break


@dataclass
class _Office:
    """All that runs."""

    settings: Settings
    children: list[_Child] = field(default_factory=list)
    servers: list[Postgres | Valkey] = field(default_factory=list)
    leaving: bool = False

    def leave(self, _sign: int, _frame: FrameType | None) -> None:
        """On Ctrl-C or SIGTERM; a second one changes nothing."""
        if not self.leaving:
            _say("正在停止 · stopping")
        self.leaving = True

    def keep(self) -> None:
        """One round: whoever died is started again. The servers keep their ports."""
        for server in self.servers:
            if not server.alive:
                _say(f"{server.name} 已退出,正在重启 · ended, starting again; see {server.log}")
                with suppress(ServerError):  # said in its log; the next round tries again
                    server.start()
        for child in self.children:
            child.keep()

    def ready(self) -> bool:
        """Whether the counter answers."""
        host = "127.0.0.1" if self.settings.host in {"", "0.0.0.0", "::"} else self.settings.host  # noqa: S104
        try:
            url = f"http://{host}:{self.settings.port}/api/v1/healthz"
            with urllib.request.urlopen(url, timeout=2):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


def serve(settings: Settings) -> None:
    """Run the office until Ctrl-C or SIGTERM. ServerError, with a sentence, if it cannot start."""
    settings = settings.model_copy(update={"home": settings.home.absolute()})
    office = _Office(settings)
    with ExitStack() as stack:
        stack.enter_context(_sole_owner(settings))
        _demand_free_port(settings)
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.signal(sign, office.leave)
            stack.callback(signal.signal, sign, before)
        secrets = _start_servers(office, stack)
        _furnish(office.settings)
        if office.leaving:
            return
        office.children = _children(office.settings, secrets)
        for child in reversed(office.children):  # so that they stop from the first to the last
            stack.callback(child.stop)
        for child in office.children:
            child.start()
        _watch(office)
    _say("已停止,数据都在 · stopped; the data are kept")


def _watch(office: _Office) -> None:
    """Say once that the door is open, then keep everybody alive."""
    greeted = False
    complained_at = time.monotonic() + 60.0
    while not office.leaving:
        office.keep()
        if not greeted and office.ready():
            _greet(office.settings)
            greeted = True
        elif not greeted and time.monotonic() > complained_at:
            _say(f"页面尚未就绪 · not ready yet; see {office.settings.home / 'log' / 'api.log'}")
            complained_at += 60.0
        time.sleep(0.2)


@contextmanager
def _sole_owner(settings: Settings) -> Iterator[None]:
    """Hold the state folder; a second `banjie run` in it is told so."""
    home = settings.home
    make_home(home)
    with (home / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            message = (
                f"这个文件夹里的办结已在运行 · Banjie already runs from {home} (process {lock.read()}). "
                "Stop it first, or set BANJIE_HOME and BANJIE_PORT for a second office."
            )
            raise ServerError(message) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _demand_free_port(settings: Settings) -> None:
    """Say at once, and not in a log file, that somebody else has the port."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    deadline = time.monotonic() + 6.0  # a killed office's counter may still be leaving
    while True:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, settings.port))
            except OSError as error:
                if time.monotonic() > deadline:
                    message = (
                        f"端口被占用 · {settings.host}:{settings.port} cannot be used "
                        f"({error.strerror}). End the program that has it, or choose another: "
                        "BANJIE_PORT=8001 make run"
                    )
                    raise ServerError(message) from error
            else:
                return
        time.sleep(0.3)


def _start_servers(office: _Office, stack: ExitStack) -> Path:
    """Start what is not named by an address; the folder with both addresses as secret files."""
    secrets = office.settings.home / "run"
    secrets.mkdir(mode=0o700, exist_ok=True)
    known = {"database_url": office.settings.database_url, "redis_url": office.settings.redis_url}
    plan = (("database_url", Postgres), ("redis_url", Valkey))
    for name, kind in plan:
        if known[name] is None:
            server = kind(office.settings.home)
            stack.callback(server.stop)
            url = server.start()
            office.servers.append(server)
            if isinstance(server, Postgres):
                lay_ballast(server.place.folder)
                # the children never learn the owner's password
                office.settings = office.settings.model_copy(update={"owner_url": SecretStr(url)})
                url = server.app_url("banjie")
            office.settings = office.settings.model_copy(update={name: SecretStr(url)})
    for name in SECRET:
        secret: SecretStr | None = getattr(office.settings, name)
        path = secrets / f"banjie_{name}"
        path.unlink(missing_ok=True)
        if secret is not None:
            stack.callback(path.unlink, missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secret.get_secret_value())
    return secrets


def _furnish(settings: Settings) -> None:
    """Bring tables and workflows up to date; the sample office where it is asked for.

    No workflow starts unproven. In the sample office only the files can be at fault, so they are
    refused before they are released. In a real office somebody may have left: stopping would
    silence every item, so it is said loudly instead. DefinitionError with every finding.
    """
    from adapters import checking, sample
    from engine.casework import Casework
    from engine.catalog import install
    from engine.checking.verdict import report
    from engine.database import Database, migrate
    from engine.errors import DefinitionError
    from workflows import catalog, programmes, prove

    owner = settings.owner_url or settings.database_url
    if owner is None:
        raise AssertionError
    url = owner.get_secret_value()
    declared = catalog(settings.workflows)
    migrate(url)
    roster = sample.roster() if settings.sample else checking.real_roster(url)
    silent = [p for p in prove(declared, roster) if not p.holds] if roster else []
    if silent and settings.sample:
        raise DefinitionError([finding for proof in silent for finding in proof.findings])
    if silent:
        _say(report(silent))
    database = Database(url, 1)
    try:
        if settings.sample:
            casework = Casework(declared)
            sample.load(database, casework)
            sample.load_programmes(database, casework, programmes(settings.workflows))
        else:
            database.perform(lambda session: install(session, declared))
    finally:
        database.close()


def _children(settings: Settings, secrets: Path) -> list[_Child]:
    """The three programs, in the order in which they stop."""
    cores = os.cpu_count() or 1
    named = os.environ.get("BANJIE_SECRETS_DIR", "/run/secrets")
    hidden = {f"BANJIE_{name.upper()}" for name in (*SECRET, "owner_url")}
    environment = {
        **{name: value for name, value in os.environ.items() if name not in hidden},
        "BANJIE_HOME": str(settings.home),
        "BANJIE_SECRETS_DIR": f"{secrets}{os.pathsep}{named}",
        "PYTHONUNBUFFERED": "1",
        # said before the worker can log: that it runs as root, which `make run` as root asked for
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        "PYTHONPATH": str(_ROOT),
    }
    # The children work in the checkout; a path that was relative to us must not change its meaning.
    named_paths = {
        "WORKFLOWS": settings.workflows,
        "SECRET_FILE": settings.secret_file,
        "KEYS_DIR": settings.keys_dir,
        "CHECKPOINTS_DIR": settings.checkpoints_dir,
    }
    for name, path in named_paths.items():
        if path is not None:
            environment[f"BANJIE_{name}"] = str(path.absolute())
    # PostgreSQL shares the machine: one process for every two cores.
    counters, workers = str(max(1, cores // 2)), str(min(4, cores))
    celery = "celery --quiet --app adapters.worker"
    worker = f"worker --loglevel INFO --concurrency {workers} --without-gossip --without-mingle"
    beat = ("beat", "--loglevel", "INFO", "--pidfile=", "--schedule", str(secrets / "beat"))
    programs: tuple[tuple[str, float, tuple[str, ...]], ...] = (
        ("api", 4.0, ("api", "--workers", counters, "--grace", "3")),
        ("beat", 2.0, (*celery.split(), *beat)),
        ("worker", 5.0, (*celery.split(), *worker.split(), "--hostname", "banjie@%h")),
    )
    log = settings.home / "log"
    log.mkdir(mode=0o700, exist_ok=True)
    return [
        _Child(
            name,
            [sys.executable, "-m", *arguments],
            patience,
            environment,
            log / f"{name}.log",
        )
        for name, patience, arguments in programs
    ]


def _say(sentence: str) -> None:
    sys.stdout.write(f"banjie: {sentence}\n")
    sys.stdout.flush()


def _greet(settings: Settings) -> None:
    """The banner: address, accounts, state, how to stop."""
    lines = [
        f"办结已就绪 · Banjie is ready:  {settings.address}",
        f"接口文档 · API:                {settings.address}/docs",
    ]
    if settings.sample:
        from adapters.sample import ACCOUNTS, PASSWORD

        rows = (ACCOUNTS[first : first + 7] for first in range(0, len(ACCOUNTS), 7))
        lines += [
            f"示例账号 · sample accounts (口令 · password: {PASSWORD}):",
            *(f"    {' '.join(row)}" for row in rows),
        ]
    lines += [
        f"数据与日志 · state and logs:   {settings.home}",
        "停止 · stop: Ctrl-C            再次运行数据仍在 · run again, the data are there",
    ]
    rule = "─" * 78
    sys.stdout.write("\n".join(["", rule, *lines, rule, "", ""]))
    sys.stdout.flush()

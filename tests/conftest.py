"""Real servers for the tests: one PostgreSQL and one Valkey per run, a fresh database per test.

With xdist the controller starts the servers and hands their addresses to the workers; without it the
one process does both. The first who needs a database migrates a template; every test that asks for
`database_url` gets a clone of it. The folder of the servers goes when the run ends, however it ends
(after kill -9 the next run sweeps it up). Durability stays on, for nobody serves without it; in
memory it costs nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
import redis
from hypothesis import settings as hypothesis_settings

from adapters.embedded import Postgres, Valkey
from engine import telling
from engine.keys import Keyring

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "banjie-test-"
_IN_A_HURRY = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    "autovacuum": "off",
    "max_wal_size": "1GB",
}

telling.strict = True
hypothesis_settings.register_profile("banjie", deadline=None, print_blob=True)
hypothesis_settings.load_profile("banjie")


@dataclass
class _House:
    """The servers of this run."""

    home: Path
    postgres: Postgres
    valkey: Valkey

    @classmethod
    def open(cls) -> _House:
        """Start both servers in a folder of their own."""
        parent = _quick_folder()
        _sweep_up(parent)
        home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        home.chmod(0o711)  # as root, the servers' user must pass
        house = cls(home, Postgres(home, settings=_IN_A_HURRY), Valkey(home))
        try:
            house.postgres.start()
            house.valkey.start()
        except BaseException:
            house.close()
            raise
        return house

    def close(self) -> None:
        """Stop both and leave nothing."""
        self.valkey.stop()
        self.postgres.stop()
        _erase(self.home)

    def addresses(self) -> dict[str, str]:
        """What a worker needs to know."""
        return {
            "postgres": self.postgres.url("postgres"),
            "app": self.postgres.app_url("postgres"),
            "valkey": self.valkey.url(0),
        }


def _quick_folder() -> Path:
    """BANJIE_TEST_HOME, else memory, else the disk: cloning 400 files costs 20 or 300 ms."""
    if named := os.environ.get("BANJIE_TEST_HOME"):
        return Path(named)
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK):
        room = os.statvfs(memory)
        if room.f_bavail * room.f_frsize > 2 << 30 and not room.f_flag & os.ST_NOEXEC:
            return memory
    return Path(tempfile.gettempdir())


def _erase(home: Path) -> None:
    """Remove a state folder together with the data it may link to."""
    servers = home / "servers"
    if servers.is_symlink():
        shutil.rmtree(servers.resolve(), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


def _sweep_up(parent: Path) -> None:
    """Remove folders of runs that were killed: their process is gone."""
    for left in (*parent.glob(f"{_PREFIX}*"), *Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")):
        owner = re.match(rf"{_PREFIX}(\d+)-", left.name)
        if owner and not Path(f"/proc/{owner[1]}").exists() and Path("/proc/self").exists():
            _erase(left)


_house = pytest.StashKey[_House]()
_addresses = pytest.StashKey[dict[str, str]]()


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """The xdist controller starts the servers before its workers."""
    if _is_worker(config):
        config.stash[_addresses] = config.workerinput["banjie"]  # type: ignore[attr-defined]
    elif getattr(config.option, "tx", None) and not config.option.collectonly:
        house = config.stash[_house] = _House.open()
        config.stash[_addresses] = house.addresses()


class _Xdist:
    """Hooks that exist only where xdist does."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand the addresses to a worker."""
        node.workerinput["banjie"] = node.config.stash[_addresses]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register what needs xdist, so that pytest alone does not trip over it."""
    pluginmanager.register(_Xdist())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the house, after success, failure and Ctrl-C alike."""
    house = config.stash.get(_house, None)
    if house is not None:
        del config.stash[_house]
        house.close()


@pytest.fixture(scope="session")
def _servers(pytestconfig: pytest.Config) -> dict[str, str]:
    """The administrative addresses of the run's servers: {"postgres": url, "valkey": url}."""
    if pytestconfig.stash.get(_addresses, None) is None:
        house = pytestconfig.stash[_house] = _House.open()
        pytestconfig.stash[_addresses] = house.addresses()
    return pytestconfig.stash[_addresses]


@pytest.fixture(scope="session")
def _template(_servers: dict[str, str]) -> str:
    """The name of the migrated template database, made by the first worker who asks."""
    from engine.database import migrate

    name = "banjie_template"
    with psycopg.connect(_servers["postgres"], autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(20260720)")
        ready = connection.execute(
            "SELECT datistemplate FROM pg_database WHERE datname = %s", [name]
        ).fetchone()
        if ready is None or not ready[0]:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
            migrate(_sibling(_servers["postgres"], name))
            # Nobody may look in any more: a guest would make every clone fail.
            connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            connection.execute(f"ALTER DATABASE {name} WITH IS_TEMPLATE true")
    return name


def _sibling(url: str, database: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{database}"


def _create(admin: str, name: str, template: str) -> None:
    """Clone; a backend of the template that is still leaving makes it wait, not fail."""
    for attempt in range(50):
        try:
            with psycopg.connect(admin, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        except psycopg.errors.ObjectInUse:
            if attempt == 49:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def empty_database_url(_servers: dict[str, str]) -> Iterator[str]:
    """The URL of a database with the extensions and nothing else; dropped after the test."""
    yield from _database(_servers["postgres"], "template1")


@pytest.fixture
def database_url(_servers: dict[str, str], _template: str) -> Iterator[str]:
    """The URL of a migrated database of one's own; dropped after the test."""
    yield from _database(_servers["postgres"], _template)


@pytest.fixture
def app_url(_servers: dict[str, str], database_url: str) -> str:
    """The same database as the application's role, which owns nothing."""
    return _sibling(_servers["app"], database_url.rpartition("/")[2])


def _database(admin: str, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    _create(admin, name, template)
    yield _sibling(admin, name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def home() -> Iterator[Path]:
    """A state folder of one's own below the temporary folder, erased after the test."""
    path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    path.chmod(0o711)
    yield path
    _erase(path)


@pytest.fixture(scope="session")
def keyring() -> Iterator[Keyring]:
    """The keys of a vault, for the offices that have no state folder of their own."""
    path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    yield Keyring(path / "keys")
    _erase(path)


@pytest.fixture
def redis_url(_servers: dict[str, str], pytestconfig: pytest.Config) -> str:
    """The URL of an empty numbered database of Valkey, one per xdist worker."""
    worker = getattr(pytestconfig, "workerinput", {}).get("workerid", "gw0")
    url = f"{_servers['valkey'].rsplit('/', 1)[0]}/{int(worker.removeprefix('gw')) % 16}"
    client = redis.Redis.from_url(url)
    client.flushdb()
    client.close()
    return url

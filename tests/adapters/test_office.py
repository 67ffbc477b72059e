"""A whole office under `banjie run`: what it writes down, what it holds in Valkey, what others on the
machine may see of it. One office for all of this file.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
import redis

from adapters.worker import app
from engine.settings import Settings
from tests.conftest import _PREFIX, _erase
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

CANARY = "金丝雀欧阳"
PHONE = "13912345678"
CARD = "41100019900307123X"
WORD = "canary-tail-7f3a"
PASSWORD = "canary-smtp-password"
ALL = (CANARY, PHONE, CARD, WORD, PASSWORD)
GRIEVANCE: dict[str, Any] = {
    "narrative": f"{CANARY}说{WORD}",
    "respondent": "第一分局",
    "contact": {"name": CANARY, "phone": PHONE},
    "place": f"{WORD} {CARD}",
}


class Office:
    """`banjie run` in a folder of its own, with a mail server that is not there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.out = home / "run.out"
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from adapters.cli import app; app()", "run"],
                cwd=ROOT,
                env={
                    **{name: value for name, value in os.environ.items() if "BANJIE" not in name},
                    "BANJIE_HOME": str(home),
                    "BANJIE_PORT": str(self.port),
                    "BANJIE_SAMPLE": "1",
                    "BANJIE_SMTP_URL": f"smtp://office:{PASSWORD}@127.0.0.1:{free_port()}",
                },
                stdout=out,
                stderr=out,
            )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1", timeout=30)
        self.until(self._is_ready, 90)
        form = {"account": "intake", "password": "banjie-sample"}
        self.token = self.client.post("/sessions", json=form).json()["token"]

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.out.read_text()
        try:
            ready = self.client.get("/readyz").is_success
        except httpx.TransportError:
            return False
        return ready and "worker.ready" in self.log("worker")

    def until(self, true: Callable[[], object], seconds: float = 60) -> None:
        """Wait for something."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.2)

    def log(self, name: str) -> str:
        """One of its logs."""
        path = self.home / "log" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def send(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """POST as the one at the counter."""
        return self.client.post(
            path, json=body, headers={"Authorization": f"Bearer {self.token}", **headers}
        )

    def secret(self, name: str) -> str:
        """The password of one of its servers."""
        return (self.home / "secrets" / name).read_text()

    def database(self) -> psycopg.Connection[Any]:
        """The database, as its owner."""
        port = (self.home / "postgres.port").read_text()
        return psycopg.connect(
            f"postgresql://banjie:{self.secret('postgres')}@127.0.0.1:{port}/banjie",
            autocommit=True,
        )

    def hints(self) -> redis.Redis:
        """Valkey."""
        port = (self.home / "valkey.port").read_text()
        return redis.Redis.from_url(f"redis://:{self.secret('valkey')}@127.0.0.1:{port}/0")

    def processes(self) -> Iterator[tuple[int, str]]:
        """It, and whatever it started: number and command line."""
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            task = Path(f"/proc/{pid}/task/{pid}/children")
            if task.exists():
                waiting += [int(child) for child in task.read_text().split()]
                yield pid, Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def secrets_found(folder: Path, wanted: tuple[str, ...] = ALL) -> list[str]:
    """Which of these stand in the files of a folder, in clear or escaped as JSON does."""
    found = []
    for path in sorted(folder.iterdir()):
        held = path.read_bytes()
        for word in wanted:
            forms = {word.encode(), json.dumps(word)[1:-1].encode(), word.encode("utf-16-le")}
            found += [f"{path.name}: {word}" for form in forms if form in held]
    return found


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    """An office that answers, gone in the end."""
    home = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    home.chmod(0o711)
    found = Office(home)
    yield found
    found.client.close()
    found.process.send_signal(signal.SIGTERM)
    found.process.wait(30)
    _erase(home)


@pytest.mark.slow
def test_no_word_of_a_person_is_in_any_log(office: Office) -> None:
    """Canaries in every field, in addresses, in refusals, in what the database refuses, in a fault of
    ours, in mail that cannot be sent: no process writes one down, and each of these is told.
    """
    form = {"workflow": "grievance", "data": GRIEVANCE}
    receipt = office.client.post("/submissions", json=form)
    assert receipt.status_code == 201, receipt.text
    number = receipt.json()["number"]
    wrong: list[Any] = [
        {**form, "data": {**GRIEVANCE, CANARY: PHONE}},
        {**form, "data": {**GRIEVANCE, "respondent": CANARY}},
        {**form, CANARY: PHONE},
        [CANARY],
    ]
    for body in wrong:
        assert office.client.post("/submissions", json=body).status_code == 422
    assert office.client.get(f"/items?q={PHONE}&{CANARY}={CARD}").status_code == 422
    assert office.send(f"/items/{CANARY}/notes", {"text": WORD}, If_Match="x").status_code >= 400
    note = {"text": f"{CANARY} {PHONE}"}
    assert office.send(f"/items/{number}/notes", note, **{"If-Match": '"1"'}).status_code == 201
    office.client.post("/sessions", json={"account": CANARY, "password": WORD})
    office.client.post("/submissions/track", json={"number": CANARY, "code": "1234567812345678"})
    with office.database() as hand:
        hand.execute("ALTER TABLE item ADD CONSTRAINT canary_refuses CHECK (false) NOT VALID")
        refused = office.send("/items", form)
        hand.execute("ALTER TABLE item DROP CONSTRAINT canary_refuses")
    assert refused.status_code == 500
    assert office.send("/practice/clock", {"advance": "40 working days"}).is_success
    office.until(lambda: "message.failed" in office.log("worker"))
    office.until(lambda: "sweep.done" in office.log("worker"))

    told = [json.loads(line) for line in office.log("api").splitlines()]
    assert {line["event"] for line in told} >= {"request", "request.failed"}
    assert "canary_refuses" in {line.get("constraint") for line in told}
    for name in ("worker", "beat"):
        assert [json.loads(line) for line in office.log(name).splitlines()]
    assert not [line for line in told if line["event"] == "unlisted"]
    assert "1234567812345678" not in office.log("api")
    assert secrets_found(office.home / "log") == []


def test_the_scan_finds_what_is_planted(tmp_path: Path) -> None:
    """In clear, escaped, and in another encoding."""
    (tmp_path / "a.log").write_text(f'{{"x": "{CANARY}"}}')
    (tmp_path / "b.log").write_text(json.dumps({"x": CANARY}))
    (tmp_path / "c.log").write_bytes(PHONE.encode("utf-16-le"))
    assert secrets_found(tmp_path) == [f"a.log: {CANARY}", f"b.log: {CANARY}", f"c.log: {PHONE}"]


@pytest.mark.slow
def test_valkey_holds_names_of_tasks_and_nothing_else(office: Office) -> None:
    """While the worker stands still the hints pile up: no argument, no canary, no id in any byte."""
    worker = [pid for pid, command in office.processes() if "\0worker\0" in command]
    assert worker
    for pid in worker:
        os.kill(pid, signal.SIGSTOP)
    try:
        with office.hints() as hints:
            office.until(lambda: hints.llen("banjie") >= 2)
            held = {key: _all_of(hints, key) for key in hints.scan_iter()}
    finally:
        for pid in worker:
            os.kill(pid, signal.SIGCONT)
    tasks = {each["task"] for each in app.conf.beat_schedule.values()}
    messages = [json.loads(each) for each in held[b"banjie"]]
    for message in messages:
        arguments, named, embed = json.loads(base64.b64decode(message["body"]))
        assert (arguments, named) == ([], {})
        assert not any(embed.values())
        assert message["headers"]["argsrepr"] == "()"
        assert message["headers"]["kwargsrepr"] == "{}"
        assert message["headers"]["task"] in tasks
    every = repr(held).encode().decode("unicode_escape")
    for word in (*ALL, "执诉"):
        assert word not in every
        assert word.encode() not in b"".join(b"".join(values) for values in held.values())


def _all_of(hints: redis.Redis, key: bytes) -> list[bytes]:
    """Everything under a key, whatever its type."""
    kind = hints.type(key)
    if kind == b"list":
        return hints.lrange(key, 0, -1)  # type: ignore[return-value]
    if kind == b"set":
        return sorted(hints.smembers(key))  # type: ignore[arg-type]
    if kind == b"hash":
        pairs: dict[bytes, bytes] = hints.hgetall(key)  # type: ignore[assignment]
        return [part for pair in pairs.items() for part in pair]
    if kind == b"zset":
        return hints.zrange(key, 0, -1)  # type: ignore[return-value]
    return [hints.get(key)]  # type: ignore[list-item]


@pytest.mark.slow
def test_nobody_else_on_the_machine_sees_a_password_or_a_key(office: Office) -> None:
    """Not in the process list, not in an environment but the one it was given in, not in what is
    printed; the files of the state folder are for their owner alone; nothing dumps core.
    """
    key = (office.home / "secret.key").read_bytes()
    secrets = [office.secret("postgres"), office.secret("valkey"), PASSWORD]
    secrets += [path.read_text().strip() for path in (office.home / "secrets").iterdir()]
    known = dict(office.processes())
    assert len(known) >= 6
    for pid, command in known.items():
        process = Path(f"/proc/{pid}")
        environment = process.joinpath("environ").read_bytes()
        assert re.search(r"Max core file size\s+0\s+", process.joinpath("limits").read_text()), (
            command
        )
        assert key not in environment
        for secret in secrets:
            assert secret not in command
            given = pid == office.process.pid and secret == PASSWORD  # by this test
            assert given or secret.encode() not in environment, command
    said = office.out.read_text()
    for secret in secrets:
        assert secret not in said
    for name in ("log", "run", "secrets", "keys"):
        folder = office.home / name
        assert folder.stat().st_mode & 0o077 == 0, name
        for path in folder.rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path
    assert (office.home / "secret.key").stat().st_mode & 0o077 == 0


def test_no_setting_shows_its_secret() -> None:
    """Every setting that may hold a password hides it, and the supervisor hides it from its children."""
    from adapters.supervisor import SECRET

    url = f"postgresql://x:{PASSWORD}@db/x"
    names = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field)]
    assert {*names} == {*SECRET, "owner_url"}
    settings = Settings.model_validate(dict.fromkeys(names, url))
    assert PASSWORD not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.slow
def test_postgresql_writes_no_statement_no_value_and_no_detail(office: Office) -> None:
    """As the running server has its settings."""
    wanted = {
        "log_statement": "none",
        "log_duration": "off",
        "log_min_duration_statement": "-1",
        "log_min_messages": "log",
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_connections": "",
        "debug_print_parse": "off",
        "debug_print_plan": "off",
        "shared_preload_libraries": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
    }
    with office.database() as hand:
        found = {
            name: (hand.execute(f"SHOW {name}".encode()).fetchone() or ("",))[0] for name in wanted
        }
        assert found == wanted
        with pytest.raises(psycopg.Error):
            hand.execute(f"SELECT '{CANARY}{PHONE}'::integer".encode())
    assert CANARY not in office.log("postgres")
    compose = (ROOT / "compose.yaml").read_text()
    for name, value in wanted.items():
        assert not name.startswith("log_") or not value or f"-c{name}={value}" in compose, name


@pytest.mark.slow
def test_room_is_kept_for_a_full_disk(office: Office) -> None:
    """64 MiB of real blocks beside the data, for nobody else to read."""
    ballast = office.home / "servers" / "ballast"
    status = ballast.stat()
    assert status.st_size == status.st_blocks * 512 == 64 << 20
    assert status.st_mode & 0o077 == 0

"""A hundred real hotline calls, from the file to the mails: the whole product, from outside.

`banjie run` starts the real servers, the API, a Celery worker and beat; `banjie import` reads the
calls; people work some of them over HTTP; the practice clock moves twelve working days; and every
mail that arrives in a real SMTP server is held against the rungs in the database, one for one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from aiosmtpd.controller import Controller
from psycopg.rows import dict_row

from adapters.embedded import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
CALLS = ROOT.parent / "shared/data/khh1999/kaohsiung1999_20170821_100.json"
WORKING_DAYS = 12


class Postbox:
    """An SMTP server that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str, str]] = []  # (message id, recipient, whole text)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a mail."""
        mail = message_from_bytes(envelope.content)
        token = re.fullmatch(r"<([0-9a-f-]{36})@.*>", mail["Message-ID"])
        assert token
        body = mail.get_payload(decode=True)
        text = body.decode() if isinstance(body, bytes) else ""
        self.mails += [(token[1], recipient, text) for recipient in envelope.rcpt_tos]
        return "250 kept"


class House:
    """A running `banjie run` and a client of it."""

    def __init__(self, home: Path, smtp_port: int) -> None:
        self.home = home
        port = _free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BANJIE_")},
            "BANJIE_HOME": str(home),
            "BANJIE_PORT": str(port),
            "BANJIE_SAMPLE": "1",
            "BANJIE_SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
        }
        self.banjie = Path(sys.executable).parent / "banjie"
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30)
        self.tokens: dict[str, str] = {}
        self._log = (home / "run.log").open("wb")
        self.process = subprocess.Popen(
            [self.banjie, "run"],
            env=self.environment,
            cwd=ROOT,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.until(self.ready, 80)

    def close(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        self._log.close()
        self.client.close()

    def ready(self) -> bool:
        """Whether the API answers."""
        if self.process.poll() is not None:
            pytest.fail((self.home / "run.log").read_text())
        try:
            return self.client.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def until(self, true: Any, seconds: float) -> None:
        """Wait for something."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                pytest.fail(f"waited {seconds} s in vain")
            time.sleep(0.3)

    def call(self, account: str, method: str, path: str, **how: Any) -> httpx.Response:
        """A request of somebody's."""
        if account not in self.tokens:
            login = {"account": account, "password": "banjie-sample"}
            self.tokens[account] = self.client.post("/sessions", json=login).json()["token"]
        headers = {"Authorization": f"Bearer {self.tokens[account]}", **how.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **how)

    def move(self, account: str, number: str, transition: str, data: dict[str, Any]) -> None:
        """Advance an item as a person would: look at it, then act on what was seen."""
        seen = self.call(account, "GET", f"/items/{number}")
        assert seen.status_code == httpx.codes.OK, seen.text
        answer = self.call(
            account,
            "POST",
            f"/items/{number}/transitions/{transition}",
            json={"data": data},
            headers={"If-Match": seen.headers["ETag"], "Idempotency-Key": str(uuid4())},
        )
        assert answer.status_code == httpx.codes.OK, answer.text


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, int]]:
    """A real SMTP server on loopback."""
    box = Postbox()
    port = _free_port()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield box, port
    server.stop()


@pytest.fixture
def house(home: Path, postbox: tuple[Postbox, int]) -> Iterator[House]:
    """The whole product, running."""
    running = House(home, postbox[1])
    yield running
    running.close()


@pytest.mark.slow
@pytest.mark.timeout(330)
@pytest.mark.skipif(not CALLS.exists(), reason="../shared/data/khh1999 is not here")
def test_a_hundred_real_calls_are_worked_stall_and_every_mail_is_a_rung(
    house: House, postbox: tuple[Postbox, int]
) -> None:
    """Mails in the SMTP server and rungs in the database agree, one for one."""
    box = postbox[0]
    imported = subprocess.run(
        [
            *(house.banjie, "import", CALLS, "--workflow", "grievance"),
            *("--map", ROOT / "docs/examples/khh1999.map.yaml"),
        ],
        env=house.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.returncode == 0, imported.stdout + imported.stderr
    numbers = _pages(house, "intake", "/items?workflow=grievance&limit=100")
    assert len(numbers) == len(json.loads(CALLS.read_text())) == 100

    for number in numbers[:12]:
        house.move("intake", number, "register", {})
    for number in numbers[:8]:
        classified = {
            "category_codes": ["V02"],
            "subject_officers_or_unknown": "unknown",
            "risk_level": "normal",
        }
        house.move("unit_head", number, "accept", classified)
    for number in numbers[:4]:
        assigned = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
        house.move("unit_head", number, "assign", assigned)

    moved = house.call(
        "admin", "POST", "/practice/clock", json={"advance": f"{WORKING_DAYS} working days"}
    )
    assert moved.status_code == httpx.codes.OK, moved.text
    with psycopg.connect(Postgres(house.home).start(), row_factory=dict_row) as database:
        house.until(lambda: _settled(database), 180)
        told = database.execute(
            "SELECT m.id::text, m.item_id, m.seq, m.rung, m.status, p.email, c.act, c.level"
            " FROM message m JOIN person p ON p.id = m.recipient_id"
            " LEFT JOIN climb c ON c.deadline_id = m.deadline_id AND c.rung = m.rung"
            " WHERE m.channel = 'mail'"
        ).fetchall()
        rungs = database.execute("SELECT deadline_id, rung, item_id, seq FROM climb").fetchall()
        events = database.execute("SELECT item_id, seq, data FROM event WHERE act = 'rung'")
        named = {(row["item_id"], row["seq"]): row["data"]["told"] for row in events}

    # every mail is a row, every row is a mail: none lost, none twice, none to another address
    assert Counter((mail, to) for mail, to, _ in box.mails) == Counter(
        (row["id"], row["email"]) for row in told
    )
    assert {row["status"] for row in told} == {"sent"}
    # and every rung told exactly those whom its event names
    by_rung: dict[tuple[int, int], set[str]] = {}
    for row in told:
        if row["rung"] is not None:
            by_rung.setdefault((row["item_id"], row["seq"]), set()).add(row["email"])
    assert by_rung == {
        (rung["item_id"], rung["seq"]): {f"{account}@banjie.example" for account in people}
        for rung in rungs
        if (people := named[rung["item_id"], rung["seq"]])
    }
    assert len({(rung["deadline_id"], rung["rung"]) for rung in rungs}) == len(rungs) > 300
    assert {row["level"] for row in told if row["level"] is not None} >= {1, 2, 3}

    stalled = house.call("head", "GET", "/stalls?limit=100").json()["items"]
    assert {row["number"] for row in stalled} & set(numbers)
    narratives = [call["BeforeDesc_"] for call in json.loads(CALLS.read_text())]
    whole = "\n".join(text for _, _, text in box.mails)
    assert not [text for text in narratives if len(text) > 5 and text in whole]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _settled(database: psycopg.Connection[dict[str, Any]]) -> bool:
    """Nothing rings any more, and nothing waits to be sent."""
    row = database.execute(
        "SELECT (SELECT count(*) FROM deadline d, bureau b"
        " WHERE d.next_rung_at <= now() + b.practice_offset)"
        " + (SELECT count(*) FROM message WHERE status IN ('ready', 'leased')) AS left_over"
    ).fetchone()
    database.rollback()
    return row is not None and row["left_over"] == 0


def _pages(house: House, account: str, path: str) -> list[str]:
    """The numbers of a whole list, page after page."""
    found: list[str] = []
    cursor = ""
    while True:
        page = house.call(account, "GET", f"{path}{cursor}").json()
        found += [row["number"] for row in page["items"]]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"

"""What may stand in a log, and what never gets there."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy

from engine import telling
from engine.database import DatabaseFault
from engine.errors import Busy
from engine.telling import COMMON, EVENTS, FIELDS, LONGEST, Unlisted, asking, tell, told_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Said = Callable[[], list[dict[str, Any]]]

ROOT = Path(__file__).resolve().parents[2]
SECRET = "欧阳不愿具名"
PHONE = "13800001234"
ID = "0199c0de-7c1f-7000-8000-138000012340"


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """The lines told since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_says_what_when_and_where(said: Said, capsys: pytest.CaptureFixture[str]) -> None:
    """Chinese stays Chinese; every line has time, level, event, program and process."""
    tell("message.noted", channel="mail", item="执诉2026-0234386116", message=ID)
    raw = capsys.readouterr().err
    assert raw.count("\n") == 1
    assert "执诉2026-0234386116" in raw
    tell("started")
    (line,) = said()
    assert set(line) == set(COMMON) - {"request"}
    assert line["time"].endswith("Z")


def test_what_is_told_in_a_request_names_it(said: Said) -> None:
    """The id goes along without anybody's doing, and nowhere after the request."""
    asked = asking(ID)
    telling.name_asker("person:7")
    tell("started")
    assert said()[0]["request"] == ID
    assert asked["who"] == "person:7"
    telling._asking.set(None)
    tell("started")
    assert "request" not in said()[0]


WRONG: list[tuple[str, dict[str, object]]] = [
    ("gossip", {}),
    ("started", {"name": SECRET}),
    ("sweep.put_off", {"item": SECRET}),
    ("sweep.put_off", {"item": PHONE}),
    ("request", {"status": "200"}),
    ("request", {"status": True}),
    ("request", {"who": f"person:{SECRET}"}),
    ("request", {"route": f"/items/{SECRET}"}),
    ("message.failed", {"result": SECRET}),
    ("library.failed", {"error": f"ValueError: {SECRET}"}),
]


@pytest.mark.parametrize(("event", "fields"), WRONG)
def test_what_no_list_names_raises_under_tests(event: str, fields: dict[str, object]) -> None:
    """An event, a field or a form that no table names is a mistake of the program."""
    with pytest.raises(Unlisted):
        tell(event, **fields)


@pytest.mark.parametrize(("event", "fields"), WRONG)
def test_what_no_list_names_is_left_out_and_counted_in_an_office(
    event: str, fields: dict[str, object], said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is written without it, and another line counts; nothing of the value is there."""
    monkeypatch.setattr(telling, "strict", False)
    before = telling._dropped
    tell(event, **fields)
    lines = said()
    assert lines[0]["event"] == "unlisted"
    assert lines[0]["count"] == before + 1
    assert len(lines) == (1 if event not in EVENTS else 2)
    for value in (SECRET, PHONE):
        assert value not in json.dumps(lines, ensure_ascii=False)


def test_no_form_takes_a_sentence_but_the_one_made_for_it() -> None:
    """Chinese words, spaces between words, a telephone number: no field but `sentence` takes them,
    and `result`, which takes plain English only.
    """
    for name, field in FIELDS.items():
        if isinstance(field.form, re.Pattern) and name != "sentence":
            assert not field.form.fullmatch(SECRET), name
            assert not field.form.fullmatch(f"a\n{SECRET}"), name
            assert name == "result" or not field.form.fullmatch("two words"), name
    free = {name for name, event in EVENTS.items() if "sentence" in event.fields}
    assert free == {"stopped", "record.doubted"}  # said where no case is open


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a\nb\r\x1b[31m", "a\\u{000a}b\\u{000d}\\u{001b}[31m"),
        ("x\u202ey\u2066z\u2028\u200b\ufeff", "x\\u{202e}y\\u{2066}z\\u{2028}\\u{200b}\\u{feff}"),
        ("\ud800", "\\u{d800}"),
        (f"tel {PHONE}.", "tel ***."),
        ("+8613800001234 86 13800001234", "*** ***"),
        ("41100019900307123X 411000900307123", "*** ***"),
        ("0123456789012345 0123 4567 8901 2345 0123-4567-8901-2345", "*** *** ***"),
        ("10.0.0.1:5432 2026-0234386116", "10.0.0.1:5432 2026-0234386116"),
        (ID, ID),
        ("x" * 1000, "x" * LONGEST + "…"),
    ],
)
def test_what_could_forge_or_betray_is_escaped_or_masked(given: str, told: str) -> None:
    """Control, direction and line-break characters; telephone, identity card and code; length."""
    assert telling.tamed(given) == told


def test_a_library_is_told_by_its_place(said: Said) -> None:
    """Neither its words, nor their arguments, nor an error's; who spoke, and from where."""
    net = telling._Net()
    with pytest.raises(ValueError, match=SECRET) as raised:
        int(SECRET)
    caught = (raised.type, raised.value, raised.tb)
    for level, event in (("WARNING", "library.warned"), ("ERROR", "library.failed")):
        record = logging.LogRecord(
            "sqlalchemy.pool", getattr(logging, level), "/x/pool.py", 7, "%s", (SECRET,), caught
        )
        net.handle(record)
        (line,) = said()
        assert line["event"] == event
        assert line["logger"] == "sqlalchemy.pool"
        assert line["error"] == "ValueError"
        assert line["at"].startswith("test_telling.py:")
        assert SECRET not in json.dumps(line, ensure_ascii=False)


def test_a_database_error_is_told_by_state_and_constraint(database_url: str) -> None:
    """What PostgreSQL says of the failing row stays with PostgreSQL."""
    pool = sqlalchemy.create_engine(
        database_url.replace("postgresql:", "postgresql+psycopg:"), poolclass=sqlalchemy.NullPool
    )
    with pool.connect() as connection, pytest.raises(sqlalchemy.exc.IntegrityError) as caught:
        connection.execute(sqlalchemy.text("INSERT INTO item_duty (duty) VALUES ('secret')"))
    told = told_of(caught.value)
    assert told["sqlstate"].startswith("23")
    assert set(told) <= EVENTS["request.failed"].fields
    for value in told.values():
        assert "secret" not in value
    with psycopg.connect(database_url) as raw, pytest.raises(psycopg.Error) as plain:
        raw.execute("SELECT 1 / 0")
    assert told_of(plain.value)["sqlstate"] == "22012"
    assert told_of(Busy(SECRET))["code"] == "busy"
    fault = told_of(DatabaseFault("CheckViolation", "23514", "item_is_sound"))
    assert (fault["sqlstate"], fault["constraint"]) == ("23514", "item_is_sound")


DYING = """
import logging, sys, threading, warnings
logging.getLogger("early").addHandler(logging.StreamHandler())
from engine.telling import take_over
take_over("worker")
logging.getLogger("early").error("%s", SECRET)
logging.getLogger("celery.worker").info(SECRET)
warnings.warn(SECRET)
def fail(): raise RuntimeError(SECRET)
thread = threading.Thread(target=fail)
thread.start(); thread.join()
class Dying:
    def __del__(self): raise LookupError(SECRET)
Dying()
raise KeyError(SECRET)
"""


def test_a_process_that_dies_says_where_and_not_what() -> None:
    """Libraries that had handlers already, warnings, threads, finalisers, the last error: JSON all."""
    ended = subprocess.run(
        [sys.executable, "-c", f"SECRET = {SECRET!r}\n{DYING}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert SECRET not in ended.stderr
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    told = [(line["event"], line.get("error", line.get("logger"))) for line in lines]
    assert told == [
        ("library.failed", "early"),
        ("library.warned", "py.warnings"),
        ("library.failed", "RuntimeError"),
        ("library.failed", "LookupError"),
        ("stopped", "KeyError"),
    ]
    assert {line["program"] for line in lines} == {"worker"}


def test_operations_tells_every_event_and_every_field() -> None:
    """The two tables of the document are the two tables of the code."""
    said = (ROOT / "docs" / "operations.md").read_text()
    part = said[said.index("## Logs") :]
    events, _, rest = part.partition("| field | meaning |")
    fields = rest[: rest.index("\n\n")]
    found = {
        cells[1].strip(" `"): (
            cells[2].strip(),
            set(re.findall(r"`([a-z_]+)`", cells[3])),
            cells[4],
        )
        for cells in (line.split("|") for line in events.splitlines() if line.startswith("| `"))
    }
    assert found == {
        name: (event.level, set(event.fields), f" {event.meaning} ")
        for name, event in EVENTS.items()
    }
    meanings = {name: field.meaning for name, field in FIELDS.items()} | dict(COMMON)
    told = re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", fields, re.MULTILINE)
    assert dict(told) == meanings
    assert len(told) == len(meanings)

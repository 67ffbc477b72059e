"""The command line, read as a stranger reads it: sentences out, 0, 1 or 2 at the end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.calendars import carried
from tests.casebook import PERMITS, day

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-c", "from adapters.cli import app; app()")
MAP = """
key: no
received_at: {column: came}
fields: {wish: {column: text}}
"""
COMMANDS = {
    *("run", "migrate", "check", "import", "replay", "sweep", "deliver", "verify"),
    *(
        "erase",
        "keys",
        "calendar",
        "user",
        "sample",
        "webhook",
        "export",
        "office",
        "backup",
        "restore",
    ),
}


@dataclass
class Shell:
    """Somebody at a terminal, in front of one office."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        plain = {name: v for name, v in os.environ.items() if not name.startswith("BANJIE_")}
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env={**plain, "COLUMNS": "100", "BANJIE_HOME": str(self.home), **self.settings}
            | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *arguments: str, said: str = "", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*arguments, **settings)
        out, error = process.communicate(said, timeout=90)
        return subprocess.CompletedProcess(arguments, process.returncode, out, error)

    def well(self, *arguments: str, said: str = "", **settings: str) -> str:
        """What a command says that ends well."""
        done = self.run(*arguments, said=said, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str, said: str = "", **settings: str) -> str:
        """What a command complains of that ends with 1; never a traceback."""
        done = self.run(*arguments, said=said, **settings)
        assert done.returncode == 1, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("banjie: ")
        return done.stderr


@pytest.fixture
def bare(empty_database_url: str, home: Path) -> Shell:
    """Before an empty database."""
    settings = {"BANJIE_DATABASE_URL": empty_database_url, "BANJIE_WORKFLOWS": str(PERMITS)}
    return Shell(home, settings)


@pytest.fixture
def shell(database_url: str, home: Path) -> Shell:
    """Before a sample office over the permit workflows."""
    settings = {
        "BANJIE_DATABASE_URL": database_url,
        "BANJIE_WORKFLOWS": str(PERMITS),
        "BANJIE_SAMPLE": "1",
    }
    found = Shell(home, settings)
    found.well("sample", "load")
    return found


def rows(shell: Shell, statement: str, *values: object) -> list[dict[str, Any]]:
    """What the database holds."""
    url = shell.settings["BANJIE_DATABASE_URL"]
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as connection:
        found = connection.execute(statement.encode(), values or None)
        return list(found) if found.description else []


def files(folder: Path, count: int) -> tuple[str, str]:
    """A table of so many wishes and its map."""
    table, told = folder / "wishes.csv", folder / "wishes.map.yaml"
    lines = (f"W{n},2026-03-02T10:00:00+08:00,第{n}件" for n in range(count))
    table.write_text("\n".join(["no,came,text", *lines]), "utf-8")
    told.write_text(MAP, "utf-8")
    return str(table), str(told)


def test_help_names_every_command_in_both_languages(home: Path) -> None:
    """Somebody who knows nothing of it finds the way from `banjie --help`."""
    text = Shell(home).well("--help")
    told = set(re.findall(r"^[│ ]+([a-z]+) +\S*[\u4e00-\u9fff].*·", text, re.MULTILINE))
    assert told >= COMMANDS
    assert Shell(home).run("nonsense").returncode == 2
    assert Shell(home).run("import").returncode == 2


def test_wrong_settings_are_told_by_name_and_without_their_value(home: Path) -> None:
    """A password in a wrong setting must not reach the screen."""
    done = Shell(home).run("verify", BANJIE_PORT="geheim")
    assert done.returncode == 2
    assert "BANJIE_PORT" in done.stderr
    assert "geheim" not in done.stderr


def test_a_database_without_tables_says_what_to_do(bare: Shell) -> None:
    """Every command but `migrate` asks for it; it may run twice."""
    assert "banjie migrate" in bare.refused("sweep")
    assert "banjie migrate" in bare.refused("check")
    assert "5" in bare.well("migrate")
    assert "5" in bare.well("migrate")
    assert "0" in bare.well("verify")


def test_an_unreachable_database_is_a_sentence(home: Path) -> None:
    """No traceback, no password."""
    url = "postgresql://banjie:geheim@127.0.0.1:9/banjie"
    shell = Shell(home, {"BANJIE_DATABASE_URL": url, "BANJIE_WORKFLOWS": str(PERMITS)})
    assert "geheim" not in shell.refused("verify")
    done = shell.run("migrate")
    assert done.returncode == 1
    assert "geheim" not in done.stderr
    assert "Traceback" not in done.stderr


def test_check_prints_the_proof_or_every_finding(home: Path, tmp_path: Path) -> None:
    """It needs no database: the sample office is the roster."""
    assert "proven" in Shell(home).well("check", str(PERMITS))
    for path in PERMITS.glob("*.yaml"):
        text = path.read_text("utf-8").replace("tell: [holder, unit_head]", "tell: [holder]")
        (tmp_path / path.name).write_text(text.replace("idle: idle.work", ""), "utf-8")
    (tmp_path / "documents").symlink_to(PERMITS / "documents")
    done = Shell(home).run("check", str(tmp_path))
    assert done.returncode == 1
    assert len(re.findall(r"\w+\.yaml:\d+: \[[\w-]+\]", done.stdout)) > 1


def test_check_takes_the_real_roster_from_the_database(shell: Shell) -> None:
    """Without its heads the office of the database fails the proof that the sample one passes."""
    assert "proven" in shell.well("check")
    rows(shell, "DELETE FROM membership WHERE role IN ('unit_head', 'deputy', 'head')")
    assert shell.run("check").returncode == 1


def test_a_real_office_whose_clock_was_moved_does_not_verify(shell: Shell) -> None:
    """The command knows from its settings whether the office may practise."""
    rows(shell, "UPDATE bureau SET practice_offset = '1 day'")
    shell.well("verify")
    assert "clock was moved by 1 day" in shell.refused("verify", BANJIE_SAMPLE="0")


def test_the_sample_office_needs_its_setting(shell: Shell) -> None:
    """Accounts with a published password are never loaded by accident."""
    text = shell.well("sample", "load")
    assert "banjie-sample" in text
    assert "branch1_head" in text
    assert "BANJIE_SAMPLE=1" in shell.refused("sample", "load", BANJIE_SAMPLE="0")


def test_import_reports_and_does_not_repeat(shell: Shell, tmp_path: Path) -> None:
    """Read = accepted + refused, each refusal with its row; a second run changes nothing."""
    table, told = files(tmp_path, 30)
    with Path(table).open("a", encoding="utf-8") as file:
        file.write("\nW1,2026-03-02T10:00:00+08:00,又来\nW99,昨天,时间不明")
    text = shell.well("import", table, "--workflow", "permit", "--map", told)
    assert "32 rows read, 30 accepted, 2 refused" in text
    assert re.search(r"row 32: .*registered before", text)
    assert re.search(r"row 33: /received_at", text)
    again = shell.well("import", table, "--workflow", "permit", "--map", told)
    assert "32 rows read, 30 accepted, 2 refused" in again
    assert rows(shell, "SELECT count(*) AS n FROM item") == [{"n": 30}]


@pytest.mark.slow
def test_import_killed_in_the_middle_goes_on(shell: Shell, tmp_path: Path) -> None:
    """Kill -9, start again: every row is there, none twice, and the journal is whole."""
    table, told = files(tmp_path, 12_000)
    command = ("import", table, "--workflow", "permit", "--map", told)
    for _ in range(2):
        process = shell.start(*command)
        before = _done(shell)
        while _done(shell) <= before and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert 0 < _done(shell) < 12_000, "killed too late to prove anything"
    assert "going on after" in shell.well(*command)
    assert _done(shell) == 12_000
    found = rows(shell, "SELECT count(*) AS n, count(DISTINCT outside_key) AS keys FROM item")
    assert found == [{"n": 12_000, "keys": 12_000}]
    assert "0 faults" in shell.well("verify")


def _done(shell: Shell) -> int:
    found = rows(shell, "SELECT done FROM import_run")
    return int(found[0]["done"]) if found else 0


def test_import_refuses_what_it_cannot_understand_before_it_takes_anything(
    shell: Shell, tmp_path: Path
) -> None:
    """Unknown workflow, missing column, wrong map, no table, an account that is none."""
    table, told = files(tmp_path, 3)
    shell.refused("import", table, "--workflow", "nonsense", "--map", told)
    Path(told).write_text(MAP.replace("column: text", "column: body"), "utf-8")
    assert "body" in shell.refused("import", table, "--workflow", "permit", "--map", told)
    Path(told).write_text("fields: {wish: {colum: text}}", "utf-8")
    assert "colum" in shell.refused("import", table, "--workflow", "permit", "--map", told)
    Path(told).write_text(MAP, "utf-8")
    assert "json" in shell.refused("import", told, "--workflow", "permit", "--map", told)
    who = ("--as", "nobody")
    assert "nobody" in shell.refused("import", table, "--workflow", "permit", "--map", told, *who)
    Path(told).write_text("fields: {facts: {column: text}}", "utf-8")
    assert "--as" in shell.refused("import", table, "--workflow", "inquiry", "--map", told)
    assert rows(shell, "SELECT FROM item") == []


def test_replay_answers_line_by_line(shell: Shell, tmp_path: Path) -> None:
    """One JSON line for each act, refused ones too; then sweep, deliver and verify work on it."""
    act = {"item": "A", "workflow": "permit", "act": "submit", "at": day(0).isoformat()}
    acts = [
        {**act, "actor": "public", "data": {"wish": "摆摊"}},
        {**act, "act": "grant", "actor": "head", "data": {}},
        {**act, "item": "B", "actor": "public", "at": day(30).isoformat(), "data": {"wish": "乙"}},
    ]
    file = tmp_path / "acts.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in acts), "utf-8")
    answers = [json.loads(line) for line in shell.well("replay", str(file)).splitlines()]
    assert [set(answer) for answer in answers] == [{"item", "ok", "state", "error", "code"}] * 3
    assert [answer["ok"] for answer in answers] == [True, False, True]
    assert answers[1]["code"] == "transition-not-available"
    assert int(re.findall(r"(\d+) rungs", shell.well("sweep"))[0]) > 0
    assert int(re.findall(r"(\d+) sent", shell.well("deliver"))[0]) > 0
    assert "0 faults" in shell.well("verify")
    text = shell.refused("replay", str(file), BANJIE_SAMPLE="0")
    assert "BANJIE_SAMPLE=1" in text


def test_verify_finds_what_was_changed_behind_its_back(shell: Shell, tmp_path: Path) -> None:
    """Exit 1 and the number of the item; the checker is proved red."""
    shell.well(
        "import", files(tmp_path, 3)[0], "--workflow", "permit", "--map", files(tmp_path, 3)[1]
    )
    rows(shell, "ALTER TABLE event DISABLE TRIGGER USER")
    rows(
        shell,
        "UPDATE event SET at = at - interval '1 day' WHERE item_id = (SELECT min(id) FROM item)",
    )
    number = rows(shell, "SELECT number FROM item ORDER BY id LIMIT 1")[0]["number"]
    assert number in shell.refused("verify")


def test_a_new_calendar_moves_running_deadlines_and_is_kept_as_an_edition(
    shell: Shell, tmp_path: Path
) -> None:
    """A second loading of the same days is refused politely; a wrong file is told line by line."""
    file = tmp_path / "2027.json"
    days = [{"name": "元旦", "date": "2027-01-01", "isOffDay": True}]
    file.write_text(json.dumps({"year": 2027, "papers": ["国办发明电"], "days": days}), "utf-8")
    assert "provisional" in shell.well("calendar", "due", "2027-03-01", "5", "working", "days")
    act = {"item": "A", "workflow": "permit", "act": "submit", "actor": "public"}
    lines = [json.dumps({**act, "at": "2027-03-01T10:00:00+08:00", "data": {"wish": "x"}})]
    acts = tmp_path / "acts.jsonl"
    acts.write_text(lines[0])
    shell.well("replay", str(acts))
    days.append({"name": "某日", "date": "2027-03-03", "isOffDay": True})
    file.write_text(json.dumps({"year": 2027, "papers": ["国办发明电"], "days": days}), "utf-8")
    text = shell.well("calendar", "load", str(file))
    assert int(re.findall(r"(\d+) deadlines moved", text)[0]) > 0
    assert "projection" in {row["act"] for row in rows(shell, "SELECT act FROM event")}
    table = shell.well("calendar", "due", "2027-03-01", "5 working days")
    assert "某日" in table
    assert "provisional" not in table
    assert "nothing changed" in shell.refused("calendar", "load", str(file))
    days[1]["date"] = "2027-03-04"
    file.write_text(json.dumps({"year": 2027, "papers": ["更正"], "days": days}), "utf-8")
    shell.well("calendar", "load", str(file))
    assert rows(shell, "SELECT edition FROM calendar_year ORDER BY 1") == [
        {"edition": 1},
        {"edition": 2},
    ]
    file.write_text('{"year": 2027}', "utf-8")
    assert "days" in shell.refused("calendar", "load", str(file))
    assert "0 faults" in shell.well("verify")


def test_a_calendar_that_banjie_carries_is_in_force_already(shell: Shell) -> None:
    """Loading the file of a year that came with Banjie changes nothing."""
    year = carried().horizon.year
    path = ROOT / "engine" / "holidays" / f"{year}.json"
    assert "nothing changed" in shell.refused("calendar", "load", str(path))


def test_due_dates_are_worked_out_without_a_database(home: Path) -> None:
    """A fresh checkout prints the working; a wrong day or length is told."""
    text = Shell(home).well("calendar", "due", "2026-09-24", "5 working days")
    assert text.splitlines()[-1].endswith("due on 2026-10-09")
    assert "2026-09-25" in text
    assert "2026-09-24" in Shell(home).refused("calendar", "due", "24.9.2026", "5 working days")
    assert "working days" in Shell(home).refused("calendar", "due", "2026-09-24", "eine Woche")
    assert not (home / "servers").exists()


def test_a_real_office_is_set_up_from_nothing(bare: Shell) -> None:
    """Units first, then people with roles and a password that is read, not passed."""
    bare.well("migrate")
    bare.well("unit", "add", "JU", "某市市场监督管理局")
    assert "(under)" in bare.refused("unit", "add", "KE", "某科")
    bare.well("unit", "add", "KE", "某科", "--under", "JU")
    head = ("user", "add", "wang", "--name", "王某", "--unit", "某科", "--role", "unit_head")
    for common in ("kurz", "password1234", "wang2026wang"):
        assert "password" in bare.refused(*head, said=f"{common}\n")
    bare.well(*head, "--role", "handler@JU", "--email", "w@example.cn", said="lang genug 123\n")
    assert "already" in bare.refused(*head, said="lang genug 123\n")
    assert "handler" in bare.refused(*head[:3], *head[3:-1], "boss", said="lang genug 123\n")
    found = rows(
        bare,
        "SELECT m.role, u.code, p.password_hash FROM membership m JOIN person p ON p.id = person_id"
        " JOIN unit u ON u.id = m.unit_id ORDER BY 1",
    )
    assert [(row["role"], row["code"]) for row in found] == [("handler", "JU"), ("unit_head", "KE")]
    assert found[0]["password_hash"].startswith("$argon2id$")


def test_a_webhook_is_registered_with_a_secret_shown_once(shell: Shell) -> None:
    """An inner address is refused unless the installation lists it."""
    url = "https://127.0.0.1/hook"
    assert "https" in shell.refused("webhook", "add", url, "--unit", "AUD")
    text = shell.well("webhook", "add", url, "--unit", "AUD", BANJIE_WEBHOOK_HOSTS="127.0.0.1")
    secret = text.splitlines()[-1]
    assert secret.startswith("whsec_")
    assert rows(shell, "SELECT secret FROM endpoint") == [{"secret": secret}]
    again = shell.refused("webhook", "add", url, "--unit", "AUD", BANJIE_WEBHOOK_HOSTS="127.0.0.1")
    assert "already" in again


def test_the_office_goes_out_as_a_table_and_comes_in_again(shell: Shell, tmp_path: Path) -> None:
    """What went out changes nothing on its way in; a finding stops everything; a row more is added."""
    out = tmp_path / "office.csv"
    assert "rows" in shell.well("office", "export", str(out))
    assert "0 units, 0 people, 0 roles changed" in shell.well("office", "import", str(out))
    header, *_ = lines = out.read_text("utf-8-sig").splitlines()
    new = {"kind": "person", "account": "lin.qing", "name": "林清", "unit": "AUD"}
    row = ",".join({**new, "roles": "reporter@AUD"}.get(name, "") for name in header.split(","))
    wrong = row.replace("林清", "=1+1")
    out.write_text("\n".join([*lines, row, wrong]), "utf-8")
    told = shell.run("office", "import", str(out))
    assert (told.returncode, "1 findings" in told.stdout) == (1, True)
    assert rows(shell, "SELECT FROM person WHERE account = 'lin.qing'") == []
    out.write_text("\n".join([*lines, row]), "utf-8")
    assert "1 people, 1 roles changed" in shell.well("office", "import", str(out), "--check")
    assert rows(shell, "SELECT FROM person WHERE account = 'lin.qing'") == []
    assert "done" in shell.well("office", "import", str(out))
    assert "0 faults" in shell.well("verify")


def test_the_journal_leaves_as_ocel_without_names_texts_or_sealed_items(
    shell: Shell, tmp_path: Path
) -> None:
    """OCEL 2.0: every type declared, every relation to an object that is there."""
    act = {"item": "A", "workflow": "permit", "at": day(0).isoformat()}
    handlers = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
    acts = [
        {**act, "act": "submit", "actor": "public", "data": {"wish": "红薯摊主柳如烟"}},
        {**act, "act": "assign", "actor": "unit_head", "data": handlers},
        {**act, "act": "open_inquiry", "actor": "handler1", "data": {"opinion": "柳如烟可疑"}},
    ]
    lines = tmp_path / "acts.jsonl"
    lines.write_text("\n".join(json.dumps(each) for each in acts), "utf-8")
    assert shell.well("replay", str(lines)).count('"ok":true') == 3
    out = tmp_path / "log.json"
    assert "1 items, 3 events" in shell.well("export", "ocel", str(out))
    text = out.read_text("utf-8")
    assert "柳如烟" not in text
    assert "陈志远" not in text
    log = json.loads(text)
    assert {kind["name"] for kind in log["objectTypes"]} == {"permit", "person"}
    assert {event["type"] for event in log["events"]} == {
        kind["name"] for kind in log["eventTypes"]
    }
    known = {thing["id"] for thing in log["objects"]}
    assert "person:unit_head" in known
    for event in log["events"]:
        assert {related["objectId"] for related in event["relationships"]} <= known


def test_a_backup_comes_back_whole_or_not_at_all(shell: Shell, bare: Shell, tmp_path: Path) -> None:
    """Into an empty database only, proved by the journal; a damaged copy is refused."""
    table, told = files(tmp_path, 20)
    shell.well("import", table, "--workflow", "permit", "--map", told)
    folder = tmp_path / "copy"
    assert "20 items" in shell.well("backup", str(folder))
    assert (folder / "banjie.dump").stat().st_mode & 0o077 == 0
    assert "not empty" in shell.refused("backup", str(folder))
    assert "not empty" in shell.refused("restore", str(folder))
    assert "restored 20 items, 20 events; 0 faults" in bare.well("restore", str(folder))
    assert rows(bare, "SELECT number FROM item ORDER BY 1") == rows(
        shell, "SELECT number FROM item ORDER BY 1"
    )
    dump = folder / "banjie.dump"
    dump.write_bytes(dump.read_bytes()[:-1])
    assert "damaged" in bare.refused("restore", str(folder))
    (folder / "manifest.json").unlink()
    assert "whole backup" in bare.refused("restore", str(folder))


@pytest.mark.slow
def test_without_an_address_the_embedded_server_serves_a_command(home: Path) -> None:
    """A fresh checkout can be asked anything: the server starts for the command and stops with it."""
    shell = Shell(home, {"BANJIE_WORKFLOWS": str(PERMITS), "BANJIE_SAMPLE": "1"})
    assert "branch1_head" in shell.well("sample", "load")
    assert "0 events checked, 0 faults" in shell.well("verify")

"""A workflow folder that is not ours: a hospital's repairs, with a file, its rules and one text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest

from adapters.sample import PASSWORD
from tests.adapters.test_cli import Shell
from tests.casebook import WORKSHOP, day
from tests.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Served

REPORT = {"device": "呼吸机 3 号", "fault": "开机后无气流,报警灯不亮。", "urgency": "theatre"}


@pytest.fixture
def workshop(database_url: str, home: Path) -> Shell:
    """A sample office over the repairs."""
    settings = {
        "BANJIE_DATABASE_URL": database_url,
        "BANJIE_WORKFLOWS": str(WORKSHOP),
        "BANJIE_SAMPLE": "1",
    }
    shell = Shell(home, settings)
    shell.well("sample", "load")
    return shell


class Desk:
    """People of the hospital at the counter."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.tokens: dict[str, str] = {}

    def ask(self, account: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and answer."""
        if account not in self.tokens:
            form = {"account": account, "password": PASSWORD}
            told = self.served.ask("/api/v1/sessions", form)[2]
            self.tokens[account] = json.loads(told)["token"]
        sent: Any = {"Authorization": f"Bearer {self.tokens[account]}", **headers}
        status, _, answer = self.served.ask(f"/api/v1{quote(path)}", body, **sent)
        return status, json.loads(answer)

    def move(self, account: str, number: str, name: str, **data: Any) -> tuple[int, Any]:
        """A transition of the item as it stands."""
        _, item = self.ask("auditor", f"/items/{number}")
        match = {"If-Match": f'"{item["revision"]}"'}
        return self.ask(account, f"/items/{number}/transitions/{name}", {"data": data}, **match)


def test_it_is_checked_and_proven(workshop: Shell) -> None:
    """One file, two rules and a ladder are enough for a proof."""
    told = workshop.well("check", str(WORKSHOP))
    assert "repair" in told
    assert "all 1 workflows proven" in told


def test_it_runs_and_pushes_like_any_other(workshop: Shell, home: Path, database_url: str) -> None:
    """Reported at the public door, assigned, left to stall until the director hears, mended, accepted."""
    with serving(home, database_url, workflows=str(WORKSHOP)) as served:
        desk = Desk(served)
        _, _, told = served.ask("/api/v1/submissions", {"workflow": "repair", "data": REPORT})
        number = json.loads(told)["number"]
        assert number.startswith("报修")
        status, item = desk.move("office_head", number, "assign", people=["office_handler"])
        assert status == 200, item
        assert [clock["rule"] for clock in item["deadlines"]] == ["repair.theatre", "repair.idle"]
        assert desk.move("office_handler2", number, "repair", cause="x")[0] == 403
        assert desk.ask("intake", "/practice/clock", {"advance": "4 working days"})[0] == 200
        workshop.well("sweep")
        _, stalled = desk.ask("office_head", "/stalls")
        assert {(row["number"], row["rung"]) for row in stalled["items"]} == {
            (number, 4),
            (number, 1),
        }
        assert desk.move("office_handler", number, "repair", cause="继电器烧毁")[0] == 200
        status, refused = desk.move("office_handler", number, "accept")
        assert (status, refused["type"]) == (403, "/problems/not-permitted")
        assert desk.move("office_head", number, "accept")[1]["state"] == "returned"
    workshop.well("deliver")
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT text, status FROM message").fetchall()
    assert {status for _, status in rows} == {"sent"}
    assert {"work_assigned", "demand", "escalate", "urge"} <= {text for text, _ in rows}
    assert "0 faults" in workshop.well("verify")


def test_it_is_replayed(workshop: Shell, tmp_path: Path) -> None:
    """Acts of a past month run at their own moments, and what was late then had rung."""
    of = {"item": "D-1", "workflow": "repair"}
    acts = [
        {**of, "act": "submit", "at": day(0), "actor": "public", "data": REPORT | {"urgency": "normal"}},
        {**of, "act": "assign", "at": day(1), "actor": "office_head", "data": {"people": ["office_handler"]}},
        {**of, "act": "accept", "at": day(2), "actor": "office_head"},
        {**of, "act": "repair", "at": day(20), "actor": "office_handler", "data": {"cause": "电源"}},
        {**of, "act": "accept", "at": day(21), "actor": "office_head"},
    ]  # fmt: skip
    file = tmp_path / "acts.jsonl"
    file.write_text("\n".join(json.dumps(act, default=lambda at: at.isoformat()) for act in acts))
    told = [json.loads(line) for line in workshop.well("replay", str(file)).splitlines()]
    assert [line["ok"] for line in told] == [True, True, False, True, True]
    assert told[2]["code"] == "transition-not-available"
    assert told[-1]["state"] == "returned"
    with psycopg.connect(workshop.settings["BANJIE_DATABASE_URL"]) as connection:
        levels = connection.execute("SELECT max(level) FROM climb").fetchone()
    assert levels == (4,)

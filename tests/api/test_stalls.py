"""The escalation queue, the practice clock, messages, workflows, the calendar, health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.main import create_app
from engine.stalls import sweep
from tests.api.conftest import HERE

if TYPE_CHECKING:
    from engine.settings import Settings
    from tests.api.conftest import Desk


def _let_pass(desk: Desk, time: str) -> None:
    moved = desk.send("intake", "/practice/clock", {"advance": time})
    assert moved.status_code == 200, moved.text
    counter = desk.app.state.counter
    sweep(desk.worker, counter.casework)


def test_what_stands_still_is_in_the_queue(desk: Desk) -> None:
    """Highest rung first; overdue and idle told apart; the holder named; pages walk it whole."""
    number = desk.submit()["number"]
    assert desk.look("deputy", "/stalls").json()["items"] == []
    _let_pass(desk, "12 working days")
    stalls = desk.look("deputy", "/stalls").json()["items"]
    assert {stall["kind"] for stall in stalls} == {"overdue", "idle"}
    assert {stall["number"] for stall in stalls} == {number}
    assert "intake" in stalls[0]["holder"]
    walked: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = desk.look("deputy", "/stalls", limit=1, **cursor).json()
        walked += page["items"]
        if not page["next"]:
            break
        cursor = {"cursor": page["next"]}
    assert walked == stalls
    assert desk.look("deputy", "/stalls", unit="第二分局").json()["items"] == []
    for rung in range(1, 6):
        at = desk.look("deputy", "/stalls", rung=rung).json()["items"]
        assert all(stall["rung"] == rung for stall in at)
    page = desk.look("deputy", "/items", stalled="true").json()["items"]
    assert [item["number"] for item in page] == [number]


def test_a_limit_pushed_early_is_no_stall(desk: Desk) -> None:
    """A rung before the due date shows only where that rung is asked for, as due_soon."""
    number = desk.submit()["number"]
    desk.move("intake", number, "register")
    _let_pass(desk, "5 working days")
    kinds = {stall["kind"] for stall in desk.look("deputy", "/stalls").json()["items"]}
    assert kinds <= {"idle"}
    early = desk.look("deputy", "/stalls", rung=1).json()["items"]
    assert "due_soon" in {stall["kind"] for stall in early}


def test_one_act_serves_many_items(desk: Desk) -> None:
    """Each number has its own result, and the same key urges nobody twice."""
    number = desk.submit()["number"]
    form = {"numbers": [number, "执诉2026-0000000000"], "act": "urge", "note": "请尽快"}
    first, second = (
        desk.send("unit_head", "/stalls/bulk", form, Idempotency_Key="k") for _ in range(2)
    )
    results = first.json()["results"]
    assert [result["ok"] for result in results] == [True, False]
    assert results[1]["problem"]["type"] == "/problems/not-found"
    assert second.json()["results"][0]["ok"]
    urged = desk.look("unit_head", "/messages", item=number).json()["items"]
    recipients = [message["recipient"] for message in urged if message["text"] == "urge"]
    assert len(recipients) == len(set(recipients)) > 0
    told = desk.look("intake", "/inbox").json()["items"]
    assert "催办" in told[0]["title"]
    handler = desk.send("handler1", "/stalls/bulk", form).json()["results"][0]
    assert handler["status"] in {403, 404}
    for act in ({"act": "reassign", "people": ["handler1"]}, {"act": "take_over"}):
        refused = desk.send("unit_head", "/stalls/bulk", {"numbers": [number], **act}).json()
        assert not refused["results"][0]["ok"]


def test_the_practice_clock_only_moves_forward(desk: Desk) -> None:
    """By a length or to a moment; back is 422; production has no such address."""
    moved = desk.send("intake", "/practice/clock", {"advance": "5 working days"}).json()
    assert moved["offset"] >= 5 * 86400
    assert "练习时钟" in desk.client.get("/").text
    back = desk.send("intake", "/practice/clock", {"now": "2020-01-01T00:00:00+08:00"})
    assert back.status_code == 422
    for wrong in ({}, {"advance": "5 weeks"}, {"advance": "9999 days"}, {"now": "2026-01-01"}):
        assert desk.send("intake", "/practice/clock", wrong).status_code == 422, wrong
    far = desk.send("intake", "/practice/clock", {"now": "2099-01-01T00:00:00+08:00"})
    assert far.status_code == 422


def test_production_has_no_practice_clock(desk: Desk, settings: Settings) -> None:
    """Without BANJIE_SAMPLE the address is not there."""
    from starlette.testclient import TestClient

    headers = desk.headers("admin")
    plain = create_app(settings.model_copy(update={"sample": False}))
    with TestClient(plain, HERE) as client:
        answer = client.post("/api/v1/practice/clock", json={"advance": "1 day"}, headers=headers)
    assert answer.status_code == 404


def test_a_due_date_is_worked_out_in_the_open(desk: Desk) -> None:
    """The holidays of 2026 are named day by day."""
    answer = desk.look("intake", "/calendar/due", start="2026-09-24", span="5 working days")
    found = answer.json()
    assert found["due_on"] == "2026-10-09"
    assert found["working"][0]["date"] == "2026-09-24"
    assert sum(day["counts"] for day in found["working"]) == 5
    for wrong in ({"start": "2026-09-24", "span": "soon"}, {"start": "x", "span": "5 days"}):
        assert desk.look("intake", "/calendar/due", **wrong).status_code == 422


def test_workflows_are_shown_with_their_proofs(desk: Desk) -> None:
    """Each machine says whether no item of it can go silent here; the diagram is drawn from it."""
    listed = desk.look("law_hub", "/workflows").json()["items"]
    assert {"grievance", "misconduct"} <= {line["workflow"] for line in listed}
    assert all(set(line["check"]) >= {"holds", "findings"} for line in listed)
    shown = desk.look("law_hub", "/workflows/grievance").json()
    assert shown["declaration"]["states"]["received"]["title"] == "已接收"
    diagram = desk.look("law_hub", "/workflows/grievance/diagram.svg")
    assert diagram.headers["content-type"] == "image/svg+xml"
    assert diagram.content.startswith(b"<svg")
    assert "已接收" in diagram.text
    assert desk.look("law_hub", "/workflows/none").status_code == 404


def test_the_proofs_know_who_is_there_today(desk: Desk) -> None:
    """With nobody's certificate valid any more there are no two handlers: no proof, and it says so."""
    before = desk.client.get("/api/v1/workflows/grievance").json()["check"]
    assert before["holds"], before["findings"]
    desk.one("UPDATE person SET certified_until = '2020-01-01' RETURNING id")
    after = desk.client.get("/api/v1/workflows/grievance").json()["check"]
    assert not after["holds"]
    assert after["findings"]


def test_readiness_says_how_far_behind_we_are(desk: Desk) -> None:
    """At the root and beside the API; the sweep's lag grows while nobody sweeps."""
    desk.submit()
    for address in ("/healthz", "/api/v1/healthz", "/readyz", "/api/v1/readyz"):
        assert desk.client.get(address).status_code == 200
    assert desk.client.get("/readyz").json()["sweep"] == {"oldest": 0}
    desk.send("intake", "/practice/clock", {"advance": "10 working days"})
    behind = desk.client.get("/readyz").json()
    for queue in ("sweep", "outbox"):
        assert behind[queue]["oldest"] > 86400
        assert behind[queue]["oldest"] % 60 == 0
        assert set(behind[queue]) == {"oldest"}, "a count tells of items one may not know of"

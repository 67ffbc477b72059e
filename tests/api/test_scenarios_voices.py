"""Acceptance scenarios 5, 10 and 11 of the domain, through the door and with the practice clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from engine.loader import parse
from engine.reading import read_questionnaire
from engine.stalls import sweep
from tests.api.test_portal import enter
from workflows import HERE

if TYPE_CHECKING:
    from httpx import Response

    from tests.api.conftest import Desk

API = "/api/v1"
RATING: dict[str, Any] = {
    "level": "very_dissatisfied",
    "item_code": "GTDJ-01",
    "window_or_channel": "第一分局办事窗口",
    "reasons": ["once", "rude"],
    "comment": "跑了三趟",
    "reply_wanted": True,
    "contact": {"name": "欧阳不愿具名", "phone": "13800001234"},
}
ANSWERS: dict[str, Any] = {
    "Q1": {"chosen": [2], "follow_up": "第一分局"},
    "Q2": {"chosen": [5]},
    "Q3": {"chosen": [1]},
}


def stand_at(desk: Desk, moment: str) -> None:
    """The office begins to practise on a day that may be gone by."""
    desk.one("UPDATE bureau SET practice_offset = %s::timestamptz - now() RETURNING true", moment)


def advance(desk: Desk, moment: str) -> None:
    """The practice clock is moved forward, and the sweep comes by."""
    moved = desk.send("admin", "/practice/clock", {"now": moment})
    assert moved.status_code == 200, moved.text
    sweep(desk.worker, desk.app.state.counter.casework)


def bring(desk: Desk, channel: str = "hall", **data: Any) -> Response:
    """A rating through the public door."""
    form = {"workflow": "review", "channel": channel, "data": {**RATING, **data}}
    answer: Response = desk.client.post(f"{API}/submissions", json=form)
    return answer


def rate(desk: Desk, channel: str = "hall", **data: Any) -> dict[str, str]:
    """A rating that is taken: number and code."""
    answer = bring(desk, channel, **data)
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


def verify(desk: Desk, number: str) -> None:
    """The head of the branch speaks with the rater."""
    given = {"contact_log": "已电话联系", "facts": "材料分三次告知"}
    desk.move("branch1_head", number, "verify_with_rater", given)


def test_a_named_bad_rating_is_contacted_by_sunday_or_supervised(desk: Desk) -> None:
    """Scenario 5: brought on Friday 2026-09-18 at 16:50; contact due on Sunday the 20th, which is
    worked; on the 21st it stands at the third rung and the head of the bureau has been told.
    """
    stand_at(desk, "2026-09-18T16:50:00+08:00")
    number = rate(desk)["number"]
    item = desk.look("branch1_head", f"/items/{number}").json()
    contact = next(clock for clock in item["deadlines"] if clock["name"] == "contact")
    assert (item["state"], contact["due_on"]) == ("dispatched", "2026-09-20")
    advance(desk, "2026-09-20T23:30:00+08:00")
    assert desk.look("branch1_head", f"/items/{number}").json()["rung"] == 1
    advance(desk, "2026-09-21T00:05:00+08:00")
    (stall,) = desk.look("head", "/stalls", rung=3).json()["items"]
    assert (stall["number"], stall["deadline"]) == (number, "contact")


def test_who_rated_is_told_what_came_of_it_and_stays_unknown(desk: Desk) -> None:
    """The unit sees level and reasons and not who; the rater reads the answer with number and code."""
    receipt = rate(desk)
    number = receipt["number"]
    seen = desk.look("branch1_head", f"/items/{number}")
    assert seen.json()["data"]["reasons"] == ["once", "rude"]
    assert RATING["contact"]["name"] not in seen.text
    assert RATING["contact"]["phone"] not in seen.text
    verify(desk, number)
    desk.move("branch1_head", number, "explain", {"explanation_no_legal_basis": "法律未规定可免交"})
    told = desk.client.post(
        f"{API}/submissions/track", json={k: receipt[k] for k in ("number", "code")}
    ).json()
    assert told["state"]["name"] == "fed_back"
    assert "法律未规定可免交" in told["letters"][0]["body"]


@pytest.mark.parametrize(
    ("channel", "through"),
    [
        *(("hall", "hall"), ("online", "online"), ("mobile", "mobile"), ("other", "other")),
        *(("self_service", "self_service"), ("hotline", "hotline"), ("web", "online")),
    ],
)
def test_a_rating_comes_by_every_channel(desk: Desk, channel: str, through: str) -> None:
    """All six, and the office's other ways in belong to one of them; a grievance comes by none."""
    number = rate(desk, channel, level="satisfied")["number"]
    assert desk.look("law_hub", f"/items/{number}").json()["data"]["rated_through"] == through
    if channel == through:
        form = {"workflow": "grievance", "data": {"narrative": "x", "respondent": "BR1"}}
        refused = desk.client.post(f"{API}/submissions", json={**form, "channel": channel})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "/channel"


def test_a_rating_has_a_level_and_nobody_gives_it_for_somebody(desk: Desk) -> None:
    """No level is no rating; staff logged in at the browser rate nothing; one transaction one rating."""
    missing = desk.client.post(
        f"{API}/submissions", json={"workflow": "review", "data": {"item_code": "X"}}
    )
    assert missing.status_code == 422
    assert missing.json()["errors"][0]["pointer"] == "/data/level"
    form = {"workflow": "review", "channel": "hall", "data": RATING}
    for headers in (desk.headers("service_handler"), _cookie(desk, "service_handler")):
        at_desk = desk.client.post(f"{API}/submissions", json=form, headers=headers)
        assert at_desk.status_code == 409, at_desk.text
        assert at_desk.json()["guard"] == "self_device"
    rate(desk, transaction_ref="许食许2026-0088")
    again = bring(desk, transaction_ref="许食许 2026-0088", level="satisfied")
    assert again.status_code == 409
    assert "只收一次" in again.json()["detail"]
    assert desk.one("SELECT count(*) FROM item") == 1


def _cookie(desk: Desk, account: str) -> dict[str, str]:
    form = {"account": account, "password": "banjie-sample", "cookie": True}
    answer = desk.client.post(
        f"{API}/sessions", json=form, headers={"Origin": "http://127.0.0.1:8000"}
    )
    assert answer.status_code == 201, answer.text
    kept = answer.headers["set-cookie"].partition(";")[0]
    desk.client.cookies.clear()
    return {"Cookie": kept}


def test_a_rating_cannot_be_deleted_and_two_people_make_it_invalid(desk: Desk) -> None:
    """Scenario 10: no address deletes, the database refuses its owner too; the appeal is one person's
    and the ruling another's; what was ruled invalid stays and is listed apart.
    """
    number, other = rate(desk)["number"], rate(desk)["number"]
    headers = desk.headers("admin", If_Match='"1"')
    assert desk.client.delete(f"{API}/items/{number}", headers=headers).status_code in {404, 405}
    with psycopg.connect(desk.url) as connection, pytest.raises(psycopg.Error):
        connection.execute("DELETE FROM item WHERE number = %s", (number,))
    verify(desk, number)
    revision = desk.look("law_hub", f"/items/{number}").json()["revision"]
    alone = desk.send(
        "law_hub",
        f"/items/{number}/transitions/rule_invalid",
        {"data": {"ruling": "误点"}},
        If_Match=f'"{revision}"',
    )
    assert alone.status_code == 409
    desk.move(
        "branch1_head", number, "appeal", {"claim_kind": "mistaken", "evidence": ["书面说明"]}
    )
    own = desk.send(
        "branch1_head",
        f"/items/{number}/transitions/rule_invalid",
        {"data": {"ruling": "误点"}},
        If_Match=f'"{revision + 1}"',
    )
    assert own.status_code == 403
    desk.move("law_hub", number, "rule_invalid", {"ruling": "误点"})
    invalid = desk.look("auditor", "/items", workflow="review", state="closed_invalid").json()
    standing = desk.look("auditor", "/items", workflow="review", state="dispatched").json()
    assert [item["number"] for item in invalid["items"]] == [number]
    assert [item["number"] for item in standing["items"]] == [other]
    kept = desk.look("law_hub", f"/items/{number}").json()["data"]
    assert kept["level"] == "very_dissatisfied"


def test_the_fourth_question_cannot_be_published(desk: Desk) -> None:
    """Scenario 11: neither by the address nor by a file that says it may; nor can it be answered."""
    shown = desk.client.get(f"{API}/questionnaires/XC-YFXZ-2023")
    assert shown.status_code == 200
    assert "Q4" not in shown.text
    assert "久拖不决" not in shown.text
    file = HERE / "questionnaires" / "xc-yfxz-2023.yaml"
    said = file.read_text(encoding="utf-8").replace("publishable: false", "publishable: true")
    with pytest.raises(Exception, match="Q4 lacks options"):
        read_questionnaire(parse(said.encode(), file.name))
    assert desk.client.get(f"{API}/questionnaires/XC-2024").status_code == 404
    assert desk.client.get(f"{API}/questionnaires/XC-YFXZ-2023?version=2").status_code == 404


def test_an_invitation_is_met_where_its_matter_is(desk: Desk) -> None:
    """Whoever has number and code of the matter sees what is asked and answers once, wrong answers
    pointed at; nobody else finds the invitation, and no code is anywhere.
    """
    mine, other = desk.submit(), desk.submit()
    form = {
        "workflow": "questionnaire",
        "data": {"source_item": mine["number"], "source_kind": "survey"},
    }
    begun = desk.send("law_hub", "/items", form)
    assert begun.status_code == 201, begun.text
    number = begun.json()["number"]
    assert "code" not in begun.json()
    me, stranger = enter(desk, mine), enter(desk, other)
    assert desk.client.get(f"{API}/portal/questionnaires", headers=stranger).json()["items"] == []
    assert desk.client.get(f"{API}/portal/item", headers=me).json()["invitations"] == [number]
    (asked,) = desk.client.get(f"{API}/portal/questionnaires", headers=me).json()["items"]
    assert asked["number"] == number
    assert asked["open_until"]
    assert "Q4" not in str(asked)
    path = f"{API}/portal/questionnaires/{number}/transitions"
    assert desk.client.post(f"{path}/open", json={}, headers=stranger).status_code == 404
    opened = desk.client.post(f"{path}/open", json={}, headers=me)
    assert opened.status_code == 200, opened.text
    label = asked["questionnaire"]["template_version"]
    given = {"answers": ANSWERS, "template_version": label, "channel": "mobile"}
    wrong = {**given, "answers": {**ANSWERS, "Q4": {"chosen": [1]}, "Q2": {"chosen": [5, 1]}}}
    refused = desk.client.post(f"{path}/submit", json={"data": wrong}, headers=me)
    assert refused.status_code == 422
    pointers = {error["pointer"] for error in refused.json()["errors"]}
    assert pointers == {"/data/answers/Q4", "/data/answers/Q2/chosen"}
    taken = desk.client.post(f"{path}/submit", json={"data": given}, headers=me)
    assert taken.status_code == 200, taken.text
    again = desk.client.post(f"{path}/submit", json={"data": given}, headers=me)
    assert again.status_code == 409
    assert again.json()["detail"].startswith("这份问卷已经提交，或者已经过期")
    assert desk.client.get(f"{API}/portal/questionnaires", headers=me).json()["items"] == []
    assert desk.one("SELECT count(*) FROM event WHERE act = 'submit_answers'") == 1


def test_staff_logged_in_beside_the_visitor_answer_nothing(desk: Desk) -> None:
    """A window's browser with a session of ours opens no questionnaire."""
    mine = desk.submit()
    form = {"workflow": "questionnaire", "data": {"source_item": mine["number"]}}
    number = desk.send("law_hub", "/items", form).json()["number"]
    headers = {**enter(desk, mine), **_cookie(desk, "service_handler")}
    path = f"{API}/portal/questionnaires/{number}/transitions/open"
    refused = desk.client.post(path, json={}, headers=headers)
    assert refused.status_code == 409, refused.text
    assert refused.json()["guard"] == "self_device"

"""The worklist, the page of an item, and moving one on."""

from __future__ import annotations

import logging
from hashlib import sha256
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.conftest import ACCEPTANCE, GRIEVANCE, NAME, PHONE, SECRET_WORDS

if TYPE_CHECKING:
    from httpx import Response

    from tests.api.conftest import Desk

SAME = {"X-Request-ID": "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"}


def test_a_move_answers_with_the_item_after_it(desk: Desk) -> None:
    """State, revision and ETag are those after the act; the journal has its event."""
    number = desk.submit()["number"]
    moved = desk.send(
        "intake", f"/items/{number}/transitions/register", {"data": {}}, If_Match='"1"'
    )
    assert moved.status_code == 200
    assert (moved.json()["state"], moved.json()["revision"]) == ("screening", 2)
    assert moved.headers["ETag"] == '"2"'
    journal = desk.look("intake", f"/items/{number}/events").json()["items"]
    assert [event["act"] for event in journal] == ["submit", "register"]
    assert journal[1]["actor"] == "intake"


def test_the_letters_of_an_item_can_be_read(desk: Desk) -> None:
    """Staff read what was drafted, with a digest that anybody can check; pages join up."""
    number = desk.submit()["number"]
    desk.send("intake", f"/items/{number}/transitions/register", {"data": {}}, If_Match='"1"')
    (letter,) = desk.look("intake", f"/items/{number}/documents").json()["items"]
    assert letter["template"] == "registration_form"
    assert letter["title"]
    assert number in letter["body"]
    assert letter["sha256"] == sha256(letter["body"].encode()).hexdigest()
    assert desk.look("intake", f"/items/{number}/documents", limit=1).json()["next"] is None


def test_an_item_shows_what_the_contract_names(desk: Desk) -> None:
    """Deadlines with their rungs, and for each way on what is missing and why not."""
    number = desk.submit()["number"]
    item = desk.look("intake", f"/items/{number}").json()
    clock = next(clock for clock in item["deadlines"] if clock["name"] == "register")
    assert {"rule", "started_on", "due_on", "due_at", "provisional", "paused"} <= set(clock)
    assert clock["rungs"][0]["rings_at"] == clock["due_at"]
    option = next(each for each in item["available"] if each["transition"] == "register")
    assert option["allowed"]
    assert not option["reasons"]
    head = desk.look("head", f"/items/{number}").json()
    refused = next(each for each in head["available"] if each["transition"] == "register")
    assert not refused["allowed"]
    assert "受理登记员" in refused["reasons"][0]


def test_a_write_on_an_item_names_the_revision_seen(desk: Desk) -> None:
    """Missing 428, malformed 400, stale 412 with the present revision."""
    number = desk.submit()["number"]
    path = f"/items/{number}/transitions/register"
    assert desk.send("intake", path, {}).status_code == 428
    for wrong in ("1", "*", 'W/"1"', '"one"', '"1", "2"', ""):
        assert desk.send("intake", path, {}, If_Match=wrong).status_code == 400, wrong
    stale = desk.send("intake", path, {}, If_Match='"9"')
    assert stale.status_code == 412
    assert stale.json()["revision"] == 1


def test_a_refusal_says_why_in_its_own_shape(desk: Desk) -> None:
    """403 with roles, 409 with what leaves the state, 422 with a pointer for each fault."""
    number = desk.submit()["number"]
    path = f"/items/{number}/transitions"
    forbidden = desk.send("head", f"{path}/register", {}, If_Match='"1"')
    assert forbidden.status_code == 403
    assert forbidden.json()["roles"] == ["intake", "sys"]
    gone = desk.send("intake", f"{path}/decide", {}, If_Match='"1"')
    assert gone.status_code == 409
    assert gone.json()["type"] == "/problems/transition-not-available"
    assert gone.json()["state"] == "received"
    desk.move("intake", number, "register")
    wrong = desk.send(
        "intake", f"{path}/transfer", {"data": {"reason": 7, "other": "x"}}, If_Match='"2"'
    )
    assert wrong.status_code == 422
    pointers = {error["pointer"] for error in wrong.json()["errors"]}
    assert pointers == {"/data/reason", "/data/?", "/data/target_body"}


def test_a_guard_is_heard(desk: Desk) -> None:
    """A guard's refusal is 409 with its sentence and its name."""
    number = desk.submit()["number"]
    desk.move("intake", number, "register")
    given = {"data": {**ACCEPTANCE, "other_route_pending": True}}
    refused = desk.send("unit_head", f"/items/{number}/transitions/accept", given, If_Match='"2"')
    assert refused.status_code == 409, refused.text
    assert refused.json()["guard"] == "route_free"
    assert refused.json()["detail"]


def test_the_same_key_has_one_effect_and_one_answer(desk: Desk) -> None:
    """A replay is byte-identical and moves nothing; the key for something else is a conflict."""
    number = desk.submit()["number"]
    path = f"/items/{number}/transitions/register"
    first, second = (
        desk.send("intake", path, {"data": {}}, If_Match='"1"', Idempotency_Key="k-1")
        for _ in range(2)
    )
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert first.headers["ETag"] == second.headers["ETag"] == '"2"'
    other = desk.send(
        "intake", path, {"data": {"matter": "conduct"}}, If_Match='"2"', Idempotency_Key="k-1"
    )
    assert other.status_code == 409
    assert other.json()["type"] == "/problems/idempotency-conflict"
    assert desk.one("SELECT count(*) FROM event") == 2


def test_a_key_belongs_to_whoever_used_it(desk: Desk) -> None:
    """Two people may use the same key, each for their own request."""
    body = {"workflow": "grievance", "data": GRIEVANCE}
    numbers = {
        desk.send(account, "/items", body, Idempotency_Key="k").json()["number"]
        for account in ("intake", "intake2")
    }
    assert len(numbers) == 2


@pytest.mark.committed
def test_twins_at_the_same_moment_are_one(desk: Desk) -> None:
    """Four equal requests at once begin one item, and all get its number."""
    headers = desk.headers("intake", Idempotency_Key="twins")
    body = {"workflow": "grievance", "data": GRIEVANCE}
    answers: list[Response] = []

    def register() -> None:
        answers.append(desk.client.post("/api/v1/items", json=body, headers=headers))

    threads = [Thread(target=register) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert desk.one("SELECT count(*) FROM item") == 1


def test_a_refused_request_leaves_its_key_free(desk: Desk) -> None:
    """After a 422 the corrected request may use the same key."""
    wrong = {"workflow": "grievance", "data": {}}
    right = {"workflow": "grievance", "data": GRIEVANCE}
    assert desk.send("intake", "/items", wrong, Idempotency_Key="k").status_code == 422
    assert desk.send("intake", "/items", right, Idempotency_Key="k").status_code == 201


def test_what_is_not_yours_does_not_exist(desk: Desk) -> None:
    """To the unit complained of an item answers byte for byte like a number never given."""
    number = desk.submit()["number"]
    headers = {**desk.headers("branch1_head"), **SAME}
    for rest in ("", "/events", "/documents"):
        hidden = desk.client.get(f"/api/v1/items/{number}{rest}", headers=headers)
        absent = desk.client.get(f"/api/v1/items/执诉2026-0000000000{rest}", headers=headers)
        assert hidden.status_code == absent.status_code == 404
        assert hidden.content == absent.content
    moves = [
        desk.client.post(
            f"/api/v1/items/{each}/transitions/register",
            json={},
            headers={**headers, "If-Match": '"1"'},
        )
        for each in (number, "执诉2026-0000000000")
    ]
    assert moves[0].status_code == 404
    assert moves[0].content == moves[1].content
    for path in ("/items", "/messages", "/stalls", "/inbox"):
        assert desk.look("branch1_head", path).json() == {"items": [], "next": None}
    assert desk.look("branch1_head", "/items", q=number).json()["items"] == []


def test_personal_fields_are_for_those_who_work_on_it(desk: Desk) -> None:
    """Intake, who can move it, reads the narrative, and of the contact that it lies sealed; the
    auditor and the head see the item only.
    """
    number = desk.submit()["number"]
    mine = desk.look("intake", f"/items/{number}")
    assert mine.json()["data"]["narrative"] == SECRET_WORDS
    assert mine.json()["data"]["contact"]["sealed"] is True
    journal = desk.look("intake", f"/items/{number}/events")
    assert journal.json()["items"][0]["personal"]["narrative"] == SECRET_WORDS
    assert journal.json()["items"][0]["personal"]["contact"]["sealed"] is True
    for answer in (mine, journal):
        assert NAME not in answer.text
        assert PHONE not in answer.text
    for account in ("auditor", "head", "law_hub"):
        for rest in ("", "/events", "/documents"):
            seen = desk.look(account, f"/items/{number}{rest}")
            assert seen.status_code == 200
            for secret in (SECRET_WORDS, NAME, PHONE):
                assert secret not in seen.text


def test_no_answer_that_is_kept_holds_a_personal_value(desk: Desk) -> None:
    """Answers to writes are stored for replays; what is personal is in none of them."""
    body = {"workflow": "grievance", "data": GRIEVANCE}
    registered = desk.send("intake", "/items", body, Idempotency_Key="k")
    path = f"/items/{registered.json()['number']}"
    noted = desk.send(
        "intake", f"{path}/notes", {"text": PHONE}, If_Match='"1"', Idempotency_Key="n"
    )
    assert noted.status_code == 201
    kept = desk.one("SELECT string_agg(convert_from(body, 'UTF8'), '') FROM answer")
    for answer in (registered.text, noted.text, kept):
        for secret in (SECRET_WORDS, NAME, PHONE):
            assert secret not in answer


def test_no_complaint_and_no_log_repeats_what_was_written(
    desk: Desk, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever a personal value is wrong, neither the 422 nor a log line shows it."""
    caplog.set_level(logging.DEBUG)
    bodies: list[Any] = [
        {"workflow": "grievance", "data": {**GRIEVANCE, "narrative": {"text": SECRET_WORDS}}},
        {"workflow": "grievance", "data": {**GRIEVANCE, "contact": {"phone": [PHONE], NAME: 1}}},
        {"workflow": "grievance", "data": {**GRIEVANCE, "respondent": NAME}},
        {"workflow": "grievance", "data": {**GRIEVANCE, "categories": [PHONE]}},
        {"workflow": "grievance", "data": [NAME, PHONE]},
        {"workflow": PHONE, "data": GRIEVANCE},
        {"workflow": "grievance", "data": GRIEVANCE, "channel": NAME},
        {"workflow": "grievance", "data": {**GRIEVANCE, "narrative": SECRET_WORDS + "\x00"}},
        [NAME],
    ]
    for body in bodies:
        refused = desk.client.post("/api/v1/submissions", json=body)
        assert refused.status_code == 422, body
        told = capsys.readouterr().err
        for secret in (SECRET_WORDS, NAME, PHONE):
            assert secret not in refused.text
            assert secret not in caplog.text
            assert secret not in told


def test_a_worklist_is_walked_page_by_page(desk: Desk) -> None:
    """Next due first, every item once, and a cursor of another list is refused."""
    numbers = {desk.submit()["number"] for _ in range(5)}
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = desk.look("law_hub", "/items", limit=2, **cursor).json()
        assert len(page["items"]) <= 2
        seen += [item["number"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert set(seen) == numbers
    assert len(seen) == 5
    assert desk.look("law_hub", "/stalls", **cursor).status_code == 422
    assert desk.look("law_hub", "/items", cursor="made-up").status_code == 422
    assert desk.look("law_hub", "/items", limit=101).status_code == 422


def test_a_worklist_is_narrowed_as_asked(desk: Desk) -> None:
    """By workflow, state, unit, assignee, due date, stall and number."""
    about_branch = desk.submit()["number"]
    about_audit = desk.submit(respondent="执法稽查科")["number"]
    desk.move("intake", about_branch, "register")

    def found(**query: Any) -> set[str]:
        page = desk.look("law_hub", "/items", **query)
        assert page.status_code == 200, page.text
        return {item["number"] for item in page.json()["items"]}

    both = {about_branch, about_audit}
    assert found() == found(workflow="grievance") == both
    assert found(workflow="mediation") == set()
    assert found(state="received") == {about_audit}
    assert found(state="closed") == set()
    assert found(unit="执法稽查科") == {about_branch}
    assert found(unit="BUR") == both
    assert found(assignee="handler1") == set()
    assert found(stalled="false") == both
    assert found(stalled="true") == set()
    assert found(due_before="2020-01-01") == set()
    assert found(due_before="2090-01-01") == both
    assert found(q=about_audit[:12]) >= {about_audit}
    for wrong in ({"unit": "x"}, {"state": "x"}, {"workflow": "x"}, {"assignee": "x"}):
        assert desk.look("law_hub", "/items", **wrong).status_code == 422


def test_staff_tell_and_note_beside_an_item(desk: Desk) -> None:
    """A message is one of the office's texts; a note stays inside; neither moves the revision."""
    number = desk.submit()["number"]
    told = desk.send(
        "intake",
        f"/items/{number}/messages",
        {"to": "public", "text": "supplement_needed"},
        If_Match='"1"',
    )
    assert told.status_code == 201
    assert told.json()["revision"] == 1
    wrong = desk.send(
        "intake", f"/items/{number}/messages", {"to": "x", "text": "x"}, If_Match='"1"'
    )
    assert {error["pointer"] for error in wrong.json()["errors"]} == {"/to", "/text"}
    pushed = desk.look("intake", "/messages", item=number).json()["items"]
    assert any(m["recipient"] == "public" and m["text"] == "supplement_needed" for m in pushed)


def test_handlers_ask_for_more_time(desk: Desk) -> None:
    """An extension is an item of its own, a child of the one it is about."""
    number = desk.submit()["number"]
    desk.move("intake", number, "register")
    desk.move("unit_head", number, "accept", ACCEPTANCE)
    people = {"handlers": ["handler1", "handler2"], "declarations_signed": True}
    item = desk.move("unit_head", number, "assign", people)
    assert item["assignees"] == ["handler1", "handler2"]
    due = next(c["due_on"] for c in item["deadlines"] if c["name"] == "investigate")
    later = desk.one("SELECT (%s::date + 5)::text", due)
    asked = desk.send(
        "handler1",
        f"/items/{number}/extensions",
        {"deadline": "investigate", "until": later, "reason": "回函未到"},
        If_Match=f'"{item["revision"]}"',
    )
    assert asked.status_code == 201, asked.text
    assert asked.json()["workflow"] == "extension"
    parent = desk.look("handler1", f"/items/{number}").json()
    assert parent["children"] == [asked.json()["number"]]
    again = desk.send(
        "unit_head",
        f"/items/{number}/assignments",
        {
            "role": "handler",
            "people": ["handler1", "law_handler"],
            "data": {"declarations_signed": True},
        },
        If_Match=f'"{parent["revision"]}"',
    )
    assert again.status_code == 200, again.text
    assert again.json()["assignees"] == ["handler1", "law_handler"]

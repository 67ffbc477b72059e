"""The public door: number and code, what they open, and what they never show."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.api.conftest import ACCEPTANCE, GRIEVANCE, NAME, PHONE, SECRET_WORDS

if TYPE_CHECKING:
    from tests.api.conftest import Desk

SAME = {"X-Request-ID": "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"}


def test_a_code_is_given_once_and_kept_nowhere(desk: Desk) -> None:
    """The database holds an Argon2id hash of it; a replay derives it again from a nonce."""
    form = {"workflow": "grievance", "data": GRIEVANCE}
    headers = {"Idempotency-Key": "k"}
    first, second = (
        desk.client.post("/api/v1/submissions", json=form, headers=headers) for _ in range(2)
    )
    assert first.status_code == 201
    assert first.content == second.content
    code = first.json()["code"]
    assert len(code) == 16
    assert desk.one("SELECT code_hash FROM item").startswith("$argon2id$")
    kept = desk.one("SELECT string_agg(convert_from(body, 'UTF8'), '') FROM answer")
    assert first.json()["number"] in kept
    assert code not in kept
    assert desk.one("SELECT count(*) FROM item WHERE parent_id IS NULL") == 1


def test_the_petitioner_sees_where_it_stands(desk: Desk) -> None:
    """State in plain words, unit, the due date with its working, what was told, own rights."""
    receipt = desk.submit()
    shown = desk.client.post("/api/v1/submissions/track", json=receipt).json()
    assert "已接收" in shown["state"]["plain"]
    assert shown["unit"]["name"] == "执法稽查科"
    assert shown["due"]["due_on"] == shown["due"]["working"][-1]["date"]
    assert receipt["number"] in shown["messages"][0]["body"]
    assert [right["transition"] for right in shown["rights"]] == ["withdraw"]
    assert shown["rights"][0]["fields"][0]["name"] == "voluntary_statement"
    assert shown["letters"] == []


def test_only_letters_that_were_sent_are_shown(desk: Desk) -> None:
    """The notice of acceptance reaches the petitioner; the registration form is the office's own."""
    receipt = desk.submit()
    desk.move("intake", receipt["number"], "register")
    desk.move("unit_head", receipt["number"], "accept", ACCEPTANCE)
    shown = desk.client.post("/api/v1/submissions/track", json=receipt).json()
    drafted = desk.one("SELECT count(*) FROM document")
    assert len(shown["letters"]) == 1
    assert drafted == 2


def test_a_wrong_code_and_an_unknown_number_are_alike(desk: Desk) -> None:
    """The same answer byte for byte, and about the same time."""
    receipt = desk.submit()
    asked = [
        {"number": receipt["number"], "code": "0" * 16},
        {"number": "执诉2026-0000000000", "code": receipt["code"]},
    ]
    answers, times = [], []
    for form in asked:
        spans = []
        for _ in range(5):
            began = time.perf_counter()
            answers.append(desk.client.post("/api/v1/submissions/track", json=form, headers=SAME))
            spans.append(time.perf_counter() - began)
            desk.one("DELETE FROM portal_try RETURNING true")  # what is compared is the first try
        times.append(min(spans))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert 0.5 < times[0] / times[1] < 2.0


def test_a_petitioner_uses_a_right(desk: Desk) -> None:
    """Withdrawing takes number and code; what is not a right of theirs is refused."""
    receipt = desk.submit()
    act = {**receipt, "transition": "withdraw", "data": {"voluntary_statement": "自愿"}}
    refused = desk.client.post(
        "/api/v1/submissions/act", json={**receipt, "transition": "register"}
    )
    assert refused.status_code == 403
    stranger = desk.client.post("/api/v1/submissions/act", json={**act, "code": "0" * 16})
    assert stranger.status_code == 404
    first, second = (
        desk.client.post("/api/v1/submissions/act", json=act, headers={"Idempotency-Key": "w"})
        for _ in range(2)
    )
    assert first.status_code == 200, first.text
    assert first.content == second.content
    assert first.json()["state"]["name"] == "withdrawn"
    assert first.json()["rights"] == []


def test_no_view_of_the_petitioner_repeats_personal_values(desk: Desk) -> None:
    """What was told is not told back: whoever finds the code learns where it stands, no more."""
    receipt = desk.submit()
    shown = desk.client.post("/api/v1/submissions/track", json=receipt).text
    for secret in (SECRET_WORDS, NAME, PHONE):
        assert secret not in shown


def test_only_what_the_public_may_begin_is_begun(desk: Desk) -> None:
    """A workflow of the house is 403 at the public door, an unknown one 404."""
    for workflow, status in (("misconduct", 403), ("no_such", 404)):
        answer = desk.client.post(
            "/api/v1/submissions", json={"workflow": workflow, "data": GRIEVANCE}
        )
        assert answer.status_code == status

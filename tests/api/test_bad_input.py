"""Words nobody expected: stored and read back, or refused; never a fault of ours."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode

from tests.api.conftest import GRIEVANCE, HERE

if TYPE_CHECKING:
    from tests.api.conftest import Desk

STRINGS = Path(__file__).parents[3] / "shared" / "data" / "naughty" / "blns.json"
OWN = [
    "\ud800",
    "\x00",
    "a\x00b",
    "\U0002a6d6䶮喆",
    "阿卜杜拉·买买提",
    "＝1+1",
    "﷽" * 50,
    "\u202e",
    "𝕏" * 100,
]


def _naughty() -> list[str]:
    if not STRINGS.exists():
        pytest.skip("the shared data are not here")
    return [*json.loads(STRINGS.read_text()), *OWN]


def _post(desk: Desk, path: str, body: Any, account: str | None = None, **headers: str) -> Any:
    """POST what no client library would write: lone surrogates too."""
    own = desk.headers(account, **headers) if account else headers
    return desk.client.post(
        f"/api/v1{path}",
        content=json.dumps(body).encode(),
        headers={**own, "Content-Type": "application/json"},
    )


@pytest.mark.slow
def test_any_text_is_kept_or_refused(desk: Desk) -> None:
    """Through fields, notes, contacts and lists: what is taken comes back as it was written."""
    begun = kept = 0
    for text in _naughty():
        data = {**GRIEVANCE, "narrative": text, "contact": {"name": text[:60]}, "place": text[:200]}
        answer = _post(desk, "/items", {"workflow": "grievance", "data": data}, "intake")
        assert answer.status_code in {201, 422}, (text, answer.text)
        if answer.status_code == 201:
            begun += 1
            shown = desk.look("intake", f"/items/{answer.json()['number']}").json()["data"]
            assert shown["narrative"] == text
            assert shown["place"] == text[:200] or not text[:200].strip()
            kept += 1
    assert kept == begun > 400


def test_fields_that_do_not_fit_together_are_told_in_our_own_sentence(desk: Desk) -> None:
    """Without the words a library puts before it, and without a blank where no field is named."""
    told = _post(desk, "/practice/clock", {}, "head").json()
    assert told["detail"] == "advance 与 now 写一个 (give either advance or now)."


@pytest.mark.slow
def test_any_text_anywhere_else_is_no_fault(desk: Desk) -> None:
    """As account, password, number, code, filter, cursor, key, header, address."""
    number = desk.submit()["number"]
    mine = desk.headers("intake")
    for text in _naughty()[::4] + OWN:
        answers = [
            _post(desk, "/sessions", {"account": text, "password": "x"}),
            _post(desk, "/submissions", {"workflow": text, "data": {text: text}}),
            _post(desk, "/submissions/track", {"number": text, "code": text}),
            _post(desk, f"/items/{number}/notes", {"text": text}, "intake", If_Match='"1"'),
            _post(desk, "/stalls/bulk", {"numbers": [text or "x"], "act": "urge"}, "intake"),
            _post(
                desk,
                "/items",
                {"workflow": "revisit", "data": {"case": text, "case_number": text}},
                "intake",
            ),
        ]
        query = text.encode(errors="replace").decode()
        names = ("q", "unit", "assignee", "state", "workflow", "cursor", "due_before")
        answers += [
            desk.client.get("/api/v1/items", params={name: query}, headers=mine) for name in names
        ]
        answers.append(desk.client.get("/api/v1/messages", params={"item": query}, headers=mine))
        faults = [(a.request.url, a.text) for a in answers if a.status_code >= 500]
        assert not faults, text


CALLERS = {
    "nobody": "without a login",
    "petitioner": "in the portal's session",
    "intake": "at the counter",
    "handler1": "who works on items",
    "unit_head": "who supervises",
    "liaison": "who approves and keeps identities",
    "auditor": "who only reads",
    "admin": "who keeps the office and sees no item",
    "branch1_head": "barred: head of the unit complained of",
}


def _headers_of(desk: Desk, who: str, submitted: dict[str, str]) -> dict[str, str]:
    if who == "nobody":
        return {}
    if who == "petitioner":
        form = {"number": submitted["number"], "code": submitted["code"]}
        token = desk.client.post("/api/v1/portal/sessions", json=form).json()["token"]
        return {"Authorization": f"Bearer {token}"}
    return dict(desk.headers(who))


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("who", CALLERS)
def test_the_api_keeps_to_its_description(desk: Desk, who: str, mode: GenerationMode) -> None:
    """Schemathesis, requests made from the OpenAPI document, right ones and wrong ones, all checks,
    as each kind of caller: no answer is undescribed, no wrong request is taken, no fault is ours.
    """
    submitted = desk.submit()
    number = submitted["number"]
    headers = _headers_of(desk, who, submitted)
    here = {"Host": "127.0.0.1"}
    schema = schemathesis.openapi.from_asgi("/openapi.json", desk.app, headers=here)
    schema.config.update(base_url=f"{HERE}/api/v1")
    # whether `data` fits is the workflow's to say, which no schema of the API knows
    schema.config.checks.positive_data_acceptance.expected_statuses += ["412", "422"]
    asked: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]
        # to log out or to move the clock would change the ground under the others
        if operation.path in {"/sessions/current", "/practice/clock"}:
            continue

        def check(case: schemathesis.Case[Any]) -> None:
            if "number" in case.path_parameters and mode is GenerationMode.POSITIVE:
                case.path_parameters["number"] = number
            answer = case.call(headers=headers)
            asked[answer.status_code] += 1
            case.validate_response(answer)

        tried = given(case=operation.as_strategy(generation_mode=mode))(check)
        with suppress(Unsatisfiable):  # an operation that takes nothing cannot be asked wrongly
            hypothesis_settings(
                max_examples=8 if who == "intake" else 3,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(tried)()
    assert asked.total() > 100

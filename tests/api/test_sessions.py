"""Logging in, and that nothing is open to those who have not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from adapters.sample import PASSWORD
from api.openapi import PUBLIC, describe

if TYPE_CHECKING:
    from tests.api.conftest import Desk


def test_a_login_lasts_until_it_is_ended(desk: Desk) -> None:
    """A token opens the worklist; after DELETE it opens nothing."""
    answer = desk.client.post(
        "/api/v1/sessions", json={"account": "handler1", "password": PASSWORD}
    )
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert answer.status_code == 201
    assert set(answer.json()) == {"token", "expires_at"}
    assert desk.client.get("/api/v1/items", headers=headers).status_code == 200
    assert desk.client.delete("/api/v1/sessions/current", headers=headers).status_code == 204
    assert desk.client.get("/api/v1/items", headers=headers).status_code == 401


def test_a_token_is_kept_as_its_digest(desk: Desk) -> None:
    """What lies in the database opens nothing."""
    token = desk.headers("handler1")["Authorization"].removeprefix("Bearer ")
    assert desk.one("SELECT count(*) FROM login WHERE token_digest = sha256(%s)", token.encode())
    assert not desk.one("SELECT count(*) FROM login WHERE token_digest = %s", token.encode())


def test_an_unknown_account_is_answered_as_a_wrong_password(desk: Desk) -> None:
    """The same words, byte for byte, for both."""
    same = {"X-Request-ID": "0199c0de-7c1f-7000-8000-5f0e9d1c2b3a"}
    answers = [
        desk.client.post(
            "/api/v1/sessions", json={"account": account, "password": "wrong"}, headers=same
        )
        for account in ("handler1", "nobody-here")
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].content == answers[1].content


def test_an_unknown_account_costs_the_same_work(desk: Desk) -> None:
    """Whoever measures time learns no account."""
    times = []
    for account in ("handler1", "nobody-here"):
        spans = []
        for _ in range(5):
            began = time.perf_counter()
            desk.client.post("/api/v1/sessions", json={"account": account, "password": "wrong"})
            spans.append(time.perf_counter() - began)
        times.append(min(spans))
    assert 0.5 < times[0] / times[1] < 2.0


def test_everything_wants_a_login_but_the_public_door(desk: Desk) -> None:
    """Deny by default: every declared operation answers 401 to a stranger and to a wrong token."""
    asked = 0
    for path, operations in describe(desk.app.routes[-1].app)["paths"].items():  # type: ignore[attr-defined]
        for method in operations:
            if path.startswith(PUBLIC) and method != "delete":
                continue
            address = f"/api/v1{path.replace('{number}', 'x').replace('{name}', 'x')}"
            for headers in ({}, {"Authorization": "Bearer nonsense"}):
                body: dict[str, Any] = {"json": {}} if method == "post" else {}
                answer = desk.client.request(
                    method, address, headers={**headers, "If-Match": '"1"'}, **body
                )
                # a wrong token is looked up only once the request itself is in order
                wanted = {401} if not headers else {401, 422}
                assert answer.status_code in wanted, (method, path, answer.text)
                asked += 1
    assert asked >= 30


def test_somebody_who_left_is_out_at_once(desk: Desk) -> None:
    """The end of employment ends every login."""
    desk.headers("handler2")
    desk.one("UPDATE person SET left_on = current_date WHERE account = 'handler2' RETURNING id")
    assert desk.look("handler2", "/items").status_code == 401

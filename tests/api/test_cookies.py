"""Sessions of browsers: a cookie no script reads, and forms that only our own page can send (T27)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from adapters.sample import PASSWORD
from api.main import create_app
from tests.api.conftest import HERE

if TYPE_CHECKING:
    from engine.settings import Settings
    from tests.api.conftest import Desk

FORM = {"account": "handler1", "password": PASSWORD, "cookie": True}
OURS = {"Origin": HERE}
REGISTRATION = {"workflow": "grievance", "data": {"narrative": "x", "respondent": "第一分局"}}


def login(desk: Desk, **headers: str) -> Any:
    """A browser logs in on our page."""
    return desk.client.post("/api/v1/sessions", json=FORM, headers={**OURS, **headers})


def test_a_browser_gets_a_cookie_and_no_token(desk: Desk) -> None:
    """HttpOnly and SameSite=Strict; on the machine itself, over http, without the prefix."""
    answer = login(desk)
    assert answer.status_code == 201
    assert set(answer.json()) == {"expires_at", "form_token"}
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("banjie=")
    for word in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie
    assert desk.client.get("/api/v1/items").status_code == 200
    current = desk.client.get("/api/v1/sessions/current").json()
    assert current["form_token"] == answer.json()["form_token"]


@pytest.mark.parametrize("url", ["https://banjie.example", "http://banjie.example"])
def test_elsewhere_the_cookie_is_for_this_host_alone(
    settings: Settings, desk: Desk, url: str
) -> None:
    """By the office's own address: `__Host-` and Secure, whatever the request says."""
    elsewhere = settings.model_copy(update={"sample": False, "public_url": url})
    with TestClient(create_app(elsewhere), url) as client:
        answer = client.post("/api/v1/sessions", json=FORM, headers={"Origin": url})
        assert answer.status_code == 201, answer.text
        assert answer.headers["Set-Cookie"].startswith("__Host-banjie=")
        assert "Secure" in answer.headers["Set-Cookie"]
    assert desk.one("SELECT bool_and(by_cookie) FROM login")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://sub.127.0.0.1:8000"},
        {"Origin": "http://127.0.0.1:8001"},
        {"Origin": "https://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {**OURS, "Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    ],
    ids=lambda headers: " ".join(headers.values()) or "missing",
)
def test_another_page_can_neither_act_nor_log_in(desk: Desk, headers: dict[str, str]) -> None:
    """No origin, a null one, another site, a subdomain, another port: even with the form's token."""
    token = login(desk).json()["form_token"]
    given = {**headers, "X-Banjie-Form": token}
    acts = [
        desk.client.post("/api/v1/items", json=REGISTRATION, headers=given),
        desk.client.delete("/api/v1/sessions", headers=given),
        desk.client.post("/api/v1/sessions", json=FORM, headers=given),
    ]
    assert [answer.status_code for answer in acts] == [403] * 3
    assert {answer.json()["type"] for answer in acts} == {"/problems/cross-site"}
    assert desk.one("SELECT count(*) FROM item") == 0


@pytest.mark.parametrize("headers", [OURS, {"Sec-Fetch-Site": "same-origin"}])
def test_our_own_page_can(desk: Desk, headers: dict[str, str]) -> None:
    """With its form's token, and not with none or with that of another session."""
    other = login(desk).json()["form_token"]
    token = login(desk).json()["form_token"]
    for wrong in ({}, {"X-Banjie-Form": other}, {"X-Banjie-Form": "é"}):
        sent = {name: value.encode() for name, value in {**headers, **wrong}.items()}
        answer = desk.client.delete("/api/v1/sessions", headers=sent)
        assert answer.status_code == 403
    given = {**headers, "X-Banjie-Form": token}
    assert desk.client.delete("/api/v1/sessions", headers=given).status_code == 204


def test_a_token_is_no_cookie_and_a_cookie_no_token(desk: Desk) -> None:
    """What was stolen from the one place is worthless in the other."""
    cookie = login(desk).cookies["banjie"]
    desk.client.cookies.clear()
    bearer = {"Authorization": f"Bearer {cookie}"}
    assert desk.client.get("/api/v1/items", headers=bearer).status_code == 401
    token = desk.headers("handler1")["Authorization"].removeprefix("Bearer ")
    crumbs = {"Cookie": f"banjie={token}"}
    assert desk.client.get("/api/v1/items", headers=crumbs).status_code == 401


def test_a_bearer_token_needs_no_origin(desk: Desk) -> None:
    """No browser sends one by itself, so programs need no form."""
    assert desk.send("intake", "/items", REGISTRATION).status_code == 201


def test_logging_out_takes_the_cookie_back(desk: Desk) -> None:
    """The browser keeps nothing, and what it kept opens nothing."""
    answer = login(desk)
    kept = answer.cookies["banjie"]
    given = {**OURS, "X-Banjie-Form": answer.json()["form_token"]}
    gone = desk.client.delete("/api/v1/sessions/current", headers=given)
    assert gone.status_code == 204
    assert 'banjie=""' in gone.headers["Set-Cookie"]
    crumbs = {"Cookie": f"banjie={kept}"}
    assert desk.client.get("/api/v1/items", headers=crumbs).status_code == 401

"""The headers of a careful house on every answer, whatever it is, and no other host than ours (T41)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.bodies import MOST_BYTES
from api.headers import LENIENT
from api.origins import Origins
from api.permits import PERMITS
from engine.settings import Settings
from tests.api.test_permits import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.conftest import Desk

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGES = (
    "/",
    "/docs",
    "/problems",
    "/problems/stale",
    "/openapi.json",
    "/healthz",
    "/static/counter.css",
)


def answers(desk: Desk) -> Iterator[tuple[str, Any]]:
    """An answer of every address as a stranger and as somebody, and one of every kind of no."""
    for place in PERMITS:
        yield place, ask(desk, place, {})
        yield f"{place} as handler1", ask(desk, place, desk.headers("handler1"))
        if place == "DELETE /sessions/current":
            desk.tokens.clear()
    for page in PAGES:
        yield page, desk.client.get(page)
        yield f"HEAD {page}", desk.client.head(page)
    for method, path, how in (
        ("GET", "/nowhere", {}),
        ("GET", "/static/nowhere.js", {}),
        ("GET", "/static/../main.py", {}),
        ("PATCH", "/api/v1/items", {}),
        ("TRACE", "/api/v1/items", {}),
        ("OPTIONS", "/api/v1/items", {"headers": {"Origin": "http://evil.example"}}),
        ("POST", "/api/v1/sessions", {"content": b"x" * (MOST_BYTES + 1)}),
        (
            "POST",
            "/api/v1/sessions",
            {"content": b"a=b", "headers": {"Content-Type": "text/plain"}},
        ),
        (
            "POST",
            "/api/v1/sessions",
            {"content": b"{", "headers": {"Content-Type": "application/json"}},
        ),
        ("GET", "/api/v1/workflows", {"headers": {"Accept": "text/html"}}),
        ("GET", "/", {"headers": {"Host": "evil.example"}}),
    ):
        yield f"{method} {path} {how}"[:80], desk.client.request(method, path, **how)


def test_every_answer_has_every_header(desk: Desk) -> None:
    """Of every route, page, file, refusal and fault; nothing says what serves it, nobody else's page may
    read it.
    """
    statuses = set()
    for place, answer in [*answers(desk), ("a fault", _fault(desk))]:
        statuses.add(answer.status_code)
        told = answer.headers
        path = answer.request.url.path
        policy = STRICT if path in LENIENT else f"{STRICT}; require-trusted-types-for 'script'"
        assert told["Content-Security-Policy"] == policy, place
        assert told["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains", place
        assert told["X-Content-Type-Options"] == "nosniff", place
        assert told["Referrer-Policy"] == "no-referrer", place
        assert told["Cross-Origin-Opener-Policy"] == "same-origin", place
        assert told["Cross-Origin-Resource-Policy"] == "same-origin", place
        assert told["Cross-Origin-Embedder-Policy"] == "require-corp", place
        assert re.fullmatch(r"([a-z-]+=\(\))(, [a-z-]+=\(\)){20,}", told["Permissions-Policy"]), (
            place
        )
        assert told["Cache-Control"] == "no-store", place
        assert told["X-Request-ID"], place
        for name in ("Server", "X-Powered-By", "Access-Control-Allow-Origin"):
            assert name not in told, place
    assert statuses >= {200, 401, 403, 404, 405, 406, 413, 415, 422, 500}


def _fault(desk: Desk) -> Any:
    """A fault of ours: a table that is gone."""
    with psycopg.connect(desk.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE login RENAME TO gone")
        try:
            return desk.client.get("/api/v1/items", headers={"Authorization": "Bearer x"})
        finally:
            connection.execute("ALTER TABLE gone RENAME TO login")


def test_a_file_named_by_its_version_may_be_kept(desk: Desk) -> None:
    """Vendored files only."""
    answer = desk.client.get("/static/vendor/swagger-ui/5.35.0/swagger-ui.css")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("testclient", "unknown"),
    ],
)
def test_a_network_is_told_without_the_address(home: Path, peer: str, network: str) -> None:
    """Twenty-four bits of IPv4, what a subscriber is given of IPv6."""
    assert Origins(Settings(home=home)).network({"client": (peer, 1)}) == network


def test_a_wrong_setting_stops_the_start(home: Path) -> None:
    """Single sign-on in the clear or without a client."""
    for wrong in (
        {"oidc_issuer": "https://sso.example"},
        {"oidc_issuer": "http://sso.example", "oidc_client_id": "x"},
        {"idle_minutes": 1},
        {"session_hours": 25},
        {"second_factor": "nobody"},
    ):
        with pytest.raises(ValueError, match=f"(?i){next(iter(wrong))}"):
            Settings(home=home, **wrong)

"""Single sign-on: a real provider lets in who it should, and nothing that is forged lets in anybody."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.main import create_app
from tests.api.conftest import HERE
from tests.api.test_credentials import enrol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.settings import Settings
    from tests.api.conftest import Desk

KEY = RSAKey.generate_key(2048, {"kid": "one"})
CLIENT = "banjie"
SECRET = "shared s e&crets are no signatures"


@contextmanager
def office_with(settings: Settings, issuer: str, **more: Any) -> Iterator[TestClient]:
    """The office with an issuer."""
    with_sso = {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SecretStr(SECRET),
        "oidc_claim": "sub",
        **more,
    }
    app = create_app(settings.model_copy(update=with_sso))
    with TestClient(app, HERE, follow_redirects=False) as client:
        yield client


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """oidc-provider-mock as a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://localhost:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(url, trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def visit(client: TestClient, sub: str) -> str:
    """Set out, log in at the provider, and come back with its address."""
    away = client.get("/sign-on")
    assert away.status_code == 303, away.text
    cookie = away.headers["Set-Cookie"]
    assert all(word in cookie for word in ("banjie-visit=", "HttpOnly", "SameSite=lax"))
    with httpx.Client(trust_env=False) as browser:
        back = browser.post(away.headers["Location"], data={"sub": sub})
    return str(back.headers["Location"])


def test_who_the_provider_names_is_let_in(settings: Settings, desk: Desk, provider: str) -> None:
    """Code flow with PKCE, state and nonce against a real provider; the session is a cookie, and the
    same way back does not work twice.
    """
    with office_with(settings, provider) as client:
        address = visit(client, "handler1")
        welcome = client.get(address)
        assert welcome.status_code == 200, welcome.text
        assert client.get("/api/v1/sessions/current").json()["account"] == "handler1"
        assert client.get("/api/v1/items").status_code == 200
        assert client.get(address).status_code == 401
    assert desk.one("SELECT by_cookie FROM login")


def test_nobody_is_made_by_signing_on(settings: Settings, desk: Desk, provider: str) -> None:
    """An account that is not here, or has left, is refused."""
    desk.one("UPDATE person SET left_on = current_date WHERE account = 'mediator' RETURNING 1")
    people = desk.one("SELECT count(*) FROM person")
    with office_with(settings, provider) as client:
        for sub in ("stranger", "mediator"):
            assert client.get(visit(client, sub)).status_code == 401
    assert desk.one("SELECT count(*) FROM person") == people
    assert desk.one("SELECT count(*) FROM login") == 0


def test_a_second_factor_is_still_asked_for(settings: Settings, desk: Desk, provider: str) -> None:
    """Whoever enrolled here shows it here, and can do nothing else before."""
    device, _ = enrol(desk)
    with office_with(settings, provider) as client:
        assert client.get(visit(client, "handler1")).status_code == 200
        current = client.get("/api/v1/sessions/current").json()
        assert current["owes"] == "otp"
        assert client.get("/api/v1/items").json()["type"] == "/problems/credential-owed"
        ours = {"Origin": HERE, "X-Banjie-Form": current["form_token"]}
        path = "/api/v1/sessions/current/step-up"
        by_password = client.post(path, json={"password": "banjie-sample"}, headers=ours)
        assert by_password.status_code == 403
        assert client.post(path, json={"otp": device.code()}, headers=ours).status_code == 200
        assert client.get("/api/v1/items").status_code == 200


def test_the_way_back_works_only_where_one_set_out(
    settings: Settings, desk: Desk, provider: str
) -> None:
    """Another browser, another state, no state: refused, and written down without words."""
    with office_with(settings, provider) as client:
        address = visit(client, "handler1")
        kept = dict(client.cookies)
        client.cookies.clear()
        assert client.get(address).status_code == 401
        client.cookies.update(kept)
        code = parse_qs(urlsplit(address).query)["code"][0]
        for state in ("", "x" * 64):
            path = f"/sign-on/callback?code={code}&state={state}"
            assert client.get(path).status_code == 401
    told = desk.one("SELECT array_agg(DISTINCT reason ORDER BY reason) FROM access_event")
    assert told == ["sign_on_no_visit", "sign_on_state"]


class Forger:
    """An issuer that answers what the test says."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.key: RSAKey | OctKey = KEY
        self.alg = "RS256"
        self.nonce: str | None = None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.token_status = 200
        self.big = False
        self.url = ""

    def answer(self, path: str) -> tuple[int, dict[str, Any]]:
        """What an address answers."""
        if path.endswith("openid-configuration"):
            return 200, {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                **self.metadata,
            }
        if path == "/jwks":
            return 200, {"keys": [KEY.as_dict(private=False)], "pad": "x" * (self.big * 300_000)}
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "handler1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.alg, "kid": "one"}
        token = jwt.encode(header, claims, self.key, algorithms=[self.alg])
        return self.token_status, {"access_token": "a", "token_type": "Bearer", "id_token": token}


@pytest.fixture
def forger() -> Iterator[Forger]:
    """The forger, listening."""
    issuer = Forger()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            issuer.asked.append(
                (self.path, {**form, "auth": self.headers.get("Authorization", "")})
            )
            status, told = issuer.answer(self.path)
            said = json.dumps(told).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"{issuer.url}/jwks")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def come_back(client: TestClient, forger: Forger, nonce: str | None = None) -> Any:
    """Set out, and come back with a code of the forger's."""
    asked = parse_qs(urlsplit(client.get("/sign-on").headers["Location"]).query)
    forger.nonce = nonce or asked["nonce"][0]
    forger.metadata.pop("authorization_endpoint", None)
    forger.challenge = asked["code_challenge"][0]  # type: ignore[attr-defined]
    return client.get(f"/sign-on/callback?code=c&state={asked['state'][0]}")


def test_a_whole_answer_is_taken_and_the_code_is_bound(
    settings: Settings, desk: Desk, forger: Forger
) -> None:
    """The control of the refusals below: the forger can be honest. The verifier sent is the one whose
    challenge went ahead, and the secret travels in the header alone.
    """
    with office_with(settings, forger.url) as client:
        assert come_back(client, forger).status_code == 200
    (sent,) = [form for path, form in forger.asked if path == "/token"]
    digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == vars(forger)["challenge"]
    assert (
        sent["auth"]
        == f"Basic {base64.b64encode(f'banjie:{quote_plus(SECRET)}'.encode()).decode()}"
    )
    assert "client_secret" not in sent
    assert desk.one("SELECT count(*) FROM login") == 1


STRANGE: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "another"},
    "expired": {"exp": int(time.time()) - 3600},
    "no expiry": {"exp": None},
    "no nonce": {"nonce": None},
    "another nonce": {"nonce": "x"},
    "from the future": {"iat": int(time.time()) + 3600},
    "for another party": {"azp": "another"},
    "nobody": {"sub": None},
    "no name": {"sub": 7},
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_token_is_refused(
    settings: Settings, desk: Desk, forger: Forger, name: str
) -> None:
    """One claim of an otherwise right token."""
    forger.claims = STRANGE[name]
    with office_with(settings, forger.url) as client:
        assert come_back(client, forger).status_code == 401
    assert desk.one("SELECT count(*) FROM login") == 0


def _another_key(forger: Forger) -> None:
    forger.key = RSAKey.generate_key(2048, {"kid": "one"})


def _shared_secret(forger: Forger) -> None:
    forger.key, forger.alg = OctKey.import_key(SECRET), "HS256"


def _foreign(name: str) -> Any:
    def change(forger: Forger) -> None:
        forger.metadata[name] = "http://127.0.0.1:1/elsewhere"

    return change


def _other_issuer(forger: Forger) -> None:
    forger.metadata["issuer"] = "https://evil.example"


def _redirect(forger: Forger) -> None:
    forger.token_status = 302


def _refuse(forger: Forger) -> None:
    forger.token_status = 400


def _flood(forger: Forger) -> None:
    forger.big = True


@pytest.mark.parametrize(
    "change",
    [
        _another_key,
        _shared_secret,
        _foreign("token_endpoint"),
        _foreign("jwks_uri"),
        _other_issuer,
        _redirect,
        _refuse,
        _flood,
    ],
)
def test_a_strange_issuer_is_refused(
    settings: Settings, desk: Desk, forger: Forger, change: Any
) -> None:
    """A foreign signature, a foreign host, a redirect, a flood: nobody is let in, and only the issuer's
    own host was asked.
    """
    with office_with(settings, forger.url) as client:
        asked = parse_qs(urlsplit(client.get("/sign-on").headers["Location"]).query)
        forger.nonce = asked["nonce"][0]
        change(forger)
        back = client.get(f"/sign-on/callback?code=c&state={asked['state'][0]}")
        assert back.status_code == 401, back.text
    assert desk.one("SELECT count(*) FROM login") == 0


def test_an_issuer_that_is_away_is_no_fault(settings: Settings, desk: Desk) -> None:
    """503, and passwords work."""
    assert desk.one("SELECT count(*) FROM login") == 0
    with office_with(settings, "http://127.0.0.1:1") as client:
        assert client.get("/sign-on").status_code == 503
        form = {"account": "handler1", "password": "banjie-sample"}
        assert client.post("/api/v1/sessions", json=form).status_code == 201


def test_without_an_issuer_there_is_no_sign_on(desk: Desk) -> None:
    """Off unless set."""
    assert desk.client.get("/sign-on").status_code == 404
    assert desk.client.get("/sign-on/callback?code=c&state=s").status_code == 404

"""The house's single sign-on: who the issuer says somebody is (OpenID Connect, code flow with PKCE).

The one file of the counter that asks somebody outside, while a person waits for it. It asks one host
only, the issuer's own: addresses that its metadata name elsewhere are refused, redirects are not
followed, proxies of the environment are not used, and an answer is read to 256 KiB and five seconds.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote_plus, urlsplit

import httpx
import orjson
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.sign_on import Doubted
from engine.errors import Busy

if TYPE_CHECKING:
    from joserfc.jwk import KeySetSerialization

    from engine.settings import Settings

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Signatures with the issuer's public keys; never `none`, never one by a shared secret."""
MOST_BYTES = 256 * 1024
LEEWAY = 60
"""Seconds two clocks may differ."""
AWAY = (
    "单点登录暂不可用,请稍后再试,或用口令登录。"
    "Single sign-on is away; try again later, or log in with your password."
)


class Issuer:
    """The issuer of an office."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._claim = settings.oidc_claim
        self._return_to = f"{settings.address}/sign-on/callback"

    def door(self, state: str, nonce: str, verifier: str) -> str:
        """Where to send a browser. Raises Busy where the issuer is away, Doubted."""
        with self._line() as line:
            metadata = self._metadata(line)
        uri: str = prepare_grant_uri(
            self._own(metadata, "authorization_endpoint"),
            self._client_id,
            "code",
            self._return_to,
            "openid profile",
            state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return uri

    def account(self, code: str, nonce: str, verifier: str) -> str:
        """The account a code stands for, by the claim the settings name. Raises Busy, Doubted."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._return_to,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        if self._secret is None:
            form["client_id"] = self._client_id
        else:  # RFC 6749, 2.3.1: both are form-encoded before they are joined
            pair = f"{quote_plus(self._client_id)}:{quote_plus(self._secret.get_secret_value())}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        with self._line() as line:
            metadata = self._metadata(line)
            address = self._own(metadata, "token_endpoint")
            answer = self._ask(line, "POST", address, data=form, headers=headers)
            keys = self._ask(line, "GET", self._own(metadata, "jwks_uri"))
        claims = self._judged(answer, keys, nonce)
        account = claims.get(self._claim)
        if not isinstance(account, str):
            raise Doubted("no_account_claim")
        return account

    def _judged(self, answer: dict[str, Any], keys: dict[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of the ID token: its signature, issuer, audience, hours and nonce hold."""
        try:
            token = jwt.decode(
                str(answer.get("id_token")),
                KeySet.import_key_set(cast("KeySetSerialization", keys)),
                algorithms=ALGORITHMS,
            )
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": self._issuer},
                    "aud": {"essential": True, "value": self._client_id},
                },
                {
                    "nonce": nonce,
                    "client_id": self._client_id,
                    "access_token": answer.get("access_token"),
                },
            )
            claims.validate(now=int(time.time()), leeway=LEEWAY)
        except (JoseError, ValueError, TypeError) as error:
            raise Doubted("id_token") from error
        return dict(claims)

    def _line(self) -> httpx.Client:
        return httpx.Client(timeout=5, follow_redirects=False, trust_env=False)

    def _metadata(self, line: httpx.Client) -> dict[str, Any]:
        address = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._ask(line, "GET", address)
        if found.get("issuer") != self._issuer:
            raise Doubted("issuer")
        return found

    def _own(self, metadata: dict[str, Any], name: str) -> str:
        """An address of the metadata. Raises Doubted where it is not on the issuer's own host."""
        address = str(metadata.get(name))
        if urlsplit(address)[:2] != urlsplit(self._issuer)[:2]:
            raise Doubted("foreign_address")
        return address

    def _ask(self, line: httpx.Client, method: str, address: str, **how: Any) -> dict[str, Any]:
        try:
            with line.stream(method, address, **how) as answer:
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise Doubted("too_large")
        except httpx.HTTPError as error:
            raise Busy(AWAY) from error
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Busy(AWAY)
        if answer.status_code != httpx.codes.OK:
            raise Doubted("refused_by_issuer")
        try:
            found = orjson.loads(body)
        except ValueError as error:
            raise Doubted("unreadable") from error
        if not isinstance(found, dict):
            raise Doubted("unreadable")
        return found

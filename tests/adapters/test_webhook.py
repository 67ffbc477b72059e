from __future__ import annotations

import gzip
import json
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from adapters.webhook import Webhook, content, signature
from engine.errors import DeliveryError, Undeliverable
from tests.adapters.certificates import certify
from tests.adapters.parcels import PLAIN, parcel
from tests.adapters.party import Answer, Door, Party, outside, say
from tests.posting import SECRET

VECTORS = Path(__file__).parents[3] / "shared/data/webhooks/standard_webhooks_vectors.json"
BOMB = gzip.compress(b"\0" * 20_000_000)
LOOPBACK = frozenset({"127.0.0.1", "localhost"})


def send(party: Party, timeout: float = 5.0, **changes: Any) -> str:
    """Send the plain parcel to a party of this machine."""
    return Webhook(LOOPBACK, timeout).send(parcel(address=party.url, **changes))


# --- what is sent -----------------------------------------------------------------------------


def test_a_webhook_is_signed_as_the_specification_says() -> None:
    """The stock library believes it; a changed byte, id or time it does not."""
    now = datetime.now(UTC)
    with outside(say(204)) as party:
        assert send(party, at=now) == "HTTP 204"
    ((headers, body),) = party.received
    verifier = Verifier(SECRET)
    assert verifier.verify(body, headers) == json.loads(body)
    assert headers["webhook-id"] == str(PLAIN.id)
    assert headers["content-type"] == "application/json"
    assert headers["host"] == party.url.split("/")[2]
    for change in ({"webhook-id": "x"}, {"webhook-timestamp": str(int(now.timestamp()) - 1)}):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(body, headers | change)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(body + b" ", headers)


def test_the_zone_of_the_clock_does_not_move_the_signature() -> None:
    """The database answers in Shanghai's time; the package takes any time for UTC."""
    from zoneinfo import ZoneInfo

    there = parcel(at=PLAIN.at.astimezone(ZoneInfo("Asia/Shanghai")))
    assert signature(there, b"{}") == signature(PLAIN, b"{}")


def test_a_second_try_differs_in_time_and_signature_only() -> None:
    """Same id, same bytes: the receiver can know a duplicate."""
    later = parcel(at=PLAIN.at.replace(minute=50), attempt=2)
    assert content(later) == content(PLAIN)
    first, second = signature(PLAIN, b"{}"), signature(later, b"{}")
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-timestamp"] != second["webhook-timestamp"]


def test_a_webhook_says_no_more_than_the_placeholders() -> None:
    """Type, time of the act, the closed list, the rung, and what never arrived."""
    said = json.loads(content(parcel(missed=(PLAIN.id,))))
    assert said["type"] == "item.urge"
    assert said["timestamp"] == "2026-11-23T09:00:00+00:00"
    assert set(said["data"]) == {*PLAIN.payload, "rung", "missed"}
    assert said["data"]["missed"] == [str(PLAIN.id)]


def vectors(kind: str) -> list[dict[str, Any]]:
    """The published vectors, none where they are not at hand."""
    if not VECTORS.exists():
        return []
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text())[kind]
    return found


@pytest.mark.skipif(not VECTORS.exists(), reason="the published vectors are not at hand")
def test_the_published_vectors_are_met() -> None:
    """Standard Webhooks' own pinned signature and its neighbours."""
    checked = 0
    for vector in vectors("sign"):
        moment = datetime.fromtimestamp(vector["timestamp"], UTC)
        made = signature(
            parcel(id=vector["msg_id"], at=moment, secret=vector["secret"]),
            vector["payload"].encode(),
        )
        assert made["webhook-signature"] == vector["expected"], vector
        checked += 1
    assert checked >= 4


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é", "whsec_A"])
def test_an_unusable_secret_is_hopeless(secret: str) -> None:
    """Nothing leaves unsigned."""
    with pytest.raises(Undeliverable, match="secret"):
        signature(parcel(secret=secret), b"{}")


# --- what is answered -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_accepted(status: int) -> None:
    """And the receipt says which."""
    with outside(say(status)) as party:
        assert send(party) == f"HTTP {status}"


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 500, 502])
def test_any_other_status_is_tried_again(status: int) -> None:
    """A redirect is not followed: the signature was meant for this address."""
    with outside(say(200)) as elsewhere, outside(say(status, Location=elsewhere.url)) as party:
        with pytest.raises(DeliveryError) as caught:
            send(party)
        assert elsewhere.received == []
    assert not isinstance(caught.value, Undeliverable)
    assert caught.value.detail == f"HTTP {status}"


def test_gone_is_gone() -> None:
    """410: never again, and the endpoint is to be switched off."""
    with outside(say(410)) as party, pytest.raises(Undeliverable) as caught:
        send(party)
    assert caught.value.members["gone"] is True


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ({"Retry_After": "120"}, 120),
        ({"Retry_After": "Mon, 23 Nov 2037 09:01:00 GMT"}, None),
        ({"Retry_After": "soon"}, 0),
        ({"Retry_After": "-5"}, 0),
        ({"Retry_After": "9" * 400}, 999_999_999),
        ({}, 0),
    ],
)
def test_a_wish_to_wait_is_passed_on(
    status: int, wish: dict[str, str], seconds: int | None
) -> None:
    """In seconds, or as a date, which is measured from the answer's own date."""
    with outside(say(status, **wish)) as party, pytest.raises(DeliveryError) as caught:
        send(party)
    assert caught.value.members["away"] is True
    wait = caught.value.members["retry_after"]
    assert isinstance(wait, float)
    assert wait > 86400 if seconds is None else wait == seconds


# --- hostile parties --------------------------------------------------------------------------


def hang(_: Door) -> None:
    """Say nothing."""
    time.sleep(9)


def drip_headers(door: Door) -> None:
    """One byte at a time, for ever."""
    door.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        door.wfile.write(b"x")
        time.sleep(0.05)


def reset(door: Door) -> None:
    """Close in the middle of the status."""
    door.wfile.write(b"HTTP/1.")
    door.wfile.flush()
    door.connection.shutdown(socket.SHUT_RDWR)


def nonsense(door: Door) -> None:
    """Not HTTP."""
    door.wfile.write(b"\x00\xff" * 1000)
    door.close_connection = True


@pytest.mark.parametrize("answer", [hang, drip_headers, reset, nonsense])
def test_a_party_that_does_not_answer_is_left_in_time(answer: Answer) -> None:
    """However it goes about it, a try ends when its time is over, and will be made again."""
    with outside(answer) as party:
        began = time.monotonic()
        with pytest.raises(DeliveryError) as caught:
            send(party, timeout=0.6)
        assert time.monotonic() - began < 4
    assert caught.value.members["away"] is True
    assert "token" not in caught.value.detail


def endless(door: Door) -> None:
    """An answer without end."""
    door.send_response(200)
    door.end_headers()
    while True:
        door.wfile.write(b"x" * 65536)


def bomb(door: Door) -> None:
    """20 kB that unpack to 20 MB."""
    door.send_response(200)
    door.send_header("Content-Encoding", "gzip")
    door.send_header("Content-Length", str(len(BOMB)))
    door.end_headers()
    door.wfile.write(BOMB)


def drip_body(door: Door) -> None:
    """A status at once, and then a byte now and then."""
    door.send_response(200)
    door.end_headers()
    while True:
        door.wfile.write(b"x")
        time.sleep(0.05)


def break_off(door: Door) -> None:
    """A status, and then less than promised."""
    door.send_response(200)
    door.send_header("Content-Length", "100")
    door.end_headers()
    door.wfile.write(b"x")


@pytest.mark.parametrize("answer", [endless, bomb, drip_body, break_off])
def test_the_status_counts_and_the_body_does_no_harm(answer: Answer) -> None:
    """Accepted is accepted; an endless, packed, slow or broken body costs neither time nor memory."""
    with outside(answer) as party:
        began = time.monotonic()
        assert send(party, timeout=0.6) == "HTTP 200"
        assert time.monotonic() - began < 4


def test_tls_is_checked_against_the_name_though_the_address_is_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown authority stops it; a known one does; another name does not."""
    context, trusted = certify(tmp_path)
    with outside(say(200), context) as party:
        with pytest.raises(DeliveryError) as caught:
            send(party)
        assert caught.value.detail == "HTTP ConnectError"
        assert party.received == []
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert send(party) == "HTTP 200"
    (folder := tmp_path / "other").mkdir()
    context, trusted = certify(folder, "elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with outside(say(200), context) as party, pytest.raises(DeliveryError):
        send(party)


def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable somebody left cannot divert what leaves the house."""
    with outside(say(200)) as thief, outside(say(200)) as party:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, thief.url)
        send(party)
        assert (len(thief.received), len(party.received)) == (0, 1)

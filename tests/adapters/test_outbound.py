from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from adapters.outbound import is_public
from adapters.webhook import Webhook
from engine.errors import DeliveryError, Undeliverable
from tests.adapters.parcels import parcel
from tests.adapters.party import outside, say


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - not bound, judged
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "2001:0:1::1",
        "2001:db8::1",
        "100::1",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "3fff::1",
        "5f00::1",
    ],
)
def test_inner_addresses_are_refused_in_every_wrapping(address: str) -> None:
    """Mapped, compatible, 6to4, NAT64 and Teredo forms of inner addresses among them."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2400:3200::1",
        "64:ff9b::101:101",
        "::ffff:1.1.1.1",
        "2002:101:101::1",
    ],
)
def test_public_addresses_are_not_refused(address: str) -> None:
    """The list refuses no more than it must."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://{host}:{port}/",
        "https://{host}:{port}/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://１２７.０.０.１/",
        "https://localhost/",
        "https://localhost./",
        "https://user@localhost/",
        "https://public.example@127.0.0.1:{port}/",
        "https://127.0.0.1:{port}#@public.example/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "unix:///run/socket",
        "//localhost/",
        "localhost",
        "https://",
        "https:///x",
        "https://local\r\nhost/",
        "https://localhost:99999/",
        "",
    ],
)
def test_an_unlisted_inner_host_is_never_connected_to(url: str) -> None:
    """Whatever the spelling: refused, and a listener on this machine hears nothing."""
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.05)
        port = canary.getsockname()[1]
        with pytest.raises(DeliveryError):
            Webhook().send(parcel(address=url.format(host="127.0.0.1", port=port)))
        with pytest.raises(TimeoutError):
            canary.accept()


def test_a_name_is_resolved_once_and_the_judged_address_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One inner answer among several is refused; a second, other answer is never asked for."""
    real = socket.getaddrinfo
    asked: list[str] = []
    answers = {"mixed.example": ["1.1.1.1", "10.0.0.1"], "listed.example": ["127.0.0.1"]}

    def resolve(host: str, port: int, *_: Any, **options: Any) -> list[Any]:
        if host not in answers:
            return real(host, port, **options)
        asked.append(host)
        return [(socket.AF_INET, 1, 6, "", (answer, port)) for answer in answers[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(DeliveryError, match="inner address"):
        Webhook().send(parcel(address="https://mixed.example/"))
    with outside(say(200)) as party:
        port = int(party.url.split(":")[2].split("/")[0])
        hook = Webhook(frozenset({f"listed.example:{port}"}))
        assert hook.send(parcel(address=f"http://listed.example:{port}/x")) == "HTTP 200"
        assert party.received[0][0]["host"] == f"listed.example:{port}"
        with pytest.raises(Undeliverable):
            hook.send(parcel(address=f"http://listed.example:{port + 1}/"))
    assert asked == ["mixed.example", "listed.example"]

"""The outbound guard: which addresses a webhook may reach.

An endpoint's URL is written by people, and a name may resolve to anything, so the *resolved* address
is judged, against an own list (`ipaddress` of Python 3.11 calls 64:ff9b::7f00:1 global and
100.64.0.1 not private), and the connection goes to the very address that was judged. Addresses that
wrap an IPv4 address (mapped, compatible, 6to4, NAT64) are judged by what they wrap.

A host of the office's own network is reached only when the installation lists it
(`BANJIE_WEBHOOK_HOSTS`); for listed hosts http and any port are fine.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

import httpx

from engine.errors import DeliveryError, Undeliverable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_CLOSED_V4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
"""IANA's special-purpose IPv4 blocks, multicast and the reserved rest."""
_OPEN_V6 = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out for global unicast (RFC 4291) ..."""
_CLOSED_V6 = tuple(
    ipaddress.IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "3fff::/20")
)
"""... less protocol assignments (Teredo among them) and documentation."""
_WRAPPING = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
"""Networks that carry an IPv4 address, and how many bits lie to its right."""


class Target(NamedTuple):
    """Where to connect, and by which name to ask for it there."""

    url: httpx.URL
    """The endpoint's URL with the address in place of the name."""
    host: str
    """The name, for TLS."""
    authority: str
    """Name and port, for the Host header."""


def is_public(address: Address) -> bool:
    """May a webhook go to this address without being listed?"""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in block for block in _CLOSED_V4)
    for block, right in _WRAPPING:
        if address in block:
            return is_public(ipaddress.IPv4Address(int(address) >> right & 0xFFFFFFFF))
    return address in _OPEN_V6 and not any(address in block for block in _CLOSED_V6)


def aim(address: str, listed: frozenset[str]) -> Target:
    """Where a webhook to this URL may go: resolved once, judged, pinned.

    `listed` holds `host` or `host:port`. Unlisted: https on port 443 to a name, never an address,
    of which *every* answer is public. Raises Undeliverable for a URL that is not allowed and
    DeliveryError for a name that does not resolve now or resolves to an inner address now.
    """
    try:
        url = httpx.URL(address)
        host = url.raw_host.decode("ascii").strip("[]").rstrip(".").lower()
    except (httpx.InvalidURL, UnicodeError) as error:
        raise Undeliverable("the endpoint's URL is malformed") from error
    if url.scheme not in {"http", "https"} or not host or url.userinfo:
        raise Undeliverable("the endpoint's URL must be https, without a user name")
    port = url.port or (443 if url.scheme == "https" else 80)
    trusted = host in listed or f"{host}:{port}" in listed
    if not trusted and (url.scheme != "https" or port != 443 or _is_numeric(host)):  # noqa: PLR2004
        raise Undeliverable(
            "the endpoint must be https on port 443 and a name, or stand in BANJIE_WEBHOOK_HOSTS"
        )
    found = _resolve(host, port)
    if not trusted and not all(is_public(answer) for answer in found):
        raise DeliveryError("the endpoint's name leads to an inner address", away=True)
    return Target(url.copy_with(host=str(found[0])), host, url.netloc.decode("ascii"))


def _is_numeric(host: str) -> bool:
    """An address in any spelling: 127.1, 2130706433, 0x7f.1, ::1 (a name's last label is none)."""
    last = host.rpartition(".")[2]
    return ":" in host or last.isdigit() or last.startswith("0x")


def _resolve(host: str, port: int) -> list[Address]:
    """Every address of a name, in the resolver's order."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryError("the endpoint's name does not resolve", away=True) from error
    return [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]

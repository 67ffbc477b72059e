"""Where a request comes from: which page made it, and which network.

The public address names the one origin there is. Without one the office is reached by several names of
its machine, and the origin is the one that belongs to the host named: a cookie is of that name too.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from api.problems import CrossSite
from engine.settings import LOOPBACK

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Scope

    from engine.settings import Settings

CROSS_SITE = (
    "请求不是从本系统页面发出的,请在页面上重做。"
    "This did not come from a page of this office; do it again on the page itself."
)


class Origins:
    """Judges origins by one office's settings; tells networks."""

    def __init__(self, settings: Settings) -> None:
        own = urlsplit(settings.address)
        self.plain = own.scheme == "http"
        self.local = self.plain and (own.hostname or "") in LOOPBACK
        self._public = f"{own.scheme}://{own.netloc}" if settings.public_url else None

    def demand_own(self, headers: Headers) -> None:
        """Demand that a browser says a request was made by a page of this office: its origin, or,
        where that is left out, that it is the same one. Raises CrossSite.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        ours = self._public or f"http://{headers.get('host', '')}"
        if (
            (origin or site) is None
            or origin not in {None, ours}
            or site
            not in {
                None,
                "same-origin",
            }
        ):
            raise CrossSite(CROSS_SITE)

    def network(self, scope: Scope) -> str:
        """The network a request comes from (IPv4: 24 bits, IPv6: 64)."""
        client = scope.get("client")
        at = _address(client[0]) if client else None
        if at is None:
            return "unknown"
        return str(ip_network(f"{at}/{24 if at.version == 4 else 64}", strict=False))  # noqa: PLR2004


def _address(word: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(word.strip("[]"))
    except ValueError:
        return None

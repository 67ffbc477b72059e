"""The headers of a careful house, on every answer (reliability 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.datastructures import MutableHeaders

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
TRUSTED = "; require-trusted-types-for 'script'"
OFF = (
    "accelerometer", "autoplay", "bluetooth", "browsing-topics", "camera", "clipboard-read",
    "display-capture", "encrypted-media", "fullscreen", "gamepad", "geolocation", "gyroscope", "hid",
    "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial", "storage-access",
    "usb", "web-share", "xr-spatial-tracking",
)  # fmt: skip

HEADERS = {
    "Content-Security-Policy": POLICY + TRUSTED,
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in OFF),
}
"""The policy against scripts lets in our own files and nothing else, and lets no script turn text into
markup or code.
"""

LENIENT = frozenset({"/docs", "/api/v1/docs"})
"""Swagger UI, a vendored bundle, writes markup by itself; its page is the only one that may, and shows
nothing but our own description of the API.
"""


def dress(headers: MutableHeaders, path: str, request_id: str) -> None:
    """Put them on; nothing is kept but files whose address names their version."""
    for name, value in HEADERS.items():
        headers.setdefault(name, value)  # a file that is served brings a stricter policy
    if path in LENIENT:
        headers["Content-Security-Policy"] = POLICY
    headers["X-Request-ID"] = request_id
    for name in ("Server", "X-Powered-By"):
        if name in headers:
            del headers[name]
    if path.startswith("/static/vendor/"):
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        headers.setdefault("Cache-Control", "no-store")

"""Files given to items: by whom, kept how, had again how."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.api.conftest import ACCEPTANCE

if TYPE_CHECKING:
    from pathlib import Path

    from httpx import Response

    from engine.settings import Settings
    from tests.api.conftest import Desk

CANARY = "GPS-CANARY-34.0357N"
PLAIN = ("说明.txt", "窗口收费不开票据。".encode(), "text/plain")


def photo(**more: Any) -> bytes:
    """A picture with words in its metadata."""
    exif = Image.Exif()
    exif[0x010E] = CANARY
    file = io.BytesIO()
    Image.effect_noise((64, 48), 60).convert("RGB").save(file, "JPEG", exif=exif, **more)
    return file.getvalue()


def give(
    desk: Desk, account: str, number: str, *files: tuple[str, bytes, str], **fields: str
) -> Response:
    """Add files as a member of staff."""
    revision = desk.one("SELECT revision FROM item WHERE number = %s", number)
    answer: Response = desk.client.post(
        f"/api/v1/items/{number}/attachments",
        data=fields,
        files=[("file", each) for each in files],
        headers=desk.headers(account, If_Match=f'"{revision}"'),
    )
    return answer


@pytest.fixture
def number(desk: Desk) -> str:
    """A grievance that waits for the intake desk."""
    return desk.submit()["number"]


def left(settings: Settings) -> list[Path]:
    """The objects of the store."""
    return sorted((settings.home / "attachments").iterdir())


def test_a_file_given_can_be_had_again(desk: Desk, number: str, settings: Settings) -> None:
    """Bytes, name and type come back; the store holds neither the bytes nor the name."""
    answer = give(desk, "intake", number, PLAIN, title="情况说明")
    assert answer.status_code == 201, answer.text
    (made,) = answer.json()["items"]
    assert made["sha256"] == hashlib.sha256(PLAIN[1]).hexdigest()
    assert made["scan"] == "not_scanned"
    (shown,) = desk.look("intake", f"/items/{number}/attachments").json()["items"]
    assert (shown["name"], shown["title"]) == ("\u2068说明.txt\u2069", "情况说明")
    had = desk.look("intake", f"/items/{number}/attachments/{made['id']}")
    assert had.content == PLAIN[1]
    (kept,) = left(settings)
    assert PLAIN[1] not in kept.read_bytes()
    assert desk.one("SELECT count(*) FROM stray_file") == 0


def test_staff_see_a_copy_without_metadata(desk: Desk, number: str) -> None:
    """What a camera wrote is not in the copy; the original is had for a reason, and that is told."""
    (made,) = give(desk, "intake", number, ("照片.jpg", photo(), "image/jpeg")).json()["items"]
    place = f"/items/{number}/attachments/{made['id']}"
    copy = desk.look("intake", place)
    assert CANARY.encode() not in copy.content
    assert Image.open(io.BytesIO(copy.content)).size == (64, 48)
    revision = f'"{desk.look("intake", f"/items/{number}").json()["revision"]}"'
    wanted = desk.send("intake", f"{place}/original", {"reason": "核对地点"}, If_Match=revision)
    assert CANARY.encode() in wanted.content
    last = desk.look("intake", f"/items/{number}/events").json()["items"][-1]
    assert (last["act"], last["data"]) == ("attachment", {"id": made["id"], "opened": "original"})
    assert last["personal"] == {"note": "核对地点"}
    assert ACCEPTANCE

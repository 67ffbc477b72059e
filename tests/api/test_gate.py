"""What every request passes first: size, one meaning, room on the disk, a place."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.gate import Room
from engine.errors import Busy
from tests.api.conftest import GRIEVANCE

if TYPE_CHECKING:
    from httpx import Response

    from tests.api.conftest import Desk

CANARY = "CANARY-13800001234"


def post(desk: Desk, body: bytes, path: str = "/sessions") -> Response:
    """POST these bytes as JSON."""
    answer: Response = desk.client.post(
        f"/api/v1{path}", content=body, headers={"Content-Type": "application/json"}
    )
    return answer


BODIES: dict[str, tuple[bytes, int]] = {
    "a name twice": (f'{{"account": "{CANARY}", "account": "head"}}'.encode(), 400),
    "a name twice, deep": (f'{{"data": [{{"{CANARY}": 1, "{CANARY}": 2}}]}}'.encode(), 400),
    "a name twice by an escape": (f'{{"{CANARY}": 1, "\\u0043{CANARY[1:]}": 2}}'.encode(), 400),
    "not a number": (f'{{"{CANARY}": NaN}}'.encode(), 400),
    "infinity": (f'{{"{CANARY}": -Infinity}}'.encode(), 400),
    "beyond infinity": (f'{{"{CANARY}": 1e999}}'.encode(), 422),
    "a number of many digits": (b'{"account": ' + b"7" * 5000 + b"}", 422),
    "a number beyond 64 bits": (b'{"account": 12345678901234567890}', 422),
    "ten thousand lists in one another": (b"[" * 10_000 + b"]" * 10_000, 400),
    "five hundred objects in one another": (b'{"a":' * 500 + b"1" + b"}" * 500, 422),
    "as many names as fit": (
        b"{" + b",".join(b'"%x":0' % at for at in range(6000)) + b"}",
        422,
    ),
    "an end too early": (f'{{"account": "{CANARY}'.encode(), 400),
    "words after the end": (f'{{"account": "a"}} {CANARY}'.encode(), 400),
    "two documents": (f'{{"account": "a"}}{{"{CANARY}": 1}}'.encode(), 400),
    "another encoding": (f'{{"account": "{CANARY}"}}'.encode("utf-16"), 400),
    "bytes that are no text": (b'{"account": "\xff\xfe"}', 400),
    "a byte order mark": (b"\xef\xbb\xbf{}", 400),
    "a comment": (f"{{/* {CANARY} */}}".encode(), 400),
    "single quotes": (f"{{'account': '{CANARY}'}}".encode(), 400),
}


@pytest.mark.parametrize("name", BODIES)
def test_json_has_one_meaning_or_is_refused(desk: Desk, name: str) -> None:
    """What two readers may read differently is refused with a sentence, and not repeated."""
    body, status = BODIES[name]
    refused = post(desk, body)
    assert refused.status_code == status, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert CANARY not in refused.text
    assert "CANARY" not in str(refused.headers)
    assert len(refused.text) < 4000 or name == "as many names as fit"


def test_a_parameter_given_twice_is_refused(desk: Desk) -> None:
    """Which of two values counts is nobody's to guess; the same value twice is no better."""
    mine = desk.headers("intake")
    for query in ("limit=1&limit=2", "limit=1&limit=1", "state=received&limit=1&state=closed"):
        refused = desk.client.get(f"/api/v1/items?{query}", headers=mine)
        assert refused.status_code == 422, query
    assert desk.client.get("/api/v1/items?limit=1&state=received", headers=mine).status_code == 200


def test_plain_json_is_taken(desk: Desk) -> None:
    """Depth up to what a form may have, whole numbers of 18 digits, fractions, any text."""
    body = b'{"workflow": "grievance", "data": {"narrative": "\\ud83d\\ude00", "x": %s}}'
    for inside in (b"[" * 60 + b"]" * 60, b"9" * 18, b"-0.5e-3", b'"\\"{{[["'):
        answer = post(desk, body % inside, "/submissions")
        assert answer.status_code == 422
        pointers = {error["pointer"] for error in answer.json()["errors"]}
        assert "/" not in pointers, inside


def test_a_nearly_full_disk_stops_writing_and_not_reading(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Intake and every other act say so with 503 and Retry-After; lists, items, logging in and the
    petitioner's view go on; with room again all is as before.
    """
    receipt = desk.submit()
    desk.headers("intake")
    disk = os.statvfs("/")
    full = os.statvfs_result((*disk[:4], 10, *disk[5:]))
    with monkeypatch.context() as patched:
        patched.setattr(os, "statvfs", lambda _: full)
        form = {"workflow": "grievance", "data": GRIEVANCE}
        for refused in (
            desk.client.post("/api/v1/submissions", json=form),
            desk.send("intake", "/items", form),
            desk.send("intake", f"/items/{receipt['number']}/notes", {"text": "x"}, If_Match='"1"'),
        ):
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
            assert "磁盘" in refused.json()["detail"]
        assert desk.look("intake", "/items").status_code == 200
        assert desk.look("intake", f"/items/{receipt['number']}").status_code == 200
        assert desk.headers("unit_head")["Authorization"]
        assert desk.client.post("/api/v1/submissions/track", json=receipt).status_code == 200
    assert desk.submit()["number"]


def test_room_is_measured_where_the_database_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the link to the servers' folder where there is one; a reserve of 0 measures nothing."""
    asked: list[str] = []

    def statvfs(path: Any) -> os.statvfs_result:
        Path(path).stat()
        asked.append(str(path))
        return os.statvfs_result((4096, 4096, 100, 100, 2, 0, 0, 0, 0, 255))

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert Room(tmp_path, 2 * 4096).is_left()
    assert not Room(tmp_path, 2 * 4096 + 1).is_left()
    (tmp_path / "servers").mkdir()
    assert Room(tmp_path, 1).is_left()
    assert asked == [str(tmp_path), str(tmp_path), str(tmp_path / "servers")]
    assert Room(tmp_path, 0).is_left()
    assert len(asked) == 3


def test_more_requests_than_places_wait_two_seconds_and_no_longer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While all places are taken the next is told to come again; a free place is taken at once."""
    begun, go_on = threading.Semaphore(0), threading.Event()
    counter = desk.app.state.counter
    real = counter.database.transaction

    def hang(*_: object) -> Any:
        begun.release()
        go_on.wait(20)
        return real()

    monkeypatch.setattr(counter.database, "transaction", hang)
    places = counter.settings.pool_size
    asked = [
        threading.Thread(target=desk.client.get, args=("/api/v1/readyz",)) for _ in range(places)
    ]
    for each in asked:
        each.start()
    for _ in asked:
        assert begun.acquire(timeout=10)
    late = desk.client.get("/api/v1/readyz")
    assert desk.client.get("/healthz").status_code == 200
    go_on.set()
    for each in asked:
        each.join()
    assert late.status_code == 503
    assert late.json()["type"] == f"/problems/{Busy.code}"
    assert 1.5 < late.elapsed.total_seconds() < 6
    assert math.isfinite(float(late.headers["retry-after"]))
    assert desk.client.get("/api/v1/readyz").status_code == 200

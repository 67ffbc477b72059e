"""Uploads that mean harm: every file of the corpus, and requests that no browser would send."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from engine import darkroom
from tests.api.uploads import CANARY, Sample, corpus, picture, whole

if TYPE_CHECKING:
    from httpx import Response

    from engine.settings import Settings
    from tests.api.conftest import Desk

END = b"\r\n--x--\r\n"


def part(name: str = "file", filename: str | None = "a.txt", more: bytes = b"") -> bytes:
    """The head of a part."""
    told = f'--x\r\nContent-Disposition: form-data; name="{name}"'
    told += f'; filename="{filename}"' if filename is not None else ""
    return told.encode() + b"\r\n" + more + b"\r\n"


def post(
    desk: Desk, number: str, body: Any, kind: str = "multipart/form-data; boundary=x"
) -> Response:
    """A body as it is, by the intake desk."""
    answer: Response = desk.client.post(
        f"/api/v1/items/{number}/attachments",
        content=body,
        headers=desk.headers("intake", If_Match='"1"', Content_Type=kind),
    )
    return answer


def sent(desk: Desk, number: str, sample: Sample) -> Response:
    """One file of the corpus, its name as raw as a client may send it."""
    quoted = sample.name.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "")
    head = part("file", quoted, f"Content-Type: {sample.declared}\r\n".encode())
    return post(desk, number, head + sample.content + END)


def names(settings: Settings) -> set[str]:
    """What lies in the store and in the spool."""
    return {
        path.name for room in ("attachments", "spool") for path in (settings.home / room).iterdir()
    }


def kept(desk: Desk) -> int:
    """How many objects the database knows of."""
    count: int = desk.one(
        "SELECT count(original) + count(copy) + (SELECT count(*) FROM stray_file) FROM attachment"
    )
    return count


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_file_of_the_corpus_does_harm(desk: Desk, settings: Settings) -> None:
    """Each is taken or refused as it should be, soon, in bounded memory, and nothing is left over."""
    samples = corpus()
    assert len(samples) >= 150
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    faults: list[Any] = []
    slow: list[Any] = []
    number = desk.submit()["number"]
    for at, sample in enumerate(samples):
        if at % 100 == 99:
            number = desk.submit()["number"]
        began = time.process_time() + _of_children()
        answer = sent(desk, number, sample)
        spent = time.process_time() + _of_children() - began
        right = answer.status_code == 201 if sample.taken else 400 <= answer.status_code < 500
        if not right:
            faults.append(
                (sample.name[:40], sample.declared, answer.status_code, answer.text[:200])
            )
        elif sample.taken and tuple(answer.json()["items"][0]["flags"]) != sample.flags:
            faults.append((sample.name[:40], answer.json()["items"][0]["flags"], sample.flags))
        if spent > 2:
            slow.append((sample.name[:40], spent))
    assert faults == []
    assert slow == []
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 * 1024, f"{grown} KiB more"
    assert len(names(settings)) == kept(desk)
    assert desk.one("SELECT count(*) FROM stray_file") == 0


MEASURED = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-I", "-B", sys.argv[1], sys.argv[2]],
    input=sys.stdin.buffer.read(), capture_output=True)
print(done.returncode, len(done.stdout) > 0, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.parametrize(("mode", "kind"), [("L", "png"), ("RGBA", "png"), ("RGBA", "webp")])
def test_the_darkroom_keeps_to_its_memory(mode: str, kind: str) -> None:
    """Measured from a small process: for a child the kernel counts what its parent held when it was
    started, and a long run holds more than the darkroom may.
    """
    held = BytesIO()
    Image.new(mode, (6300, 6300)).save(held, kind)
    command = [sys.executable, "-c", MEASURED, darkroom.__file__, kind]
    done = subprocess.run(command, check=True, capture_output=True, input=held.getvalue())
    status, drawn, most = done.stdout.decode().split()
    assert (int(status), drawn) in {(0, "True"), (darkroom.TOO_MUCH_MEMORY, "False")}
    assert int(most) < 512 * 1024


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def number(desk: Desk) -> str:
    """A grievance at the intake desk."""
    return desk.submit()["number"]


ODD = {
    "no parts": b"--x--\r\n",
    "nothing": b"",
    "junk": b"junk" * 100,
    "no end": part() + b"text",
    "half an end": part() + b"text\r\n--x-",
    "no name": b"--x\r\nContent-Disposition: form-data\r\n\r\nt" + END,
    "no disposition": b"--x\r\nContent-Type: text/plain\r\n\r\nt" + END,
    "another field": part("isAdmin", None) + b"1" + END,
    "a field twice": (part("title", None) + b"1\r\n") * 2 + part() + b"t" + END,
    "a long field": part("title", None) + b"a" * 9000 + END,
    "a field of no letters": part("note", None) + b"\xff\xfe" + END,
    "ten thousand parts": (part() + b"t\r\n") * 10_000 + b"--x--\r\n",
    "ten thousand fields": (part("title", None) + b"t\r\n") * 10_000 + b"--x--\r\n",
    "a huge header": part(more=b"X: " + b"a" * 100_000 + b"\r\n") + b"t" + END,
    "many headers": part(more=b"X: a\r\n" * 1000) + b"t" + END,
    "a header without end": b"--x\r\n" + b"X" * 100_000,
    "an empty file": part() + END,
    "control characters": part("title", None) + b"a\x00b\r\n" + part() + b"t" + END,
}


def _worked_on(desk: Desk, number: str, body: bytes) -> tuple[Response, float]:
    """The answer to a body, and the processor's seconds it took."""
    began = time.process_time()
    answer = post(desk, number, body)
    return answer, time.process_time() - began


def test_no_request_of_another_shape_is_a_fault(
    desk: Desk, settings: Settings, number: str
) -> None:
    """Whatever stands between the boundaries, the answer is a refusal in words, at once."""
    found = {}
    for name, body in ODD.items():
        answer, spent = _worked_on(desk, number, body)
        if spent > 2:  # what a shape costs, it costs again: a long run's garbage is collected once
            answer, spent = _worked_on(desk, number, body)
        if not 400 <= answer.status_code < 500 or spent > 2:
            found[name] = (answer.status_code, answer.text)
        assert "detail" in answer.json(), name
    assert found == {}
    good = part() + b"t" + END
    for kind in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/plain",
        "multipart/mixed; boundary=x",
        f"multipart/form-data; boundary={'x' * 100}",
    ):
        assert post(desk, number, good, kind).status_code in {400, 415}, kind
    assert post(desk, number, good).status_code == 201
    assert len(names(settings)) == kept(desk) == 1


def test_what_is_over_a_limit_leaves_nothing(desk: Desk, settings: Settings, number: str) -> None:
    """Too large a file, too many files, too much in all, by what is told and by what comes."""
    depot = desk.app.state.counter.depot
    text = b"text\n" * 1000
    object.__setattr__(depot, "file_bytes", 4000)
    assert post(desk, number, part() + text + END).status_code == 413
    object.__setattr__(depot, "file_bytes", 10_000)
    object.__setattr__(depot, "request_bytes", 12_000)
    three = b"".join(part() + text + b"\r\n" for _ in range(3))
    assert post(desk, number, three + b"--x--\r\n").status_code == 413
    flood = (b"a" * 10_000 for _ in range(100))
    assert post(desk, number, flood).status_code in {400, 413}
    told = desk.headers("intake", If_Match='"1"', Content_Type="multipart/form-data; boundary=x")
    place = f"/api/v1/items/{number}/attachments"
    huge = {**told, "Content-Length": str(1 << 40)}
    assert desk.client.post(place, content=b"", headers=huge).status_code == 413
    object.__setattr__(depot, "request_bytes", 1 << 20)
    object.__setattr__(depot, "files", 2)
    assert post(desk, number, three + b"--x--\r\n").status_code == 413
    object.__setattr__(depot, "files", 3)
    object.__setattr__(depot, "item_bytes", 12_000)
    full = post(desk, number, three + b"--x--\r\n")
    assert (full.status_code, full.json()["type"]) == (413, "/problems/attachments-full")
    assert names(settings) == set()
    assert kept(desk) == 0
    assert desk.one("SELECT seq FROM item WHERE number = %s", number) == 1


def test_too_little_room_stops_files_and_nothing_else(
    desk: Desk, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below five per cent free, files are refused with 503; what is there can be had."""
    (made,) = post(desk, number, part() + b"t" + END).json()["items"]

    class Full:
        f_bavail, f_blocks, f_frsize = 4, 100, 1 << 40

    monkeypatch.setattr("engine.store.os.statvfs", lambda _: Full)
    full = post(desk, number, part() + b"t" + END)
    assert (full.status_code, full.headers["retry-after"]) == (503, "2")
    had = desk.look("intake", f"/items/{number}/attachments/{made['id']}")
    assert had.content == b"t"


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_a_copy_carries_nothing_of_the_camera(desk: Desk, number: str, kind: str) -> None:
    """Neither EXIF nor GPS, neither an appended archive nor a script."""
    sample = Sample(
        f"a.{kind}",
        picture(kind) + b"<script>" + CANARY,
        f"image/{kind}".replace("jpg", "jpeg"),
        taken=True,
    )
    (made,) = sent(desk, number, sample).json()["items"]
    copy = desk.look("intake", f"/items/{number}/attachments/{made['id']}").content
    assert CANARY in sample.content
    assert CANARY not in copy
    assert b"<script>" not in copy
    assert b"Exif" not in copy


def test_files_are_closed_to_others(desk: Desk, number: str, settings: Settings) -> None:
    """Folders 0700, files 0400, names of 32 hexadecimal digits that tell nothing."""
    post(desk, number, part(filename="欧阳某.txt") + whole("txt") + END)
    assert {(settings.home / room).stat().st_mode & 0o777 for room in ("attachments", "spool")} == {
        0o700
    }
    (file,) = (settings.home / "attachments").iterdir()
    assert file.stat().st_mode & 0o777 == 0o400
    assert len(bytes.fromhex(Path(file).name)) == 16

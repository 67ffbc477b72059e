"""The store behind its port: a folder of the machine, and S3 as far as a bucket of our own can tell."""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from engine.errors import Busy
from engine.sealing import BLOCK, COPY, ORIGINAL, SealBroken, new_key, seal, unseal
from engine.store import new_name, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.store import Store

SIZES = (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 11 << 20)


class Bucket(ThreadingHTTPServer):
    """The few calls of S3 that the store makes."""

    daemon_threads = True

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        super().__init__(("127.0.0.1", 0), _Call)


class _Call(BaseHTTPRequestHandler):
    server: Bucket
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        path, query, body = self._asked()
        if "delete" in query:
            (key,) = re.findall("<Key>(.*?)</Key>", body.decode())
            self.server.objects.pop(f"{path.rstrip('/')}/{key}", None)
            deleted = f"<Deleted><Key>{key}</Key></Deleted>"
            self._answer(f"<DeleteResult>{deleted}</DeleteResult>")
            return
        if "uploads" in query:
            self.server.parts[path] = {}
            told = f"<UploadId>{path}</UploadId><Bucket>b</Bucket><Key>k</Key>"
            self._answer(f"<InitiateMultipartUploadResult>{told}</InitiateMultipartUploadResult>")
            return
        parts = self.server.parts.pop(path)
        self.server.objects[path] = b"".join(parts[number] for number in sorted(parts))
        told = "<ETag>e</ETag><Bucket>b</Bucket><Key>k</Key><Location>l</Location>"
        self._answer(f"<CompleteMultipartUploadResult>{told}</CompleteMultipartUploadResult>")

    def do_PUT(self) -> None:
        path, query, body = self._asked()
        if "partNumber" in query:
            self.server.parts[path][int(query["partNumber"][0])] = body
        else:
            self.server.objects[path] = body
        self._answer("")

    def do_GET(self) -> None:
        path, _, _ = self._asked()
        found = self.server.objects.get(path)
        self._answer(found or "", 404 if found is None else 200)

    def _asked(self) -> tuple[str, dict[str, list[str]], bytes]:
        asked = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        return asked.path, parse_qs(asked.query, keep_blank_values=True), body

    def _answer(self, body: str | bytes, status: int = 200) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket, reached as operations.md says."""
    with Bucket() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, value in {
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}",
            "AWS_ALLOW_HTTP": "true",
        }.items():
            monkeypatch.setenv(name, value)
        yield server
        server.shutdown()


@pytest.fixture(params=["folder", "s3"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """A store of each kind."""
    if request.param == "folder":
        yield open_store(f"file://{tmp_path}/files", tmp_path)
        return
    with bucket(monkeypatch):
        yield open_store("s3://bucket/banjie", tmp_path)


def test_what_is_put_is_had_until_it_is_deleted(store: Store) -> None:
    """Of every size, in pieces; a second delete does no harm; what is gone is away."""
    for size in SIZES:
        name, content = new_name(), os.urandom(size)
        store.put(name, (content[at : at + 100_000] for at in range(0, size, 100_000)))
        assert b"".join(store.get(name)) == content
        store.delete(name)
        store.delete(name)
        with pytest.raises(Busy):
            store.get(name)


def test_a_writer_that_fails_leaves_no_object(tmp_path: Path) -> None:
    """The pieces end in a fault: there is no object and no part of one."""
    store = open_store("", tmp_path)

    def broken() -> Iterator[bytes]:
        yield b"a" * (6 << 20)
        raise EOFError

    with pytest.raises(EOFError):
        store.put(new_name(), broken())
    assert list((tmp_path / "attachments").iterdir()) == []


@pytest.mark.parametrize("size", SIZES[:-1])
def test_a_sealed_file_opens_whole_or_not_at_all(size: int) -> None:
    """Blocks that are changed, swapped, repeated, cut off, or another file's are refused; an original
    is no copy, and the seal adds a tag a block.
    """
    key, content = new_key(), os.urandom(size)
    sealed = list(seal(key, ORIGINAL, [content]))
    whole = b"".join(sealed)
    assert b"".join(unseal(key, ORIGINAL, [whole])) == content
    assert len(whole) == size + 16 * len(sealed)
    wrong = [
        whole[:-1],
        whole + b"a",
        bytes([whole[0] ^ 1]) + whole[1:],
        whole + sealed[-1],
        *([b"".join(sealed[:-1]), b"".join([sealed[-1], *sealed[:-1]])] if sealed[1:] else []),
    ]
    for each in wrong:
        with pytest.raises(SealBroken):
            b"".join(unseal(key, ORIGINAL, [each]))
    for other_key, what in ((key, COPY), (new_key(), ORIGINAL)):
        with pytest.raises(SealBroken):
            b"".join(unseal(other_key, what, [whole]))

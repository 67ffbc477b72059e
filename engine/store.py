"""The store (文件库): where attachments lie, outside the database. One port, and the one way behind it.

The library talks to a folder or to S3 and is neither a web nor a queue; it stands in the engine, and
in this file alone, because counter and worker both need it and do not know one another (ADR-0025).
An object has a random name of 128 bits, is written once, and is durable when `put` returns. The
library is loaded with the first file, and after a fork: most processes never see one.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from obstore.store import ObjectStore

PIECE = 256 * 1024
LEAST_ROOM = 0.05
"""The share of a file system that stays free: PostgreSQL may live on it too."""


class Store(Protocol):
    """Where files lie. Raises Busy where it cannot be reached."""

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Keep a new object; it survives a crash once this returns."""

    def get(self, name: str) -> Iterator[bytes]:
        """What an object holds, piece by piece; the first has been read when this returns."""

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is removed already."""

    def check_room(self) -> None:
        """Raises Busy where too little of the file system is free."""


def new_name() -> str:
    """The random name of an object: 128 bits, in hexadecimal digits."""
    return secrets.token_hex(16)


def open_store(url: str, home: Path) -> Store:
    """The store of an installation: `file:///folder`, `s3://bucket/prefix`, or the state folder's."""
    if url.startswith("s3://"):
        return Objects(url)
    folder = Path(url.removeprefix("file://")) if url else home / "attachments"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return Folder(folder)


class Objects:
    """A store behind the library."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def objects(self) -> ObjectStore:
        """The library's own store."""
        from obstore.store import from_url

        return from_url(self.url)

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Keep a new object."""
        with _reaching():
            self.objects.put(name, iter(pieces), max_concurrency=2)

    def get(self, name: str) -> Iterator[bytes]:
        """What an object holds."""
        with _reaching():
            stream = iter(self.objects.get(name).stream(min_chunk_size=PIECE))
            first = next(stream, b"")
        return _rest(first, stream)

    def delete(self, name: str) -> None:
        """Remove an object."""
        with _reaching(), suppress(FileNotFoundError):
            self.objects.delete(name)

    def check_room(self) -> None:
        """Somebody else looks after the room of a remote store."""


class Folder(Objects):
    """A folder of the machine, closed to everybody else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder.absolute().as_uri())
        self.folder = folder

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Keep a new object: its bytes and then its name are on the disk when this returns."""
        self.check_room()
        super().put(name, pieces)
        path = self.folder / name
        path.chmod(0o400)
        for each in (path, self.folder):
            descriptor = os.open(each, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def delete(self, name: str) -> None:
        """Remove an object, and what a writer that was killed left of it (`name#1`)."""
        super().delete(name)
        for part in self.folder.glob(f"{name}#*"):
            part.unlink(missing_ok=True)

    def check_room(self) -> None:
        """Raises Busy below a twentieth of the file system."""
        check_room(self.folder)


def check_room(folder: Path) -> None:
    """Raises Busy where less than a twentieth of a folder's file system is free."""
    room = os.statvfs(folder)
    if room.f_bavail < room.f_blocks * LEAST_ROOM:
        raise Busy(
            "存储空间不足,暂不能接收文件,请稍后再试。"
            "Too little room is left for files; try again later."
        )


def _rest(first: bytes, stream: Iterator[bytes]) -> Iterator[bytes]:
    with _reaching():
        yield bytes(first)
        for piece in stream:
            yield bytes(piece)


@contextmanager
def _reaching() -> Iterator[None]:
    """What the library says when it does not reach its store, in our words."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        raise Busy(
            "文件库暂不可用,请稍后再试。The store of files is away; try again shortly."
        ) from error

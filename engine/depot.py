"""The depot (收件处): where files arrive, and the way into the store and out of it again.

A file on its way has no name in any folder: should the process die, it is gone. Between store and
database a row of `stray_file` stands for each object that no attachment names, not yet or no longer,
so that a crash at any moment loses no file and leaves no object behind.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from engine.database import execute
from engine.errors import Busy
from engine.inspection import KINDS, inspect
from engine.pictures import redraw
from engine.sealing import BLOCK, COPY, ORIGINAL, new_key, seal
from engine.store import check_room, new_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from engine.database import Database
    from engine.inspection import Kind
    from engine.settings import Settings
    from engine.store import Store

MEBI = 1 << 20


@dataclass(frozen=True)
class Depot:
    """Where files arrive and where they stay, and how much of them."""

    store: Store
    spool: Path
    file_bytes: int
    files: int
    request_bytes: int
    item_bytes: int
    seconds: int
    scans: bool

    def new_file(self) -> IO[bytes]:
        """A file without a name: it is gone with whoever holds it."""
        return tempfile.TemporaryFile(dir=self.spool)

    def check_room(self) -> None:
        """Raises Busy where there is too little room for files, on the way or to stay."""
        check_room(self.spool)
        self.store.check_room()

    @classmethod
    def of(cls, settings: Settings, store: Store) -> Depot:
        """The depot of an installation; its spool is in the state folder."""
        spool = settings.home / "spool"
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        spool.chmod(0o700)
        return cls(
            store,
            spool,
            file_bytes=settings.upload_file_mib * MEBI,
            files=settings.upload_files,
            request_bytes=settings.upload_mib * MEBI,
            item_bytes=settings.upload_item_mib * MEBI,
            seconds=settings.upload_seconds,
            scans=bool(settings.clamd_url),
        )


@dataclass
class Arrival:
    """A file on its way: received into a file without a name, judged, and put into the store."""

    file: IO[bytes]
    name: str
    declared: str
    size: int = 0
    sha256: bytes = b""
    kind: Kind = KINDS["txt"]
    flags: list[str] = field(default_factory=list)
    copy: IO[bytes] | None = None
    key: bytes = b""
    original: str = ""
    copied: str | None = None

    def close(self) -> None:
        """Forget the files; they have no names, so nothing is left."""
        self.file.close()
        if self.copy is not None:
            self.copy.close()

    @property
    def names(self) -> list[str]:
        """Its objects in the store."""
        return [name for name in (self.original, self.copied) if name]


def judge(arrival: Arrival, depot: Depot) -> None:
    """Find out what a file is, and draw a picture anew. Raises Unacceptable, Undrawable."""
    arrival.kind, arrival.flags = inspect(arrival.file, arrival.name, arrival.declared)
    if arrival.kind.is_picture:
        arrival.copy = depot.new_file()
        redraw(arrival.file, arrival.copy, arrival.kind)


def shelve(database: Database, depot: Depot, arrivals: Sequence[Arrival]) -> None:
    """Put files into the store, noted first as strays: should nothing come of them, they go again."""
    for arrival in arrivals:
        arrival.key, arrival.original = new_key(), new_name()
        arrival.copied = new_name() if arrival.copy else None
    names = [name for arrival in arrivals for name in arrival.names]
    database.perform(lambda session: execute(session, NOTE_STRAYS, (names,)))
    for arrival in arrivals:
        depot.store.put(arrival.original, seal(arrival.key, ORIGINAL, _pieces(arrival.file)))
        if arrival.copied and arrival.copy:
            depot.store.put(arrival.copied, seal(arrival.key, COPY, _pieces(arrival.copy)))


def take_over(session: Session, arrivals: Sequence[Arrival]) -> None:
    """Their objects belong to an attachment from here on. Raises Busy where they were swept up."""
    names = [name for arrival in arrivals for name in arrival.names]
    if execute(session, TAKE_OVER, (names,)).rowcount != len(names):
        raise Busy("文件未能保存,请再传一次。The files were not kept; send them again.")


def discard(database: Database, depot: Depot, names: Sequence[str]) -> None:
    """Remove objects that no attachment came of; those of one that came of them have no note."""
    sweep_strays(database, depot.store, names)


def sweep_strays(database: Database, store: Store, names: Sequence[str] | None = None) -> int:
    """Remove objects that belong to nothing: those named, or all that are due. Returns how many."""
    swept = 0
    while True:
        with database.transaction() as session:
            found = execute(
                session, STRAYS, {"names": list(names) if names is not None else None, "n": 10}
            ).fetchall()
            for row in found:
                store.delete(row["name"])
            gone = [row["name"] for row in found]
            execute(session, "DELETE FROM stray_file WHERE name = ANY(%s)", (gone,))
        swept += len(found)
        if not found:
            return swept


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(BLOCK):
        yield piece


NOTE_STRAYS = """
INSERT INTO stray_file (name, due_at) SELECT unnest(%s::text[]), now() + interval '1 hour'
"""
TAKE_OVER = "DELETE FROM stray_file WHERE name = ANY(%s)"
STRAYS = """
SELECT name FROM stray_file
WHERE CASE WHEN %(names)s::text[] IS NULL THEN due_at <= now() ELSE name = ANY(%(names)s) END
ORDER BY due_at LIMIT %(n)s FOR UPDATE SKIP LOCKED
"""

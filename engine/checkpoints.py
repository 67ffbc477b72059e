"""Checkpoints (检查点) of the log: signed once a minute where it grew, kept in the database and in a file
outside it, and compared when the office starts.

The file is only ever added to. Its notes are joined by empty lines, so that it stays readable with
the eye and with any tool for C2SP notes. A checkpoint is committed first and written to the file
after: a file that lags is brought up to date, but one that knows more than the database means that
the database is not the one that signed, and then nothing more is signed.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from engine import log
from engine.database import execute
from engine.errors import NotFound, Refused
from engine.signatures import (
    FIRST,
    TreeHead,
    checkpoint_text,
    note_digest,
    read_checkpoint,
    read_verifier,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.orm import Session

    from engine.database import Database
    from engine.signatures import Signer, Verifier

FILE = "checkpoints.txt"
TAIL = 8192
"""Bytes at the file's end that hold its last note."""

BETWEEN = re.compile(r"\n\n(?!— )")
"""What ends a note: an empty line that no signature follows."""

EVERY = 60
"""Seconds between two checkpoints of a log that grows."""

LAST = """
SELECT h.size, c.size AS signed, c.note, now() AS now,
  coalesce(extract(epoch FROM now() - c.at), %(every)s) >= %(every)s AS due
FROM log_head h LEFT JOIN LATERAL (SELECT * FROM checkpoint ORDER BY size DESC LIMIT 1) c ON true
FOR UPDATE OF h SKIP LOCKED
"""
NEWEST = "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1"
SINCE = "SELECT note FROM checkpoint WHERE size > %s ORDER BY size"
AT = "SELECT note FROM checkpoint WHERE size = %s"


DAMAGED = "检查点文件有误,读不出。The file of checkpoints is damaged and cannot be read."
SMALLER = (
    "数据库的总账少于检查点文件({size} 条):可能恢复了旧备份,或记录被删。The log in the database is "
    "smaller than the file of checkpoints says ({size} events): an older copy, or history cut off."
)
OTHER = (
    "总账前 {size} 条与检查点文件不符:历史被改写。"
    "The first {size} events of the log are not those of the file of checkpoints: it was rewritten."
)
LACKING = (
    "数据库缺少或改动了文件中的检查点({size} 条)。"
    "The database lacks, or changed, the checkpoint of {size} events that is in the file."
)


class Signed(NamedTuple):
    """A checkpoint as it stands in the database."""

    size: int
    note: str


class CheckpointFile:
    """The file of checkpoints in a folder, and beside it the public keys that sign them."""

    def __init__(self, folder: Path, name: str = FILE) -> None:
        self.folder = folder
        self.path = folder / name

    def notes(self) -> list[str]:
        """Every note in it, oldest first. What a power cut left half written is left out."""
        try:
            return _whole(self.path.read_text(encoding="utf-8", errors="replace"))[0]
        except FileNotFoundError:
            return []

    def last(self) -> str | None:
        """The newest note."""
        return self._end()[0]

    def _end(self) -> tuple[str | None, int]:
        """The newest note, and how many bytes behind it were left half written."""
        try:
            with self.path.open("rb") as file:
                whole = file.seek(0, os.SEEK_END) <= TAIL
                file.seek(0 if whole else -TAIL, os.SEEK_END if not whole else os.SEEK_SET)
                text = file.read().decode(errors="surrogateescape")
        except FileNotFoundError:
            return None, 0
        begins = None if whole else BETWEEN.search(text)
        notes, half = _whole(text[begins.end() :] if begins else text)
        return (notes[-1] if notes else None), len(half.encode(errors="surrogateescape"))

    def verifiers(self) -> list[Verifier]:
        """The keys whose signatures count here: today's and former ones."""
        return [read_verifier(path.read_text("utf-8")) for path in self.folder.glob("*.pub")]

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Nobody else adds to it meanwhile; False where somebody else does just now."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def add(self, notes: Sequence[str]) -> None:
        """Add notes and see them on the disk; what was left half written is cut off first."""
        if not notes:
            return
        _, half = self._end()
        with self.path.open("r+b") as file:
            file.seek(-half, os.SEEK_END)
            file.truncate()
            file.write("".join(f"{note}\n" for note in notes).encode())
            file.flush()
            os.fsync(file.fileno())

    def introduce(self, verifier: Verifier) -> None:
        """Lay the public key beside the file, once."""
        path = self.folder / f"{verifier.name}.pub"
        if not path.exists():
            path.write_text(f"{verifier}\n", "utf-8")


def _whole(text: str) -> tuple[list[str], str]:
    """The whole notes of a text, and what is left at its end."""
    *pieces, rest = text.split("\n\n")
    if len(pieces) % 2:
        rest = f"{pieces.pop()}\n\n{rest}"
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    return [f"{body}\n\n{signatures}\n" for body, signatures in pairs], rest


def publish(
    database: Database, signer: Signer, folder: Path, *, every: float = EVERY
) -> tuple[Signed | None, list[str]]:
    """Sign the log as it stands, where it grew and the last checkpoint is `every` seconds old; bring
    the file up to date. The new checkpoint or None, and a sentence for each thing that is wrong, in
    which case nothing is signed.
    """
    file = CheckpointFile(folder)
    with file.held() as mine:
        if not mine:
            return None, []
        file.introduce(signer.verifier)
        last = file.last()
        with database.transaction() as session:
            if faults := compare(session, last):
                return None, faults
            signed = _sign(session, signer, every)
        with database.transaction() as session:
            known = read_checkpoint(last).size if last else 0
            file.add([row["note"] for row in execute(session, SINCE, (known,))])
    return signed, []


def _sign(session: Session, signer: Signer, every: float) -> Signed | None:
    row = execute(session, LAST, {"every": every}).fetchone()
    if row is None or not row["due"] or not row["size"] or row["size"] == row["signed"]:
        return None
    size, now = row["size"], row["now"]
    previous = note_digest(row["note"]) if row["note"] else FIRST
    root = log.root_at(session, size)
    note = signer.sign(checkpoint_text(TreeHead(signer.name, size, root, now, previous)))
    _keep(session, size, root, now, note)
    return Signed(size, note)


def _keep(session: Session, size: int, root: bytes, at: datetime, note: str) -> None:
    execute(
        session,
        "INSERT INTO checkpoint (size, root, at, note) VALUES (%s, %s, %s, %s)",
        (size, root, at, note),
    )


def newest(session: Session) -> Signed:
    """The newest checkpoint. Raises NotFound where nothing was signed yet."""
    row = execute(session, NEWEST).fetchone()
    if row is None:
        raise NotFound(
            "总账尚无检查点,约一分钟后再试。Nothing was signed yet; try again in about a minute."
        )
    return Signed(row["size"], row["note"])


def compare(session: Session, note: str | None) -> list[str]:
    """Whether the database is the one whose newest checkpoint the file holds: a restored older copy,
    or one with another past, is not. A sentence for what is wrong.
    """
    if note is None:
        return []
    try:
        told = read_checkpoint(note)
    except Refused:
        return [DAMAGED]
    if log.size_of(session) < told.size:
        return [SMALLER.format(size=told.size)]
    try:
        same = log.root_at(session, told.size) == told.root
    except NotFound:
        same = False
    if not same:
        return [OTHER.format(size=told.size)]
    row = execute(session, AT, (told.size,)).fetchone()
    return [] if row is not None and row["note"] == note else [LACKING.format(size=told.size)]

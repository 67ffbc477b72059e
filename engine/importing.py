"""Old cases and tables of calls, taken in through the same door as everything else (导入).

A batch of rows and the progress of its run are one transaction, so that a run killed anywhere goes
on where it stood: nothing twice, nothing lost. A row that cannot be taken is kept as its number and
the reason, never its values; accepted + refused = read, always.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import orjson

from engine.database import execute
from engine.errors import BanjieError, Busy, Invalid, NotPermitted
from engine.people import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from engine.births import Birth
    from engine.casework import Casework
    from engine.database import Database
    from engine.mapping import Mapper
    from engine.people import Actor

BATCH = 500


class Row(NamedTuple):
    """A row of a table: its number as people count it, and its cells by column.

    A row that could not be read has a sentence instead of cells.
    """

    number: int
    cells: Mapping[str, str]
    fault: str | None = None


class Progress(NamedTuple):
    """How far a run has come. accepted + refused = read."""

    read: int
    accepted: int
    refused: int


class Refusal(NamedTuple):
    """A row that was not taken, and why."""

    row: int
    reason: str


class _Judged(NamedTuple):
    row: int
    birth: Birth | None
    reason: str


@dataclass(frozen=True, slots=True)
class Import:
    """A file about to be taken in, or taken in again from where it stood.

    `digest` names the run: SHA-256 over file, map and workflow (see :func:`run_digest`).
    """

    database: Database
    casework: Casework
    mapper: Mapper
    digest: bytes
    actor: Actor = PUBLIC

    def begun(self) -> Progress:
        """What an earlier run of the same file did; all zero for a new one."""
        with self.database.transaction() as session:
            row = execute(session, _PROGRESS, (self.digest,)).fetchone()
        return Progress(row["done"], row["accepted"], row["refused"]) if row else Progress(0, 0, 0)

    def take(
        self, rows: Iterable[Row], told: Callable[[Progress], object] = lambda _: None
    ) -> Progress:
        """Take every row that is not taken yet; `told` hears after each batch.

        Raises NotPermitted where the actor may not begin such items, and Busy where somebody else
        takes in the same file at this moment; what was taken until then stays taken.
        """
        self._open()
        progress = self.begun()
        waiting = islice(iter(rows), progress.read, None)
        while batch := list(islice(waiting, BATCH)):
            progress = self._take(batch, progress)
            told(progress)
        return progress

    def refusals(self) -> Iterator[Refusal]:
        """Every refused row of this run, in the order of the file."""
        last = -1
        while True:
            with self.database.transaction() as session:
                found = execute(session, _REFUSALS, (self.digest, last)).fetchall()
            yield from (Refusal(row["row"], row["reason"]) for row in found)
            if not found:
                return
            last = found[-1]["row"]

    def _open(self) -> None:
        name = self.mapper.workflow.workflow
        self.database.perform(lambda session: execute(session, _OPEN, (self.digest, name)))

    def _take(self, batch: Sequence[Row], before: Progress) -> Progress:
        """One transaction; where a row upsets it as a whole, halves, down to that row alone."""
        try:
            return self.database.perform(lambda session: self._write(session, batch, before))
        except (Busy, NotPermitted):
            raise
        except BanjieError as error:
            if len(batch) == 1:
                refused = [Row(batch[0].number, {}, _reason(error))]
                return self.database.perform(lambda session: self._write(session, refused, before))
        half = len(batch) // 2
        return self._take(batch[half:], self._take(batch[:half], before))

    def _write(self, session: Session, batch: Sequence[Row], before: Progress) -> Progress:
        run = execute(session, f"{_PROGRESS} FOR UPDATE", (self.digest,)).fetchone()
        if run is None or run["done"] != before.read:
            raise Busy(
                "同一文件正由另一进程导入。The same file is being imported by another process."
            )
        judged = self._judge(session, batch, self.casework.house(session).now)
        births = [each for each in judged if each.birth is not None]
        answers = self.casework.submit_many(
            session,
            self.mapper.workflow.workflow,
            self.actor,
            [each.birth for each in births if each.birth is not None],
        )
        for answer in answers:
            if isinstance(answer, NotPermitted):
                raise answer
        refused = [{"row": each.row, "reason": each.reason} for each in judged if not each.birth]
        refused += [
            {"row": each.row, "reason": _reason(answer)}
            for each, answer in zip(births, answers, strict=True)
            if isinstance(answer, BanjieError)
        ]
        if refused:
            values = {"digest": self.digest, "rows": orjson.dumps(refused).decode()}
            execute(session, _REFUSE, values)
        after = Progress(
            before.read + len(batch),
            before.accepted + len(batch) - len(refused),
            before.refused + len(refused),
        )
        execute(session, _GO_ON, {"digest": self.digest, **after._asdict()})
        return after

    def _judge(self, session: Session, batch: Sequence[Row], now: datetime) -> list[_Judged]:
        """Every row as a birth, or why it is none."""
        judged: list[_Judged] = []
        for row in batch:
            if row.fault is not None:
                judged.append(_Judged(row.number, None, row.fault))
                continue
            try:
                judged.append(_Judged(row.number, self.mapper.birth(row.cells, now), ""))
            except Invalid as invalid:
                judged.append(_Judged(row.number, None, _reason(invalid)))
        keys = [each.birth.outside_key for each in judged if each.birth]
        name = self.mapper.workflow.workflow
        known = {row["outside_key"] for row in execute(session, _KNOWN, (name, keys))}
        for at, each in enumerate(judged):
            key = each.birth.outside_key if each.birth else None
            if key is None:
                continue
            if key in known:
                judged[at] = _Judged(each.row, None, REPEATED)
            known.add(key)
        return judged


REPEATED = "该编号已登记过,不再重复。This key was registered before; the row is not taken twice."

_OPEN = "INSERT INTO import_run (digest, workflow) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_PROGRESS = "SELECT done, accepted, refused FROM import_run WHERE digest = %s"
_GO_ON = """
UPDATE import_run SET done = %(read)s, accepted = %(accepted)s, refused = %(refused)s
WHERE digest = %(digest)s
"""
_REFUSE = """
INSERT INTO import_refusal (digest, row, reason)
SELECT %(digest)s, r.row, r.reason
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(row int, reason text)
"""
_REFUSALS = """
SELECT row, reason FROM import_refusal WHERE digest = %s AND row > %s ORDER BY row LIMIT 1000
"""
_KNOWN = "SELECT outside_key FROM item WHERE workflow = %s AND outside_key = ANY(%s)"


def run_digest(table: Iterable[bytes], told: bytes, workflow: str) -> bytes:
    """The name of a run: SHA-256 over the file (in pieces), the map and the workflow's name.

    Each part is hashed by itself, so that no two different runs share a text.
    """
    file = hashlib.sha256()
    for piece in table:
        file.update(piece)
    parts = (file.digest(), hashlib.sha256(told).digest(), workflow.encode())
    return hashlib.sha256(b"".join(parts)).digest()


def _reason(error: BanjieError) -> str:
    """Why a row was refused, for people: fields and sentences, never values."""
    return error.detail[:1000]

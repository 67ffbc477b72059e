"""The whole record verified (核对): every chain, what follows from the events, the log over all events,
its checkpoints, and what lies outside the database to compare them with.

All of it is read from one snapshot, so that whoever acts meanwhile raises no false alarm; what lies
outside is read before, so that it can only know less. Nothing is written: a role that may only
SELECT can verify. Hashes are computed here, not by the database that is judged.
"""

from __future__ import annotations

import multiprocessing
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from engine import journal, log, merkle
from engine.checkpoints import CheckpointFile
from engine.database import Database, execute
from engine.derivation import Derivation
from engine.errors import Refused
from engine.merkle import Span
from engine.selftest import moved_clock
from engine.signatures import FIRST, Verifier, note_digest, read_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from engine.catalog import Catalog

ITEMS = 2_000
LEAVES = 20_000
SPOTS = 10
SIGNATURES = 10_000
"""The newest checkpoints whose signatures are checked one by one; each vouches for all before it, whose
digest it signs.
"""

STEADY = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)
PART = """
SELECT l.position, l.item_id, l.seq, l.hash AS said, i.number, e.hash, n.hash AS node
FROM log_leaf l LEFT JOIN event e ON e.item_id = l.item_id AND e.seq = l.seq
  LEFT JOIN item i ON i.id = l.item_id LEFT JOIN log_node n ON n.level = 0 AND n.rank = l.position
WHERE l.position >= %s AND l.position < %s ORDER BY l.position
"""
LENGTHS = """
SELECT h.size, (SELECT coalesce(max(position) + 1, 0) FROM log_leaf) AS leaves,
  (SELECT count(*) FROM log_queue) AS waiting
FROM log_head h
"""
UNLISTED = """
SELECT e.item_id, e.seq, i.number FROM event e LEFT JOIN item i ON i.id = e.item_id
WHERE NOT EXISTS (SELECT FROM log_leaf l WHERE l.item_id = e.item_id AND l.seq = e.seq)
  AND NOT EXISTS (SELECT FROM log_queue q WHERE q.item_id = e.item_id AND q.seq = e.seq)
ORDER BY e.item_id, e.seq
"""
CHECKPOINTS = "SELECT size, root, at, note FROM checkpoint ORDER BY size"
NODES = (
    "SELECT rank, hash FROM log_node WHERE level = %s AND rank >= %s AND rank < %s ORDER BY rank"
)
STRAY = "SELECT count(*) AS found FROM log_node WHERE level > %s OR rank >= (%s::bigint >> level)"


@dataclass(frozen=True)
class Evidence:
    """What lies outside the database: the keys that count, the file of checkpoints, a witness's file;
    and whether this is a sample office, the only one whose clock may be moved (`practice`).

    None: there is nothing to compare with, and nothing is complained of.
    """

    verifiers: Sequence[Verifier] = ()
    notes: Sequence[str] | None = None
    witnessed: Sequence[str] = ()
    practice: bool = True


def evidence(folder: Path, witness: Path | None = None, *, practice: bool = True) -> Evidence:
    """What lies in the folder of checkpoints, in a witness's file, and in the settings."""
    file = CheckpointFile(folder)
    seen = CheckpointFile(witness.parent, witness.name).notes() if witness else []
    return Evidence(file.verifiers(), file.notes(), seen, practice)


class Verdict(NamedTuple):
    """What was read, and a sentence for each fault."""

    events: int
    leaves: int
    waiting: int  # events not yet in the log
    checkpoints: int
    faults: list[str]


@dataclass
class _Found:
    """What one pass over the log holds on to: the tree, and what is wrong."""

    levels: list[list[bytes]] = field(default_factory=lambda: [[]])
    faults: list[str] = field(default_factory=list)

    def root(self, size: int) -> bytes | None:
        """The root of the first leaves, None where there are not as many."""
        if size > len(self.levels[0]):
            return None
        places = merkle.frontier(Span(0, size))
        return merkle.fold([self.levels[place.level][place.rank] for place in places])


def verify(
    database: Database,
    catalog: Callable[[], Catalog],
    known: Evidence | None = None,
    processes: int = 1,
) -> Verdict:
    """Verify everything, on so many processes; `catalog` reads the workflows in each of them.

    Raises Busy where the database is away.
    """
    with database.transaction() as session:
        hold_still(session)
        if processes > 1 and len(ranges := _ranges(session)) > processes:
            return _judge(session, known, *_share(database, session, catalog, ranges, processes))
        return verify_here(session, Derivation(session, catalog()), known)


def verify_here(session: Session, rules: Derivation, known: Evidence | None = None) -> Verdict:
    """The same within a transaction, as it sees the record."""
    parts = [_examine(session, rules, after, upto) for after, upto in _ranges(session)]
    return _judge(session, known, parts, _read_log(session))


def spot_check(database: Database, catalog: Catalog) -> list[str]:
    """A sentence for each fault of some items, drawn anew each time: all of them in a small office,
    twenty thousand in a large one. The log and what was signed of it are left to :func:`verify`.
    """
    with database.transaction() as session:
        hold_still(session)
        rules, ranges = Derivation(session, catalog), _ranges(session)
        drawn = random.sample(ranges, min(SPOTS, len(ranges)))
        return [fault for span in drawn for fault in _examine(session, rules, *span)[1]]


def _ranges(session: Session) -> list[tuple[int, int]]:
    last = journal.last_item(session)
    return [(after, min(after + ITEMS, last)) for after in range(0, last, ITEMS)]


def _judge(
    session: Session,
    known: Evidence | None,
    parts: Sequence[tuple[int, list[str]]],
    found: _Found,
) -> Verdict:
    """What was found of the items and the log, with what is between and outside them."""
    lengths = _lengths(session)
    signed = execute(session, CHECKPOINTS).fetchall()
    faults = [
        *(
            f"#{row['item_id']}: 事项已被删除,记录尚在。The item was removed, its journal was not."
            for row in execute(session, journal.ORPHANS)
        ),
        *(fault for _, complaints in parts for fault in complaints),
        *found.faults,
        *_judge_checkpoints(signed, found, known),
        *(moved_clock(session) if known is not None and not known.practice else ()),
    ]
    events = sum(count for count, _ in parts)
    return Verdict(events, lengths["leaves"], lengths["waiting"], len(signed), faults)


def hold_still(session: Session, snapshot: str | None = None) -> None:
    """Let a transaction that has done nothing yet read one moment, for as long as it takes."""
    for statement in STEADY:
        execute(session, statement)
    if snapshot is not None:
        execute(session, f"SET TRANSACTION SNAPSHOT '{snapshot}'")


def _examine(session: Session, rules: Derivation, after: int, upto: int) -> tuple[int, list[str]]:
    chains = journal.chains_of(session, after, upto)
    count, faults = journal.examine(session, chains, after, upto)
    return count, [*faults, *rules.examine(session, chains, after, upto)]


# --- several processes --------------------------------------------------------------------------


def _share(
    database: Database,
    session: Session,
    catalog: Callable[[], Catalog],
    ranges: Sequence[tuple[int, int]],
    processes: int,
) -> tuple[list[tuple[int, list[str]]], _Found]:
    """Items and log on processes of their own, over one snapshot."""
    row = execute(session, "SELECT pg_export_snapshot() AS name").fetchone()
    url = database.pool.url.render_as_string(hide_password=False)
    spawn = multiprocessing.get_context("spawn")  # a fork would share this connection
    own = (url, database.role, database.principal, row["name"] if row else "", catalog)
    with spawn.Pool(processes, _begin, own) as pool:
        found = pool.apply_async(_log_here)
        parts = pool.imap_unordered(_items_here, ranges, chunksize=4)
        return list(parts), found.get()


class _Bench:
    """What one of the processes works with."""

    database: Database
    snapshot: str
    rules: Derivation


def _begin(
    url: str, role: str | None, principal: str, snapshot: str, catalog: Callable[[], Catalog]
) -> None:
    _Bench.database = Database(url, 1, role=role, principal=principal)
    _Bench.snapshot = snapshot
    with _here() as session:
        _Bench.rules = Derivation(session, catalog())


@contextmanager
def _here() -> Iterator[Session]:
    with _Bench.database.transaction() as session:
        hold_still(session, _Bench.snapshot)
        yield session


def _items_here(span: tuple[int, int]) -> tuple[int, list[str]]:
    with _here() as session:
        return _examine(session, _Bench.rules, *span)


def _log_here() -> _Found:
    with _here() as session:
        return _read_log(session)


# --- the log ------------------------------------------------------------------------------------


def _lengths(session: Session) -> Mapping[str, int]:
    return execute(session, LENGTHS).fetchone() or {"size": -1, "leaves": 0, "waiting": 0}


def _read_log(session: Session) -> _Found:
    """Compute the tree from the events, and compare it with every leaf and node that is kept."""
    found = _Found()
    lengths = _lengths(session)
    if lengths["size"] != lengths["leaves"]:
        found.faults.append(
            f"总账应有 {lengths['size']} 条,实有 {lengths['leaves']} 条。"
            f"The log should hold {lengths['size']} events and holds {lengths['leaves']}."
        )
    for start in range(0, lengths["leaves"], LEAVES):
        expected = start
        for row in execute(session, PART, (start, start + LEAVES)).fetchall():
            found.faults += _judge_leaf(found, row, expected)
            expected = row["position"] + 1
    found.faults += [
        f"{row['number'] or '#' + str(row['item_id'])}: 第{row['seq']}条记录不在总账,也不在待列之中。"
        f"Event {row['seq']} is not in the log and does not wait for it."
        for row in execute(session, UNLISTED)
    ]
    _judge_nodes(session, found)
    return found


def _judge_leaf(found: _Found, row: Mapping[str, Any], expected: int) -> Iterator[str]:
    position = row["position"]
    if position != expected:
        yield (
            f"总账第 {expected + 1} 至 {position} 条缺失。"
            f"Leaves {expected} to {position - 1} of the log are missing."
        )
        found.levels[0] += [bytes(32)] * (
            position - expected
        )  # so that those after keep their place
    name = f"{row['number'] or '#' + str(row['item_id'])}"
    if row["number"] is None or row["hash"] is None:
        yield (
            f"{name}: 总账第 {position + 1} 条所列的记录已不在。"
            f"The event that leaf {position} stands for is gone."
        )
        found.levels[0].append(bytes(32))
        return
    leaf = log.leaf_of(row["number"], row["seq"], bytes(row["hash"]))
    found.levels[0].append(leaf)
    if bytes(row["said"]) != bytes(row["hash"]) or leaf != bytes(row["node"] or b""):
        yield (
            f"{name}: 第{row['seq']}条记录与总账第 {position + 1} 条不符。"
            f"Event {row['seq']} differs from leaf {position} of the log."
        )


def _judge_nodes(session: Session, found: _Found) -> None:
    """Build the levels above the leaves, each compared with the nodes that are kept."""
    level = 0
    while len(found.levels[level]) > 1:
        below = found.levels[level]
        level += 1
        row = [merkle.node_hash(below[at - 1], below[at]) for at in range(1, len(below), 2)]
        found.levels.append(row)
        for start in range(0, len(row), LEAVES):
            kept = [
                (each["rank"], bytes(each["hash"]))
                for each in execute(session, NODES, (level, start, start + LEAVES))
            ]
            if kept != list(enumerate(row[start : start + LEAVES], start)):
                found.faults.append(
                    f"总账的树第 {level} 层与记录不符。"
                    f"Level {level} of the log's tree is not what the events say."
                )
    size = len(found.levels[0])
    stray = execute(session, STRAY, (level, size)).fetchone()
    if stray and stray["found"]:
        found.faults.append(
            "总账的树有多余的节点。The log's tree has nodes that stand over nothing."
        )


# --- what was signed ----------------------------------------------------------------------------


def _judge_checkpoints(
    rows: Sequence[Mapping[str, Any]], found: _Found, known: Evidence | None
) -> Iterator[str]:
    """Each checkpoint says what the tree says and names the one before; the newest are signed by a
    key that counts; those in the file are the same.
    """
    previous, before = FIRST, None
    notes = {}
    for at, row in enumerate(rows):
        size, note = row["size"], row["note"]
        notes[size] = note
        if fault := _checkpoint_fault(row, found, previous):
            yield f"检查点({size} 条): {fault}"
        elif before is not None and row["at"] < before:
            yield f"检查点({size} 条): 早于前一个。It is older than the one before."
        elif (
            known is not None
            and at >= len(rows) - SIGNATURES
            and not any(key.signed(note) for key in known.verifiers)
        ):
            yield f"检查点({size} 条): 签名无效或密钥未知。Not signed by a key that counts."
        previous, before = note_digest(note), row["at"]
    if known is not None:
        # the very first stands in the database a moment before it stands in the file
        young = datetime.now(UTC) - timedelta(minutes=1)
        expected = any(row["at"] < young for row in rows)
        yield from _judge_file(notes, known.notes or (), expected=expected)
        yield from _judge_witness(found, known)


def _checkpoint_fault(row: Mapping[str, Any], found: _Found, previous: bytes) -> str | None:
    try:
        head = read_checkpoint(row["note"])
    except Refused:
        return "读不出。It cannot be read."
    told = (head.size, head.root, int(head.at.timestamp()))
    if told != (row["size"], bytes(row["root"]), int(row["at"].timestamp())):
        return "各列与签名的文字不符。Its columns are not what was signed."
    if head.root != found.root(head.size):
        return (
            "总账与签名时不同:历史被改写或截断。The log is not what was signed: rewritten or cut."
        )
    if head.previous != previous:
        return "与前一个不相接。It does not follow the one before."
    return None


def _judge_file(notes: Mapping[int, str], file: Sequence[str], *, expected: bool) -> Iterator[str]:
    """The file has every checkpoint up to its last, as it is in the database."""
    told: dict[int, str] = {}
    for note in file:
        try:
            told[read_checkpoint(note).size] = note
        except Refused:
            yield "检查点文件中有一处读不出。A part of the file of checkpoints cannot be read."
    if expected and not told:
        yield "找不到检查点文件。The file of checkpoints is missing or empty; bring it back."
        return
    last = max(told, default=0)
    for size in sorted({*told, *(size for size in notes if size <= last)}):
        if told.get(size) != notes.get(size):
            yield (
                f"检查点({size} 条): 数据库与文件不符。The database and the file of checkpoints differ."
            )


def _judge_witness(found: _Found, known: Evidence) -> Iterator[str]:
    for note in known.witnessed:
        try:
            head = read_checkpoint(note)
        except Refused:
            yield "见证文件中有一处读不出。A part of the witness's file cannot be read."
            continue
        if not any(key.signed(note) for key in known.verifiers):
            yield (
                f"见证文件({head.size} 条): 不是本总账的签名。"
                "The witness signed a checkpoint that no key of this log signed."
            )
        elif head.root != found.root(head.size):
            yield (
                f"见证文件({head.size} 条): 总账与见证时不同。"
                "The log is not the one the witness saw: it was rewritten, cut, or put back."
            )

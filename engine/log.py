"""The log (总账): every event of every item as a leaf of one Merkle tree, in an order that never changes.

A leaf's data are the bytes of the text

    banjie-event-v1 / number / seq / hash of the event in hexadecimal

each followed by a line break: a petitioner who knows number and hash can make them with any tool, and
one hash cannot stand for two items. Events wait in `log_queue`, where the statement that writes them
puts them; the sequencer takes them from there and appends them in one transaction, so that what is
not committed yet is met later and nothing is ever skipped (ADR-0019). Any process may be the
sequencer: whoever holds the lock of the row in `log_head`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from engine import merkle
from engine.database import execute
from engine.errors import NotFound
from engine.merkle import Place, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from engine.database import Database

BATCH = 10_000

HEAD = "SELECT size FROM log_head FOR UPDATE SKIP LOCKED"
TAKEN = """
WITH taken AS (
  DELETE FROM log_queue WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM log_queue ORDER BY item_id, seq LIMIT %s))
  RETURNING item_id, seq)
SELECT DISTINCT t.item_id, t.seq, i.number, e.hash
FROM taken t JOIN item i ON i.id = t.item_id
  JOIN event e ON e.item_id = t.item_id AND e.seq = t.seq
WHERE NOT EXISTS (SELECT FROM log_leaf l WHERE l.item_id = t.item_id AND l.seq = t.seq)
ORDER BY t.item_id, t.seq
"""
APPENDED = """
WITH leaves AS (
  INSERT INTO log_leaf (position, item_id, seq, hash)
  SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::bytea[])),
nodes AS (
  INSERT INTO log_node (level, rank, hash)
  SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[]))
UPDATE log_head SET size = %s
"""
NODES = """
SELECT level, rank, hash FROM log_node
WHERE (level, rank) IN (SELECT * FROM unnest(%s::smallint[], %s::bigint[]))
"""


class Proof(NamedTuple):
    """That a leaf is in a tree: where, and the hashes on the way up to the root."""

    position: int
    leaf: bytes
    hashes: list[bytes]


def leaf_of(number: str, seq: int, event: bytes) -> bytes:
    """The leaf hash of an event (32 bytes)."""
    return merkle.leaf_hash(f"banjie-event-v1\n{number}\n{seq}\n{event.hex()}\n".encode())


def append(session: Session, most: int = BATCH) -> int:
    """Append what waits, at most so many events; how many were appended.

    None where nothing waits and where another process is at it: it will go on.
    """
    head = execute(session, HEAD).fetchone()
    rows = execute(session, TAKEN, (most,)).fetchall() if head else []
    if head is None or not rows:
        return 0
    size = head["size"]
    edge = _nodes(session, merkle.frontier(Span(0, size)))
    leaves = (leaf_of(row["number"], row["seq"], bytes(row["hash"])) for row in rows)
    nodes = merkle.grown(size, edge, leaves)
    execute(
        session,
        APPENDED,
        (
            list(range(size, size + len(rows))),
            [row["item_id"] for row in rows],
            [row["seq"] for row in rows],
            [row["hash"] for row in rows],
            [place.level for place in nodes],
            [place.rank for place in nodes],
            list(nodes.values()),
            size + len(rows),
        ),
    )
    return len(rows)


def sequence(database: Database) -> int:
    """Append all that waits, a transaction a batch; how many events were appended."""
    total = 0
    while appended := database.perform(append):
        total += appended
    return total


def size_of(session: Session) -> int:
    """How many leaves the log has."""
    row = execute(session, "SELECT size FROM log_head").fetchone()
    return row["size"] if row else 0


def hashes_over(session: Session, spans: Sequence[Span]) -> list[bytes]:
    """The hashes over these spans of leaves, from one read of O(log n) nodes each.

    Raises NotFound where the log has no such nodes.
    """
    places = [merkle.frontier(span) for span in spans]
    known = _nodes(session, [place for found in places for place in found])
    try:
        return [merkle.fold([known[place] for place in found]) for found in places]
    except KeyError:
        raise NotFound(
            "总账没有这么长。The log is not as long as that; ask for a smaller size."
        ) from None


def root_at(session: Session, size: int) -> bytes:
    """The root of the log's first `size` leaves."""
    return hashes_over(session, [Span(0, size)])[0]


def consistency(session: Session, first: int, second: int) -> list[bytes]:
    """The proof that the tree of `second` leaves begins with that of `first`."""
    return hashes_over(session, merkle.consistency_spans(first, second))


def inclusion(session: Session, condition: Leaf, size: int) -> Proof:
    """The proof that an event is in the tree of `size`.

    Raises NotFound where it is in none, or in a later one only.
    """
    row = execute(session, f"{LEAF} {condition.where}", condition.values).fetchone()
    if row is None or row["position"] >= size:
        raise NotFound(
            "总账的最新检查点中没有这条记录;新记录约一分钟后列入。"
            "The latest checkpoint holds no such event; a new one is in it after about a minute."
        )
    position = row["position"]
    leaf, *hashes = hashes_over(
        session, [Span(position, position + 1), *merkle.inclusion_spans(position, size)]
    )
    return Proof(position, leaf, hashes)


LEAF = "SELECT position FROM log_leaf"


class Leaf(NamedTuple):
    """How an event is named in a request for its proof."""

    where: str
    values: tuple[Any, ...]

    @classmethod
    def hashed(cls, event: bytes) -> Leaf:
        """By its hash, which only somebody knows who was shown it."""
        return cls("WHERE hash = %s", (event,))

    @classmethod
    def numbered(cls, item: int, seq: int) -> Leaf:
        """By its item and number."""
        return cls("WHERE item_id = %s AND seq = %s", (item, seq))


def _nodes(session: Session, places: Iterable[Place]) -> dict[Place, bytes]:
    wanted = list(dict.fromkeys(places))
    if not wanted:
        return {}
    rows = execute(session, NODES, ([p.level for p in wanted], [p.rank for p in wanted]))
    return {Place(row["level"], row["rank"]): bytes(row["hash"]) for row in rows}

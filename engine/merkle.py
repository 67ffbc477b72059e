"""The arithmetic of a Merkle tree over a growing list (RFC 6962, 2.1; verifying as in RFC 9162, 2.1).

A leaf is hashed as SHA-256(0x00, data), a node as SHA-256(0x01, left, right). Nodes that are full
never change, so they are what is kept: the node (level, rank) stands over the leaves from
`rank << level` up to, not including, `(rank + 1) << level`. Whatever else a proof needs is folded
from at most one full node a level.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HASH_BYTES = 32
EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


class Place(NamedTuple):
    """Where a full node stands: its height over the leaves, and its number from the left."""

    level: int
    rank: int


class Span(NamedTuple):
    """Leaves from `start` up to, not including, `end`."""

    start: int
    end: int


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (32 bytes)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two others (32 bytes)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def frontier(span: Span) -> list[Place]:
    """The full nodes that together stand over a span, from the left; at most one a level where the
    span starts at 0 or at a multiple of its length's next power of two.
    """
    places = []
    start, left = span.start, span.end - span.start
    while left:
        level = left.bit_length() - 1
        places.append(Place(level, start >> level))
        start += 1 << level
        left -= 1 << level
    return places


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over neighbouring full nodes, given from the left (of none: the empty tree's)."""
    if not hashes:
        return EMPTY
    root = hashes[-1]
    for left in hashes[-2::-1]:
        root = node_hash(left, root)
    return root


def grown(size: int, edge: Mapping[Place, bytes], leaves: Iterable[bytes]) -> dict[Place, bytes]:
    """The nodes that become full when leaf hashes are appended to a tree of `size`.

    `edge` holds the full nodes of the tree's frontier.
    """
    level, made = 0, list(leaves)
    found: dict[Place, bytes] = {}
    first = size
    while made:
        found.update((Place(level, first + at), each) for at, each in enumerate(made))
        if (
            first % 2
        ):  # the new row's first node is a right one: its left neighbour was there before
            first -= 1
            made.insert(0, edge[Place(level, first)])
        made = [node_hash(made[at], made[at + 1]) for at in range(0, len(made) - 1, 2)]
        level, first = level + 1, first >> 1
    return found


def inclusion_spans(position: int, size: int) -> list[Span]:
    """The spans whose hashes prove the leaf at `position` in a tree of `size`, from the leaf up."""
    start, end = 0, size
    spans = []
    while end - start > 1:
        middle = start + _split(end - start)
        if position < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """The spans whose hashes prove that a tree of `second` leaves begins with one of `first`."""
    if first in {0, second}:
        return []
    start, end = 0, second
    spans = []
    while first < end:
        middle = start + _split(end - start)
        if first <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(start, middle))
            start = middle
    if start:  # the old tree itself is known to who asks, unless only a part of it is left here
        spans.append(Span(start, end))
    return spans[::-1]


def _split(length: int) -> int:
    """The largest power of two below a length over 1."""
    return 1 << (length - 1).bit_length() - 1


def included(leaf: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows the leaf hash at `position` of the tree of `size` with this root."""
    if not 0 <= position < size or not _well_formed([leaf, root, *proof]):
        return False
    at, last, found = position, size - 1, leaf
    for each in proof:
        if last == 0:
            return False
        if at % 2 or at == last:
            found = node_hash(each, found)
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistent(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether a proof shows that the tree of `second` leaves begins with that of `first`.

    Nothing follows from an empty tree, so `first` is at least 1.
    """
    if not 0 < first <= second or not _well_formed([first_root, second_root, *proof]):
        return False
    if first == second:
        return not proof and first_root == second_root
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    at, last = first - 1, second - 1
    while at % 2:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if at % 2 or at == last:
            old, new = node_hash(each, old), node_hash(each, new)
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, each)
        at, last = at >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def roots(leaves: Iterable[bytes], sizes: Sequence[int]) -> dict[int, bytes]:
    """The roots at these sizes (ascending) of the tree over a stream of leaf hashes, in one pass and
    with one hash a level in memory. A size beyond the last leaf is left out.
    """
    waiting = [size for size, after in pairwise([*sizes, -1]) if size != after][::-1]
    found: dict[int, bytes] = {}
    edge: list[bytes] = []
    while waiting and waiting[-1] == 0:
        found[waiting.pop()] = EMPTY
    for count, leaf in enumerate(leaves, 1):
        edge.append(leaf)
        full = count
        while full % 2 == 0:
            right = edge.pop()
            edge[-1] = node_hash(edge[-1], right)
            full >>= 1
        while waiting and waiting[-1] == count:
            found[waiting.pop()] = fold(edge)
    return found


def _well_formed(hashes: Iterable[bytes]) -> bool:
    return all(len(each) == HASH_BYTES for each in hashes)

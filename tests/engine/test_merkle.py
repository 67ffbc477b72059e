"""The arithmetic of the tree against the vectors of others, another implementation, and itself."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import merkle
from engine.merkle import Place, Span

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "data" / "merkle"
LEAVES = [merkle.leaf_hash(number.to_bytes(2)) for number in range(700)]
NODES = merkle.grown(0, {}, LEAVES)
SIZES = range(1, 130)


def over(span: Span) -> bytes:
    """The hash over a span of the leaves."""
    return merkle.fold([NODES[place] for place in merkle.frontier(span)])


def root(size: int) -> bytes:
    """The root of the first leaves."""
    return over(Span(0, size))


def inclusion(position: int, size: int) -> list[bytes]:
    """A proof that a leaf is in a tree."""
    return [over(span) for span in merkle.inclusion_spans(position, size)]


def consistency(first: int, second: int) -> list[bytes]:
    """A proof that a tree begins with another."""
    return [over(span) for span in merkle.consistency_spans(first, second)]


@st.composite
def places(draw: st.DrawFn) -> tuple[int, int]:
    """A leaf's position in a tree of a size."""
    size = draw(st.integers(1, len(LEAVES)))
    return draw(st.integers(0, size - 1)), size


@pytest.mark.skipif(not VECTORS.is_dir(), reason="the vectors are not beside this checkout")
def test_every_vector_of_others_is_judged_right() -> None:
    """Good proofs hold; each of the hostile ones is refused."""
    files = sorted(VECTORS.rglob("*.json"))
    wrong = []
    for path in files:
        told = json.loads(path.read_text("utf-8"))
        proof = [b64decode(each) for each in told["proof"] or []]
        if path.is_relative_to(VECTORS / "inclusion"):
            leaf, size = b64decode(told["leafHash"]), told["treeSize"]
            holds = merkle.included(leaf, told["leafIdx"], size, proof, b64decode(told["root"]))
        else:
            old, new = (b64decode(told[name]) for name in ("root1", "root2"))
            holds = merkle.consistent(told["size1"], told["size2"], old, new, proof)
        if holds == told["wantErr"]:
            wrong.append(path)
    assert len(files) == 94
    assert wrong == []


def test_another_implementation_computes_the_same_trees() -> None:
    """Pymerkle agrees on every root and every inclusion path of 1 to 129 leaves."""
    other = pymerkle.InmemoryTree(algorithm="sha256")
    for number in SIZES:
        other.append_entry((number - 1).to_bytes(2))
    for size in SIZES:
        assert other.get_state(size) == root(size)
        for position in range(size):
            shown = other.prove_inclusion(position + 1, size).serialize()["path"]
            own = [LEAVES[position], *inclusion(position, size)]
            assert sorted(bytes.fromhex(each) for each in shown) == sorted(own)


def test_every_proof_of_a_small_tree_holds_and_no_other_place_fits() -> None:
    """All positions and all pairs of sizes up to 40."""
    for size in range(1, 41):
        for position in range(size):
            proof = inclusion(position, size)
            for other in range(size):
                holds = merkle.included(LEAVES[position], other, size, proof, root(size))
                assert holds == (other == position)
        for first in range(1, size + 1):
            proof = consistency(first, size)
            assert merkle.consistent(first, size, root(first), root(size), proof)
            assert not merkle.consistent(first, size, root(first + 1), root(size), proof)


@given(places(), st.data())
def test_a_proof_that_was_changed_anywhere_is_refused(
    place: tuple[int, int], data: st.DataObject
) -> None:
    """A flipped bit, a hash left out, repeated or added: of both kinds of proof."""
    position, size = place
    paths = {
        "inclusion": inclusion(position, size),
        "consistency": consistency(position + 1, size),
    }
    for kind, path in paths.items():
        changed = list(path)
        at = data.draw(st.integers(0, len(path)))
        if at == len(path):
            changed.append(data.draw(st.binary(min_size=32, max_size=32)))
        elif data.draw(st.booleans()):
            del changed[at]
        else:
            bit = data.draw(st.integers(0, 255))
            changed[at] = (int.from_bytes(changed[at]) ^ (1 << bit)).to_bytes(32)
        if kind == "inclusion":
            assert merkle.included(LEAVES[position], position, size, path, root(size))
            assert not merkle.included(LEAVES[position], position, size, changed, root(size))
        else:
            roots = (root(position + 1), root(size))
            assert merkle.consistent(position + 1, size, *roots, proof=path)
            assert not merkle.consistent(position + 1, size, *roots, proof=changed)


@given(st.lists(st.integers(1, 60), max_size=8))
def test_a_tree_grown_in_pieces_is_the_tree_grown_at_once(pieces: list[int]) -> None:
    """However the batches fall, the same nodes become full, from O(log n) nodes read."""
    nodes: dict[Place, bytes] = {}
    size = 0
    for piece in pieces:
        edge = merkle.frontier(Span(0, size))
        assert len(edge) <= size.bit_length()
        nodes |= merkle.grown(size, {p: nodes[p] for p in edge}, LEAVES[size : size + piece])
        size += piece
    assert nodes == merkle.grown(0, {}, LEAVES[:size])


@given(st.sets(st.integers(0, len(LEAVES) + 3)))
def test_roots_come_from_one_pass(sizes: set[int]) -> None:
    """The stream gives the same roots as the nodes; what is beyond its end has none."""
    wanted = sorted(sizes)
    found = merkle.roots(iter(LEAVES), wanted)
    assert found == {size: root(size) if size else merkle.EMPTY for size in wanted if size <= 700}


@given(places())
def test_a_proof_has_at_most_one_hash_a_level(place: tuple[int, int]) -> None:
    """Reading is O(log n)."""
    position, size = place
    assert len(inclusion(position, size)) <= size.bit_length()
    assert len(consistency(position + 1, size)) <= size.bit_length() + 1

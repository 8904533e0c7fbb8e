"""Merkle trees of RFC 6962 §2.1 with SHA-256: compact frontier, shape of proofs, verification. Pure, no I/O.

A proof is a list of 32-byte hashes, from the leaf towards the root. Its shape is given as ranges of leaves
``(start, end)``, end exclusive, whose tree hashes are its elements; who holds the hashes fills them in.
"""

import hashlib
from collections.abc import Sequence

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Range = tuple[int, int]


class ProofInvalid(Exception):
    """The proof does not lead to the root, or is not a proof at all."""


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def entry_leaf(entry_hash: bytes, signature: bytes) -> bytes:
    """The leaf of a ledger entry: 96 bytes of leaf data bind the entry's chain and its very signature."""
    return leaf_hash(entry_hash + signature)


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over adjacent perfect trees, the largest first."""
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH (RFC 6962 §2.1) over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


class Frontier:
    """A tree that only grows, in O(log n) memory: the roots of its perfect subtrees, the largest first."""

    __slots__ = ("_roots", "size")

    def __init__(self, size: int = 0, roots: Sequence[bytes] = ()) -> None:
        """Raises ValueError unless there is one root per bit of ``size``."""
        if len(roots) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} perfect subtrees")
        self.size = size
        self._roots = list(roots)

    def append(self, leaf: bytes) -> list[bytes]:
        """Add a leaf hash. Returns the nodes that it completed, of heights 1, 2, … upwards."""
        node, size, completed = leaf, self.size, []
        while size & 1:
            node = hashlib.sha256(b"\x01" + self._roots.pop() + node).digest()
            completed.append(node)
            size >>= 1
        self._roots.append(node)
        self.size += 1
        return completed

    def root(self) -> bytes:
        return fold(self._roots) if self._roots else EMPTY_ROOT


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The shape of PATH(index, D[size]) (RFC 6962 §2.1.1). Raises ValueError unless 0 ≤ index < size."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    start, end = 0, size
    siblings: list[Range] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return siblings[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The shape of PROOF(old, D[new]) (RFC 6962 §2.1.2); empty from 0 and from ``new`` itself.

    Raises ValueError unless 0 ≤ old ≤ new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not extend one of {old}")
    if old in (0, new):
        return []
    start, end = 0, new
    ranges: list[Range] = []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        ranges.append((start, end))
    return ranges[::-1]


def perfect_nodes(start: int, end: int) -> list[tuple[int, int]]:
    """A proof's range as perfect subtrees ``(height, index)``, left to right: MTH of the range is their ``fold``."""
    nodes = []
    while start < end:
        height = (end - start).bit_length() - 1
        nodes.append((height, start >> height))
        start += 1 << height
    return nodes


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 §2.1.3.2. Raises ProofInvalid."""
    if not 0 <= index < size:
        raise ProofInvalid(f"leaf {index} is not in a tree of {size}")
    _require_hashes(proof, (leaf, root))
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            node, last = _skip_left_edge(node, last)
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the proof is too short")
    if computed != root:
        raise ProofInvalid("the proof leads to another root")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 §2.1.4.2; every tree extends the empty one. Raises ProofInvalid."""
    if not 0 <= old <= new:
        raise ProofInvalid(f"a tree of {new} leaves does not extend one of {old}")
    _require_hashes(proof, (old_root, new_root))
    if old in (0, new):
        _verify_trivial(old, old_root, new, new_root, proof)
        return
    # A tree of 2^k leaves is a node of the larger one: its hash is known and not sent.
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise ProofInvalid("the proof is too short")
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    was = now = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if node & 1 or node == last:
            was, now = node_hash(sibling, was), node_hash(sibling, now)
            node, last = _skip_left_edge(node, last)
        else:
            now = node_hash(now, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the proof is too short")
    if was != old_root or now != new_root:
        raise ProofInvalid("the trees are not one the beginning of the other")


def _verify_trivial(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofInvalid("the proof is too long")
    if old == new and old_root != new_root:
        raise ProofInvalid("two trees of one size have different roots")
    for size, root in ((old, old_root), (new, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofInvalid("the root is not that of the empty tree")


def _skip_left_edge(node: int, last: int) -> tuple[int, int]:
    """Up to where the node is a right child no more than its parents are: levels without a sibling to the left."""
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last


def _split(width: int) -> int:
    """The largest power of two smaller than ``width``."""
    return 1 << (width - 1).bit_length() - 1


def _require_hashes(proof: Sequence[bytes], others: Sequence[bytes]) -> None:
    if any(len(value) != HASH_SIZE for value in (*proof, *others)):
        raise ProofInvalid("a hash is not of 32 bytes")

"""A tree that is not RFC 6962's, or a verifier that takes a wrong proof, would prove nothing to anybody."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonopay_signer.transparency import merkle
from bonopay_signer.transparency.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofInvalid,
    consistency_ranges,
    inclusion_ranges,
    root_of,
    verify_consistency,
    verify_inclusion,
)

from .trees import audit_path, leaf_data, leaves, mth, oracle, subproof

# The eight entries and the roots over the first 1 … 8 of them that the reference implementation of RFC 6962 publishes.
REFERENCE_ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
REFERENCE_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(1, 700)


def proof_of(ranges: list[merkle.Range], hashes: list[bytes]) -> list[bytes]:
    return [root_of(hashes[start:end]) for start, end in ranges]


def test_roots_are_those_that_the_reference_implementation_publishes() -> None:
    hashes = [merkle.leaf_hash(entry) for entry in REFERENCE_ENTRIES]
    assert [root_of(hashes[:size]).hex() for size in range(1, 9)] == REFERENCE_ROOTS
    assert root_of([]) == EMPTY_ROOT == hashlib.sha256().digest()


def test_leaf_of_an_entry_binds_its_hash_and_its_signature() -> None:
    assert merkle.entry_leaf(b"h" * 32, b"s" * 64) == hashlib.sha256(b"\x00" + b"h" * 32 + b"s" * 64).digest()


def test_shapes_are_those_of_the_examples_in_rfc_6962_2_1_3() -> None:
    """Seven leaves, nodes named as in the figure: g h i j over pairs, k over the first four, l over the last three."""
    names = {(i, i + 1): "abcdef"[i] for i in range(6)}
    names |= {(6, 7): "j", (0, 2): "g", (2, 4): "h", (4, 6): "i", (0, 4): "k", (4, 7): "l"}

    def named(ranges: list[merkle.Range]) -> list[str]:
        return [names[range_] for range_ in ranges]

    assert named(inclusion_ranges(0, 7)) == ["b", "h", "l"]
    assert named(inclusion_ranges(3, 7)) == ["c", "g", "l"]
    assert named(inclusion_ranges(4, 7)) == ["f", "j", "k"]
    assert named(inclusion_ranges(6, 7)) == ["i", "k"]
    assert named(consistency_ranges(3, 7)) == ["c", "d", "g", "l"]
    assert named(consistency_ranges(4, 7)) == ["l"]
    assert named(consistency_ranges(6, 7)) == ["i", "j", "k"]


@given(SIZES, st.data())
@settings(max_examples=60)
def test_roots_and_proofs_are_those_of_others(size: int, data: st.DataObject) -> None:
    """Of pymerkle, and of the RFC's recursive definitions (pymerkle's consistency proofs are not minimal)."""
    content = [leaf_data(number) for number in range(size)]
    tree, hashes = oracle(content), leaves(size)
    root = tree.get_root(size)
    assert root_of(hashes) == root == mth(hashes)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    inclusion = proof_of(inclusion_ranges(index, size), hashes)
    assert inclusion == tree.prove_inclusion(index + 1, size).path[1:] == audit_path(index, hashes)
    consistency = proof_of(consistency_ranges(old, size), hashes)
    assert consistency == subproof(old, hashes)
    verify_inclusion(hashes[index], index, size, inclusion, root)
    verify_consistency(old, tree.get_root(old), size, root, consistency)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6))
@settings(max_examples=50)
def test_frontier_continued_from_its_own_roots_is_the_same_tree(steps: list[int]) -> None:
    hashes, at = leaves(sum(steps)), 0
    frontier = Frontier()
    for step in steps:
        frontier = Frontier(frontier.size, list(frontier._roots))
        for leaf in hashes[at : at + step]:
            frontier.append(leaf)
        at += step
        assert frontier.root() == root_of(hashes[:at])
    with pytest.raises(ValueError, match="perfect subtrees"):
        Frontier(2 * frontier.size + 1, frontier._roots)


# --- what a verifier must refuse


def refused(call: Callable[[], None]) -> bool:
    try:
        call()
    except ProofInvalid:
        return True
    return False


def alterations(proof: list[bytes], position: int, bit: int) -> list[list[bytes]]:
    """The proof with one bit changed, one hash missing, doubled, swapped, shortened or added."""
    changed = []
    if proof:
        at = position % len(proof)
        flipped = bytearray(proof[at])
        flipped[bit // 8] ^= 1 << bit % 8
        changed = [
            [*proof[:at], bytes(flipped), *proof[at + 1 :]],
            [*proof[:at], *proof[at + 1 :]],
            [*proof[: at + 1], *proof[at:]],
            [*proof[:at], proof[at][:-1], *proof[at + 1 :]],
        ]
        other = [*proof]
        other[at], other[0] = other[0], other[at]
        changed += [other] if other != proof else []
    return [*changed, [*proof, b"\0" * 32], [b"\0" * 32, *proof]]


@given(SIZES, st.data(), st.integers(0, 255))
@settings(max_examples=60)
def test_altered_inclusion_proof_is_refused(size: int, data: st.DataObject, bit: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    root, leaf = root_of(hashes), hashes[index]
    proof = proof_of(inclusion_ranges(index, size), hashes)
    for altered in alterations(proof, index, bit):
        assert refused(lambda altered=altered: verify_inclusion(leaf, index, size, altered, root))
    wrong = bytearray(root)
    wrong[bit // 8] ^= 1 << bit % 8
    assert refused(lambda: verify_inclusion(leaf, index, size, proof, bytes(wrong)))
    assert refused(lambda: verify_inclusion(bytes(wrong), index, size, proof, root))
    other = data.draw(st.integers(-1, size + 1).filter(lambda value: value != index))
    assert refused(lambda: verify_inclusion(leaf, other, size, proof, root))


@given(SIZES, st.data(), st.integers(0, 255))
@settings(max_examples=60)
def test_altered_consistency_proof_is_refused(size: int, data: st.DataObject, bit: int) -> None:
    old = data.draw(st.integers(1, size))
    hashes = leaves(size)
    old_root, root = root_of(hashes[:old]), root_of(hashes)
    proof = proof_of(consistency_ranges(old, size), hashes)
    for altered in alterations(proof, old, bit):
        assert refused(lambda altered=altered: verify_consistency(old, old_root, size, root, altered))
    for which in (old_root, root):
        wrong = bytearray(which)
        wrong[bit // 8] ^= 1 << bit % 8
        roots = [bytes(wrong) if root_ == which else root_ for root_ in (old_root, root)]
        if roots[0] != roots[1] or old != size:
            assert refused(lambda roots=roots: verify_consistency(old, roots[0], size, roots[1], proof))
    other = data.draw(st.integers(-1, size + 1).filter(lambda value: value not in (0, old)))
    assert refused(lambda: verify_consistency(other, old_root, size, root, proof))


@given(SIZES, st.data())
@settings(max_examples=60)
def test_fork_is_not_consistent_whatever_the_proof(size: int, data: st.DataObject) -> None:
    """Another history from leaf ``fork`` on: the honest proofs of either side do not join them."""
    old = data.draw(st.integers(1, size))
    fork = data.draw(st.integers(0, old - 1))
    honest, forged = leaves(size), leaves(fork) + leaves(size, "fork")[fork:]
    for proof in (proof_of(consistency_ranges(old, size), side) for side in (honest, forged)):
        assert refused(lambda p=proof: verify_consistency(old, root_of(honest[:old]), size, root_of(forged), p))


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_ranges(index, size)
    with pytest.raises(ProofInvalid):
        verify_inclusion(b"\0" * 32, index, size, [], b"\0" * 32)


def test_proof_of_a_larger_size_read_as_a_smaller_one_is_refused() -> None:
    """A size is not bound by the root alone: the shape must be the one of the size that the checkpoint names."""
    hashes = leaves(8)
    proof = proof_of(inclusion_ranges(0, 8), hashes)
    for size in (1, 2, 3, 4, 9, 16, 17):
        with pytest.raises(ProofInvalid):
            verify_inclusion(hashes[0], 0, size, proof, root_of(hashes))


def test_everything_extends_the_empty_tree_and_itself_only_without_a_proof() -> None:
    root = root_of(leaves(5))
    verify_consistency(0, EMPTY_ROOT, 5, root, [])
    verify_consistency(5, root, 5, root, [])
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    for arguments in (
        (0, EMPTY_ROOT, 5, root, [root]),
        (5, root, 5, root, [root]),
        (0, root, 5, root, []),
        (0, EMPTY_ROOT, 0, root, []),
        (6, root, 5, root, []),
        (-1, root, 5, root, []),
    ):
        with pytest.raises(ProofInvalid):
            verify_consistency(*arguments)
    with pytest.raises(ValueError, match="does not extend"):
        consistency_ranges(6, 5)

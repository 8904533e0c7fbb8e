"""Proofs of the stored log, out of O(log n) tiles, each verified before it is handed out."""

from collections.abc import Mapping

from bonopay_signer.transparency.merkle import (
    EMPTY_ROOT,
    ProofInvalid,
    Range,
    consistency_ranges,
    inclusion_ranges,
    verify_consistency,
    verify_inclusion,
)
from bonopay_signer.transparency.store import LogContradiction, LogId, LogStore, StoredCheckpoint
from bonopay_signer.transparency.tiles import TileBuilder, TileId, edge_tiles, range_hash, tiles_for


async def prove_inclusion(store: LogStore, position: int, leaf: bytes, checkpoint: StoredCheckpoint) -> list[bytes]:
    """The audit path of a leaf in the tree of a checkpoint that covers its position.

    Raises LogContradiction when the stored log does not prove it: it was changed after the checkpoint was signed.
    """
    size = checkpoint.size
    proof = await _hashes(store, checkpoint.log, inclusion_ranges(position, size), size)
    try:
        verify_inclusion(leaf, position, size, proof, checkpoint.root)
    except ProofInvalid as error:
        raise LogContradiction(
            f"entry {position} of {checkpoint.log} is not in the checkpoint of {size}: {error}"
        ) from error
    return proof


async def prove_consistency(store: LogStore, log: LogId, old: int, new: int) -> list[bytes]:
    """The proof that the log's tree of ``new`` leaves extends that of ``old``; ``new`` must be in a checkpoint.

    Raises LogContradiction where the stored log cannot prove it.
    """
    proof = await _hashes(store, log, consistency_ranges(old, new), new)
    old_root, new_root = await root_at(store, log, old), await root_at(store, log, new)
    prove_growth(old, old_root, new, new_root, proof)
    return proof


def prove_growth(old: int, old_root: bytes, new: int, new_root: bytes, proof: list[bytes]) -> None:
    """Raises LogContradiction unless the proof holds."""
    try:
        verify_consistency(old, old_root, new, new_root, proof)
    except ProofInvalid as error:
        raise LogContradiction(f"the log of {new} entries does not extend what it was at {old}: {error}") from error


async def consistency_hashes(store: LogStore, log: LogId, old: int, new: int) -> list[bytes]:
    """A consistency proof that nobody has verified yet."""
    return await _hashes(store, log, consistency_ranges(old, new), new)


async def builder_at(store: LogStore, log: LogId, size: int) -> TileBuilder:
    """The tree as it was at ``size``, from the stored tiles left of its edge and the entries on it."""
    return TileBuilder(size, await store.tiles(log, edge_tiles(size), size))


async def root_at(store: LogStore, log: LogId, size: int) -> bytes:
    """The signed root where there is a checkpoint of this size, else the one that the tiles give."""
    if size == 0:
        return EMPTY_ROOT
    checkpoint = await store.checkpoint(log, size)
    return checkpoint.root if checkpoint else (await builder_at(store, log, size)).root()


async def _hashes(store: LogStore, log: LogId, ranges: list[Range], size: int) -> list[bytes]:
    tiles: Mapping[TileId, bytes] = await store.tiles(log, tiles_for(ranges), size)
    return [range_hash(*range_, tiles) for range_ in ranges]

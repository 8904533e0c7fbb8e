"""For auditors: the log's tiles and every checkpoint derived again from the entries, in flat memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from bonopay_signer.transparency.checkpointer import check_note
from bonopay_signer.transparency.checkpoints import Checkpoint, origin_of
from bonopay_signer.transparency.notes import EcdsaVerifier, NoteMalformed, NoteUntrusted
from bonopay_signer.transparency.store import LogId, LogStore, StoredCheckpoint
from bonopay_signer.transparency.tiles import HEIGHT, Tile, TileBuilder, TileId


@dataclass(frozen=True, slots=True)
class LogFault:
    """The first thing that does not hold. ``check``: leaves, tile, root, note; ``size`` is the checkpoint's, or the
    number of entries up to the tile's end."""

    shard: int
    log_epoch: int
    size: int
    check: str
    detail: str


@dataclass(frozen=True, slots=True)
class LogVerified:
    """``leaves`` entries were read; ``checkpoints`` and ``tiles`` hold; ``covered``: size of the last checkpoint."""

    shard: int
    leaves: int
    checkpoints: int
    tiles: int
    covered: int


async def verify_checkpoints(
    authority: str,
    shard: int,
    leaves: AsyncIterator[bytes],
    checkpoints: AsyncIterator[StoredCheckpoint],
    public_keys: Sequence[bytes],
    tiles: Mapping[int, AsyncIterator[Tile]] | None = None,
) -> LogVerified | LogFault:
    """Derive the root of every checkpoint from leaf hashes in the order of their position, and verify its signature.

    ``checkpoints`` come by size; ``public_keys`` are the DER keys that the caller trusts, whatever the database holds;
    ``tiles``: per log epoch its stored tiles, in the order in which they fill, to be compared too. Memory does not grow
    with the log. What is after the last checkpoint is nothing that a log can vouch for: compare ``covered`` yourself.
    """
    replay = _Replay(authority, shard, leaves, public_keys, dict(tiles or {}))
    count = 0
    async for checkpoint in checkpoints:
        fault = await replay.advance(checkpoint.size, checkpoint.log_epoch) or replay.compare(checkpoint)
        if fault is not None:
            return fault
        count += 1
    covered = replay.builder.size
    fault = await replay.to_the_end()
    if fault is not None:
        return fault
    return LogVerified(shard, replay.builder.size, count, replay.tile_count, covered)


async def verify_log(
    store: LogStore, authority: str, shard: int, public_keys: Sequence[bytes]
) -> LogVerified | LogFault:
    """``verify_checkpoints`` over a database: its entries, its tiles and its checkpoints. Raises psycopg.Error."""
    epochs = await store.log_epochs(shard)
    tiles = {epoch: store.stream_tiles(LogId(shard, epoch)) for epoch in epochs}
    return await verify_checkpoints(
        authority, shard, store.stream_leaves(shard), store.stream_checkpoints(shard), public_keys, tiles
    )


class _Replay:
    """The tree as it grew, beside what was stored of it."""

    def __init__(
        self,
        authority: str,
        shard: int,
        leaves: AsyncIterator[bytes],
        public_keys: Sequence[bytes],
        tiles: dict[int, AsyncIterator[Tile]],
    ) -> None:
        self.builder = TileBuilder()
        self.tile_count = 0
        self._authority = authority
        self._shard = shard
        self._leaves = leaves
        self._public_keys = public_keys
        self._tiles = tiles
        self._missing: dict[int, TileId] = {}

    async def advance(self, size: int, log_epoch: int) -> LogFault | None:
        while self.builder.size < size:
            leaf = await anext(self._leaves, None)
            if leaf is None:
                at = self.builder.size
                return LogFault(self._shard, log_epoch, size, "leaves", f"the entry at position {at} is missing")
            fault = await self._append(leaf)
            if fault is not None:
                return fault
        return None

    async def to_the_end(self) -> LogFault | None:
        async for leaf in self._leaves:
            fault = await self._append(leaf)
            if fault is not None:
                return fault
        for epoch, stored in self._tiles.items():
            tile = await anext(stored, None)
            if tile is not None:
                return self._tile_fault(epoch, tile.id, "has no entries under it")
        return None

    def compare(self, checkpoint: StoredCheckpoint) -> LogFault | None:
        root, log_epoch = self.builder.root(), checkpoint.log_epoch
        missing = self._missing.get(log_epoch)
        if missing is not None:
            return self._tile_fault(log_epoch, missing, "is missing")
        if root != checkpoint.root:
            detail = f"the entries give root {root.hex()}, the checkpoint says {checkpoint.root.hex()}"
            return LogFault(self._shard, log_epoch, checkpoint.size, "root", detail)
        expected = Checkpoint(origin_of(self._authority, self._shard, log_epoch), checkpoint.size, root)
        try:
            check_note(checkpoint.note, expected, [EcdsaVerifier(expected.origin, der) for der in self._public_keys])
        except (NoteMalformed, NoteUntrusted) as error:
            return LogFault(self._shard, log_epoch, checkpoint.size, "note", str(error))
        return None

    async def _append(self, leaf: bytes) -> LogFault | None:
        for tile in self.builder.append(leaf):
            for epoch, stored in list(self._tiles.items()):
                found = await anext(stored, None)
                if found is None:
                    del self._tiles[epoch]  # an epoch ends; tiles after the last checkpoint may not be stored yet
                    self._missing[epoch] = tile.id
                elif found != tile:
                    return self._tile_fault(
                        epoch, found.id, "does not hold the hashes of its entries, or one is missing"
                    )
                else:
                    self.tile_count += 1
        return None

    def _tile_fault(self, epoch: int, tile: TileId, detail: str) -> LogFault:
        end = (tile.index + 1) << HEIGHT * (tile.level + 1)
        return LogFault(self._shard, epoch, end, "tile", f"tile {tile.index} of level {tile.level} {detail}")

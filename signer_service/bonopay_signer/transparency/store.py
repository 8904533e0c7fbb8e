"""The log's rows: leaves out of the ledger, tiles, checkpoints, cosignatures. Every method is one round trip.

The connections must see every merchant's entries (``bonopay.merchant=*``); nothing but hashes leaves this module.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.transparency.merkle import HASH_SIZE, entry_leaf
from bonopay_signer.transparency.tiles import WIDTH, Tile, TileId, width_at

COSIGNED_LATELY = 5_000
"""How many cosignatures back a checkpoint with enough of them is looked for."""

RENEWAL_SECONDS = 60
"""A witness's cosignatures of one checkpoint lie at least so far apart."""

_LEAVES = """
SELECT position, entry_hash, signature FROM signer.entry
 WHERE shard = %b AND position >= %b AND position < %b ORDER BY position
"""
_INVOICE = """
SELECT e.shard, e.position, e.entry_hash, e.signature
  FROM signer.document d JOIN signer.entry e USING (outlet_id, index, sealed_at) WHERE d.fiscal_number = %b
"""
_CHECKPOINT = "SELECT shard, log_epoch, size, root, note, created_at FROM signer.checkpoint"
_PUT_TILES = """
WITH fresh AS (SELECT * FROM unnest(%(level)b::smallint[], %(index)b::bigint[], %(hashes)b::bytea[], %(root)b::bytea[])
                    AS f (level, index, hashes, root)),
     added AS (INSERT INTO signer.tile (shard, log_epoch, level, index, hashes, root)
               SELECT %(shard)b, %(epoch)b, level, index, hashes, root FROM fresh ON CONFLICT DO NOTHING)
SELECT t.level, t.index FROM signer.tile t JOIN fresh f USING (level, index)
 WHERE t.shard = %(shard)b AND t.log_epoch = %(epoch)b AND (t.hashes, t.root) IS DISTINCT FROM (f.hashes, f.root)
"""
_PUT_CHECKPOINT = """
INSERT INTO signer.checkpoint (shard, log_epoch, size, root, note) VALUES (%b, %b, %b, %b, %b) ON CONFLICT DO NOTHING
"""
_EPOCHS = """
SELECT epoch FROM generate_series(1, 99) AS epoch
 WHERE EXISTS (SELECT FROM signer.checkpoint WHERE shard = %(shard)s AND log_epoch = epoch)
    OR EXISTS (SELECT FROM signer.tile WHERE shard = %(shard)s AND log_epoch = epoch)
 ORDER BY epoch
"""
_TILES_BY_END = """
SELECT level, index, hashes, root, (index + 1) << (8 * (level + 1)) AS filled_at FROM signer.tile
 WHERE shard = %b AND log_epoch = %b AND ((index + 1) << (8 * (level + 1)), level) > (%b, %b)
 ORDER BY filled_at, level LIMIT %b
"""
_LATEST = f"{_CHECKPOINT} WHERE shard = %(shard)b AND log_epoch = %(epoch)b ORDER BY size DESC LIMIT 1"
_AFTER = f"{_CHECKPOINT} WHERE shard = %b AND log_epoch = %b AND size > %b ORDER BY size LIMIT %b"
_HEADS = f"""
SELECT c.* FROM signer.shard AS s CROSS JOIN generate_series(1, s.log_epoch) AS epoch
 CROSS JOIN LATERAL ({_CHECKPOINT} WHERE shard = s.id AND log_epoch = epoch ORDER BY size DESC LIMIT 1) AS c
 ORDER BY c.shard, c.log_epoch
"""
_LATEST_COSIGNED = f"""
{_CHECKPOINT} WHERE shard = %(shard)b AND log_epoch = %(epoch)b
   AND size = (SELECT size FROM (SELECT size, verifier_key
                                   FROM signer.cosignature JOIN signer.witness USING (verifier_key)
                                  WHERE shard = %(shard)b AND log_epoch = %(epoch)b AND removed_at IS NULL
                                  ORDER BY size DESC LIMIT {COSIGNED_LATELY}) AS lately
                GROUP BY size HAVING count(DISTINCT verifier_key) >= %(witnesses)b ORDER BY size DESC LIMIT 1)
"""
_LINES = """
SELECT DISTINCT ON (verifier_key) line FROM signer.cosignature JOIN signer.witness USING (verifier_key)
 WHERE shard = %b AND log_epoch = %b AND size = %b AND removed_at IS NULL
 ORDER BY verifier_key, cosigned_at DESC
"""
# A witness may renew its word on a checkpoint that stays the last one, but not fill the disk with it.
_PUT_COSIGNATURE = f"""
INSERT INTO signer.cosignature (shard, log_epoch, size, verifier_key, cosigned_at, line)
SELECT %(shard)s, %(epoch)s, %(size)s, %(key)s, %(at)s, %(line)s
 WHERE NOT EXISTS (SELECT FROM signer.cosignature
                    WHERE shard = %(shard)s AND log_epoch = %(epoch)s AND size = %(size)s AND verifier_key = %(key)s
                      AND cosigned_at > %(at)s - {RENEWAL_SECONDS})
    ON CONFLICT DO NOTHING
"""


class LogContradiction(Exception):
    """The ledger, its tiles and its signed checkpoints do not agree: somebody changed what was sealed."""


@dataclass(frozen=True, slots=True)
class LogId:
    """One log: the entries of a shard in the order of their position, since ``epoch`` was opened."""

    shard: int
    epoch: int


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A row of signer.checkpoint; ``note`` carries our signature only."""

    shard: int
    log_epoch: int
    size: int
    root: bytes
    note: str
    created_at: datetime

    @property
    def log(self) -> LogId:
        return LogId(self.shard, self.log_epoch)


@dataclass(frozen=True, slots=True)
class EntryPlace:
    """Where an entry is in the log, and what its leaf is made of."""

    shard: int
    position: int
    entry_hash: bytes
    signature: bytes

    @property
    def leaf(self) -> bytes:
        return entry_leaf(self.entry_hash, self.signature)


class LogStore:
    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    # --- the ledger

    async def shards(self) -> list[tuple[LogId, int]]:
        """The current log of every shard and how many entries it has."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT id, log_epoch, size FROM signer.shard ORDER BY id")
            return [(LogId(shard, epoch), size) for shard, epoch, size in await cursor.fetchall()]

    async def leaves(self, shard: int, start: int, end: int) -> list[bytes]:
        """The leaf hashes of positions ``start`` to ``end`` (exclusive). Raises LogContradiction if one is missing."""
        async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(_LEAVES, [shard, start, end])
            rows = await cursor.fetchall()
        for expected, (position, _, _) in zip(range(start, end), rows, strict=False):
            if position != expected:
                raise LogContradiction(f"shard {shard} has no entry at position {expected}")
        if len(rows) != end - start:
            raise LogContradiction(f"shard {shard} has no entry at position {start + len(rows)}")
        return [entry_leaf(entry_hash, signature) for _, entry_hash, signature in rows]

    async def stream_leaves(self, shard: int, chunk: int = 4096) -> AsyncIterator[bytes]:
        """Every leaf hash of a shard in order, in flat memory; ends at the first position without an entry."""
        position = 0
        while True:
            async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                await cursor.execute(_LEAVES, [shard, position, position + chunk])
                rows = await cursor.fetchall()
            for at, entry_hash, signature in rows:
                if at != position:
                    return
                position += 1
                yield entry_leaf(entry_hash, signature)
            if len(rows) < chunk:
                return

    async def invoice(self, fiscal_number: str) -> EntryPlace | None:
        """The entry that sealed a fiscal number."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(binary=True, row_factory=class_row(EntryPlace)) as cursor,
        ):
            await cursor.execute(_INVOICE, [fiscal_number])
            return await cursor.fetchone()

    # --- tiles

    async def put_tiles(self, log: LogId, tiles: Sequence[Tile]) -> None:
        """Store full tiles. Raises LogContradiction when other hashes are stored already."""
        if not tiles:
            return
        values = {
            "shard": log.shard,
            "epoch": log.epoch,
            "level": [tile.id.level for tile in tiles],
            "index": [tile.id.index for tile in tiles],
            "hashes": [tile.hashes for tile in tiles],
            "root": [tile.root for tile in tiles],
        }
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_PUT_TILES, values)
            other = await cursor.fetchone()
        if other is not None:
            raise LogContradiction(f"tile {other[1]} of level {other[0]} of {log} holds other hashes than its entries")

    async def full_tiles(self, log: LogId, tiles: Iterable[TileId]) -> dict[TileId, bytes]:
        """The stored hashes of these tiles; those that are not full yet are left out."""
        wanted = list(tiles)
        async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(
                "SELECT level, index, hashes FROM signer.tile JOIN unnest(%b::smallint[], %b::bigint[]) "
                "AS wanted (level, index) USING (level, index) WHERE shard = %b AND log_epoch = %b",
                [[tile.level for tile in wanted], [tile.index for tile in wanted], log.shard, log.epoch],
            )
            return {TileId(level, index): hashes for level, index, hashes in await cursor.fetchall()}

    async def tile_roots(self, log: LogId, level: int, start: int, end: int) -> list[bytes]:
        """The roots of the full tiles ``start`` to ``end`` (exclusive) of a level. Raises LogContradiction."""
        async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(
                "SELECT index, root FROM signer.tile WHERE shard = %b AND log_epoch = %b AND level = %b "
                "AND index >= %b AND index < %b ORDER BY index",
                [log.shard, log.epoch, level, start, end],
            )
            rows = await cursor.fetchall()
        if [index for index, _ in rows] != list(range(start, end)):
            raise LogContradiction(f"a tile of level {level} of {log} between {start} and {end} is missing")
        return [root for _, root in rows]

    async def derived(self, log: LogId, tile: TileId, width: int) -> bytes:
        """The first ``width`` hashes of a tile from what is below it: entries, or the roots of tiles."""
        first = tile.index * WIDTH
        if tile.level == 0:
            return b"".join(await self.leaves(log.shard, first, first + width))
        return b"".join(await self.tile_roots(log, tile.level - 1, first, first + width))

    async def tiles(self, log: LogId, tiles: Iterable[TileId], size: int) -> dict[TileId, bytes]:
        """Tiles as they are in the tree of ``size`` leaves: stored where they are full, else from what is below."""
        widths = {tile: width_at(tile, size) for tile in tiles}
        found = await self.full_tiles(log, widths) if widths else {}
        for tile in widths.keys() - found.keys():
            found[tile] = await self.derived(log, tile, widths[tile])
        # A tile may have filled since the tree had this size.
        return {tile: hashes[: widths[tile] * HASH_SIZE] for tile, hashes in found.items()}

    async def next_full_tile(self, log: LogId, after: TileId) -> Tile | None:
        """The first stored tile after ``after``, level by level."""
        async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(
                "SELECT level, index, hashes, root FROM signer.tile WHERE shard = %b AND log_epoch = %b "
                "AND (level, index) > (%b, %b) ORDER BY level, index LIMIT 1",
                [log.shard, log.epoch, *after],
            )
            row = await cursor.fetchone()
        return Tile(TileId(row[0], row[1]), row[2], row[3]) if row else None

    async def log_epochs(self, shard: int) -> list[int]:
        """The epochs of a shard's logs that have a checkpoint or a tile."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_EPOCHS, {"shard": shard})
            return [epoch for (epoch,) in await cursor.fetchall()]

    async def stream_tiles(self, log: LogId, chunk: int = 64) -> AsyncIterator[Tile]:
        """Every full tile of a log in the order in which they fill, in flat memory."""
        after = (-1, -1)
        while True:
            async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                await cursor.execute(_TILES_BY_END, [log.shard, log.epoch, *after, chunk])
                rows = await cursor.fetchall()
            for level, index, hashes, root, _ in rows:
                yield Tile(TileId(level, index), hashes, root)
            if len(rows) < chunk:
                return
            after = (rows[-1][4], rows[-1][0])

    # --- checkpoints

    async def latest_checkpoint(self, log: LogId, witnesses: int = 0) -> StoredCheckpoint | None:
        """The largest checkpoint, of those that at least so many witnesses cosigned."""
        values = {"shard": log.shard, "epoch": log.epoch, "witnesses": witnesses}
        return await self._checkpoint(_LATEST_COSIGNED if witnesses else _LATEST, values)

    async def checkpoint(self, log: LogId, size: int) -> StoredCheckpoint | None:
        where = "WHERE shard = %(shard)b AND log_epoch = %(epoch)b AND size = %(size)b"
        return await self._checkpoint(f"{_CHECKPOINT} {where}", {"shard": log.shard, "epoch": log.epoch, "size": size})

    async def heads(self) -> list[StoredCheckpoint]:
        """The last checkpoint of every log there ever was."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(binary=True, row_factory=class_row(StoredCheckpoint)) as cursor,
        ):
            await cursor.execute(_HEADS)
            return await cursor.fetchall()

    async def stream_checkpoints(self, shard: int) -> AsyncIterator[StoredCheckpoint]:
        """Every checkpoint of a shard's logs, by size and then by epoch, in flat memory."""
        streams = {epoch: self._stream_log(LogId(shard, epoch)) for epoch in await self.log_epochs(shard)}
        heads = {epoch: await anext(stream, None) for epoch, stream in streams.items()}
        while waiting := [head for head in heads.values() if head is not None]:
            first = min(waiting, key=lambda head: (head.size, head.log_epoch))
            yield first
            heads[first.log_epoch] = await anext(streams[first.log_epoch], None)

    async def _stream_log(self, log: LogId, chunk: int = 1000) -> AsyncIterator[StoredCheckpoint]:
        after = -1
        while True:
            async with (
                self._pool.connection() as connection,
                connection.cursor(binary=True, row_factory=class_row(StoredCheckpoint)) as cursor,
            ):
                await cursor.execute(_AFTER, [log.shard, log.epoch, after, chunk])
                rows = await cursor.fetchall()
            for row in rows:
                yield row
            if len(rows) < chunk:
                return
            after = rows[-1].size

    async def put_checkpoint(self, log: LogId, size: int, root: bytes, note: str) -> None:
        """Store a signed checkpoint; one that is stored already for this size stays."""
        async with self._pool.connection() as connection:
            await connection.execute(_PUT_CHECKPOINT, [log.shard, log.epoch, size, root, note])

    async def _checkpoint(self, query: str, values: dict[str, int]) -> StoredCheckpoint | None:
        async with (
            self._pool.connection() as connection,
            connection.cursor(binary=True, row_factory=class_row(StoredCheckpoint)) as cursor,
        ):
            await cursor.execute(query, values)
            return await cursor.fetchone()

    async def public_keys(self) -> list[bytes]:
        """The DER SubjectPublicKeyInfo of every key that this signer ever sealed with."""
        async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute("SELECT public_der FROM signer.signing_key ORDER BY created_at")
            return [der for (der,) in await cursor.fetchall()]

    # --- cosignatures

    async def witnesses(self) -> list[str]:
        """The verifier keys of the witnesses that the operator registered and did not remove."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT verifier_key FROM signer.witness WHERE removed_at IS NULL ORDER BY added_at, verifier_key"
            )
            return [key for (key,) in await cursor.fetchall()]

    async def cosignature_lines(self, checkpoint: StoredCheckpoint) -> list[str]:
        """The newest signature line of each witness on a checkpoint."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_LINES, [checkpoint.shard, checkpoint.log_epoch, checkpoint.size])
            return [line for (line,) in await cursor.fetchall()]

    async def put_cosignature(self, checkpoint: StoredCheckpoint, verifier_key: str, at: int, line: str) -> None:
        """Keep a verified cosignature, unless the witness renewed an earlier one within RENEWAL_SECONDS."""
        values = {
            "shard": checkpoint.shard,
            "epoch": checkpoint.log_epoch,
            "size": checkpoint.size,
            "key": verifier_key,
            "at": at,
            "line": line,
        }
        async with self._pool.connection() as connection:
            await connection.execute(_PUT_COSIGNATURE, values)

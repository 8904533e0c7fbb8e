"""The writer's statements: each one round trip, each all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from bonopay_signer.ledger.entries import Entry, Head

_HEADS = "SELECT outlet_id, merchant_nif, epoch, index, entry_hash, sequence, sealed_at FROM signer.outlet_head"
FENCED, NOT_A_CONTINUATION, STATE_CONFLICT = "BP001", "BP002", "BP003"
"""SQLSTATEs of ``signer.append`` (migration 0005)."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The row that fences every append: the next entry has position ``size``."""

    id: int
    generation: int
    size: int
    last_hash: bytes
    sealed_at: datetime
    log_epoch: int


async def read_shard(connection: psycopg.AsyncConnection, shard: int) -> Shard:
    """Raises LookupError."""
    async with connection.cursor(row_factory=class_row(Shard)) as cursor:
        await cursor.execute(
            "SELECT id, generation, size, last_hash, sealed_at, log_epoch FROM signer.shard WHERE id = %s", [shard]
        )
        found = await cursor.fetchone()
    if found is None:
        raise LookupError(f"there is no shard {shard}")
    return found


async def read_heads(connection: psycopg.AsyncConnection, shard: int) -> dict[str, Head]:
    """Every head of a shard."""
    return await _heads(connection, "JOIN signer.merchant m ON m.nif = merchant_nif WHERE m.shard = %s", [shard])


async def heads_of(connection: psycopg.AsyncConnection, outlets: Sequence[str]) -> dict[str, Head]:
    return await _heads(connection, "WHERE outlet_id = ANY(%s)", [list(outlets)])


async def _heads(connection: psycopg.AsyncConnection, where: str, parameters: list[object]) -> dict[str, Head]:
    async with connection.cursor(row_factory=class_row(Head)) as cursor:
        await cursor.execute(f"{_HEADS} {where}", parameters)
        return {head.outlet_id: head for head in await cursor.fetchall()}


async def hash_at(connection: psycopg.AsyncConnection, shard: int, position: int) -> bytes | None:
    """The entry hash at a position of the shard, None when there is no such entry."""
    cursor = await connection.execute(
        "SELECT entry_hash FROM signer.entry WHERE shard = %s AND position = %s", [shard, position]
    )
    row = await cursor.fetchone()
    return None if row is None else bytes(row[0])


async def sealed_documents(
    connection: psycopg.AsyncConnection, documents: Sequence[tuple[str, UUID]]
) -> dict[tuple[str, UUID], str]:
    """Which of these (merchant, document) are sealed already, with their fiscal numbers."""
    # LATERAL … LIMIT: one look into the primary key for each document, whatever the planner believes of the table.
    cursor = await connection.execute(
        "SELECT a.nif, a.id, d.fiscal_number FROM unnest(%b::text[], %b::uuid[]) AS a (nif, id) CROSS JOIN LATERAL ("
        "SELECT fiscal_number FROM signer.document WHERE merchant_nif = a.nif AND document_id = a.id LIMIT 1) AS d",
        [[nif for nif, _ in documents], [document for _, document in documents]],
    )
    return {(nif, document): number for nif, document, number in await cursor.fetchall()}


async def append(
    connection: psycopg.AsyncConnection,
    shard: Shard,
    entries: Sequence[Entry],
    submissions: Sequence[int | None],
    originals: Sequence[str | None],
) -> None:
    """Insert a batch, move the heads, the shard and the submissions: one statement, one commit.

    Raises psycopg.Error; with a SQLSTATE of this module, or an integrity error, nothing was written.
    """
    first = entries[0]
    columns = ("outlet_id", "index", "epoch", "kind", "merchant_nif", "document_id", "fiscal_number", "statement")
    columns += ("payload", "payload_hash", "previous_hash", "entry_hash", "signature", "key_id")
    values = [[getattr(entry, column) for entry in entries] for column in columns]
    parameters = [shard.id, shard.generation, shard.size, first.sealed_at, first.public_url, *values]
    await connection.execute(_TYPED_APPEND, [*parameters, list(submissions), list(originals)])


# psycopg sends lists of small integers as smallint[]: the function's own types are named.
_TYPES = ("smallint", "bigint", "bigint", "timestamptz", "text", "text[]", "bigint[]", "int[]", "text[]", "text[]")
_TYPES += ("uuid[]", "text[]", *["bytea[]"] * 6, "text[]", "bigint[]", "text[]")
_TYPED_APPEND = f"SELECT signer.append({', '.join(f'%b::{name}' for name in _TYPES)})"

"""Reads entries and heads. Every function takes a connection, so it reads inside its caller's transaction or not."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
from cryptography.exceptions import UnsupportedAlgorithm
from psycopg.rows import class_row

from bonopay_signer.fiscal.numbering import parse_fiscal_number
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.entries import ENTRY_COLUMNS, INVOICE, Entry, Head

_ENTRIES = f"SELECT {ENTRY_COLUMNS} FROM signer.entry"


async def read_head(connection: psycopg.AsyncConnection, outlet_id: str) -> Head | None:
    async with connection.cursor(row_factory=class_row(Head)) as cursor:
        await cursor.execute(
            "SELECT outlet_id, epoch, index, entry_hash, sequence, sealed_at FROM signer.outlet_head "
            "WHERE outlet_id = %s",
            [outlet_id],
        )
        return await cursor.fetchone()


async def invoice_by_document(
    connection: psycopg.AsyncConnection, merchant_nif: str, document_id: UUID
) -> Entry | None:
    return await _one(
        connection,
        f"{_ENTRIES} WHERE kind = 'invoice' AND merchant_nif = %s AND document_id = %s",
        [merchant_nif, document_id],
    )


async def invoice_by_number(connection: psycopg.AsyncConnection, fiscal_number: str) -> Entry | None:
    """None also for what is no fiscal number at all, such as text that PostgreSQL cannot hold."""
    try:
        parse_fiscal_number(fiscal_number)
    except ValueError:
        return None
    return await _one(connection, f"{_ENTRIES} WHERE kind = 'invoice' AND fiscal_number = %s", [fiscal_number])


async def invoice_signature(connection: psycopg.AsyncConnection, fiscal_number: str) -> bytes | None:
    """Of an invoice's signature alone, so that asking costs the same whether the invoice is long or unknown."""
    try:
        parse_fiscal_number(fiscal_number)
    except ValueError:
        return None
    cursor = await connection.execute(
        "SELECT signature FROM signer.entry WHERE kind = 'invoice' AND fiscal_number = %s", [fiscal_number]
    )
    row = await cursor.fetchone()
    return None if row is None else bytes(row[0])


async def entry_by_hash(connection: psycopg.AsyncConnection, entry_hash: bytes) -> Entry | None:
    return await _one(connection, f"{_ENTRIES} WHERE entry_hash = %s", [entry_hash])


async def entry_at(connection: psycopg.AsyncConnection, outlet_id: str, index: int) -> Entry | None:
    return await _one(connection, f"{_ENTRIES} WHERE outlet_id = %s AND index = %s", [outlet_id, index])


async def verdict(connection: psycopg.AsyncConnection, fiscal_number: str) -> Entry | None:
    """The ``dgi_certified`` or ``dgi_rejected`` entry of an invoice, if it has one."""
    return await _one(connection, f"{_ENTRIES} WHERE kind <> '{INVOICE}' AND fiscal_number = %s", [fiscal_number])


async def chain(connection: psycopg.AsyncConnection, outlet_id: str) -> AsyncIterator[Entry]:
    """Every entry of an outlet by index, streamed; the connection must be in a transaction."""
    async with connection.cursor(name="chain", row_factory=class_row(Entry)) as cursor:
        cursor.itersize = 500
        await cursor.execute(f"{_ENTRIES} WHERE outlet_id = %s ORDER BY index", [outlet_id])
        async for entry in cursor:
            yield entry


async def outlets_with_chain(connection: psycopg.AsyncConnection) -> list[str]:
    """Every outlet that has a head or an entry, also an entry whose head was taken away."""
    cursor = await connection.execute(
        "SELECT outlet_id FROM signer.outlet_head UNION SELECT outlet_id FROM signer.entry ORDER BY 1"
    )
    return [outlet_id for (outlet_id,) in await cursor.fetchall()]


async def signing_keys(connection: psycopg.AsyncConnection) -> list[tuple[PublicKey, str]]:
    """Every key ever published with its time of creation, oldest first; without those of ``damaged_keys``."""
    found = ((_published(key_id, der), created_at) for key_id, der, created_at in await _key_rows(connection))
    return [(key, created_at) for key, created_at in found if key is not None]


async def damaged_keys(connection: psycopg.AsyncConnection) -> list[str]:
    """The ids whose row does not hold the key of that id: somebody changed it."""
    return [key_id for key_id, der, _ in await _key_rows(connection) if _published(key_id, der) is None]


async def _key_rows(connection: psycopg.AsyncConnection) -> list[tuple[str, bytes, str]]:
    cursor = await connection.execute(
        "SELECT key_id, public_der, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
        "FROM signer.signing_key ORDER BY created_at, key_id"
    )
    return await cursor.fetchall()


def _published(key_id: str, der: bytes) -> PublicKey | None:
    try:
        key = PublicKey(bytes(der))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if key.key_id == key_id else None


async def publish_key(connection: psycopg.AsyncConnection, key: PublicKey) -> None:
    """Make a key public for ever, once."""
    await connection.execute(
        "INSERT INTO signer.signing_key (key_id, public_der) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [key.key_id, key.der],
    )


async def _one(connection: psycopg.AsyncConnection, query: str, parameters: list[object]) -> Entry | None:
    async with connection.cursor(row_factory=class_row(Entry)) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchone()

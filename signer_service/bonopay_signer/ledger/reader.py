"""Reads entries and heads. Every function takes a connection, so it reads inside its caller's transaction or not."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
from cryptography.exceptions import UnsupportedAlgorithm
from psycopg.rows import class_row

from bonopay_signer.fiscal.numbering import parse_fiscal_number
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.entries import ENTRY_COLUMNS, Entry, Head

_ENTRIES = f"SELECT {ENTRY_COLUMNS} FROM signer.entry"
_QUALIFIED = ", ".join(f"e.{column}" for column in ENTRY_COLUMNS.split(", "))
# By way of the narrow tables: they name the month, so that no other is searched.
_OF_DOCUMENT = f"SELECT {_QUALIFIED} FROM signer.document d JOIN signer.entry e USING (outlet_id, index, sealed_at)"
_OF_VERDICT = f"SELECT {_QUALIFIED} FROM signer.verdict v JOIN signer.entry e USING (outlet_id, index, sealed_at)"


async def read_head(connection: psycopg.AsyncConnection, outlet_id: str) -> Head | None:
    async with connection.cursor(row_factory=class_row(Head)) as cursor:
        await cursor.execute(
            "SELECT outlet_id, merchant_nif, epoch, index, entry_hash, sequence, sealed_at FROM signer.outlet_head "
            "WHERE outlet_id = %s",
            [outlet_id],
        )
        return await cursor.fetchone()


async def invoice_by_document(
    connection: psycopg.AsyncConnection, merchant_nif: str, document_id: UUID
) -> Entry | None:
    return await _one(
        connection, f"{_OF_DOCUMENT} WHERE d.merchant_nif = %s AND d.document_id = %s", merchant_nif, document_id
    )


async def invoice_by_number(connection: psycopg.AsyncConnection, fiscal_number: str) -> Entry | None:
    """None also for what is no fiscal number at all, such as text that PostgreSQL cannot hold."""
    if not _is_number(fiscal_number):
        return None
    return await _one(connection, f"{_OF_DOCUMENT} WHERE d.fiscal_number = %s", fiscal_number)


async def invoice_signature(connection: psycopg.AsyncConnection, fiscal_number: str) -> bytes | None:
    """Of an invoice's signature alone, so that asking costs the same whether the invoice is long or unknown."""
    if not _is_number(fiscal_number):
        return None
    cursor = await connection.execute(
        "SELECT e.signature FROM signer.document d JOIN signer.entry e USING (outlet_id, index, sealed_at) "
        "WHERE d.fiscal_number = %s",
        [fiscal_number],
    )
    row = await cursor.fetchone()
    return None if row is None else bytes(row[0])


async def entry_before(connection: psycopg.AsyncConnection, entry: Entry) -> Entry | None:
    """The entry that stands in the chain just before this one; the newest such, where an epoch left some out."""
    where = "outlet_id = %s AND index < %s AND sealed_at <= %s ORDER BY sealed_at DESC, index DESC LIMIT 1"
    query = f"{_ENTRIES} WHERE {where}"
    return await _one(connection, query, entry.outlet_id, entry.index, entry.sealed_at)


async def verdict(connection: psycopg.AsyncConnection, fiscal_number: str) -> Entry | None:
    """The ``dgi_certified`` or ``dgi_rejected`` entry of an invoice, if it has one."""
    return await _one(connection, f"{_OF_VERDICT} WHERE v.fiscal_number = %s", fiscal_number)


async def has_verdict(connection: psycopg.AsyncConnection, fiscal_number: str) -> bool:
    """Whether a verdict was sealed, also when its entry was taken away."""
    cursor = await connection.execute("SELECT FROM signer.verdict WHERE fiscal_number = %s", [fiscal_number])
    return cursor.rowcount > 0


async def credit_notes_of(connection: psycopg.AsyncConnection, fiscal_number: str) -> list[bytes]:
    """The payloads of the credit notes that were sealed against an invoice, unless the DGI rejected them."""
    cursor = await connection.execute(
        "SELECT e.payload FROM signer.credit c JOIN signer.document d ON d.fiscal_number = c.credit_number "
        "JOIN signer.entry e USING (outlet_id, index, sealed_at) "
        "LEFT JOIN signer.verdict v ON v.fiscal_number = c.credit_number "
        "LEFT JOIN signer.entry r ON (r.outlet_id, r.index, r.sealed_at) = (v.outlet_id, v.index, v.sealed_at) "
        "WHERE c.original_number = %s AND r.kind IS DISTINCT FROM 'dgi_rejected'",
        [fiscal_number],
    )
    return [bytes(payload) for (payload,) in await cursor.fetchall()]


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
    found = ((published(key_id, der), created_at) for key_id, der, created_at in await _key_rows(connection))
    return [(key, created_at) for key, created_at in found if key is not None]


async def damaged_keys(connection: psycopg.AsyncConnection) -> list[str]:
    """The ids whose row does not hold the key of that id: somebody changed it."""
    return [key_id for key_id, der, _ in await _key_rows(connection) if published(key_id, der) is None]


async def _key_rows(connection: psycopg.AsyncConnection) -> list[tuple[str, bytes, str]]:
    cursor = await connection.execute(
        "SELECT key_id, public_der, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
        "FROM signer.signing_key ORDER BY created_at, key_id"
    )
    return await cursor.fetchall()


def published(key_id: str, der: bytes) -> PublicKey | None:
    """The key of a row, None when the row does not hold the key of its id."""
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


def _is_number(text: str) -> bool:
    try:
        parse_fiscal_number(text)
    except ValueError:
        return False
    return True


async def _one(connection: psycopg.AsyncConnection, query: str, *parameters: object) -> Entry | None:
    async with connection.cursor(row_factory=class_row(Entry)) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchone()

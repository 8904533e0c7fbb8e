"""A document that was sealed before is answered with what it was sealed as, for the life of the ledger."""

from dataclasses import dataclass
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.entries import Entry
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.sealing.errors import Conflict


@dataclass(frozen=True)
class Outcome:
    """``verdict``: the DGI's, when it came while the answer was waited for; None tells nothing."""

    entry: Entry
    replayed: bool
    verdict: Entry | None = None


async def find_sealed(
    pool: AsyncConnectionPool, writer: LedgerWriter, invoice: Invoice, payload: bytes
) -> Outcome | None:
    """None while the document id is not sealed. Raises Conflict when it is, with other content; LedgerUnavailable while
    the head store does not have it."""
    async with pool.connection() as connection:
        entry = await reader.invoice_by_document(connection, invoice.merchant_nif, UUID(invoice.document_id))
    if entry is None:
        return None
    writer.require_released(entry)
    if entry.payload_hash.hex() != canonical.sha256_hex(payload):
        raise Conflict(entry.payload_hash.hex())
    return Outcome(entry, replayed=True)

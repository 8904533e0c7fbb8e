"""Whether a provisional ticket is one, and what became of it."""

from typing import Literal
from uuid import UUID

import psycopg
from msgspec import Struct

from bonopay_signer.fiscal import ticket as tickets
from bonopay_signer.fiscal.ticket import TicketQr, ticket_hash
from bonopay_signer.ledger import reader
from bonopay_signer.sealing.answer import verification_address
from bonopay_signer.tenants.rows import find_outlet
from bonopay_signer.tills import store


class TicketCheck(Struct, frozen=True, kw_only=True):
    """``genuine``: signed by a key that this signer admitted to the outlet. It is no invoice in either case.

    ``sealed_as`` and ``verification_url``: of the invoice that the sale became, once it is sealed. ``received``: its
    till has brought the ticket; until then only the paper tells of it.
    """

    result: Literal["genuine", "forged", "not_found"]
    number: str | None = None
    seller: str | None = None
    merchant_nif: str | None = None
    outlet_id: str | None = None
    document_type: str | None = None
    issued_at: str | None = None
    total: str | None = None
    tax: str | None = None
    currency: str | None = None
    till_state: Literal["active", "cloned", "revoked"] | None = None
    received: bool = False
    sealed_as: str | None = None
    verification_url: str | None = None


NOT_FOUND = TicketCheck(result="not_found")


async def check(connection: psycopg.AsyncConnection, blob: str) -> TicketCheck:
    """By the content of the QR."""
    try:
        content = tickets.from_base32(blob)
    except ValueError:
        return NOT_FOUND
    ticket = content.ticket
    till = await store.till_of_key(connection, ticket.key_id)
    if till is None or not _is_signed(content, till):
        return TicketCheck(result="forged", number=ticket.number)
    outlet = await find_outlet(connection, till.outlet_id)
    entry = await reader.invoice_by_document(connection, till.merchant_nif, UUID(ticket.document_id))
    return TicketCheck(
        result="genuine",
        number=ticket.number,
        seller=outlet.merchant_name if outlet else None,
        merchant_nif=ticket.merchant_nif,
        outlet_id=ticket.outlet_id,
        document_type=ticket.document_type,
        issued_at=ticket.issued_at,
        total=ticket.total,
        tax=ticket.tax,
        currency=ticket.currency,
        till_state=till.state,
        received=await store.has_ticket(connection, till, content.ticket.counter, _hash(content)),
        sealed_as=entry and entry.fiscal_number,
        verification_url=entry and verification_address(entry),
    )


def _is_signed(content: TicketQr, till: store.Till) -> bool:
    ticket = content.ticket
    if (ticket.merchant_nif, ticket.outlet_id, ticket.terminal) != (till.merchant_nif, till.outlet_id, till.terminal):
        return False
    return till.key.verifies(content.signature, _hash(content))


def _hash(content: TicketQr) -> bytes:
    return ticket_hash(content.previous_hash, content.ticket.encode())

"""Whether a provisional ticket is one, and what became of it."""

from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import psycopg
from msgspec import Struct, structs

from bonopay_signer.fiscal import ticket as tickets
from bonopay_signer.fiscal.security import short_code
from bonopay_signer.fiscal.ticket import Ticket, TicketQr, ticket_hash
from bonopay_signer.ledger import reader
from bonopay_signer.sealing.answer import DgiStatus, verification_address
from bonopay_signer.tenants.rows import find_outlet
from bonopay_signer.tills import store
from bonopay_signer.tills.remarks import Remark, remarks_on
from bonopay_signer.verification.checks import Verification, verify_number

REGULARISATION = timedelta(hours=48)
"""Within which what was sold without a network is normalised (arrêté 033, art. 7 g)."""


class TicketCheck(Struct, frozen=True, kw_only=True):
    """``genuine``: signed by a key that this signer admitted to the outlet. It is no invoice in either case.

    ``received``: its till has brought the ticket; until then only the paper tells of it. ``deadline``: by when the
    invoice has to be there, which ``overdue`` says is over; both of a sale that is not sealed.

    ``sealed_as``, ``verification_url``, ``sealed_total`` and ``dgi_status``: of the invoice that the sale became, once
    it is sealed. ``differs``: it is of another outlet, type or total than the ticket, or does not verify.
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
    remarks: list[Remark] = []
    received: bool = False
    deadline: str | None = None
    overdue: bool = False
    sealed_as: str | None = None
    sealed_total: str | None = None
    differs: bool = False
    dgi_status: DgiStatus | None = None
    verification_url: str | None = None


NOT_FOUND = TicketCheck(result="not_found")


async def check(connection: psycopg.AsyncConnection, blob: str, authority: str) -> TicketCheck:
    """By the content of the QR."""
    try:
        content = tickets.from_base32(blob)
    except ValueError:
        return NOT_FOUND
    ticket = content.ticket
    till = await store.till_of_key(connection, ticket.key_id)
    if till is None or not _is_signed(content, till, authority):
        return TicketCheck(result="forged", number=ticket.number)
    received_at = await store.received_at(connection, till, ticket.counter, _hash(content))
    found = await _genuine(connection, content, till, received_at is not None)
    entry = await reader.invoice_by_document(connection, till.merchant_nif, UUID(ticket.document_id))
    if entry is None:
        return _waiting(found, ticket, received_at)
    invoice = await verify_number(connection, entry.fiscal_number, short_code(entry.signature))
    return structs.replace(
        found,
        sealed_as=entry.fiscal_number,
        sealed_total=invoice.total,
        differs=_differs(ticket, entry.outlet_id, invoice),
        dgi_status=invoice.dgi and invoice.dgi.status,
        verification_url=verification_address(entry),
    )


def _is_signed(content: TicketQr, till: store.Till, authority: str) -> bool:
    ticket = content.ticket
    theirs = (ticket.authority, ticket.merchant_nif, ticket.outlet_id, ticket.terminal)
    if theirs != (authority, till.merchant_nif, till.outlet_id, till.terminal):
        return False
    return till.key.verifies(content.signature, _hash(content))


async def _genuine(
    connection: psycopg.AsyncConnection, content: TicketQr, till: store.Till, received: bool
) -> TicketCheck:
    ticket, document = content.ticket, UUID(content.ticket.document_id)
    outlet = await find_outlet(connection, till.outlet_id)
    credentials = await store.credentials(connection, till, {ticket.credential_id})
    others = await store.other_tickets(connection, till, document, _hash(content))
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
        remarks=list(remarks_on(ticket, credentials.get(ticket.credential_id), others)),
        received=received,
    )


def _waiting(found: TicketCheck, ticket: Ticket, received_at: datetime | None) -> TicketCheck:
    """The clock of a till may be wrong: a sale is no later than its ticket came, or is looked at."""
    now = datetime.now(UTC)
    deadline = min(datetime.fromisoformat(ticket.issued_at), received_at or now) + REGULARISATION
    spelt = deadline.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return structs.replace(found, deadline=spelt, overdue=deadline <= now)


def _differs(ticket: Ticket, outlet_id: str, invoice: Verification) -> bool:
    """What is not verified has no total, and differs. The tax may: the till reckons it, the law rounds by groups."""
    sealed = (outlet_id, invoice.document_type, invoice.total, invoice.currency)
    return sealed != (ticket.outlet_id, ticket.document_type, ticket.total, ticket.currency)


def _hash(content: TicketQr) -> bytes:
    return ticket_hash(content.previous_hash, content.ticket.encode())

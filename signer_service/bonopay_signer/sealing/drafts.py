"""Invoices as what the ledger appends."""

from uuid import UUID

from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.ledger.batch import Draft
from bonopay_signer.ledger.entries import INVOICE


def invoice_draft(
    invoice: Invoice, payload: bytes, fiscal_number: str | None = None, submission: int | None = None
) -> Draft:
    """``payload`` is the invoice's canonical bytes; without a number it takes the next one of its outlet."""
    totals = invoice.totals
    return Draft(
        outlet_id=invoice.outlet_id,
        merchant_nif=invoice.merchant_nif,
        kind=INVOICE,
        document_id=UUID(invoice.document_id),
        fiscal_number=fiscal_number,
        document_type=invoice.invoice_type,
        total=totals.total,
        tax=totals.tax,
        currency=totals.currency,
        payload=payload,
        submission=submission,
        original=invoice.credit.original_fiscal_number if invoice.credit else None,
    )

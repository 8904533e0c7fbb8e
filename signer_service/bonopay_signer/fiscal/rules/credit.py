"""Rules on credit notes, as far as the credit note alone tells (SFE §1.25–1.28, annex III)."""

from collections.abc import Iterator

from .. import tables
from ..findings import Finding, finding, pointer_to
from ..schema import Invoice

_ORIGINALS = ("original_fiscal_number", "original_dgi_code")


def credit_is_for_credit_notes(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.25: a credit note states its nature; no other invoice has one."""
    is_credit_note = invoice.invoice_type in tables.CREDIT_NOTES
    if is_credit_note and invoice.credit is None:
        yield finding("/credit", "credit.missing", name=invoice.invoice_type)
    elif not is_credit_note and invoice.credit is not None:
        yield finding("/credit", "credit.unexpected", name=invoice.invoice_type)


def originals_go_with_nature(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.26, §1.28: a credit note names its original by number and DGI code, except of nature RRR."""
    if invoice.credit is None or invoice.invoice_type not in tables.CREDIT_NOTES:
        return
    without_original = invoice.credit.nature == tables.NATURE_WITHOUT_ORIGINAL
    for member in _ORIGINALS:
        original = getattr(invoice.credit, member)
        pointer = pointer_to("credit", member)
        if without_original and original is not None:
            yield finding(pointer, "credit.original.unexpected", actual=original)
        elif not without_original and original is None:
            yield finding(pointer, f"credit.{member}.missing", name=invoice.credit.nature)


RULES = (credit_is_for_credit_notes, originals_go_with_nature)

"""Rules on credit notes, as far as the credit note alone tells (SFE §1.25–1.28, annex III)."""

from collections.abc import Iterator

from .. import tables
from ..findings import Finding, finding, pointer_to
from .facts import Facts

_ORIGINALS = ("original_fiscal_number", "original_dgi_code")


def credit_is_for_credit_notes(facts: Facts) -> Iterator[Finding]:
    """SFE §1.25: a credit note states its nature; no other invoice has one."""
    invoice, is_credit_note = facts.invoice, _is_credit_note(facts)
    if is_credit_note and invoice.credit is None:
        yield finding("/credit", "credit.missing", name=invoice.invoice_type)
    elif is_credit_note is False and invoice.credit is not None:
        yield finding("/credit", "credit.unexpected", name=invoice.invoice_type)


def originals_go_with_nature(facts: Facts) -> Iterator[Finding]:
    """SFE §1.26, §1.28: a credit note names its original by number and DGI code, except of nature RRR."""
    credit = facts.invoice.credit
    if credit is None or not _is_credit_note(facts):
        return
    without_original = credit.nature == tables.NATURE_WITHOUT_ORIGINAL
    for member in _ORIGINALS:
        original = getattr(credit, member)
        pointer = pointer_to("credit", member)
        if without_original and original is not None:
            yield finding(pointer, "credit.original.unexpected", actual=original)
        elif not without_original and original is None:
            yield finding(pointer, f"credit.{member}.missing", name=credit.nature)


def _is_credit_note(facts: Facts) -> bool | None:
    """None when the type was not in force, which is another rule's finding."""
    row = facts.tables.invoice_types.get(facts.invoice.invoice_type)
    return row and bool(row.corrects)


RULES = (credit_is_for_credit_notes, originals_go_with_nature)

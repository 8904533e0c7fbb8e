"""Rules on the document as a whole: its day, and the codes it uses (SFE §1.7, §1.11–1.12, §1.18, §1.25, §1.31)."""

from collections.abc import Iterator, Mapping
from typing import Any

from .. import tables
from ..findings import Finding, finding, pointer_to
from .facts import Facts


def issued_when_tables_are_known(facts: Facts) -> Iterator[Finding]:
    """SFE §1.31: the tables of the day of issue govern, so there must be some."""
    if not facts.tables_are_known:
        first = tables.START.isoformat()
        yield finding("/issued_at", "issued_at.before_tables", expected=first, actual=facts.invoice.issued_at)


def codes_are_in_force(facts: Facts) -> Iterator[Finding]:
    """SFE §1.7, §1.11, §1.18, §1.25, §1.30–1.31, annexes I–III: every code is in force on the day of issue.

    Tax groups have a rule of their own, `tax_group_is_in_force`.
    """
    if not facts.tables_are_known:
        return
    for code, rows, path in _codes_used(facts):
        if code not in rows:
            pointer, day = pointer_to(*path), facts.tables.day.isoformat()
            yield finding(pointer, "code.not_in_force", expected=", ".join(rows), actual=code, name=day)


def _codes_used(facts: Facts) -> Iterator[tuple[str, Mapping[str, Any], tuple[str | int, ...]]]:
    """Each code of the invoice but those of tax groups, the rows of its table, and where it stands."""
    invoice, rows = facts.invoice, facts.tables
    yield invoice.invoice_type, rows.invoice_types, ("invoice_type",)
    yield invoice.client.type, rows.client_types, ("client", "type")
    for position, item in enumerate(invoice.items):
        yield item.type, rows.item_types, ("items", position, "type")
    for position, payment in enumerate(invoice.payments):
        yield payment.method, rows.payment_methods, ("payments", position, "method")
        yield payment.currency, rows.currencies, ("payments", position, "currency")
    if invoice.foreign_currency is not None:
        yield invoice.foreign_currency.code, rows.currencies, ("foreign_currency", "code")
    if invoice.credit is not None:
        yield invoice.credit.nature, rows.credit_natures, ("credit", "nature")


RULES = (issued_when_tables_are_known, codes_are_in_force)

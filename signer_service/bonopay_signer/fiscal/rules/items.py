"""Rules on the lines of an invoice (SFE §1.6, §1.12–1.14, §1.21–1.22, annex II)."""

from collections.abc import Iterator
from decimal import Decimal

from .. import tables, taxes
from ..findings import Finding, finding, pointer_to
from ..schema import Invoice


def at_least_one_item(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.6: an invoice is not recorded without identified items."""
    if not invoice.items:
        yield finding("/items", "items.empty")


def prices_are_not_zero(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.21–1.22: no zero price. (A negative one has no spelling in the schema.)"""
    for position, item in enumerate(invoice.items):
        for member in ("unit_price", "original_unit_price"):
            price = getattr(item, member)
            if price is not None and _is_zero(price):
                yield finding(pointer_to("items", position, member), f"item.{member}.zero", actual=price)


def quantities_are_not_zero(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.21–1.22: no zero quantity."""
    for position, item in enumerate(invoice.items):
        if _is_zero(item.quantity):
            yield finding(pointer_to("items", position, "quantity"), "item.quantity.zero", actual=item.quantity)


def lines_are_not_zero(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.22: no line whose amount rounds to zero, though neither its price nor its quantity is zero."""
    for position, item in enumerate(invoice.items):
        factors_are_zero = _is_zero(item.unit_price) or _is_zero(item.quantity)
        if not factors_are_zero and not taxes.line_amount(item):
            yield finding(pointer_to("items", position), "item.line.zero", actual="0.00")


def item_type_fits_tax_group(invoice: Invoice) -> Iterator[Finding]:
    """Annex II: TAX in groups L and N only; BIE and SER in every other group."""
    for position, item in enumerate(invoice.items):
        if item.type not in tables.TAX_GROUPS[item.tax_group].item_types:
            accepted = [group.code for group in tables.TAX_GROUPS.values() if item.type in group.item_types]
            yield finding(
                pointer_to("items", position, "tax_group"),
                "item.tax_group.not_allowed",
                expected=", ".join(accepted),
                actual=item.tax_group,
                name=item.type,
            )


def tax_group_is_in_force(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.12, §1.31: the tables in force on the day of issue govern."""
    on = taxes.fiscal_date(invoice)
    for position, item in enumerate(invoice.items):
        if tables.rate_of(item.tax_group, on) is None:
            pointer = pointer_to("items", position, "tax_group")
            yield finding(pointer, "item.tax_group.not_in_force", actual=item.tax_group, name=on.isoformat())


def exports_carry_no_vat(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.7, §1.12: exports are zero-rated (group E); an export invoice has no line in a group that bears VAT."""
    if invoice.invoice_type not in tables.EXPORTS:
        return
    on = taxes.fiscal_date(invoice)
    for position, item in enumerate(invoice.items):
        if item.tax_group == tables.SPECIFIC_VAT_GROUP or tables.rate_of(item.tax_group, on):
            yield finding(
                pointer_to("items", position, "tax_group"),
                "item.tax_group.export",
                actual=item.tax_group,
                name=invoice.invoice_type,
            )


def price_change_is_complete(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.2 mention l: a price change shows both the original price and its reason."""
    for position, item in enumerate(invoice.items):
        for member, other in (("price_change", "original_unit_price"), ("original_unit_price", "price_change")):
            if getattr(item, member) is None and getattr(item, other) is not None:
                yield finding(pointer_to("items", position, member), f"item.{member}.missing")


def levies_carry_no_specific_tax(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.13–1.14: a specific tax belongs to an article sold; a group N line has no base that it could increase."""
    for position, item in enumerate(invoice.items):
        if item.type == tables.LEVY and item.specific_tax is not None:
            yield finding(pointer_to("items", position, "specific_tax"), "item.specific_tax.not_allowed")


def specific_tax_follows_its_basis(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.13: the amount is the value itself, or value × quantity, or value percent of the line; never zero."""
    for position, item in enumerate(invoice.items):
        if item.specific_tax is None or item.type == tables.LEVY:
            continue
        pointer = pointer_to("items", position, "specific_tax", "amount")
        declared, computed = item.specific_tax.amount, taxes.specific_tax_amount(item)
        if Decimal(declared) != computed:
            yield finding(pointer, "item.specific_tax.amount", expected=str(computed), actual=declared)
        elif not computed:
            yield finding(pointer, "item.specific_tax.zero", actual=declared)


def _is_zero(number: str) -> bool:
    return not Decimal(number)


RULES = (
    at_least_one_item,
    prices_are_not_zero,
    quantities_are_not_zero,
    lines_are_not_zero,
    item_type_fits_tax_group,
    tax_group_is_in_force,
    exports_carry_no_vat,
    price_change_is_complete,
    levies_carry_no_specific_tax,
    specific_tax_follows_its_basis,
)

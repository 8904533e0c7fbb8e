"""Rules on the lines of an invoice (SFE §1.5–1.7, §1.12–1.14, §1.21–1.22, §1.2 mention l, annex II)."""

from collections.abc import Iterator
from decimal import Decimal

from .. import tables, taxes
from ..findings import Finding, finding, pointer_to
from ..forms import ZERO, ZERO_MONEY
from .facts import Facts


def at_least_one_item(facts: Facts) -> Iterator[Finding]:
    """SFE §1.6: an invoice is not recorded without identified items."""
    if not facts.invoice.items:
        yield finding("/items", "items.empty")


def prices_are_not_zero(facts: Facts) -> Iterator[Finding]:
    """SFE §1.21–1.22: no zero price. (A negative one has no spelling in the schema.)"""
    for position, item in enumerate(facts.invoice.items):
        if item.unit_price == ZERO_MONEY:
            yield finding(pointer_to("items", position, "unit_price"), "item.unit_price.zero", actual=ZERO_MONEY)
        if item.original_unit_price == ZERO_MONEY:
            pointer = pointer_to("items", position, "original_unit_price")
            yield finding(pointer, "item.original_unit_price.zero", actual=ZERO_MONEY)


def quantities_are_not_zero(facts: Facts) -> Iterator[Finding]:
    """SFE §1.21–1.22: no zero quantity."""
    for position, item in enumerate(facts.invoice.items):
        if item.quantity == ZERO:
            yield finding(pointer_to("items", position, "quantity"), "item.quantity.zero", actual=ZERO)


def lines_are_not_zero(facts: Facts) -> Iterator[Finding]:
    """SFE §1.22: no line whose amount rounds to zero, though neither its price nor its quantity is zero."""
    for position, amount in enumerate(facts.lines):
        if not amount:
            item = facts.invoice.items[position]
            if item.unit_price != ZERO_MONEY and item.quantity != ZERO:
                yield finding(pointer_to("items", position), "item.line.zero", actual=ZERO_MONEY)


def item_type_fits_tax_group(facts: Facts) -> Iterator[Finding]:
    """Annex II: TAX in groups L and N only; BIE and SER in every other group."""
    groups = facts.tables.tax_groups
    for position, item in enumerate(facts.invoice.items):
        group = groups.get(item.tax_group)
        if group is not None and item.type not in group.item_types:
            yield finding(
                pointer_to("items", position, "tax_group"),
                "item.tax_group.not_allowed",
                expected=", ".join(row.code for row in groups.values() if item.type in row.item_types),
                actual=item.tax_group,
                name=item.type,
            )


def tax_group_is_in_force(facts: Facts) -> Iterator[Finding]:
    """SFE §1.12, §1.31: the groups in force on the day of issue are the ones to use."""
    if not facts.tables_are_known or None not in facts.computed.values():
        return
    day = facts.tables.day.isoformat()
    for position, item in enumerate(facts.invoice.items):
        if facts.computed[item.tax_group] is None:
            pointer = pointer_to("items", position, "tax_group")
            yield finding(pointer, "item.tax_group.not_in_force", actual=item.tax_group, name=day)


def exports_carry_no_vat(facts: Facts) -> Iterator[Finding]:
    """SFE §1.7, §1.12: exports are zero-rated (group E); an export invoice has no line in a group that bears VAT."""
    invoice_type = facts.tables.invoice_types.get(facts.invoice.invoice_type)
    if invoice_type is None or not invoice_type.is_export:
        return
    for position, item in enumerate(facts.invoice.items):
        group = facts.tables.tax_groups.get(item.tax_group)
        if group is not None and (group.rate or group.code == tables.SPECIFIC_VAT_GROUP):
            pointer = pointer_to("items", position, "tax_group")
            yield finding(pointer, "item.tax_group.export", actual=item.tax_group, name=invoice_type.code)


def price_change_is_complete(facts: Facts) -> Iterator[Finding]:
    """SFE §1.2 mention l: a price change shows both the original price and its reason."""
    for position, item in enumerate(facts.invoice.items):
        if (item.price_change is None) != (item.original_unit_price is None):
            missing = "price_change" if item.price_change is None else "original_unit_price"
            yield finding(pointer_to("items", position, missing), f"item.{missing}.missing")


def levies_carry_no_specific_tax(facts: Facts) -> Iterator[Finding]:
    """SFE §1.13–1.14: a specific tax belongs to an article sold; a group N line has no base that it could increase."""
    for position, item in enumerate(facts.invoice.items):
        if item.specific_tax is not None and item.type == tables.LEVY:
            yield finding(pointer_to("items", position, "specific_tax"), "item.specific_tax.not_allowed")


def specific_tax_follows_its_basis(facts: Facts) -> Iterator[Finding]:
    """SFE §1.13: the amount is the value itself, or value × quantity, or value percent of the line; never zero."""
    for position, item in enumerate(facts.invoice.items):
        if item.specific_tax is None or item.type == tables.LEVY:
            continue
        pointer = pointer_to("items", position, "specific_tax", "amount")
        declared, computed = item.specific_tax.amount, taxes.specific_tax_amount(item)
        if Decimal(declared) != computed:
            yield finding(pointer, "item.specific_tax.amount", expected=str(computed), actual=declared)
        elif not computed:
            yield finding(pointer, "item.specific_tax.zero", actual=declared)


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

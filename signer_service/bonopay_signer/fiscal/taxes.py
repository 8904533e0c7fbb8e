"""The arithmetic of SFE §1.5: per tax group, decimal, half up, exact.

Nothing is rounded but where the law rounds. Only the division of §1.5.6 (TTC) can have an infinite expansion; it is
carried to 100 digits, and half a centime is then never mistaken: a quotient by 100 + rate that is not exactly half a
centime lies much further from it than the 100th digit.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext

from . import tables
from .schema import Invoice, Item, TaxGroup, Totals

KINSHASA = timezone(timedelta(hours=1))
"""Africa/Kinshasa: UTC+1 all year, and the capital's day is the fiscal day of the whole country."""

EXACT = Context(prec=100, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
"""Wide enough for 15-digit prices and quantities: their products have 35 digits, and sums of thousands of them 40."""

_CENTIME = Decimal("0.01")
_ZERO = Decimal("0.00")
_HUNDRED = Decimal(100)


class RateUnknownError(LookupError):
    """A tax group was not in force on the invoice's day."""


def fiscal_date(invoice: Invoice) -> date:
    """Return the day of issue in Kinshasa: the day whose rates apply."""
    return datetime.fromisoformat(invoice.issued_at).astimezone(KINSHASA).date()


def round2(value: Decimal) -> Decimal:
    """Round to the centime, halves up (SFE §1.5.2)."""
    return value.quantize(_CENTIME, context=EXACT)


def total_of(amounts: Iterable[Decimal | str]) -> Decimal:
    """Return the exact sum, with two decimals even when there is nothing to add."""
    result = _ZERO
    for amount in amounts:
        result = EXACT.add(result, Decimal(amount))
    return result


def line_amount(item: Item) -> Decimal:
    """Return `round2(unit_price × quantity)` (SFE §1.5.5)."""
    return converted(item.unit_price, item.quantity)


def converted(amount: str, rate: str) -> Decimal:
    """Return `round2(amount × rate)`."""
    return round2(EXACT.multiply(Decimal(amount), Decimal(rate)))


def specific_tax_amount(item: Item) -> Decimal:
    """Return the amount that the basis of the line's specific tax gives (SFE §1.13); 0.00 when the line has none."""
    tax = item.specific_tax
    if tax is None:
        return _ZERO
    if tax.basis == "amount":
        return round2(Decimal(tax.value))
    if tax.basis == "quantity":
        return converted(tax.value, item.quantity)
    with localcontext(EXACT):
        return round2(line_amount(item) * Decimal(tax.value) / _HUNDRED)


def group_amounts(code: str, rate: Decimal, price_mode: str, items: Iterable[Item]) -> TaxGroup:
    """Return one group's base, tax and total from its lines and their declared specific taxes (SFE §1.5.6–1.5.10)."""
    of_group = [item for item in items if item.tax_group == code]
    lines = total_of(map(line_amount, of_group))
    specific = total_of(item.specific_tax.amount for item in of_group if item.specific_tax)
    with localcontext(EXACT):
        factor = 1 + rate / _HUNDRED
        if code == tables.SPECIFIC_VAT_GROUP:
            base, total = _ZERO, lines
        elif price_mode == "ht":
            base = lines + specific
            total = round2(base * factor)
        else:
            base = round2(lines / factor) + specific
            total = lines + round2(specific * factor)
        return TaxGroup(code=code, rate=str(rate), base=str(base), tax=str(total - base), total=str(total))


def used_groups(invoice: Invoice) -> list[str]:
    """Return the codes of the groups that the lines use, ascending."""
    return sorted({item.tax_group for item in invoice.items})


def compute(invoice: Invoice) -> tuple[tuple[TaxGroup, ...], Totals]:
    """Return the tax groups and totals that the lines give, at the rates in force on the day of issue.

    What the invoice declares in `tax_groups` and `totals` is not read; the specific taxes declared on its lines are.
    Raises RateUnknownError when a line's group was not in force.
    """
    on = fiscal_date(invoice)
    groups = []
    for code in used_groups(invoice):
        rate = tables.rate_of(code, on)
        if rate is None:
            raise RateUnknownError(f"tax group {code} was not in force on {on}")
        groups.append(group_amounts(code, rate, invoice.price_mode, invoice.items))
    return tuple(groups), sum_of(invoice, groups)


def sum_of(invoice: Invoice, groups: Iterable[TaxGroup]) -> Totals:
    """Return the totals over `groups`, and over the specific taxes of the invoice's lines."""
    groups = list(groups)
    return Totals(
        base=str(total_of(group.base for group in groups)),
        tax=str(total_of(group.tax for group in groups)),
        specific_tax=str(total_of(item.specific_tax.amount for item in invoice.items if item.specific_tax)),
        total=str(total_of(group.total for group in groups)),
        currency=tables.LOCAL_CURRENCY,
    )

"""The arithmetic of SFE §1.5: per tax group, decimal, half up, exact.

Nothing is rounded but where the law rounds. Only the division of §1.5.6 (TTC) can have an infinite expansion; it is
carried to 100 digits, and half a centime is then never mistaken: a quotient by 100 + rate that is not exactly half a
centime lies much further from it than the 100th digit.
"""

import functools
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from . import tables
from .schema import Invoice, Item, TaxGroup, Totals

KINSHASA_OFFSET = timedelta(hours=1)
"""Africa/Kinshasa is UTC+1 all year, and the capital's day is the fiscal day of the whole country."""

EXACT = Context(prec=100, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
"""Wide enough for 15-digit prices and quantities: their products have 35 digits, and sums of thousands of them 40."""

_CENTIME = Decimal("0.01")
_ZERO = Decimal("0.00")
_HUNDRED = Decimal(100)

_add, _subtract, _multiply, _divide = EXACT.add, EXACT.subtract, EXACT.multiply, EXACT.divide


class RateUnknownError(LookupError):
    """A tax group was not in force on the invoice's day."""


def fiscal_date(invoice: Invoice) -> date:
    """Return the day of issue in Kinshasa: the day whose tables apply."""
    return (datetime.fromisoformat(invoice.issued_at) + KINSHASA_OFFSET).date()


def round2(value: Decimal) -> Decimal:
    """Round to the centime, halves up (SFE §1.5.2)."""
    return value.quantize(_CENTIME, context=EXACT)


def total_of(amounts: Iterable[Decimal | str]) -> Decimal:
    """Return the exact sum, with two decimals even when there is nothing to add."""
    result = _ZERO
    for amount in amounts:
        result = _add(result, Decimal(amount))
    return result


def line_amount(item: Item) -> Decimal:
    """Return `round2(unit_price × quantity)` (SFE §1.5.5)."""
    return converted(item.unit_price, item.quantity)


def converted(amount: str, rate: str) -> Decimal:
    """Return `round2(amount × rate)`."""
    return round2(_multiply(Decimal(amount), Decimal(rate)))


def specific_tax_amount(item: Item) -> Decimal:
    """Return the amount that the basis of the line's specific tax gives (SFE §1.13); 0.00 when the line has none."""
    tax = item.specific_tax
    if tax is None:
        return _ZERO
    if tax.basis == "amount":
        return round2(Decimal(tax.value))
    if tax.basis == "quantity":
        return converted(tax.value, item.quantity)
    return round2(_divide(_multiply(line_amount(item), Decimal(tax.value)), _HUNDRED))


@functools.lru_cache(maxsize=64)
def _factor(rate: Decimal) -> Decimal:
    """From an amount without VAT to one with it: `1 + rate / 100`."""
    return _add(1, _divide(rate, _HUNDRED))


def group_amounts(code: str, rate: Decimal, price_mode: str, lines: Decimal, specific: Decimal) -> TaxGroup:
    """Return one group's base, tax and total from the sums of its lines and specific taxes (SFE §1.5.6–1.5.10)."""
    factor = _factor(rate)
    if code == tables.SPECIFIC_VAT_GROUP:
        base, total = _ZERO, lines
    elif price_mode == "ht":
        base = _add(lines, specific)
        total = round2(_multiply(base, factor))
    else:
        base = _add(round2(_divide(lines, factor)), specific)
        total = _add(lines, round2(_multiply(specific, factor)))
    return TaxGroup(code=code, rate=str(rate), base=str(base), tax=str(_subtract(total, base)), total=str(total))


def group_sums(items: Iterable[Item], lines: Sequence[Decimal]) -> dict[str, tuple[Decimal, Decimal]]:
    """Return the sums of line amounts and of declared specific taxes of each group in use, by ascending code."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for item, amount in zip(items, lines, strict=True):
        of_lines, of_specific = sums.get(item.tax_group, (_ZERO, _ZERO))
        if item.specific_tax is not None:
            of_specific = _add(of_specific, Decimal(item.specific_tax.amount))
        sums[item.tax_group] = (_add(of_lines, amount), of_specific)
    return dict(sorted(sums.items()))


def compute(invoice: Invoice) -> tuple[tuple[TaxGroup, ...], Totals]:
    """Return the tax groups and totals that the lines give, at the rates in force on the day of issue.

    What the invoice declares in `tax_groups` and `totals` is not read; the specific taxes declared on its lines are.
    Raises RateUnknownError when a line's group was not in force.
    """
    on = fiscal_date(invoice)
    rows = tables.in_force(on).tax_groups
    groups = []
    for code, sums in group_sums(invoice.items, [line_amount(item) for item in invoice.items]).items():
        if code not in rows:
            raise RateUnknownError(f"tax group {code} was not in force on {on}")
        groups.append(group_amounts(code, rows[code].rate, invoice.price_mode, *sums))
    return tuple(groups), sum_of(invoice, groups)


def sum_of(invoice: Invoice, groups: Sequence[TaxGroup]) -> Totals:
    """Return the totals over `groups`, and over the specific taxes of the invoice's lines."""
    return Totals(
        base=str(total_of([group.base for group in groups])),
        tax=str(total_of([group.tax for group in groups])),
        specific_tax=str(total_of([item.specific_tax.amount for item in invoice.items if item.specific_tax])),
        total=str(total_of([group.total for group in groups])),
        currency=tables.LOCAL_CURRENCY,
    )

"""The law's arithmetic (SFE §1.5): decimal, half up, tax per group and never per line."""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from .dgi import SPECIFIC_VAT_GROUP

CENT = Decimal("0.01")
_MILLI = Decimal("0.001")
_HUNDRED = Decimal(100)


class GroupAmounts(NamedTuple):
    """Base, tax and total of one tax group, in francs."""

    base: Decimal
    tax: Decimal
    total: Decimal


def exact(number: float | int | str | Decimal) -> Decimal:
    """The decimal that a float stands for, at most six places, not its binary neighbour.

    >>> exact(0.1 + 0.2 - 0.2), exact(1.005), exact(123456789012.34)
    (Decimal('0.1'), Decimal('1.005'), Decimal('123456789012.34'))
    """
    return Decimal(repr(round(number, 6))) if isinstance(number, float) else Decimal(number)


def round2(amount: Decimal) -> Decimal:
    """To the centime, half away from zero (§1.5.2).

    >>> round2(Decimal("0.105")), round2(Decimal("-0.105"))
    (Decimal('0.11'), Decimal('-0.11'))
    """
    return amount.quantize(CENT, ROUND_HALF_UP)


def round_quantity(quantity: Decimal) -> Decimal:
    """At most three decimals (§1.5.1)."""
    return quantity.quantize(_MILLI, ROUND_HALF_UP)


def net_unit_price(unit_price: Decimal, discount: Decimal) -> Decimal:
    """Unit price after a discount in percent, to the centime.

    >>> net_unit_price(Decimal("99.99"), Decimal("12.5"))
    Decimal('87.49')
    """
    return round2(unit_price * (1 - discount / _HUNDRED))


def line_amount(net_price: Decimal, quantity: Decimal) -> Decimal:
    """Amount of a line: what the group sums up.

    >>> line_amount(Decimal("0.33"), Decimal("2.125"))
    Decimal('0.70')
    """
    return round2(net_price * quantity)


def group_amounts(code: str, rate: Decimal, price_mode: str, lines: Decimal) -> GroupAmounts:
    """Amounts of a group from the sum of its lines (§1.5.6–8).

    :param code: letter of the group
    :param rate: in percent
    :param price_mode: ``ht`` or ``ttc``: what the lines are
    :param lines: sum of the line amounts

    >>> group_amounts("B", Decimal(16), "ttc", Decimal("29.97"))
    GroupAmounts(base=Decimal('25.84'), tax=Decimal('4.13'), total=Decimal('29.97'))
    >>> group_amounts("B", Decimal(16), "ht", Decimal("2.31"))
    GroupAmounts(base=Decimal('2.31'), tax=Decimal('0.37'), total=Decimal('2.68'))
    >>> group_amounts("N", Decimal(0), "ht", Decimal("50.00"))
    GroupAmounts(base=Decimal('0.00'), tax=Decimal('50.00'), total=Decimal('50.00'))
    """
    if code == SPECIFIC_VAT_GROUP:
        return GroupAmounts(round2(Decimal(0)), lines, lines)
    factor = 1 + rate / _HUNDRED
    if price_mode == "ttc":
        base, total = round2(lines / factor), lines
    else:
        base, total = lines, round2(lines * factor)
    return GroupAmounts(base, total - base, total)

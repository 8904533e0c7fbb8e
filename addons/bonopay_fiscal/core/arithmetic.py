"""The law's arithmetic (SFE §1.5): decimal, half up, tax per group and never per line."""

from collections.abc import Iterator, Sequence
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


class Shares(NamedTuple):
    """What one tax group is of a document: the articles net of all taxes, the specific taxes, and the tax on both."""

    net: Decimal
    specific: Decimal
    tax: Decimal


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


def specific_tax_amount(basis: str, value: Decimal, quantity: Decimal, line: Decimal) -> Decimal:
    """A specific tax of a line, to the centime (§1.13).

    :param basis: ``amount``: ``value`` francs for the line; ``quantity``: francs a unit; ``percent``: of ``line``

    >>> specific_tax_amount("quantity", Decimal("12.345678"), Decimal(3), Decimal("3000.00"))
    Decimal('37.04')
    >>> specific_tax_amount("percent", Decimal("2.5"), Decimal(3), Decimal("3000.00"))
    Decimal('75.00')
    """
    if basis == "amount":
        return round2(value)
    return round2(value * quantity if basis == "quantity" else line * value / _HUNDRED)


def group_amounts(
    code: str, rate: Decimal, price_mode: str, lines: Decimal, specific: Decimal = Decimal(0)
) -> GroupAmounts:
    """Amounts of a group from the sums of its lines and specific taxes (§1.5.6–10).

    A specific tax bears VAT and is never inside the price, also where VAT is.

    :param code: letter of the group
    :param rate: in percent
    :param price_mode: ``ht`` or ``ttc``: what the lines are
    :param lines: sum of the line amounts
    :param specific: sum of the specific taxes

    >>> group_amounts("B", Decimal(16), "ttc", Decimal("29.97"))
    GroupAmounts(base=Decimal('25.84'), tax=Decimal('4.13'), total=Decimal('29.97'))
    >>> group_amounts("B", Decimal(16), "ht", Decimal("2.31"))
    GroupAmounts(base=Decimal('2.31'), tax=Decimal('0.37'), total=Decimal('2.68'))
    >>> group_amounts("B", Decimal(16), "ttc", Decimal("1160.00"), Decimal("116.00"))
    GroupAmounts(base=Decimal('1116.00'), tax=Decimal('178.56'), total=Decimal('1294.56'))
    >>> group_amounts("N", Decimal(0), "ht", Decimal("50.00"))
    GroupAmounts(base=Decimal('0.00'), tax=Decimal('50.00'), total=Decimal('50.00'))
    """
    if code == SPECIFIC_VAT_GROUP:
        return GroupAmounts(round2(Decimal(0)), lines, lines)
    factor = 1 + rate / _HUNDRED
    if price_mode == "ttc":
        base, total = round2(lines / factor) + specific, lines + round2(specific * factor)
    else:
        base = lines + specific
        total = round2(base * factor)
    return GroupAmounts(base, total - base, total)


def in_currency(groups: Sequence[tuple[str, GroupAmounts, Decimal]], rate: Decimal) -> list[Shares]:
    """The groups of a document in its currency: together they are what all its francs are worth, to the cent (§1.30).

    Prices without tax keep their sum, and prices with tax theirs. The cents by which rounded groups miss the document
    are in the largest tax on prices without tax, unless they are all of it; else in the largest net amount.

    :param groups: price mode, amounts in francs and specific taxes in francs of each group
    :param rate: francs for one unit of the currency; 1 for francs

    >>> sold = group_amounts("B", Decimal(16), "ttc", Decimal("23000.00"))
    >>> [*map(str, in_currency([("ttc", sold, Decimal(0))], Decimal(2300))[0])]
    ['8.62', '0.00', '1.38']
    >>> sold = group_amounts("B", Decimal(16), "ht", Decimal("23000.00"), Decimal("421.50"))
    >>> [*map(str, in_currency([("ht", sold, Decimal("421.50"))], Decimal(2300))[0])]
    ['10.00', '0.18', '1.63']
    >>> exempt = group_amounts("A", Decimal(0), "ht", Decimal("541040.50"))
    >>> cheap = group_amounts("B", Decimal(16), "ht", Decimal("57.50"))
    >>> sold = [("ht", exempt, Decimal(0)), ("ht", cheap, Decimal(0))]
    >>> [[*map(str, share)] for share in in_currency(sold, Decimal(2300))]
    [['235.23', '0.00', '0.00'], ['0.03', '0.00', '0.00']]
    """
    found = [_share(*group, rate) for group in groups]
    worth = round2(sum((amounts.total for _mode, amounts, _specific in groups), Decimal(0)) / rate)
    missing = worth - sum((sum(share, Decimal(0)) for share in found), Decimal(0))
    for place, member in _bearers(groups, found, missing) if missing else ():
        amount, francs = getattr(found[place], member), getattr(_in_francs(*groups[place]), member)
        # Odoo books no item whose francs and dollars have opposite signs
        borne = max(missing, -amount) if francs > 0 else min(missing, -amount)
        found[place] = found[place]._replace(**{member: amount + borne})
        missing -= borne
    return found


def _in_francs(_price_mode: str, amounts: GroupAmounts, specific: Decimal) -> Shares:
    return Shares(amounts.base - specific, specific, amounts.tax)


def _share(price_mode: str, amounts: GroupAmounts, specific: Decimal, rate: Decimal) -> Shares:
    francs = _in_francs(price_mode, amounts, specific)
    net, specific_tax, tax = (round2(one / rate) for one in francs)
    if price_mode == "ttc":
        rest = round2(amounts.total / rate) - specific_tax - tax
        net = max(rest, Decimal(0)) if francs.net >= 0 else min(rest, Decimal(0))
    return Shares(net, specific_tax, tax)


def _bearers(
    groups: Sequence[tuple[str, GroupAmounts, Decimal]], found: Sequence[Shares], missing: Decimal
) -> Iterator[tuple[int, str]]:
    """Who has the cents of the document's rounding, the first that can: position of a group and member of its share."""
    francs = [_in_francs(*group) for group in groups]

    def by_size(member: str) -> list[tuple[int, str]]:
        places = [place for place, share in enumerate(francs) if getattr(share, member)]
        return [(place, member) for place in sorted(places, key=lambda place: -abs(getattr(francs[place], member)))]

    for place, member in by_size("tax"):
        if groups[place][0] == "ht" and groups[place][1].base and abs(found[place].tax) > abs(missing):
            yield place, member
            break
    for member in Shares._fields:
        yield from by_size(member)

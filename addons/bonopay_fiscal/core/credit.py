"""What is left to credit of a sale (SFE §1.26–27): articles, unit prices and cumulated quantities of sealed payloads.

An article is known by its code, type, tax group, unit price, and specific tax by quantity or percent; its words may be
written anew. Lines that agree in all of these are one lot. A specific tax of a fixed amount is no part of a unit price,
so a lot has a second measure for it. Nor do credit notes together take back more specific tax of an article than was
sold, which those by quantity or percent could, each rounded up to the centime: what is left of such a lot when its tax
is used up is credited without it. The signer judges by the same rules when it seals, and over all tills.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from .arithmetic import line_amount, specific_tax_amount

#: Members that must be those of the sale, in the order in which a difference is told.
TERMS = ("type", "tax_group", "unit_price", "specific_tax")
FAMILIES = {"FA": ("FV", "FT"), "EA": ("EV", "ET")}


class Difference(NamedTuple):
    """What a line of a credit note has otherwise than the sale.

    :ivar member: ``code`` for an article that was not sold, a name of :data:`TERMS`, ``quantity``, or
        ``specific_tax_amount``
    :ivar sold: what the sale has, or has left of it
    :ivar given: what the line has
    """

    member: str
    sold: str | None
    given: str


@dataclass
class _Lot:
    quantity: Decimal = Decimal(0)
    fixed_tax: Decimal = Decimal(0)


class Stock:
    """The lots of a sale, less what earlier credit notes took.

    >>> rice = {"code": "RIZ", "type": "BIE", "tax_group": "B", "unit_price": "10.00", "quantity": "3",
    ...         "specific_tax": None}
    >>> stock = Stock({"items": [rice]}, [{"items": [{**rice, "quantity": "1"}]}])
    >>> stock.left(rice)
    Decimal('2')
    >>> [tuple(found) for found in stock.credit({**rice, "quantity": "2.5"})]
    [('quantity', '2', '2.5')]

    Two units at half a centime were sold with one centime of specific tax, which the first one takes back, rounded up:

    >>> beer = {**rice, "specific_tax": {"basis": "quantity", "value": "0.005"}, "quantity": "2"}
    >>> one = {**beer, "quantity": "1"}
    >>> stock = Stock({"items": [beer]}, [{"items": [one]}])
    >>> [tuple(found) for found in stock.credit(one)]
    [('specific_tax_amount', '0.00', '0.01')]
    >>> stock = Stock({"items": [beer]}, [{"items": [one]}])
    >>> list(stock.credit({**one, "specific_tax": None}))
    []
    """

    def __init__(self, sale: dict, earlier: Iterable[dict] = ()) -> None:
        self._lots: dict[tuple, _Lot] = {}
        self._taxes: dict[tuple, Decimal] = {}  # specific taxes of an article at a price, of whichever basis
        self._taxed_by_unit: dict[tuple, tuple] = {}  # the first lot of such an article that has a tax by unit
        for item in sale["items"]:
            key, article = _key(item), _article(item)
            lot = self._lots.setdefault(key, _Lot())
            lot.quantity += Decimal(item["quantity"])
            lot.fixed_tax += _fixed_tax(item)
            self._taxes[article] = self._taxes.get(article, Decimal(0)) + _specific_tax(item)
            if key != article:
                self._taxed_by_unit.setdefault(article, key)
        for credit_note in earlier:
            for item in credit_note["items"]:
                self.take(item)

    def left(self, item: dict) -> Decimal | None:
        """The quantity that may still be credited on such a line; ``None`` when the sale has none like it."""
        lot = self._lots.get(self._lot_key(item))
        return lot and lot.quantity

    def has_no_tax_left_for(self, item: dict) -> bool:
        """Whether earlier credit notes took so much of a specific tax that a line's is too much, for as many of the
        article as are left."""
        key = self._lot_key(item)
        if key not in self._lots:
            return False
        quantity = min(Decimal(item["quantity"]), self._lots[key].quantity)
        return _specific_tax({**item, "quantity": quantity}) > self._tax_left(key, item)

    def credit(self, item: dict) -> Iterator[Difference]:
        """Take a line, and tell what keeps it from being credited."""
        key = self._lot_key(item)
        if key not in self._lots:
            yield from self._differences(item)
            return
        lot, left = self._lots[key], self._tax_left(key, item)
        is_too_much = Decimal(item["quantity"]) > lot.quantity
        if is_too_much:
            yield Difference("quantity", f"{lot.quantity.normalize():f}", item["quantity"])
        is_fixed = key == _article(item)
        if _specific_tax(item) > left and (is_fixed or not is_too_much):  # else the quantity's fault is the tax's
            yield Difference("specific_tax_amount", f"{left:.2f}", f"{_specific_tax(item):.2f}")
        self.take(item)

    def take(self, item: dict) -> None:
        """What a credit note takes: from its lot, or the nearest, had it been sealed under other rules."""
        key = self._lot_key(item)
        if key not in self._lots:
            key = self._nearest_key(item)
        if key is not None:
            lot, article = self._lots[key], (*key[:-1], None)
            lot.quantity = max(lot.quantity - Decimal(item["quantity"]), Decimal(0))
            lot.fixed_tax = max(lot.fixed_tax - _fixed_tax(item), Decimal(0))
            self._taxes[article] = max(self._taxes[article] - _specific_tax(item), Decimal(0))

    def _lot_key(self, item: dict) -> tuple:
        """The lot of a line; for one without specific tax also that whose tax by unit is used up."""
        key = _key(item)
        taxed = self._taxed_by_unit.get(key)
        if key in self._lots or item["specific_tax"] or not taxed:
            return key
        basis, value = taxed[-1]
        is_used_up = _specific_tax({**item, "specific_tax": {"basis": basis, "value": value}}) > self._taxes[key]
        return taxed if is_used_up else key

    def _tax_left(self, key: tuple, item: dict) -> Decimal:
        left = self._taxes[_article(item)]
        return min(left, self._lots[key].fixed_tax) if _fixed_tax(item) else left

    def _nearest_key(self, item: dict) -> tuple | None:
        wanted = _key(item)
        same_code = [key for key in self._lots if key[0] == wanted[0]]
        return min(same_code, key=lambda key: sum(a != b for a, b in zip(key, wanted, strict=True)), default=None)

    def _differences(self, item: dict) -> Iterator[Difference]:
        nearest = self._nearest_key(item)
        if nearest is None:
            yield Difference("code", None, item["code"])
            return
        for member, sold, given in zip(TERMS, nearest[1:], _key(item)[1:], strict=True):
            if sold != given:
                yield Difference(member, _words(sold), _words(given))


def is_of_family(credit_type: str, sale_type: str) -> bool:
    """Whether a credit note of a type corrects a sale of a type (SFE §1.7): FA a sale, EA an export."""
    return sale_type in FAMILIES.get(credit_type, ())


def _key(item: dict) -> tuple:
    tax = item["specific_tax"]
    by_unit = (tax["basis"], tax["value"]) if tax and tax["basis"] != "amount" else None
    return (item["code"], item["type"], item["tax_group"], item["unit_price"], by_unit)


def _article(item: dict) -> tuple:
    """The key of a line without its specific tax."""
    return (*_key(item)[:-1], None)


def _specific_tax(item: dict) -> Decimal:
    """By its basis: on a line whose quantity is lowered the amount is still that of the former one."""
    tax, quantity = item["specific_tax"], Decimal(item["quantity"])
    if not tax:
        return Decimal(0)
    amount = line_amount(Decimal(item["unit_price"]), quantity)
    return specific_tax_amount(tax["basis"], Decimal(tax["value"]), quantity, amount)


def _fixed_tax(item: dict) -> Decimal:
    tax = item["specific_tax"]
    return _specific_tax(item) if tax and tax["basis"] == "amount" else Decimal(0)


def _words(value: str | tuple[str, str] | None) -> str:
    return value if isinstance(value, str) else " ".join(value or ("–",))

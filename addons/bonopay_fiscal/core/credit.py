"""What is left to credit of a sale (SFE §1.26–27): articles, unit prices and cumulated quantities of sealed payloads.

An article is known by its code, type, tax group, unit price, and specific tax by quantity or percent; its words may be
written anew. Lines that agree in all of these are one lot. A specific tax of a fixed amount is no part of a unit price,
so a lot has a second measure for it. The signer judges by the same rules when it seals, and over all tills.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

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


class Stock:
    """The lots of a sale, less what earlier credit notes took.

    >>> rice = {"code": "RIZ", "type": "BIE", "tax_group": "B", "unit_price": "10.00", "quantity": "3",
    ...         "specific_tax": None}
    >>> stock = Stock({"items": [rice]}, [{"items": [{**rice, "quantity": "1"}]}])
    >>> stock.left(rice)
    Decimal('2')
    >>> [tuple(found) for found in stock.credit({**rice, "quantity": "2.5"})]
    [('quantity', '2', '2.5')]
    """

    def __init__(self, sale: dict, earlier: Iterable[dict] = ()) -> None:
        self._lots: dict[tuple, list[Decimal]] = {}
        for item in sale["items"]:
            lot = self._lots.setdefault(_key(item), [Decimal(0), Decimal(0)])
            lot[0] += Decimal(item["quantity"])
            lot[1] += _fixed_tax(item)
        for credit_note in earlier:
            for item in credit_note["items"]:
                self.take(item)

    def left(self, item: dict) -> Decimal | None:
        """The quantity that may still be credited on such a line; ``None`` when the sale has none like it."""
        lot = self._lots.get(_key(item))
        return lot and lot[0]

    def has_no_tax_left_for(self, item: dict) -> bool:
        """Whether earlier credit notes took so much of a specific tax of a fixed amount that a line's is too much."""
        lot = self._lots.get(_key(item))
        return lot is not None and _fixed_tax(item) > lot[1]

    def credit(self, item: dict) -> Iterator[Difference]:
        """Take a line, and tell what keeps it from being credited."""
        lot = self._lots.get(_key(item))
        if lot is None:
            yield from self._differences(item)
            return
        if Decimal(item["quantity"]) > lot[0]:
            yield Difference("quantity", f"{lot[0].normalize():f}", item["quantity"])
        if _fixed_tax(item) > lot[1]:
            yield Difference("specific_tax_amount", f"{lot[1]:.2f}", f"{_fixed_tax(item):.2f}")
        self.take(item)

    def take(self, item: dict) -> None:
        """What a credit note takes: from its lot, or the nearest, had it been sealed under other rules."""
        lot = self._lots.get(_key(item)) or self._nearest(item)
        if lot is not None:
            lot[0] = max(lot[0] - Decimal(item["quantity"]), Decimal(0))
            lot[1] = max(lot[1] - _fixed_tax(item), Decimal(0))

    def _nearest(self, item: dict) -> list[Decimal] | None:
        """The lot of the same code that differs in the fewest terms."""
        key = self._nearest_key(item)
        return key and self._lots[key]

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


def _fixed_tax(item: dict) -> Decimal:
    tax = item["specific_tax"]
    return Decimal(tax["amount"]) if tax and tax["basis"] == "amount" else Decimal(0)


def _words(value: str | tuple[str, str] | None) -> str:
    return value if isinstance(value, str) else " ".join(value or ("–",))

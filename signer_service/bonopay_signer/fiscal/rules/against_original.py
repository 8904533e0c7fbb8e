"""A credit note against the invoice that it corrects (SFE §1.26–1.27): `check_credit`.

What the law limits is the same for COR, RAN and RAM: articles, unit prices and cumulated quantities. It sets no limit
on the buyer, and none on amounts beyond price × quantity. Rebates (RRR, §1.28) refer to no invoice.

An article is recognised by its code, type, tax group, unit price and specific tax by quantity or percent; the words for
it and for its unit may be written anew. Lines of the original that agree in all of these are one lot, from which credit
notes take; a specific tax of a fixed amount is no part of a unit price, so the lot has a second measure for it.

Nor do credit notes together take back more specific tax of an article than was sold, which those by quantity or percent
could, each rounded up to the centime. What is left of such a lot when its tax is used up is credited without it.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from .. import tables, taxes
from ..findings import Finding, finding, limited, pointer_to
from ..forms import ZERO_MONEY, spelt
from ..schema import Invoice, Item, SpecificTax

_exactly = taxes.EXACT
_FIXED_AMOUNT = "amount"


class Original(NamedTuple):
    """The sealed invoice of the same merchant that a credit note names; `dgi_code` is None while it is not known."""

    invoice: Invoice
    dgi_code: str | None


def check_credit(invoice: Invoice, original: Original | None, earlier: Sequence[Invoice]) -> tuple[Finding, ...]:
    """Return every fault of a credit note against its original (at most `findings.MAX_FINDINGS`).

    `original` is None when the merchant has no invoice of that number; `earlier` are the credit notes sealed against
    it, in any order. What `check` finds in `invoice` alone is not found again; what names no original has no faults
    here.
    """
    credit = invoice.credit
    if credit is None or credit.original_fiscal_number is None or credit.nature == tables.NATURE_WITHOUT_ORIGINAL:
        return ()
    if original is None:
        pointer = "/credit/original_fiscal_number"
        return (finding(pointer, "credit.original.unknown", actual=credit.original_fiscal_number),)
    comparison = Comparison(invoice, original, earlier)
    return limited(found for rule in RULES for found in rule(comparison))


class Comparison(NamedTuple):
    invoice: Invoice
    original: Original
    earlier: Sequence[Invoice]

    @property
    def sale(self) -> Invoice:
        return self.original.invoice

    @property
    def corrects(self) -> tuple[str, ...]:
        """The types of invoice that the credit note's type corrects, by the tables of its day."""
        row = tables.in_force(taxes.fiscal_date(self.invoice)).invoice_types.get(self.invoice.invoice_type)
        return row.corrects if row else ()

    @property
    def original_is_credit_note(self) -> bool:
        row = tables.in_force(taxes.fiscal_date(self.sale)).invoice_types.get(self.sale.invoice_type)
        return bool(row and row.corrects)


Rule = Callable[[Comparison], Iterator[Finding]]


def original_is_a_sale_of_the_same_family(comparison: Comparison) -> Iterator[Finding]:
    """SFE §1.7, §1.26: FA corrects a sale or an advance (FV, FT), EA one for export (EV, ET); none a credit note."""
    pointer, given = "/credit/original_fiscal_number", comparison.sale.invoice_type
    if comparison.original_is_credit_note:
        yield finding(pointer, "credit.original.is_credit_note", actual=given)
    elif comparison.corrects and given not in comparison.corrects:
        expected, name = ", ".join(comparison.corrects), comparison.invoice.invoice_type
        yield finding(pointer, "credit.original.family", expected=expected, actual=given, name=name)


def dgi_code_is_the_originals(comparison: Comparison) -> Iterator[Finding]:
    """SFE §1.26: the reference is the Code DEF/DGI of the original, once it is known."""
    expected, given = comparison.original.dgi_code, comparison.invoice.credit.original_dgi_code
    if expected is not None and given is not None and given != expected:
        yield finding("/credit/original_dgi_code", "credit.original_dgi_code.differs", expected=expected, actual=given)


def not_dated_before_the_original(comparison: Comparison) -> Iterator[Finding]:
    """SFE §1.26, §1.2 mention u: the original exists when it is corrected. By fiscal day: two tills' clocks differ."""
    given, sold = taxes.fiscal_date(comparison.invoice), taxes.fiscal_date(comparison.sale)
    if given < sold:
        code = "credit.issued_at.before_original"
        yield finding("/issued_at", code, expected=sold.isoformat(), actual=given.isoformat())


def price_mode_is_the_originals(comparison: Comparison) -> Iterator[Finding]:
    """SFE §1.5.3–1.5.4, §1.27: a unit price is the same only when both exclude or both include VAT."""
    expected, given = comparison.sale.price_mode, comparison.invoice.price_mode
    if given != expected:
        yield finding("/price_mode", "credit.price_mode.differs", expected=expected, actual=given)


def foreign_currency_is_the_originals(comparison: Comparison) -> Iterator[Finding]:
    """SFE §1.27, §1.30: what was sold in a foreign currency is credited at the rate of the sale, or in francs alone."""
    given, sold = comparison.invoice.foreign_currency, comparison.sale.foreign_currency
    if given is None:
        return
    if sold is None:
        yield finding("/foreign_currency", "credit.foreign_currency.unexpected", actual=given.code)
    elif (given.code, given.rate) != (sold.code, sold.rate):
        pointer, code = "/foreign_currency/rate", "credit.foreign_currency.rate"
        yield finding(pointer, code, expected=sold.rate, actual=given.rate)


def items_are_left_to_credit(comparison: Comparison) -> Iterator[Finding]:
    """SFE §1.26–1.27: articles and unit prices of the original, and no more of each than is left by earlier ones.

    Not judged where the original is none, or its unit prices mean something else.
    """
    if comparison.original_is_credit_note or comparison.sale.price_mode != comparison.invoice.price_mode:
        return
    stock = _Stock(comparison.sale)
    for credit_note in comparison.earlier:
        for item in credit_note.items:
            stock.take(item)
    for position, item in enumerate(comparison.invoice.items):
        yield from _item_faults(stock, position, item)


RULES: tuple[Rule, ...] = (
    original_is_a_sale_of_the_same_family,
    dgi_code_is_the_originals,
    not_dated_before_the_original,
    price_mode_is_the_originals,
    foreign_currency_is_the_originals,
    items_are_left_to_credit,
)


# --- what was sold, and what is left of it ----------------------------------------------------------------------------


class _Terms(NamedTuple):
    """What makes lines of one code the same article at the same price."""

    type: str
    tax_group: str
    unit_price: str
    specific_tax: tuple[str, str] | None
    """Basis and value of a specific tax by quantity or percent: it is a part of the price of a unit."""


class _Article:
    """What one code at one price has of specific taxes, of whichever basis: what the DGI compares."""

    __slots__ = ("specific_tax", "taxed_by_unit")

    def __init__(self) -> None:
        self.specific_tax = Decimal(ZERO_MONEY)
        self.taxed_by_unit: _Lot | None = None
        """The first lot with a specific tax by quantity or percent."""


class _Lot:
    """What is left to credit of the lines of one code and the same terms."""

    __slots__ = ("article", "fixed_tax", "quantity", "terms")

    def __init__(self, terms: _Terms, article: _Article) -> None:
        self.terms = terms
        self.article = article
        self.quantity = Decimal(0)
        self.fixed_tax = Decimal(ZERO_MONEY)

    def add(self, item: Item) -> None:
        self.quantity = _exactly.add(self.quantity, Decimal(item.quantity))
        self.fixed_tax = _exactly.add(self.fixed_tax, _fixed_tax(item))
        self.article.specific_tax = _exactly.add(self.article.specific_tax, _specific_tax(item))

    def take(self, item: Item) -> None:
        self.quantity = _less(self.quantity, Decimal(item.quantity))
        self.fixed_tax = _less(self.fixed_tax, _fixed_tax(item))
        self.article.specific_tax = _less(self.article.specific_tax, _specific_tax(item))

    def tax_left_for(self, item: Item) -> Decimal:
        left = self.article.specific_tax
        return min(left, self.fixed_tax) if _fixed_tax(item) else left

    def tax_is_used_up(self, item: Item) -> bool:
        """Whether its tax by quantity or percent, for the quantity of a line, is more than is left of it."""
        assert self.terms.specific_tax is not None, "a lot that is taxed by unit"
        basis, value = self.terms.specific_tax
        taxed = replace(item, specific_tax=SpecificTax(basis=basis, value=value, amount=ZERO_MONEY))
        return taxes.specific_tax_amount(taxed) > self.article.specific_tax


def _less(left: Decimal, taken: Decimal) -> Decimal:
    """What remains; nothing when more is taken than there was."""
    return max(_exactly.subtract(left, taken), Decimal(ZERO_MONEY))


class _Stock:
    """The lots of an invoice. Finding one takes the same time whatever the number of lines."""

    def __init__(self, sale: Invoice) -> None:
        self._lots: dict[tuple[str, _Terms], _Lot] = {}
        self._nearest: dict[tuple[str | _Terms, ...], _Lot] = {}
        self._articles: dict[tuple[str, _Terms], _Article] = {}
        for item in sale.items:
            key = item.code, _terms(item)
            article = self._articles.setdefault(_article_key(item), _Article())
            lot = self._lots.setdefault(key, _Lot(key[1], article))
            if article.taxed_by_unit is None and key[1].specific_tax is not None:
                article.taxed_by_unit = lot
            lot.add(item)

    def lot(self, item: Item) -> _Lot | None:
        """Return the lot that the line takes from."""
        lot = self._lots.get((item.code, _terms(item)))
        return self._lot_without_tax(item) if lot is None and item.specific_tax is None else lot

    def _lot_without_tax(self, item: Item) -> _Lot | None:
        """Return a lot with a specific tax by quantity or percent of which less is left than the line would take."""
        article = self._articles.get(_article_key(item))
        lot = article.taxed_by_unit if article is not None else None
        return lot if lot is not None and lot.tax_is_used_up(item) else None

    def nearest(self, item: Item) -> _Lot | None:
        """Return a lot of the same code that agrees with the line in all terms but one, or else any of that code."""
        if not self._nearest:
            for (code, terms), lot in self._lots.items():
                for key in _keys_by_nearness(code, terms):
                    self._nearest.setdefault(key, lot)
        keys = _keys_by_nearness(item.code, _terms(item))
        return next((self._nearest[key] for key in keys if key in self._nearest), None)

    def take(self, item: Item) -> None:
        """Take what a sealed credit note took: from its lot, or the nearest, had it been sealed under other rules."""
        lot = self.lot(item) or self.nearest(item)
        if lot is not None:
            lot.take(item)


def _keys_by_nearness(code: str, terms: _Terms) -> Iterator[tuple[str | _Terms, ...]]:
    """What a lot shares with one that differs in a single term, or in group and type together; then the code alone."""
    yield "unit_price", code, terms._replace(unit_price="")
    yield "specific_tax", code, terms._replace(specific_tax=None)
    yield "tax_group", code, terms._replace(tax_group="", type="")
    yield (code,)


def _terms(item: Item) -> _Terms:
    tax = item.specific_tax
    by_unit = None if tax is None or tax.basis == _FIXED_AMOUNT else (tax.basis, tax.value)
    return _Terms(item.type, item.tax_group, item.unit_price, by_unit)


def _article_key(item: Item) -> tuple[str, _Terms]:
    return item.code, _terms(item)._replace(specific_tax=None)


def _specific_tax(item: Item) -> Decimal:
    return Decimal(item.specific_tax.amount if item.specific_tax is not None else ZERO_MONEY)


def _fixed_tax(item: Item) -> Decimal:
    tax = item.specific_tax
    return Decimal(tax.amount if tax is not None and tax.basis == _FIXED_AMOUNT else ZERO_MONEY)


def _item_faults(stock: _Stock, position: int, item: Item) -> Iterator[Finding]:
    """The faults of one line, which takes what it can from its lot."""
    lot = stock.lot(item)
    if lot is None:
        yield from _differences(stock.nearest(item), position, item)
        return
    is_too_much = Decimal(item.quantity) > lot.quantity
    if is_too_much:
        pointer = pointer_to("items", position, "quantity")
        left, code = spelt(lot.quantity), "credit.item.quantity.exceeds"
        yield finding(pointer, code, expected=left, actual=item.quantity, name=item.code)
    left, is_fixed = lot.tax_left_for(item), lot.terms.specific_tax is None
    if _specific_tax(item) > left and (is_fixed or not is_too_much):  # else the quantity's fault is the tax's
        pointer = pointer_to("items", position, "specific_tax", "amount")
        code, given = "credit.item.specific_tax.exceeds", str(_specific_tax(item))
        yield finding(pointer, code, expected=str(left), actual=given, name=item.code)
    lot.take(item)


def _differences(nearest: _Lot | None, position: int, item: Item) -> Iterator[Finding]:
    """What sets a line apart from the nearest lot of the original."""
    if nearest is None:
        yield finding(pointer_to("items", position, "code"), "credit.item.unknown", actual=item.code)
        return
    for member, sold, given in zip(_Terms._fields, nearest.terms, _terms(item), strict=True):
        if sold != given:
            expected = _described(sold) if member == "specific_tax" else sold
            actual = _described(given) if member == "specific_tax" else given
            pointer = pointer_to("items", position, member)
            yield finding(pointer, f"credit.item.{member}", expected=expected, actual=actual, name=item.code)


def _described(by_unit: tuple[str, str] | None) -> str:
    return " ".join(by_unit) if by_unit else "null"

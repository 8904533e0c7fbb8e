"""A credit note against its original: items, prices and cumulated quantities (SFE §1.26–1.27)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from .documents import Document, Item
from .errors import RefusalError
from .tables import CREDIT_NOTES


@dataclass(frozen=True, slots=True)
class Original:
    """The certified invoice that a credit note refers to, and the lines already credited by others."""

    document: Document
    credited: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    quantity: Decimal = Decimal(0)
    specific_tax: Decimal = Decimal(0)


def check_credit_note(document: Document, original: Original | None) -> None:
    """Raises RefusalError; `original` is None when the taxpayer has no certified invoice with that code."""
    if original is None:
        raise RefusalError("reference_unknown", document.reference)
    sale = original.document
    if sale.type not in CREDIT_NOTES[document.type]:
        raise RefusalError("original_type", f"{document.type} pour {sale.type}")
    if sale.mode != document.mode:
        raise RefusalError("original_mode", sale.mode)
    for item in document.items:
        _check_item(item, sale.items)
    _check_sums(document.items, original)


def _check_item(item: Item, sold: Iterable[Item]) -> None:
    same = [line for line in sold if line.identity == item.identity]
    if not same:
        raise RefusalError("original_item", item.identity)
    same = [line for line in same if line.price == item.price]
    if not same:
        raise RefusalError("original_price", item.identity)
    if not any(_tax_key(line) == _tax_key(item) for line in same):
        raise RefusalError("original_tax", item.identity)


def _tax_key(item: Item) -> tuple[str, str]:
    return item.type, item.tax_group


def _check_sums(items: Iterable[Item], original: Original) -> None:
    sold = _sums(original.document.items)
    for key, credited in _sums((*original.credited, *items)).items():
        if credited.quantity > sold[key].quantity:
            raise RefusalError(
                "credit_exceeds", f"{key[0]}, {_figures(credited.quantity)} pour {_figures(sold[key].quantity)} vendus"
            )
        if credited.specific_tax > sold[key].specific_tax:
            raise RefusalError("credit_exceeds", f"{key[0]}, taxe spécifique")


def _sums(items: Iterable[Item]) -> dict[tuple[str, Decimal, str, str], Sum]:
    sums: dict[tuple[str, Decimal, str, str], Sum] = defaultdict(Sum)
    for item in items:
        key = (item.identity, item.price, *_tax_key(item))
        sums[key] = Sum(sums[key].quantity + item.quantity, sums[key].specific_tax + item.specific_tax)
    return sums


def _figures(quantity: Decimal) -> str:
    return f"{quantity:f}".replace(".", ",")

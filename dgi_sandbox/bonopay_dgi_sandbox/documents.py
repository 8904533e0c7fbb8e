"""The request of `POST /api/invoice`, read liberally: an absent field, null, "" and 0 mean the same."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from .errors import RefusalError
from .wire import as_number


@dataclass(frozen=True, slots=True)
class Item:
    """A line; `specific_tax` is the amount for the whole line, in CDF (SFE §1.13)."""

    code: str
    type: str
    name: str
    price: Decimal
    quantity: Decimal
    tax_group: str
    specific_tax: Decimal = Decimal(0)
    original_price: Decimal = Decimal(0)

    @property
    def identity(self) -> str:
        """What makes it the same article on a credit note (SFE §1.26)."""
        return self.code or self.name


@dataclass(frozen=True, slots=True)
class Client:
    type: str
    name: str
    nif: str


@dataclass(frozen=True, slots=True)
class Payment:
    """`amount` is in CDF; the currency is informative."""

    name: str
    amount: Decimal
    currency: str
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Document:
    nif: str
    rn: str
    mode: str
    isf: str
    type: str
    items: tuple[Item, ...]
    client: Client
    operator: str
    payments: tuple[Payment, ...]
    reference: str
    nature: str
    comment_a: str
    currency: str
    rate: Decimal


class Fields:
    """A JSON object of the request, with the path that names it in a refusal."""

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise RefusalError("unreadable", f"{path}, un objet est attendu")
        self._value = value
        self._path = path

    def text(self, name: str, *aliases: str) -> str:
        value = self._first(name, *aliases)
        if _is_blank(value):
            return ""
        if not isinstance(value, str):
            raise RefusalError("unreadable", f"{self._name(name)}, un texte est attendu")
        return value.strip()

    def number(self, name: str, *aliases: str) -> Decimal:
        return as_number(self._first(name, *aliases), self._name(name))

    def block(self, name: str) -> "Fields":
        value = self._value.get(name)
        return Fields({} if _is_blank(value) else value, self._name(name))

    def blocks(self, name: str) -> "list[Fields]":
        value = self._value.get(name)
        if _is_blank(value):
            return []
        if not isinstance(value, list):
            raise RefusalError("unreadable", f"{self._name(name)}, une liste est attendue")
        return [Fields(member, f"{self._name(name)}[{rank}]") for rank, member in enumerate(value)]

    def _first(self, *names: str) -> Any:
        return next((self._value[name] for name in names if not _is_blank(self._value.get(name))), None)

    def _name(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name


def _is_blank(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, Decimal) and value == 0)


def read_document(body: dict[str, Any]) -> Document:
    """Raises RefusalError("unreadable" | "out_of_range"); the fiscal rules are checked elsewhere."""
    fields = Fields(body)
    client = fields.block("client")
    return Document(
        nif=fields.text("nif"),
        rn=fields.text("rn"),
        mode=fields.text("mode"),
        isf=fields.text("isf"),
        type=fields.text("type"),
        items=tuple(map(_read_item, fields.blocks("items"))),
        client=Client(client.text("type"), client.text("name"), client.text("nif")),
        operator=fields.block("operator").text("name"),
        payments=tuple(map(_read_payment, fields.blocks("payment"))),
        reference=fields.text("reference"),
        nature=fields.text("referenceType"),
        comment_a=fields.text("cmta"),
        currency=fields.text("curCode"),
        rate=fields.number("curRate"),
    )


def _read_item(fields: Fields) -> Item:
    return Item(
        code=fields.text("code"),
        type=fields.text("type"),
        name=fields.text("name"),
        price=fields.number("price"),
        quantity=fields.number("quantity"),
        tax_group=fields.text("taxGroup"),
        specific_tax=fields.number("taxSpecificAmount"),
        original_price=fields.number("originalPrice"),
    )


def _read_payment(fields: Fields) -> Payment:
    return Payment(
        name=fields.text("name"),
        amount=fields.number("amount"),
        currency=fields.text("currencyCode", "curCode"),
        rate=fields.number("currencyRate", "curRate"),
    )

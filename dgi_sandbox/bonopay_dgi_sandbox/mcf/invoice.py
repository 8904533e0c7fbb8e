"""The commands that make up an invoice, read into the sandbox's document."""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from ..documents import Client, Document, Item, Payment
from ..errors import RefusalError
from ..taxes import line_amount
from ..wire import as_number
from .wire import unescaped

CLIENT, OPEN, ITEM, COMMENT, PAYMENT = 0xC3, 0xC0, 0x31, 0x36, 0x35
CREDIT_TYPES = ("FA", "EA")
PAYMENT_NAMES = {
    "E": "ESPECES",
    "V": "VIREMENT",
    "C": "CARTEBANCAIRE",
    "M": "MOBILEMONEY",
    "D": "CHEQUES",
    "R": "CREDIT",
    "A": "AUTRE",
}
ITEM_FORM = re.compile(
    r"(?P<name>[^\t\n]*)(\n(?P<code>[^\t\n]*))?"
    r"\t(?P<type>[A-Z]*),(?P<group>[A-Z])(?P<rate>[0-9.]+)%(?P<amount>[0-9.]+)"
    r"\t(?P<price>[0-9.]+)(\*(?P<quantity>[0-9.]+))?(;T(?P<specific_rate>[0-9.]+)%,(?P<specific>[0-9.]+))?"
    r"(\t(?P<original>[0-9.]+),(?P<change>[^\t]*))?"
)


@dataclass(slots=True)
class OpenInvoice:
    """An invoice being entered; `entries` are the commands and data that made it, to keep and to read again."""

    rates: dict[str, Decimal]
    client: Client
    header: list[str]
    entries: list[tuple[int, str]]
    items: list[Item] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    subtotal_asked: bool = False
    checks_left: int = 0

    def enter(self, command: int, text: str) -> None:
        """31h, 36h or 35h. Raises RefusalError."""
        {ITEM: self._item, COMMENT: self._comment, PAYMENT: self._payment}[command](text)
        self.entries.append((command, text))

    def _item(self, text: str) -> None:
        if self.subtotal_asked:
            raise RefusalError("unreadable", "un article après le sous-total")
        item = read_item(text, self.rates)
        self.items.append(item)

    def _comment(self, text: str) -> None:
        letter, comma, words = text.partition(",")
        if not comma or letter not in tuple("ABCDEFGH"):
            raise RefusalError("unreadable", "commentaire")
        self.comments[letter] = self.comments.get(letter, "") + unescaped(words)

    def _payment(self, text: str) -> None:
        name = PAYMENT_NAMES.get(text[:1])
        if name is None:
            raise RefusalError("payment_type", text[:1])
        self.payments.append(Payment(name, as_number(text[1:], "paiement"), "CDF", Decimal(0)))

    @property
    def is_credit(self) -> bool:
        return self.header[3] in CREDIT_TYPES

    def document(self) -> Document:
        """Raises RefusalError."""
        operator, operator_name, nif, kind, *rest = self.header
        nature, reference = (rest.pop(0), rest.pop(0)) if self.is_credit else ("", "")
        if len(rest) not in (3, 5):
            raise RefusalError("unreadable", "ouverture de la facture")
        mode, isf, number, *foreign = rest
        return Document(
            nif=nif,
            rn=number,
            mode=mode.lower(),
            isf=isf,
            type=kind,
            items=tuple(self.items),
            client=self.client,
            operator=operator_name or operator,
            payments=tuple(self.payments),
            reference=reference,
            nature=nature,
            comment_a=self.comments.get("A", ""),
            currency="USD" if foreign else "CDF",
            rate=as_number(foreign[0], "CRT") if foreign else Decimal(0),
        )


def open_invoice(client: str, header: str, rates: dict[str, Decimal]) -> OpenInvoice:
    """From the data of C3h and C0h. Raises RefusalError."""
    fields = [unescaped(one) for one in client.split(",")]
    if len(fields) != 7:
        raise RefusalError("unreadable", "client")
    kind, nif, name = fields[:3]
    opening = [unescaped(one) for one in header.split(",")]
    if len(opening) < 7:
        raise RefusalError("unreadable", "ouverture de la facture")
    invoice = OpenInvoice(rates, Client(kind, name, nif), opening, [(CLIENT, client), (OPEN, header)])
    invoice.document()
    return invoice


def read_again(entries: list[tuple[int, str]], rates: dict[str, Decimal]) -> Document:
    """The document of a certified invoice."""
    invoice = open_invoice(entries[0][1], entries[1][1], rates)
    for command, text in entries[2:]:
        invoice.enter(command, text)
    return invoice.document()


def read_item(text: str, rates: dict[str, Decimal]) -> Item:
    """Raises RefusalError, also when rate or amount are not what the device finds itself."""
    parts = ITEM_FORM.fullmatch(text)
    if parts is None:
        raise RefusalError("unreadable", "article")
    group = parts["group"]
    item = Item(
        code=unescaped(parts["code"] or ""),
        type=parts["type"],
        name=unescaped(parts["name"]),
        price=as_number(parts["price"], "prix"),
        quantity=as_number(parts["quantity"] or "1", "quantité"),
        tax_group=group,
        specific_tax=as_number(parts["specific"], "taxe spécifique"),
        original_price=as_number(parts["original"], "prix d’origine"),
    )
    if group not in rates or as_number(parts["rate"], "taux") != rates[group]:
        raise RefusalError("tax_group", f"{group} à {parts['rate']} %")
    if as_number(parts["amount"], "montant") != line_amount(item):
        raise RefusalError("totals_differ", f"article {item.name}")
    return item

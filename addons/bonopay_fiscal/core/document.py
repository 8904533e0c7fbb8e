"""What an invoice says, as plain values: what :mod:`.payload` turns into the canonical payload.

Frozen: an override of a payload hook returns ``dataclasses.replace(super()…, …)``. Money is in francs (CDF) but where a
currency is named; rates and discounts are in percent.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from .arithmetic import line_amount, net_unit_price, round2, round_quantity, specific_tax_amount
from .dgi import CURRENCY


@dataclass(frozen=True)
class Client:
    """The invoiced party (SFE §1.11, annex I)."""

    type: str
    name: str | None = None
    nif: str | None = None
    contact: str | None = None
    address: str | None = None
    exemption_reference: str | None = None


@dataclass(frozen=True)
class Price:
    """A unit price as it is sold, net, to the centime; and what it was before it was changed, and why (mention l)."""

    net: Decimal
    original: Decimal | None = None
    change: str | None = None

    @classmethod
    def discounted(cls, price: Decimal, discount: Decimal = Decimal(0)) -> "Price":
        """A price less a discount in percent; a negative one makes it dearer.

        >>> Price.discounted(Decimal(50000), Decimal("12.5"))
        Price(net=Decimal('43750.00'), original=Decimal('50000.00'), change='Remise 12,5 %')
        >>> Price.discounted(Decimal("0.105")).net
        Decimal('0.11')
        """
        if not discount:
            return cls(round2(price))
        word = "Remise" if discount > 0 else "Majoration"
        size = f"{abs(discount).normalize():f}".replace(".", ",")
        return cls(net_unit_price(price, discount), round2(price), f"{word} {size} %")


@dataclass(frozen=True)
class SpecificTax:
    """A specific tax of a line (SFE §1.13): ``amount`` of francs, francs per unit (``quantity``), or ``percent``."""

    basis: str
    value: Decimal


@dataclass(frozen=True)
class Line:
    """One article line (SFE §1.16), in the price mode of the document; the quantity is positive."""

    code: str
    name: str
    type: str
    unit: str
    quantity: Decimal
    price: Price
    tax_group: str
    rate: Decimal
    specific_tax: SpecificTax | None = None

    @property
    def amount(self) -> Decimal:
        """Amount of the line, without its specific tax."""
        return line_amount(self.price.net, round_quantity(self.quantity))

    @property
    def specific_tax_amount(self) -> Decimal:
        """What the basis of the specific tax gives for this line (SFE §1.13); nothing when there is none."""
        tax = self.specific_tax
        quantity = round_quantity(self.quantity)
        return specific_tax_amount(tax.basis, tax.value, quantity, self.amount) if tax else Decimal(0)


@dataclass(frozen=True)
class Credit:
    """What a credit note corrects (SFE §1.25–28); both originals ``None`` for a rebate."""

    nature: str
    original_fiscal_number: str | None = None
    original_dgi_code: str | None = None


@dataclass(frozen=True)
class Payment:
    """One means of payment (SFE §1.18), in its own currency; the rate is what one unit of a foreign one is worth."""

    method: str
    amount: Decimal
    reference: str | None = None
    currency: str = CURRENCY
    rate: Decimal | None = None

    @property
    def in_francs(self) -> Decimal:
        """What it pays of the total, to the centime."""
        return self.amount if self.rate is None else round2(self.amount * self.rate)


@dataclass(frozen=True)
class ForeignCurrency:
    """The currency that the invoice was made out in (SFE §1.30), and what one unit was worth on that day."""

    code: str
    rate: Decimal
    date: date


@dataclass(frozen=True)
class Document:
    """Everything an invoice says, before arithmetic. Without payments it is sold on credit."""

    document_id: str
    merchant_nif: str
    outlet_id: str
    cashier_id: str
    cashier_name: str
    invoice_type: str
    price_mode: str
    reference_number: str
    issued_at: datetime
    client: Client
    lines: tuple[Line, ...]
    credit: Credit | None = None
    payments: tuple[Payment, ...] = ()
    foreign_currency: ForeignCurrency | None = None
    comments: tuple[str, ...] = ()
    pos_terminal_id: str | None = None

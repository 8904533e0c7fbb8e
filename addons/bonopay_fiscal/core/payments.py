"""What was paid, by which means (SFE §1.18–1.19), and dollars at the rate of the day (§1.30). Pure."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from .arithmetic import CENT, exact
from .document import Payment

#: Means of payment (SFE §1.18, and the DGI's code for all others). Code → legal label.
METHODS = {
    "ESPECES": "Espèces",
    "VIREMENT": "Virement",
    "CARTEBANCAIRE": "Carte bancaire",
    "MOBILEMONEY": "Mobile money",
    "CHEQUES": "Chèques",
    "CREDIT": "Crédit",
    "AUTRE": "Autre",
}
CREDIT = "CREDIT"
OTHER = "AUTRE"
DOLLARS = "USD"
#: How far a rate may lie from the central bank's of the day, limits included (§1.30).
RATE_TOLERANCE = Decimal("0.01")
#: What the names of payment methods in Odoo tell, in the order in which they are tried.
_WORDS = (
    (OTHER, r"gift|cadeau|acompte|avance|advance|voucher|fidelite|loyalty|e ?wallet"),
    ("MOBILEMONEY", r"mobile|m ?pesa|airtel\w*|orange|afri ?money|africell|vodacom|momo"),
    ("CHEQUES", r"cheques?|checks?"),
    ("CARTEBANCAIRE", r"cards?|cartes?|visa|master ?card|maestro|amex|tpe"),
    ("VIREMENT", r"wire|transfers?|virements?|sepa|banque"),
    ("ESPECES", r"cash|especes?|liquide"),
)
_OF_JOURNAL = {"cash": "ESPECES", "bank": "VIREMENT", "credit": "CARTEBANCAIRE"}


def most_of(francs: Decimal, rate: Decimal | None) -> Decimal:
    """The largest amount of a currency, to its cent, that counts no more than an amount in francs.

    >>> most_of(Decimal("104400.00"), Decimal("2300")), most_of(Decimal("5.00"), None)
    (Decimal('45.39'), Decimal('5.00'))
    """
    return (francs if rate is None else francs / rate).quantize(CENT, ROUND_DOWN)


def within(payments: Iterable[Payment], total: Decimal) -> Iterator[Payment]:
    """The payments that a total has room for, the last one cut to it: one payment may be for several invoices.

    >>> [(one.method, str(one.amount)) for one in within([Payment("VIREMENT", Decimal(70))] * 3, Decimal(100))]
    [('VIREMENT', '70'), ('VIREMENT', '30.00')]
    """
    left = total
    for payment in payments:
        fits = payment.in_francs <= left
        fitting = payment if fits else replace(payment, amount=most_of(left, payment.rate))
        if fitting.amount > 0:
            left -= fitting.in_francs
            yield fitting


def dollars_within(payments: Iterable[Payment], owed: Decimal) -> Iterator[Payment]:
    """The payments, those in dollars only as far as dollars are owed.

    >>> [str(one.amount) for one in dollars_within([Payment("VIREMENT", Decimal(9), None, "USD", Decimal(2300))], 5)]
    ['5']
    """
    for payment in payments:
        fitting = payment
        if payment.currency == DOLLARS:
            fitting = replace(payment, amount=min(payment.amount, owed))
            owed -= fitting.amount
        if fitting.amount > 0:
            yield fitting


def paid_in_dollars(payments: Sequence[Payment], total: Decimal, owed: Collection[Decimal]) -> tuple[Payment, ...]:
    """The payments of an invoice in dollars: where they begin with all its dollars, these are brought to its francs.

    Its francs are no whole number of cents of a dollar: the last payment is cut where the dollars count more, and what
    they count less is paid in francs, by the same means.

    :param owed: what may be called all the dollars of the invoice

    >>> paid = Payment("ESPECES", Decimal("11.65"), None, "USD", Decimal(2300))
    >>> [str(one.amount) for one in paid_in_dollars([paid], Decimal("26786.72"), [Decimal("11.65")])]
    ['11.64', '14.72']
    """
    if sum((payment.in_francs for payment in payments), Decimal(0)) == total:
        return tuple(payments)
    paid = Decimal(0)
    for position, payment in enumerate(payments):
        if payment.currency != DOLLARS or not payment.rate:
            break
        paid += payment.amount
        if paid in owed:
            before = payments[:position]
            left = total - sum((one.in_francs for one in before), Decimal(0))
            return (*before, *_paid_exactly(payment, left), *payments[position + 1 :])
    return tuple(payments)


def _paid_exactly(payment: Payment, francs: Decimal) -> Iterator[Payment]:
    """A payment in dollars for so many francs, those that make no cent of a dollar in francs."""
    dollars = min(payment.amount, most_of(francs, payment.rate))
    if francs <= 0:
        yield payment
        return
    if dollars:
        payment = replace(payment, amount=dollars)
        francs -= payment.in_francs
        yield payment
    if francs:
        yield Payment(payment.method, francs, payment.reference)


def settled(payments: Iterable[Payment], total: Decimal) -> tuple[Payment, ...]:
    """The payments, and on credit what is left of the total (§1.19).

    >>> [(one.method, str(one.amount)) for one in settled([Payment("ESPECES", Decimal("60.00"))], Decimal("100.00"))]
    [('ESPECES', '60.00'), ('CREDIT', '40.00')]
    """
    given = tuple(payments)
    left = total - sum((payment.in_francs for payment in given), Decimal(0))
    return (*given, Payment(CREDIT, left)) if left > 0 else given


def is_near(rate: Decimal, reference: Decimal) -> bool:
    """Whether a rate is within 1 % of the reference (§1.30).

    >>> is_near(Decimal("2323"), Decimal("2300")), is_near(Decimal("2323.01"), Decimal("2300"))
    (True, False)
    """
    return abs(rate - reference) <= reference * RATE_TOLERANCE


def rate_of(number: float) -> Decimal:
    """A rate of the register as it is sealed: at most six decimals, without the noise of its inverse.

    >>> rate_of(1 / (1 / 2300.05)), rate_of(2300.0)
    (Decimal('2300.05'), Decimal('2300'))
    """
    rate = exact(number)
    return rate.quantize(Decimal(1)) if rate == rate.to_integral_value() else rate.normalize()


def guess(*names: str | None, journal: str | None = None) -> str | None:
    """The means of payment that names speak of, else the one that a kind of journal is for.

    >>> guess("Orange Money", journal="bank"), guess("Manual Payment", journal="cash"), guess("Carte cadeau")
    ('MOBILEMONEY', 'ESPECES', 'AUTRE')
    >>> guess("M-Pesa"), guess("Checkout"), guess("mobile_money")
    ('MOBILEMONEY', None, 'MOBILEMONEY')
    """
    text = _plain(" ".join(name or "" for name in names))
    found = (method for method, words in _WORDS if re.search(rf"\b(?:{words})\b", text))
    return next(found, None) or _OF_JOURNAL.get(journal or "")


def _plain(text: str) -> str:
    """Small letters without accents, everything else as spaces."""
    letters = unicodedata.normalize("NFD", text.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", " ", letters)

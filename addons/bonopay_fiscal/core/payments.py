"""What was paid, by which means (SFE §1.18–1.19), and dollars at the rate of the day (§1.30). Pure."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
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

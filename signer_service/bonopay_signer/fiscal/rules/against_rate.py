"""The rates of an invoice against the central bank's rate of the day (SFE §1.30): `check_rate`."""

from collections.abc import Iterator
from decimal import Decimal

from .. import tables, taxes
from ..findings import Finding, finding, pointer_to
from ..forms import spelt
from ..schema import Invoice
from .payments import rate_fault


def check_rate(invoice: Invoice, reference: Decimal | None) -> tuple[Finding, ...]:
    """Return one finding for each rate of the invoice, at its first place, that is not within 1 % of `reference`.

    `reference` is the average rate of USD on the invoice's fiscal date (`taxes.fiscal_date`), CDF for one unit; None
    when it is not known, and then nothing is found. The foreign currency of a credit note with an original keeps the
    rate of the sale, which `against_original` checks. Raises ValueError when `reference` is not a positive number.
    """
    if reference is None:
        return ()
    if not reference.is_finite() or reference <= 0:
        raise ValueError(f"{reference} is no exchange rate")
    return tuple(rates_are_near_the_reference(invoice, reference))


def rates_are_near_the_reference(invoice: Invoice, reference: Decimal) -> Iterator[Finding]:
    """SFE §1.30: the rate lies within 1 % of the central bank's average rate of the day, limits included."""
    tolerated = taxes.EXACT.multiply(reference, tables.RATE_TOLERANCE)
    lowest, highest = taxes.EXACT.subtract(reference, tolerated), taxes.EXACT.add(reference, tolerated)
    for rate, pointer in _rates(invoice).items():
        if not lowest <= Decimal(rate) <= highest:
            expected = f"{spelt(lowest)} – {spelt(highest)}"
            yield finding(pointer, "rate.not_of_the_day", expected=expected, actual=rate)


def _rates(invoice: Invoice) -> dict[str, str]:
    """The rates to judge, each with the pointer to its first place. A rate of zero is another rule's finding."""
    rates: dict[str, str] = {}
    foreign = invoice.foreign_currency
    if foreign is not None and Decimal(foreign.rate):
        rates[foreign.rate] = "/foreign_currency/rate"
    for position, payment in enumerate(invoice.payments):
        if payment.rate is not None and not rate_fault(payment):
            rates.setdefault(payment.rate, pointer_to("payments", position, "rate"))
    if foreign is not None and invoice.credit is not None and invoice.credit.original_fiscal_number is not None:
        rates.pop(foreign.rate, None)
    return rates

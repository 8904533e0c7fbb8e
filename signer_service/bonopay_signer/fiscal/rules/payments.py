"""Rules on payments and currencies (SFE §1.18–1.19, §1.30, mention r)."""

from collections.abc import Iterator
from decimal import Decimal

from .. import tables, taxes
from ..findings import Finding, finding, pointer_to
from ..forms import ZERO, ZERO_MONEY
from ..schema import Payment
from .facts import Facts


def payments_are_not_zero(facts: Facts) -> Iterator[Finding]:
    """SFE §1.19, §1.21: a payment records money that moved, or is owed."""
    for position, payment in enumerate(facts.invoice.payments):
        if payment.amount == ZERO_MONEY:
            yield finding(pointer_to("payments", position, "amount"), "payment.amount.zero", actual=ZERO_MONEY)


def payment_rate_goes_with_currency(facts: Facts) -> Iterator[Finding]:
    """SFE §1.30: a payment in foreign currency states its rate; one in francs has none."""
    for position, payment in enumerate(facts.invoice.payments):
        code = rate_fault(payment)
        if code:
            pointer = pointer_to("payments", position, "rate")
            yield finding(pointer, code, actual=payment.rate, name=payment.currency)


def one_rate_for_a_currency(facts: Facts) -> Iterator[Finding]:
    """SFE §1.30, mention r: an invoice prints one rate for its foreign currency; payments in it are at that rate.

    It is the one of `foreign_currency`, or else that of the first payment in the currency.
    """
    foreign = facts.invoice.foreign_currency
    rates = {} if foreign is None else {foreign.code: foreign.rate}
    for position, payment in enumerate(facts.invoice.payments):
        if payment.rate is None or rate_fault(payment):
            continue
        rate = rates.setdefault(payment.currency, payment.rate)
        if payment.rate != rate:
            pointer = pointer_to("payments", position, "rate")
            yield finding(pointer, "payment.rate.differs", expected=rate, actual=payment.rate)


def foreign_currency_is_usable(facts: Facts) -> Iterator[Finding]:
    """SFE §1.30: the rate is a positive one, known on the day of issue."""
    foreign = facts.invoice.foreign_currency
    if foreign is None:
        return
    if foreign.rate == ZERO:
        yield finding("/foreign_currency/rate", "foreign_currency.rate.zero", actual=ZERO)
    issued_on = facts.tables.day.isoformat()
    if foreign.date > issued_on:
        pointer = "/foreign_currency/date"
        yield finding(pointer, "foreign_currency.date.future", expected=issued_on, actual=foreign.date)


def payments_equal_total(facts: Facts) -> Iterator[Finding]:
    """SFE §1.19: the payments, converted to francs, add up to the total."""
    payments, total = facts.invoice.payments, facts.invoice.totals.total
    if any(map(rate_fault, payments)):
        return
    paid = str(taxes.total_of(map(_in_francs, payments)))
    if paid != total:
        yield finding("/payments", "payments.total", expected=total, actual=paid)


def _in_francs(payment: Payment) -> Decimal:
    return Decimal(payment.amount) if payment.rate is None else taxes.converted(payment.amount, payment.rate)


def rate_fault(payment: Payment) -> str | None:
    """Return the code of what is wrong with a payment's rate, taken alone."""
    if payment.currency == tables.LOCAL_CURRENCY:
        return None if payment.rate is None else "payment.rate.unexpected"
    if payment.rate is None:
        return "payment.rate.missing"
    return "payment.rate.zero" if payment.rate == ZERO else None


RULES = (
    payments_are_not_zero,
    payment_rate_goes_with_currency,
    one_rate_for_a_currency,
    foreign_currency_is_usable,
    payments_equal_total,
)

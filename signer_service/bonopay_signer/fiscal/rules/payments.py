"""Rules on payments and currencies (SFE §1.18–1.19, §1.30, mention r)."""

from collections.abc import Iterator
from decimal import Decimal

from .. import tables, taxes
from ..findings import Finding, finding, pointer_to
from ..schema import Invoice, Payment


def payments_are_not_zero(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.19, §1.21: a payment records money that moved, or is owed."""
    for position, payment in enumerate(invoice.payments):
        if not Decimal(payment.amount):
            yield finding(pointer_to("payments", position, "amount"), "payment.amount.zero", actual=payment.amount)


def payment_rate_goes_with_currency(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.30: a payment in foreign currency states its rate; one in francs has none."""
    for position, payment in enumerate(invoice.payments):
        code = _rate_fault(payment)
        if code:
            pointer = pointer_to("payments", position, "rate")
            yield finding(pointer, code, actual=payment.rate, name=payment.currency)


def one_rate_for_a_currency(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.30, mention r: an invoice prints one rate for its foreign currency, also for payments in it."""
    foreign = invoice.foreign_currency
    if foreign is None:
        return
    for position, payment in enumerate(invoice.payments):
        differs = payment.currency == foreign.code and payment.rate != foreign.rate
        if differs and not _rate_fault(payment):
            pointer = pointer_to("payments", position, "rate")
            yield finding(pointer, "payment.rate.differs", expected=foreign.rate, actual=payment.rate)


def foreign_currency_is_usable(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.30: the rate is a positive one, known on the day of issue."""
    foreign = invoice.foreign_currency
    if foreign is None:
        return
    if not Decimal(foreign.rate):
        yield finding("/foreign_currency/rate", "foreign_currency.rate.zero", actual=foreign.rate)
    issued_on = taxes.fiscal_date(invoice).isoformat()
    if foreign.date > issued_on:
        pointer = "/foreign_currency/date"
        yield finding(pointer, "foreign_currency.date.future", expected=issued_on, actual=foreign.date)


def payments_equal_total(invoice: Invoice) -> Iterator[Finding]:
    """SFE §1.19: the payments, converted to francs, add up to the total."""
    if any(_rate_fault(payment) for payment in invoice.payments):
        return
    paid = taxes.total_of(taxes.converted(payment.amount, payment.rate or "1") for payment in invoice.payments)
    if paid != Decimal(invoice.totals.total):
        yield finding("/payments", "payments.total", expected=invoice.totals.total, actual=str(paid))


def _rate_fault(payment: Payment) -> str | None:
    """The code of what is wrong with a payment's rate, taken alone."""
    if payment.currency == tables.LOCAL_CURRENCY:
        return "payment.rate.unexpected" if payment.rate is not None else None
    if payment.rate is None:
        return "payment.rate.missing"
    return None if Decimal(payment.rate) else "payment.rate.zero"


RULES = (
    payments_are_not_zero,
    payment_rate_goes_with_currency,
    one_rate_for_a_currency,
    foreign_currency_is_usable,
    payments_equal_total,
)

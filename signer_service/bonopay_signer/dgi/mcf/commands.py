"""The MCF's commands in the signer's words: a document as requests, and the device's answers as values.

Amounts are CDF with two decimals and a point. Texts are UTF-8, escaped (frame.py). A text that may go on in another
frame does so (comments); everything else that is too long is refused before anything is sent.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bonopay_signer.dgi.device import DeviceTotals, Document, Elements, GroupTotals, Refused
from bonopay_signer.dgi.mcf import frame
from bonopay_signer.fiscal.schema import Client, Invoice, Item, Payment
from bonopay_signer.fiscal.taxes import converted, line_amount

STATUS, LINK_STATUS, TAXPAYER = 0xC1, 0xC2, 0x2B
CLIENT, OPEN, ITEM, COMMENT, SUBTOTAL, PAYMENT, FINALISE = 0xC3, 0xC0, 0x31, 0x36, 0x33, 0x35, 0x38
CANCEL_DATA = b"C"
GROUPS = "ABCDEFGHIJKLMNOP"
FRAME_LIMIT, TEXT_LIMIT = "mcf_frame_limit", "mcf_text"  # codes of this driver's own refusals
_SALES = frozenset({"FV", "FT", "EV", "ET"})
_CREDITS = frozenset({"FA", "EA"})
_REBATE = "RRR"
_LETTERS = {
    "ESPECES": "E",
    "VIREMENT": "V",
    "CARTEBANCAIRE": "C",
    "MOBILEMONEY": "M",
    "CHEQUES": "D",
    "CREDIT": "R",
    "AUTRE": "A",
}
_STATUS_FIELDS, _SUBTOTAL_FIELDS = 30, 35
_AMOUNT = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,2})?")
_RATE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
_COUNTER = re.compile(r"[0-9]{1,12}")
_STAMP = re.compile(r"[0-9]{14}")
_NAME = re.compile(r"[A-Za-z0-9-]{1,40}")


class AnswerError(Exception):
    """An answer whose frame is sound and whose content is not what the command answers."""


@dataclass(frozen=True, slots=True)
class Request:
    command: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LastInvoice:
    time: str
    type: str
    code: str
    number: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class McfStatus:
    """C1h. ``time`` and times of invoices are yyyyMMddHHmmss; ``rates`` are percents by group."""

    mid: str
    nif: str
    time: str
    total_counter: int
    sales_counter: int
    credits_counter: int
    last: LastInvoice | None
    rates: dict[str, Decimal]
    currency: str
    currency_rate: Decimal | None
    currency_date: str

    def last_elements(self) -> Elements:
        """The last invoice's elements, as 38h told them: nothing was counted since."""
        assert self.last is not None
        counter = self.credits_counter if self.last.type in _CREDITS else self.sales_counter
        return _elements((str(counter), str(self.total_counter), self.last.type, self.last.time), self, self.last.code)


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """C2h: documents sent to the DGI, documents in the device, last contact, state (DIS, CON, TRA, RES), error."""

    sent: int
    stored: int
    last_contact: str
    state: str
    error: str

    @property
    def backlog(self) -> int:
        return self.stored - self.sent


def invoice_requests(document: Document) -> list[Request]:
    """C3h, C0h, 31h for each item and 36h for each comment: all that precedes the subtotal. Raises Refused."""
    invoice = document.invoice
    rates = {group.code: group.rate for group in invoice.tax_groups}
    requests = [_request(CLIENT, _client(invoice.client), "the client"), _open(document)]
    for rank, item in enumerate(invoice.items, 1):
        requests.append(_request(ITEM, _item(item, rates[item.tax_group]), f"item {rank}"))
    return requests + list(_comments(invoice))


def payment_requests(invoice: Invoice) -> list[Request]:
    return [_request(PAYMENT, _payment(payment), "a payment") for payment in invoice.payments]


def finalise_request(total: Decimal, tax: Decimal) -> Request:
    return Request(FINALISE, f"{total:.2f},{tax:.2f}".encode())


def _request(command: int, text: str, what: str) -> Request:
    data = text.encode()
    if len(data) > frame.MAX_REQUEST_DATA:
        words = f"{what} takes {len(data)} bytes, a frame of the MCF holds {frame.MAX_REQUEST_DATA}"
        raise Refused(FRAME_LIMIT, words, is_verdict=False)
    return Request(command, data)


def _fields(*values: str | None) -> str:
    return ",".join(_escaped(value or "") for value in values)


def _escaped(text: str) -> str:
    try:
        return frame.escape(text)
    except frame.BadText as error:
        raise Refused(TEXT_LIMIT, str(error), is_verdict=False) from error


def _client(client: Client) -> str:
    return _fields(client.type, client.nif, client.name, client.address, client.contact, None, None)


def _open(document: Document) -> Request:
    invoice, credit, currency = document.invoice, document.invoice.credit, document.invoice.foreign_currency
    kind: list[str | None] = [invoice.invoice_type]
    if credit is not None:
        kind += [credit.nature, credit.original_dgi_code or _REBATE]
    foreign = [] if currency is None else [currency.rate, currency.date.replace("-", "")]
    identity = (invoice.cashier_id, invoice.cashier_name, invoice.merchant_nif, *kind)
    text = _fields(*identity, invoice.price_mode, document.isf, document.fiscal_number, *foreign)
    return _request(OPEN, text, "operator, reference and number")


def _item(item: Item, rate: str) -> str:
    parts = [
        f"{_escaped(item.name)}\n{_escaped(item.code)}",
        f"{item.type},{item.tax_group}{rate}%{line_amount(item):.2f}",
        f"{item.unit_price}*{item.quantity}{_specific_tax(item)}",
    ]
    if item.original_unit_price is not None:
        parts.append(f"{item.original_unit_price},{_escaped(item.price_change or '')}")
    return "\t".join(parts)


def _specific_tax(item: Item) -> str:
    tax = item.specific_tax
    if tax is None:
        return ""
    rate = tax.value if tax.basis == "percent" else "0"
    return f";T{rate}%,{tax.amount}"


def _comments(invoice: Invoice) -> Iterator[Request]:
    for letter in "ABCDEFGH":
        text = getattr(invoice.comments, letter)
        for piece in _pieces(text or "", frame.MAX_REQUEST_DATA - len(f"{letter},")):
            yield Request(COMMENT, f"{letter},{piece}".encode())


def _pieces(text: str, limit: int) -> Iterator[str]:
    """Escaped text in pieces of at most ``limit`` bytes, no character or escape cut in two."""
    _escaped(text)  # as a whole: pieces may hide what the device takes for an escape
    piece = ""
    for character in text:
        spelt = frame.escape(character)
        if len((piece + spelt).encode()) > limit:
            yield piece
            piece = ""
        piece += spelt
    if piece:
        yield piece


def _payment(payment: Payment) -> str:
    """In CDF, like every amount of the invoice."""
    amount = Decimal(payment.amount) if payment.rate is None else converted(payment.amount, payment.rate)
    return f"{_LETTERS[payment.method]}{amount:.2f}"


def refusal_of(text: str) -> Refused | None:
    """``E:code,words`` as a refusal in the device's own words."""
    if not text.startswith("E:"):
        return None
    code, _, words = text[2:].partition(",")
    return Refused(code.strip() or "?", frame.unescape(words))


def read_status(text: str) -> McfStatus:
    """C1h. Raises AnswerError."""
    fields = _split(text, _STATUS_FIELDS)
    return McfStatus(
        mid=_match(_NAME, fields[0], "MID"),
        nif=_match(_NAME, fields[1], "NIF"),
        time=_match(_STAMP, fields[2], "DT"),
        total_counter=_counter(fields[3]),
        sales_counter=_counter(fields[4]),
        credits_counter=_counter(fields[5]),
        last=_last_invoice(fields[6:11]),
        rates={group: _rate(value) for group, value in zip(GROUPS, fields[11:27], strict=True) if value},
        currency=fields[27],
        currency_rate=_rate(fields[28]) if fields[28] else None,
        currency_date=fields[29],
    )


def _last_invoice(fields: Sequence[str]) -> LastInvoice | None:
    if not any(fields):
        return None
    time, kind, code, number, amount = fields
    if kind not in _SALES | _CREDITS:
        raise AnswerError(f"{kind!r} is no type of invoice")
    return LastInvoice(_match(_STAMP, time, "DT"), kind, _match(_NAME, code, "code"), number, _amount(amount))


def read_link_status(text: str) -> LinkStatus:
    """C2h. Raises AnswerError."""
    sent, stored, last_contact, state, error = _split(text, 5)
    return LinkStatus(_counter(sent), _counter(stored), last_contact, state, error)


def read_totals(text: str) -> DeviceTotals:
    """33h: total, total and tax of each group, specific tax, total in currency. Raises AnswerError."""
    fields = _split(text, _SUBTOTAL_FIELDS)
    amounts = [_amount(field or "0") for field in fields[:34]]
    groups = {}
    for group, total, tax in zip(GROUPS, amounts[1:17], amounts[17:33], strict=True):
        if total or tax:
            groups[group] = GroupTotals(total - tax, tax, total)
    return DeviceTotals(amounts[0], sum(amounts[17:33], Decimal(0)), groups)


def read_elements(text: str, fiscal_number: str) -> Elements:
    """``R:FC,TC,FT,DT,MID,NIF[,FN],SIG`` of 38h. Raises AnswerError, also when FN is another's."""
    fields = text.removeprefix("R:").split(",")
    if not text.startswith("R:") or len(fields) not in (7, 8):
        raise AnswerError("38h did not answer R: with its seven or eight fields")
    if len(fields) == 8 and frame.unescape(fields[6]) != fiscal_number:
        raise AnswerError(f"38h finalised {fields[6]} instead of {fiscal_number}")
    counters = (str(_counter(fields[0])), str(_counter(fields[1])), fields[2], _match(_STAMP, fields[3], "DT"))
    if fields[2] not in _SALES | _CREDITS:
        raise AnswerError(f"{fields[2]!r} is no type of invoice")
    device = (_match(_NAME, fields[4], "MID"), _match(_NAME, fields[5], "NIF"))
    return _make_elements(*counters, *device, _match(_NAME, fields[-1], "SIG"))


def _elements(counters: tuple[str, str, str, str], status: McfStatus, code: str) -> Elements:
    return _make_elements(*counters, status.mid, status.nif, code)


def _make_elements(counter: str, total: str, kind: str, time: str, mid: str, nif: str, code: str) -> Elements:
    qr = f"RDCDEF01;{mid};{code};{nif};{time}"
    return Elements(code=code, nim=mid, counters=f"{counter}/{total} {kind}", time=time, qr=qr)


def _split(text: str, count: int) -> list[str]:
    fields = [frame.unescape(field) for field in text.split(",")]
    if len(fields) != count:
        raise AnswerError(f"{len(fields)} fields instead of {count}")
    return fields


def _match(form: re.Pattern[str], text: str, what: str) -> str:
    if not form.fullmatch(text):
        raise AnswerError(f"{text!r} is no {what}")
    return text


def _counter(text: str) -> int:
    return int(_match(_COUNTER, text, "counter"))


def _amount(text: str) -> Decimal:
    return Decimal(_match(_AMOUNT, text, "amount"))


def _rate(text: str) -> Decimal:
    return Decimal(_match(_RATE, text, "rate"))

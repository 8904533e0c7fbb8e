"""Our payload as the e-MCF's ``InvoiceRequestDataDto``, and its answers as values. Decimals stay decimal both ways.

What does not apply is left out. Payments are sent in CDF (the e-MCF counts in francs), with the currency they were
made in beside them.
"""

import json
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeGuard

import msgspec

from bonopay_signer.dgi.device import (
    DeviceStatus,
    DeviceTotals,
    Document,
    Elements,
    Fate,
    GroupTotals,
    Pending,
    UnknownOutcome,
)
from bonopay_signer.fiscal.schema import Client, Invoice, Item, Payment, SpecificTax

_LOCAL_CURRENCY = "CDF"
_REBATE = "RRR"
_CENT = Decimal("0.01")
_DIGITS = 30  # before and after the point: more is no amount, and costs memory to write out
_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,99}")
_GROUPS = "ABCDEFGHIJKLMNOP"
_NOT_FINALISED_STATES = frozenset({"cancelled", "expired"})
_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(body: dict[str, Any]) -> bytes:
    """JSON bytes whose numbers are the decimals' own digits."""
    return _encoder.encode(body)


def decode(body: bytes) -> Any:
    """JSON with its numbers as Decimal. Raises ValueError, also for text that cannot be stored or sent on."""
    try:
        answer = json.loads(body, parse_float=Decimal, parse_int=Decimal)
        _refuse_unusable_text(answer)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deep") from error
    return answer


def _refuse_unusable_text(value: Any) -> None:
    """NUL, which PostgreSQL's text cannot hold, and lone surrogates, which no encoding can (RFC 7493 §2.1)."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text holds NUL")
        value.encode()
    elif isinstance(value, dict):
        for name, member in value.items():
            _refuse_unusable_text(name)
            _refuse_unusable_text(member)
    elif isinstance(value, list):
        for element in value:
            _refuse_unusable_text(element)


def request_body(document: Document) -> dict[str, Any]:
    """``InvoiceRequestDataDto`` of a document."""
    invoice = document.invoice
    return _without_none(
        {
            "nif": invoice.merchant_nif,
            "rn": document.fiscal_number,
            "mode": invoice.price_mode,
            "isf": document.isf,
            "type": invoice.invoice_type,
            "items": [_item(item) for item in invoice.items],
            "client": _client(invoice.client),
            "operator": {"id": invoice.cashier_id, "name": invoice.cashier_name},
            "payment": [_payment(payment) for payment in invoice.payments],
            **_credit(invoice),
            **{f"cmt{letter.lower()}": getattr(invoice.comments, letter) for letter in "ABCDEFGH"},
            **_foreign_currency(invoice),
        }
    )


def confirm_body(total: Decimal, tax: Decimal) -> dict[str, Any]:
    return {"total": total, "vtotal": tax}


def _item(item: Item) -> dict[str, Any]:
    original = None if item.original_unit_price is None else Decimal(item.original_unit_price)
    return _without_none(
        {
            "code": item.code,
            "type": item.type,
            "name": item.name,
            "price": Decimal(item.unit_price),
            "quantity": Decimal(item.quantity),
            "taxGroup": item.tax_group,
            **_specific_tax(item.specific_tax),
            "originalPrice": original,
            "priceModification": item.price_change,
        }
    )


def _specific_tax(tax: SpecificTax | None) -> dict[str, Any]:
    if tax is None:
        return {}
    value = f"{tax.value}%" if tax.basis == "percent" else tax.value
    return {"taxSpecificValue": value, "taxSpecificAmount": Decimal(tax.amount)}


def _client(client: Client) -> dict[str, Any]:
    members = {name: getattr(client, name) for name in ("type", "name", "nif", "contact", "address")}
    return _without_none(members)


def _payment(payment: Payment) -> dict[str, Any]:
    if payment.rate is None:
        return {"name": payment.method, "amount": Decimal(payment.amount)}
    rate = Decimal(payment.rate)
    amount = (Decimal(payment.amount) * rate).quantize(_CENT, ROUND_HALF_UP)
    return {"name": payment.method, "amount": amount, "currencyCode": payment.currency, "currencyRate": rate}


def _credit(invoice: Invoice) -> dict[str, Any]:
    if invoice.credit is None:
        return {}
    return {"referenceType": invoice.credit.nature, "reference": invoice.credit.original_dgi_code or _REBATE}


def _foreign_currency(invoice: Invoice) -> dict[str, Any]:
    currency = invoice.foreign_currency
    if currency is None:
        return {}
    return {"curCode": currency.code, "curRate": Decimal(currency.rate), "curDate": f"{currency.date}T00:00:00.000"}


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def read_pending(answer: dict[str, Any]) -> Pending:
    """``InvoiceResponseDataDto``. Raises UnknownOutcome when it carries no uid or no totals."""
    uid = answer.get("uid")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise UnknownOutcome("the answer carries no uid")
    groups = {code: _group(answer, code.lower()) for code in _GROUPS}
    used = {code: group for code, group in groups.items() if any((group.base, group.tax, group.total))}
    total, tax = _amount(answer, "total", True), _amount(answer, "vtotal", True)
    return Pending(uid, DeviceTotals(total, tax, used, _rates(answer)))


def _group(answer: dict[str, Any], letter: str) -> GroupTotals:
    base, tax, total = (_amount(answer, f"{kind}a{letter}") for kind in "hvt")
    return GroupTotals(base, tax, total)


def _rates(answer: dict[str, Any]) -> dict[str, Decimal]:
    """Shown to people beside the amounts and nothing else: one that cannot be read is left out."""
    rates = {code: answer.get(f"t{code.lower()}") for code in _GROUPS}
    return {code: rate for code, rate in rates.items() if _is_number(rate)}


def _amount(answer: dict[str, Any], name: str, required: bool = False) -> Decimal:
    value = answer.get(name)
    if value is None and not required:
        return Decimal(0)
    if not _is_number(value):
        raise UnknownOutcome(f"the answer's {name} is not an amount")
    return value


def _is_number(value: Any) -> TypeGuard[Decimal]:
    """Of a length that can be written out."""
    return isinstance(value, Decimal) and value.adjusted() < _DIGITS and -_DIGITS < value.as_tuple().exponent


def read_elements(answer: dict[str, Any]) -> Elements:
    """``FinalizeInvoiceResponseDataDto``. Raises UnknownOutcome unless every element is there."""
    values = [answer.get(name) for name in ("codeDEFDGI", "nim", "counters", "dateTime", "qrCode")]
    if not all(isinstance(value, str) and value for value in values):
        raise UnknownOutcome("the answer lacks security elements")
    return Elements(*values)


def read_fate(answer: dict[str, Any]) -> Elements | Fate:
    """The answer to ``GET /api/invoice/{uid}``, whose form the DGI has not published: believe only what is plain."""
    if answer.get("codeDEFDGI"):
        return read_elements(answer)
    state = str(answer.get("state") or "").lower()
    if state in _NOT_FINALISED_STATES:
        return Fate.NOT_FINALISED
    return Fate.PENDING if state == "pending" else Fate.NOT_TOLD


def read_status(answer: dict[str, Any]) -> DeviceStatus:
    """``StatusResponseDto``. Raises UnknownOutcome when its list of pending requests cannot be read."""
    pending = answer.get("pendingRequestsList") or []
    if not isinstance(pending, list) or not all(isinstance(row, dict) and "uid" in row for row in pending):
        raise UnknownOutcome("the list of pending requests cannot be read")
    return DeviceStatus(
        operational=answer.get("status") is True,
        nim=str(answer.get("nim") or ""),
        nif=str(answer.get("nif") or ""),
        token_valid_until=_text(answer.get("tokenValid")),
        server_time=_text(answer.get("serverDateTime")),
        pending_uids=frozenset(str(row["uid"]) for row in pending),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

"""The canonical payload ``bonopay.invoice/1``: from plain values to the bytes that are hashed, sealed and sent.

Pure: no database, no clock, no environment. Every member is always present and every number is a decimal string,
so one fact has one spelling and ``json.dumps`` with sorted keys equals RFC 8785 (the keys are ASCII). What goes in is
:class:`.document.Document`.
"""

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from .arithmetic import CENT, GroupAmounts, group_amounts, round2, round_quantity
from .dgi import CURRENCY, EXEMPT_CLIENT_TYPE
from .document import Client, Credit, Document, ForeignCurrency, Line, Payment, Price, SpecificTax

__all__ = [
    "Client", "Credit", "Document", "ForeignCurrency", "Line", "Payment", "Price", "SpecificTax",
    "build", "canonical_bytes", "clean_text", "comment_lines", "item", "payload_hash", "percent", "sum_groups",
]  # fmt: skip

SCHEMA = "bonopay.invoice/1"
TEXT_LIMIT = 200
_COMMENT_LETTERS = "ABCDEFGH"
COMMENT_LIMIT = len(_COMMENT_LETTERS)
_EXEMPTION = "Réf. Exo. : "
EXEMPTION_LIMIT = TEXT_LIMIT - len(_EXEMPTION)


def build(document: Document) -> dict:
    """The canonical payload of a document, as a JSON-ready dict.

    :raises ValueError: two rates in one group, more than eight comment lines
    """
    groups = sum_groups(document.lines, document.price_mode)
    total = _sum(amounts.total for _rate, amounts in groups.values())
    payments = document.payments or (Payment("CREDIT", total),)
    return {
        "schema": SCHEMA,
        "document_id": document.document_id,
        "merchant_nif": document.merchant_nif,
        "outlet_id": document.outlet_id,
        "pos_terminal_id": document.pos_terminal_id,
        "cashier_id": document.cashier_id,
        "cashier_name": clean_text(document.cashier_name),
        "invoice_type": document.invoice_type,
        "price_mode": document.price_mode,
        "reference_number": clean_text(document.reference_number),
        "issued_at": _time(document.issued_at),
        "client": _client(document.client),
        "items": [item(line) for line in document.lines],
        "tax_groups": [_group(code, rate, amounts) for code, (rate, amounts) in groups.items()],
        "totals": {
            "base": _money(_sum(amounts.base for _rate, amounts in groups.values())),
            "tax": _money(_sum(amounts.tax for _rate, amounts in groups.values())),
            "specific_tax": _money(_sum(line.specific_tax_amount for line in document.lines)),
            "total": _money(total),
            "currency": CURRENCY,
        },
        "payments": [payment_member(payment) for payment in payments],
        "foreign_currency": _foreign_currency(document.foreign_currency),
        "credit": _credit(document.credit),
        "comments": _comments(document),
    }


def canonical_bytes(payload: dict) -> bytes:
    """RFC 8785 form of a payload.

    >>> canonical_bytes({"b": None, "a": "é"})
    b'{"a":"\\xc3\\xa9","b":null}'
    """
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def payload_hash(canonical: bytes) -> str:
    """SHA-256 of canonical bytes, lower-case hexadecimal."""
    return hashlib.sha256(canonical).hexdigest()


def sum_groups(lines: Iterable[Line], price_mode: str) -> dict[str, tuple[Decimal, GroupAmounts]]:
    """Rate and amounts of each tax group in use, by ascending letter.

    :raises ValueError: two rates in one group
    """
    rates: dict[str, Decimal] = {}
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for line in lines:
        rate = rates.setdefault(line.tax_group, line.rate)
        if rate != line.rate:
            raise ValueError(f"group {line.tax_group} has two rates: {rate} and {line.rate}")
        amount, specific = sums.get(line.tax_group, (Decimal(0), Decimal(0)))
        sums[line.tax_group] = (amount + line.amount, specific + line.specific_tax_amount)
    return {
        code: (rates[code], group_amounts(code, rates[code], price_mode, *amounts))
        for code, amounts in sorted(sums.items())
    }


def clean_text(value: object) -> str | None:
    """One printable line of at most 200 characters, or ``None`` when nothing is left.

    >>> clean_text("  Riz\\n25 kg\\x00 ")
    'Riz 25 kg'
    >>> clean_text("\\t\\ufdd0\\uffff") is None
    True
    """
    visible = "".join(" " if _is_control(char) else char for char in str(value or ""))
    return " ".join(visible.split())[:TEXT_LIMIT].rstrip() or None


def _is_control(char: str) -> bool:
    """Control characters, line separators, and the noncharacters that RFC 7493 forbids."""
    point = ord(char)
    return unicodedata.category(char) in ("Cc", "Zl", "Zp") or point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF


def comment_lines(text: object) -> list[str]:
    """The lines of a text that say something, whole.

    >>> comment_lines("Bon n° 12\\n\\n  Livré le 3  ")
    ['Bon n° 12', 'Livré le 3']
    """
    return [" ".join(line.split()) for line in str(text or "").splitlines() if clean_text(line)]


def percent(value: Decimal) -> str:
    """A percentage or quantity without trailing zeros.

    >>> percent(Decimal("16.00")), percent(Decimal("12.50")), percent(Decimal("100"))
    ('16', '12.5', '100')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _money(amount: Decimal) -> str:
    return f"{amount.quantize(CENT):f}"


def _time(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _client(client: Client) -> dict:
    return {
        "type": client.type,
        "name": clean_text(client.name),
        "nif": client.nif or None,
        "contact": clean_text(client.contact),
        "address": clean_text(client.address),
        "exemption_reference": clean_text(client.exemption_reference),
    }


def item(line: Line) -> dict:
    """A line as it stands in the payload."""
    return {
        "code": clean_text(line.code),
        "name": clean_text(line.name),
        "type": line.type,
        "unit": clean_text(line.unit),
        "quantity": percent(round_quantity(line.quantity)),
        "unit_price": _money(line.price.net),
        "original_unit_price": None if line.price.original is None else _money(round2(line.price.original)),
        "price_change": clean_text(line.price.change),
        "tax_group": line.tax_group,
        "specific_tax": _specific_tax(line),
    }


def _specific_tax(line: Line) -> dict | None:
    tax = line.specific_tax
    return tax and {"basis": tax.basis, "value": percent(tax.value), "amount": _money(line.specific_tax_amount)}


def _group(code: str, rate: Decimal, amounts: GroupAmounts) -> dict:
    return {
        "code": code,
        "rate": percent(rate),
        "base": _money(amounts.base),
        "tax": _money(amounts.tax),
        "total": _money(amounts.total),
    }


def payment_member(payment: Payment) -> dict:
    """A payment as the payload has it."""
    return {
        "method": payment.method,
        "amount": _money(payment.amount),
        "currency": payment.currency,
        "rate": None if payment.rate is None else percent(payment.rate),
        "reference": clean_text(payment.reference),
    }


def _foreign_currency(foreign: ForeignCurrency | None) -> dict | None:
    return foreign and {"code": foreign.code, "rate": percent(foreign.rate), "date": foreign.date.isoformat()}


def _credit(credit: Credit | None) -> dict | None:
    return credit and {
        "nature": credit.nature,
        "original_fiscal_number": credit.original_fiscal_number,
        "original_dgi_code": credit.original_dgi_code,
    }


def _comments(document: Document) -> dict:
    """The eight lines (SFE §1.24); line A of an embassy is its exemption reference (annex IV)."""
    client = document.client
    first = (f"{_EXEMPTION}{client.exemption_reference}",) if client.type == EXEMPT_CLIENT_TYPE else ()
    lines = (*first, *document.comments)
    if len(lines) > COMMENT_LIMIT:
        raise ValueError(f"{len(lines)} comment lines")
    texts = [clean_text(line) for line in lines] + [None] * (COMMENT_LIMIT - len(lines))
    return dict(zip(_COMMENT_LETTERS, texts, strict=True))

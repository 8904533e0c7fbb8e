"""Invoices for the tests: accepted ones, ones with a known fault, and generated ones."""

import json
from typing import Any

from hypothesis import strategies as st

from bonopay_signer.fiscal import parsing, rules
from bonopay_signer.fiscal.findings import Finding
from bonopay_signer.fiscal.schema import Invoice

from .published import cases, counting, generate

REMOVED = cases.REMOVED
LARGEST_MONEY = 10**17
"""In centimes, the first amount with more than 15 digits before the point."""


def accepted(**members: Any) -> dict:
    """An invoice with the given members, its tax groups, totals and single payment filled in."""
    return generate.completed(cases.invoice(**members))


def credit_note(original: dict, items: list[dict] | None = None, nature: str = "RAM", **members: Any) -> dict:
    """A credit note against `original`, of all its lines or of others."""
    return accepted(
        **{
            "invoice_type": "EA" if original["invoice_type"] in ("EV", "ET") else "FA",
            "price_mode": original["price_mode"],
            "issued_at": original["issued_at"],
            "items": original["items"] if items is None else items,
            "credit": cases.original(nature),
        }
        | members
    )


def as_bytes(payload: Any) -> bytes:
    return json.dumps(payload).encode("utf-8")


def parsed(payload: dict) -> Invoice:
    return parsing.parse(as_bytes(payload))


def faults(payload: dict, changes: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """The (pointer, code) of everything that breaks a rule once `changes` are made."""
    invoice = parsed(cases.changed(payload, changes or {}))
    return [(found.pointer, found.code) for found in rules.check(invoice)]


def malformed(data: bytes) -> list[tuple[str, str]]:
    """The (pointer, code) of everything that is wrong with the form; empty when `parse` accepts."""
    try:
        parsing.parse(data)
    except parsing.PayloadMalformed as error:
        return [(found.pointer, found.code) for found in error.findings]
    return []


def findings_of(data: bytes) -> tuple[Finding, ...]:
    """What the service answers: the faults of form, or else those of the rules."""
    try:
        return rules.check(parsing.parse(data))
    except parsing.PayloadMalformed as error:
        return error.findings


def decimals(places: int, digits: int) -> st.SearchStrategy[str]:
    """Decimals above zero without trailing zeros, of at most `digits` digits in all."""
    numbers = st.integers(1, 10**digits - 1)
    return numbers.map(lambda number: _plain(number, places))


def _plain(number: int, places: int) -> str:
    text = f"{number // 10**places}.{number % 10**places:0{places}d}"
    return text.rstrip("0").rstrip(".")


def money(digits: int = 9) -> st.SearchStrategy[str]:
    """Amounts above zero of at most `digits` digits, centimes included."""
    return st.integers(1, 10**digits - 1).map(lambda centimes: f"{centimes // 100}.{centimes % 100:02d}")


def texts(max_size: int = 30) -> st.SearchStrategy[str]:
    """Texts that the schema accepts."""
    plain = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=max_size)
    return plain.filter(lambda text: text == text.strip())


@st.composite
def items(draw: st.DrawFn, groups: str = "ABCDEFGHIJKLMNOP", digits: int = 9) -> dict:
    """Lines that do not round to zero, some with a specific tax whose amount follows its basis."""
    item = cases.item(draw(money(digits)), draw(decimals(3, 6)), draw(st.sampled_from(groups)), name=draw(texts()))
    if not counting.line_centimes(item):
        item["quantity"] = "1"
    if item["type"] != "TAX" and draw(st.booleans()):
        item["specific_tax"] = draw(specific_taxes(item))
    return item


@st.composite
def specific_taxes(draw: st.DrawFn, item: dict) -> dict | None:
    """A specific tax of `item`, None when its amount rounds to zero or has no spelling."""
    tax = cases.specific(draw(st.sampled_from(["amount", "quantity", "percent"])), draw(decimals(6, 9)), "0.00")
    amount = counting.specific_amount(item, tax)
    return tax | {"amount": counting.money(amount)} if 0 < amount < LARGEST_MONEY else None


@st.composite
def invoices(draw: st.DrawFn, groups: str = "ABCDEFGHIJKLMNOP", digits: int = 9) -> dict:
    """Accepted invoices of one to five lines."""
    return accepted(
        items=draw(st.lists(items(groups, digits), min_size=1, max_size=5)),
        price_mode=draw(st.sampled_from(["ht", "ttc"])),
        reference_number=draw(texts()),
        cashier_name=draw(texts()),
    )

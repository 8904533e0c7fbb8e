"""From an invoice that is not posted to the slip that it prints as: an order, never an invoice (SFE §1.5).

Pure. A draft has no frozen payload, may break any rule and may be in any currency: nothing is computed here, the
figures are those that Odoo shows on the screen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from . import french_format as fmt
from . import invoice_content as blocks
from . import invoice_labels as labels
from .amount_in_words import CURRENCY_WORDS, amount_in_words
from .document_parts import InvoiceDocument, Issuer, ProvisionalBlock
from .invoice_document import laid_out
from .invoice_sheets import Row, are_wide


@dataclass(frozen=True, slots=True)
class DraftFacts:
    """What a draft says. Money and quantities are plain decimal strings.

    `reference`: its name, or how else it is told from others; `date`: of the calendar, if it has one; `client`: the
    member of the canonical payload; `lines`: code, name, type, tax_group, unit, quantity, unit_price, discount, amount,
    and where a reduction was made a net price, original_price and price_reason; `payments`: members of the payload, as
    far as anybody has said how it is paid.
    """

    operation: str
    reference: str
    date: str | None
    is_cancelled: bool
    test_mode: bool
    price_mode: str
    currency: str
    merchant_nif: str | None
    outlet_id: str | None
    operator: str
    client: dict[str, Any]
    lines: tuple[dict[str, str], ...]
    base: str
    tax: str
    total: str
    payments: tuple[dict[str, Any], ...] = ()


def draft_slip(draft: DraftFacts, issuer: Issuer) -> InvoiceDocument:
    """Build the slip."""
    reason, way_out = labels.CANCELLED_REASON if draft.is_cancelled else labels.DRAFT_REASON
    short_mode, long_mode = labels.PRICE_MODES[draft.price_mode]
    title = _title(draft)
    content = _content(draft)
    seller = {"merchant_nif": draft.merchant_nif, "outlet_id": draft.outlet_id, "pos_terminal_id": None}
    parties = {"seller": blocks.seller(seller, issuer), "client": blocks.client(draft.client)}
    wide = are_wide([draft.total, *(line["unit_price"] for line in draft.lines)])
    return InvoiceDocument(
        is_fiscal=False,
        price_mode=long_mode,
        price_mode_code=short_mode,
        operator=draft.operator,
        isf=None,
        dgi=None,
        verification=None,
        provisional=ProvisionalBlock(
            reason, way_out, missing=None if draft.is_cancelled else labels.MISSING_ELEMENTS, deadline=None
        ),
        identity=f"Bon provisoire – non fiscal · {draft.reference}",
        **title,
        **parties,
        **content,
        **laid_out(tuple(map(_row, draft.lines)), wide, title, parties, content),
    )


def _title(draft: DraftFacts) -> dict[str, Any]:
    date = (("Date", fmt.date(draft.date)),) if draft.date else ()
    return {
        "heading": labels.PROVISIONAL_HEADING,
        "subheading": labels.OPERATIONS[draft.operation],
        "facts": (("Document" if draft.is_cancelled else "Brouillon", draft.reference), *date),
        "marks": (*([labels.TEST_MARK] if draft.test_mode else ()), labels.NOT_FISCAL_MARK),
    }


def _content(draft: DraftFacts) -> dict[str, Any]:
    """What follows the lines; an amount below zero, or in a currency without French words here, has none."""
    has_words = draft.currency in CURRENCY_WORDS and not draft.total.startswith("-")
    return {
        "groups": (),
        "totals": (("Total HT", fmt.money(draft.base)), ("Total TVA", fmt.money(draft.tax))),
        "total_due": fmt.money(draft.total, draft.currency),
        "in_words": amount_in_words(draft.total, draft.currency) if has_words else "",
        "payments": tuple(map(blocks.payment, draft.payments)),
        "foreign_currency": (),
        "comments": (),
    }


def _row(line: dict[str, str]) -> Row:
    return Row(
        code=line["code"],
        name=line["name"],
        type_mention=f"[{line['type']}]",
        tax_group=line["tax_group"],
        unit=line["unit"],
        quantity=fmt.grouped(line["quantity"]),
        unit_price=fmt.money(line["unit_price"]),
        amount=fmt.money(line["amount"]),
        notes=tuple(_notes(line)),
    )


def _notes(line: dict[str, str]) -> Iterator[str]:
    """What changed the price, as the invoice will say it (SFE §1.2 l)."""
    if line.get("original_price"):
        yield f"Prix d'origine : {fmt.money(line['original_price'])} – {line['price_reason']}"
    if line["discount"] != "0":
        yield f"Remise {fmt.percent(line['discount'])}"

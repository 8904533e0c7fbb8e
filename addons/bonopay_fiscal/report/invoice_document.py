"""From a frozen payload and its seal to everything that a printed invoice shows, already formatted (SFE §1.2, §1.4).

Pure: no ORM, no clock, no configuration. What is printed is what was sealed, so nothing here reads anything but the
canonical payload, the signer's answer, and the seller's identity as it was frozen with them.
"""

import hashlib
import json
from datetime import timedelta
from typing import Any

from . import french_format as fmt
from . import invoice_content as blocks
from . import invoice_labels as labels
from .amount_in_words import amount_in_words
from .document_parts import (
    Copy,
    DgiBlock,
    InvoiceDocument,
    Issuer,
    PayloadAlteredError,
    ProvisionalBlock,
    SealFacts,
    VerificationBlock,
)
from .invoice_sheets import Row, cut_sheets, has_wide_figures, head_height, sheet_rows, tail_height
from .qr_symbol import qr_symbol

REGULARISATION = timedelta(hours=48)  # arrêté 033 art. 7 g
DGI_QR_MM = 46.0
VERIFICATION_MODULE_MM = 0.54  # 4 dots at 203 dpi are 0.50 mm
ENTRY_HASH_DIGITS = 16


def invoice_document(seal: SealFacts, issuer: Issuer, copy: Copy | None) -> InvoiceDocument:
    """Build the page.

    :param copy: `None` for a preview on screen
    :raises PayloadAlteredError: when payload, hash and signer's answer do not belong together
    """
    _demand_unaltered(seal)
    payload = json.loads(seal.payload)
    short_mode, long_mode = labels.PRICE_MODES[payload["price_mode"]]
    is_fiscal = seal.is_normalised
    parties = {"seller": blocks.seller(payload, issuer), "client": blocks.client(payload["client"])}
    content = _content(payload)
    title = {
        "heading": labels.HEADINGS[payload["invoice_type"]] if is_fiscal else labels.PROVISIONAL_HEADING,
        "subheading": _subheading(payload, is_fiscal),
        "facts": _facts(payload, seal, issuer),
        "marks": _marks(seal, copy),
    }
    return InvoiceDocument(
        is_fiscal=is_fiscal,
        price_mode=long_mode,
        price_mode_code=short_mode,
        operator=payload["cashier_name"] or payload["cashier_id"],
        isf=seal.dgi_isf or issuer.isf,
        dgi=_dgi_block(seal) if is_fiscal else None,
        verification=_verification_block(seal, issuer) if seal.qr_payload else None,
        provisional=None if is_fiscal else _provisional_block(payload, seal, issuer),
        identity=_identity(payload, seal, issuer),
        **title,
        **parties,
        **content,
        **laid_out(sheet_rows(payload), has_wide_figures(payload), title, parties, content),
    )


def _demand_unaltered(seal: SealFacts) -> None:
    """The payload has the frozen hash, and the signer's answer was given to this hash under this number."""
    answer = json.loads(seal.response) if seal.response else {}
    found = hashlib.sha256(seal.payload.encode()).hexdigest()
    hashes = {seal.payload_hash, answer.get("payload_hash", found)}
    if hashes != {found} or answer.get("fiscal_number", seal.fiscal_number) != seal.fiscal_number:
        raise PayloadAlteredError(seal.fiscal_number or "")


def _content(payload: dict[str, Any]) -> dict[str, Any]:
    """Totals, payments and notes: what follows the lines."""
    totals = payload["totals"]
    return {
        "groups": tuple(blocks.tax_group(group, payload) for group in payload["tax_groups"]),
        "totals": blocks.totals(totals),
        "total_due": fmt.money(totals["total"], totals["currency"]),
        "in_words": amount_in_words(totals["total"], totals["currency"]),
        "payments": tuple(blocks.payment(payment) for payment in payload["payments"]),
        "foreign_currency": blocks.foreign_currency(payload),
        "comments": tuple(f"{line} – {text}" for line, text in sorted(payload["comments"].items()) if text),
    }


def laid_out(
    rows: tuple[Row, ...], wide: bool, title: dict[str, Any], parties: dict[str, Any], content: dict[str, Any]
) -> dict[str, Any]:
    """Cut the lines to the room that the other blocks of this document leave them."""
    texts = {side: [f"{label or ''}{text}" for label, text in entries] for side, entries in parties.items()}
    title_lines = len(title["facts"]) + bool(title["subheading"])
    head = head_height(title["heading"], title_lines, **texts, marks=len(title["marks"]))
    notes = [*map(" ".join, content["payments"]), *content["foreign_currency"], *content["comments"]]
    sums = len(content["totals"]) + 1
    tail = tail_height(len(content["groups"]), sums, notes, content["in_words"], wide)
    return {"wide_figures": wide, "sheets": cut_sheets(rows, wide, head, tail)}


def _subheading(payload: dict[str, Any], is_fiscal: bool) -> str | None:
    credit = payload["credit"]
    words = [] if is_fiscal else [labels.OPERATIONS[payload["invoice_type"]]]
    if credit:
        words.append(labels.CREDIT_NATURES[credit["nature"]])
    return " – ".join(words) or None


def _marks(seal: SealFacts, copy: Copy | None) -> tuple[str, ...]:
    """Whatever is not the original says so (SFE §1.2 f, §1.8), and so does what has no fiscal value."""
    marks = [labels.TEST_MARK] if seal.test_mode else []
    if not seal.is_normalised:
        marks.append(labels.NOT_FISCAL_MARK)
    elif copy is None:
        marks.append("APERÇU À L'ÉCRAN")
    elif copy.number:
        marks.append(f"DUPLICATA N° {copy.number}")
    return tuple(marks)


def _facts(payload: dict[str, Any], seal: SealFacts, issuer: Issuer) -> tuple[tuple[str, str], ...]:
    """Numbers and dates beside the heading (SFE §1.2 k, u), and for a credit note its original."""
    issued = fmt.local_time(fmt.utc_time(payload["issued_at"]), issuer.zone)
    facts = [("Date et heure", issued)]
    if seal.is_normalised:
        facts.insert(0, ("N°", seal.fiscal_number))
    elif seal.fiscal_number:
        facts.insert(0, ("N° de scellement", seal.fiscal_number))
    if payload["reference_number"]:
        facts.append(("Référence interne", payload["reference_number"]))
    credit = payload["credit"]
    if credit:
        facts.append(("Document d'origine", credit["original_fiscal_number"] or credit["nature"]))
        if credit["original_dgi_code"]:
            facts.append(("Code DEF/DGI d'origine", credit["original_dgi_code"]))
    return tuple(facts)


def _dgi_block(seal: SealFacts) -> DgiBlock:
    return DgiBlock(
        code=seal.dgi_code,
        code_in_fours=fmt.in_fours(seal.dgi_code),
        nim=seal.dgi_nim,
        counters=seal.dgi_counters,
        time=seal.dgi_time,
        qr=qr_symbol(seal.dgi_qr, width_mm=DGI_QR_MM),
    )


def _verification_block(seal: SealFacts, issuer: Issuer) -> VerificationBlock:
    return VerificationBlock(
        fiscal_number=seal.fiscal_number,
        short_code=seal.short_code,
        url=seal.verification_url,
        authority=seal.fiscal_authority_id,
        sealed_at=fmt.local_time(seal.sealed_at, issuer.zone),
        ledger=f"{seal.ledger_index} · {seal.ledger_entry_hash[:ENTRY_HASH_DIGITS]}",
        qr=qr_symbol(seal.qr_payload, module_mm=VERIFICATION_MODULE_MM),
    )


def _provisional_block(payload: dict[str, Any], seal: SealFacts, issuer: Issuer) -> ProvisionalBlock:
    reason, way_out = labels.PROVISIONAL_REASONS[seal.state]
    deadline = fmt.utc_time(payload["issued_at"]) + REGULARISATION
    return ProvisionalBlock(reason, way_out, labels.MISSING_ELEMENTS, fmt.local_time(deadline, issuer.zone))


def _identity(payload: dict[str, Any], seal: SealFacts, issuer: Issuer) -> str:
    """What stands at the foot of every sheet: whose it is when it lies loose, and which core made it (arrêté 034)."""
    if not seal.is_normalised:
        return f"Bon provisoire – non fiscal · {seal.fiscal_number or payload['document_id']}"
    core = f" · Noyau fiscal {issuer.core}" if issuer.core else ""
    return f"{seal.fiscal_number} · Code DEF/DGI {seal.dgi_code}{core}"

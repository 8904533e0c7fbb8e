"""From a frozen payload and its seal to everything that an A4 invoice shows, already formatted (SFE §1.2, §1.4).

Pure: no ORM, no clock, no configuration. What is printed is what was sealed, so nothing here reads anything but the
canonical payload, the signer's answer, and the seller's identity as it was frozen with them.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ..core import dgi
from ..core.arithmetic import round2
from . import french_format as fmt
from . import invoice_labels as labels
from .amount_in_words import amount_in_words
from .invoice_sheets import (
    PX_PER_MM,
    Sheet,
    cut_sheets,
    has_wide_figures,
    head_height,
    item_amount,
    tail_height,
)
from .qr_symbol import QrSymbol, qr_symbol

REGULARISATION = timedelta(hours=48)  # arrêté 033 art. 7 g
DGI_QR_MM = 46.0
VERIFICATION_MODULE_MM = 0.54  # 4 dots at 203 dpi are 0.50 mm
ENTRY_HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Copy:
    """One print on its way: 0 for the original, n for the n-th duplicata."""

    number: int


class PayloadAlteredError(ValueError):
    """The payload no longer has the hash under which it was frozen: it must not be printed."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """The point of sale as it was when the document was frozen (SFE §1.2 a, c, d, v)."""

    name: str
    outlet: str | None = None
    street: str | None = None
    city: str | None = None
    phone: str | None = None
    email: str | None = None
    isf: str | None = None
    zone: str = "Africa/Kinshasa"


@dataclass(frozen=True, slots=True)
class SealFacts:
    """The columns of a seal that are printed.

    `payload` is the canonical text of docs/contracts.md §2; `response` the signer's answer, byte for byte (§5).
    """

    state: str
    payload: str
    payload_hash: str
    response: str | None = None
    test_mode: bool = False
    fiscal_number: str | None = None
    fiscal_authority_id: str | None = None
    short_code: str | None = None
    sealed_at: datetime | None = None
    qr_payload: str | None = None
    verification_url: str | None = None
    ledger_index: int | None = None
    ledger_entry_hash: str | None = None
    dgi_code: str | None = None
    dgi_nim: str | None = None
    dgi_isf: str | None = None
    dgi_counters: str | None = None
    dgi_time: str | None = None
    dgi_qr: str | None = None

    @property
    def is_normalised(self) -> bool:
        """Only with every security element of the DGI may the document be called an invoice (SFE §1.5)."""
        elements = (self.dgi_code, self.dgi_nim, self.dgi_counters, self.dgi_time, self.dgi_qr, self.fiscal_number)
        return self.state == "certified" and all(elements)


@dataclass(frozen=True, slots=True)
class DgiBlock:
    """The security elements, exactly as the device returned them (SFE §1.2 x)."""

    code: str
    code_in_fours: str
    nim: str
    counters: str
    time: str
    qr: QrSymbol


@dataclass(frozen=True, slots=True)
class VerificationBlock:
    """The seal of the signer: secondary, and shown as such."""

    fiscal_number: str
    short_code: str
    url: str
    authority: str
    sealed_at: str
    ledger: str
    qr: QrSymbol


@dataclass(frozen=True, slots=True)
class ProvisionalBlock:
    """Why a slip is not an invoice, what it lacks and until when it must be put in order."""

    reason: str
    way_out: str
    missing: str
    deadline: str


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """Everything on the page, in the order of the page."""

    is_fiscal: bool
    heading: str
    subheading: str | None
    marks: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    seller: tuple[tuple[str | None, str], ...]
    client: tuple[tuple[str | None, str], ...]
    price_mode: str
    price_mode_code: str
    wide_figures: bool
    sheets: tuple[Sheet, ...]
    groups: tuple[dict[str, str], ...]
    totals: tuple[tuple[str, str], ...]
    total_due: str
    in_words: str
    payments: tuple[tuple[str, str], ...]
    foreign_currency: tuple[str, ...]
    comments: tuple[str, ...]
    operator: str
    isf: str | None
    dgi: DgiBlock | None
    verification: VerificationBlock | None
    provisional: ProvisionalBlock | None
    identity: str
    px_per_mm: float = PX_PER_MM


def invoice_document(seal: SealFacts, issuer: Issuer, copy: Copy | None) -> InvoiceDocument:
    """Build the page.

    :param copy: `None` for a preview on screen
    :raises PayloadAlteredError: when payload, hash and signer's answer do not belong together
    """
    _demand_unaltered(seal)
    payload = json.loads(seal.payload)
    short_mode, long_mode = labels.PRICE_MODES[payload["price_mode"]]
    is_fiscal = seal.is_normalised
    parties = {"seller": _seller(payload, issuer), "client": _client(payload["client"])}
    content = _content(payload)
    title = {
        "heading": labels.HEADINGS[payload["invoice_type"]] if is_fiscal else "BON PROVISOIRE – NON FISCAL",
        "subheading": _subheading(payload, is_fiscal),
        "facts": _facts(payload, seal, issuer),
        "marks": _marks(seal, copy),
    }
    return InvoiceDocument(
        is_fiscal=is_fiscal,
        price_mode=long_mode,
        price_mode_code=short_mode,
        wide_figures=has_wide_figures(payload),
        sheets=_sheets(payload, title, parties, content),
        operator=payload["cashier_name"] or payload["cashier_id"],
        isf=seal.dgi_isf or issuer.isf,
        dgi=_dgi_block(seal) if is_fiscal else None,
        verification=_verification_block(seal, issuer) if seal.qr_payload else None,
        provisional=None if is_fiscal else _provisional_block(payload, seal, issuer),
        identity=_identity(payload, seal),
        **title,
        **parties,
        **content,
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
        "groups": tuple(_group(group, payload) for group in payload["tax_groups"]),
        "totals": _totals(totals),
        "total_due": fmt.money(totals["total"], totals["currency"]),
        "in_words": amount_in_words(totals["total"], totals["currency"]),
        "payments": tuple(_payment(payment) for payment in payload["payments"]),
        "foreign_currency": _foreign_currency(payload),
        "comments": tuple(f"{line} – {text}" for line, text in sorted(payload["comments"].items()) if text),
    }


def _sheets(
    payload: dict[str, Any], title: dict[str, Any], parties: dict[str, Any], content: dict[str, Any]
) -> tuple[Sheet, ...]:
    """Cut the lines to the room that the other blocks of this document leave them."""
    texts = {side: [f"{label or ''}{text}" for label, text in entries] for side, entries in parties.items()}
    title_lines = len(title["facts"]) + bool(title["subheading"])
    head = head_height(title["heading"], title_lines, **texts, marks=len(title["marks"]))
    notes = [*map(" ".join, content["payments"]), *content["foreign_currency"], *content["comments"]]
    sums = len(content["totals"]) + 1
    tail = tail_height(len(content["groups"]), sums, notes, content["in_words"], has_wide_figures(payload))
    return cut_sheets(payload, head, tail)


def _subheading(payload: dict[str, Any], is_fiscal: bool) -> str | None:
    credit = payload["credit"]
    words = [] if is_fiscal else [labels.OPERATIONS[payload["invoice_type"]]]
    if credit:
        words.append(labels.CREDIT_NATURES[credit["nature"]])
    return " – ".join(words) or None


def _marks(seal: SealFacts, copy: Copy | None) -> tuple[str, ...]:
    """Whatever is not the original says so (SFE §1.2 f, §1.8), and so does what has no fiscal value."""
    marks = ["TEST – SANS VALEUR FISCALE"] if seal.test_mode else []
    if not seal.is_normalised:
        marks.append("NON FISCAL")
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


def _present(*entries: tuple[str | None, str | None]) -> tuple[tuple[str | None, str], ...]:
    return tuple((label, text) for label, text in entries if text)


def _seller(payload: dict[str, Any], issuer: Issuer) -> tuple[tuple[str | None, str], ...]:
    outlet = " – ".join(part for part in (issuer.outlet, payload["outlet_id"]) if part)
    return _present(
        (None, issuer.name),
        ("NIF", payload["merchant_nif"]),
        ("Point de vente", outlet),
        ("Adresse", ", ".join(part for part in (issuer.street, issuer.city) if part)),
        ("Tél.", issuer.phone),
        ("E-mail", issuer.email),
        ("Terminal", payload["pos_terminal_id"]),
    )


def _client(client: dict[str, Any]) -> tuple[tuple[str | None, str], ...]:
    return _present(
        (None, client["name"] or "Client de passage"),
        (None, f"[{client['type']}] {dgi.CLIENT_TYPES[client['type']]}"),
        ("NIF", client["nif"]),
        ("Réf. Exo.", client["exemption_reference"]),
        ("Adresse", client["address"]),
        ("Contact", client["contact"]),
    )


def _group(group: dict[str, str], payload: dict[str, Any]) -> dict[str, str]:
    """One tax group with its label and rate; its sales are its lines, net of reductions (SFE §1.2 j, m, n, o)."""
    sales = sum((item_amount(item) for item in payload["items"] if item["tax_group"] == group["code"]), Decimal(0))
    return {
        "code": group["code"],
        "label": dgi.TAX_GROUPS[group["code"]],
        "rate": fmt.percent(group["rate"]),
        "sales": fmt.money(str(sales)),
        "base": fmt.money(group["base"]),
        "tax": fmt.money(group["tax"]),
        "total": fmt.money(group["total"]),
    }


def _totals(totals: dict[str, str]) -> tuple[tuple[str, str], ...]:
    entries = [("Total HT", fmt.money(totals["base"]))]
    if Decimal(totals["specific_tax"]):
        entries.append(("dont taxe spécifique", fmt.money(totals["specific_tax"])))
    entries.append(("Total TVA", fmt.money(totals["tax"])))
    return tuple(entries)


def _payment(payment: dict[str, Any]) -> tuple[str, str]:
    """Mode and amount (SFE §1.2 s); for another currency the rate too (§1.2 r)."""
    method = labels.PAYMENT_METHODS[payment["method"]]
    if payment["reference"]:
        method += f" ({payment['reference']})"
    amount = fmt.money(payment["amount"], payment["currency"])
    if payment["rate"]:
        counted = round2(Decimal(payment["amount"]) * Decimal(payment["rate"]))
        amount += f" × {fmt.grouped(payment['rate'])} = {fmt.money(str(counted), 'CDF')}"
    return method, amount


def _foreign_currency(payload: dict[str, Any]) -> tuple[str, ...]:
    """The total in the currency of the deal, and the sealed rate (SFE §1.30)."""
    currency = payload["foreign_currency"]
    if not currency:
        return ()
    code, total = currency["code"], Decimal(payload["totals"]["total"])
    amount = round2(total / Decimal(currency["rate"]))
    return (
        f"Total TTC en {code} : {fmt.money(str(amount), code)}",
        f"Taux du {fmt.date(currency['date'])} : 1 {code} = {fmt.grouped(currency['rate'])} CDF",
    )


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


def _identity(payload: dict[str, Any], seal: SealFacts) -> str:
    """What stands at the foot of every sheet, so that loose sheets find their invoice again."""
    if not seal.is_normalised:
        return f"Bon provisoire – non fiscal · {seal.fiscal_number or payload['document_id']}"
    return f"{seal.fiscal_number} · Code DEF/DGI {seal.dgi_code}"

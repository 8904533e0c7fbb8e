"""The blocks of a printed document, already formatted (SFE §1.2). Pure: each takes members of the canonical payload."""

from decimal import Decimal
from typing import Any

from ..core.arithmetic import round2
from ..core.payments import METHODS
from . import french_format as fmt
from . import invoice_labels as labels
from .document_parts import Issuer
from .invoice_sheets import item_amount


def _present(*entries: tuple[str | None, str | None]) -> tuple[tuple[str | None, str], ...]:
    return tuple((label, text) for label, text in entries if text)


def seller(payload: dict[str, Any], issuer: Issuer) -> tuple[tuple[str | None, str], ...]:
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


def client(client: dict[str, Any]) -> tuple[tuple[str | None, str], ...]:
    return _present(
        (None, client["name"] or "Client de passage"),
        (None, client["type"] and f"[{client['type']}] {labels.CLIENT_TYPES[client['type']]}"),
        ("NIF", client["nif"]),
        ("Réf. Exo.", client["exemption_reference"]),
        ("Adresse", client["address"]),
        ("Contact", client["contact"]),
    )


def tax_group(group: dict[str, str], payload: dict[str, Any]) -> dict[str, str]:
    """One tax group with its label and rate; its sales are its lines, net of reductions (SFE §1.2 j, m, n, o)."""
    sales = sum((item_amount(item) for item in payload["items"] if item["tax_group"] == group["code"]), Decimal(0))
    return {
        "code": group["code"],
        "label": labels.tax_group(group["code"], group["rate"]),
        "rate": fmt.percent(group["rate"]),
        "sales": fmt.money(str(sales)),
        "base": fmt.money(group["base"]),
        "tax": fmt.money(group["tax"]),
        "total": fmt.money(group["total"]),
    }


def totals(totals: dict[str, str]) -> tuple[tuple[str, str], ...]:
    entries = [("Total HT", fmt.money(totals["base"]))]
    if Decimal(totals["specific_tax"]):
        entries.append(("dont taxe spécifique", fmt.money(totals["specific_tax"])))
    entries.append(("Total TVA", fmt.money(totals["tax"])))
    return tuple(entries)


def payment(payment: dict[str, Any]) -> tuple[str, str]:
    """Mode and amount (SFE §1.2 s); for another currency the rate too (§1.2 r)."""
    method = METHODS[payment["method"]]
    if payment["reference"]:
        method += f" ({payment['reference']})"
    amount = fmt.money(payment["amount"], payment["currency"])
    if payment["rate"]:
        counted = round2(Decimal(payment["amount"]) * Decimal(payment["rate"]))
        amount += f" × {fmt.grouped(payment['rate'])} = {fmt.money(str(counted), 'CDF')}"
    return method, amount


def foreign_currency(payload: dict[str, Any]) -> tuple[str, ...]:
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

"""Our totals against the DGI's, to the centime: what is sealed must be what the DGI certifies (SFE §1.4)."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.dgi.device import DeviceTotals, GroupTotals
from bonopay_signer.events.store import add_event
from bonopay_signer.fiscal.findings import Finding
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.reference.comparison import plain

EVENT = "totals.differ"
_NOTHING = GroupTotals(Decimal(0), Decimal(0), Decimal(0))
_WORDS = {
    "fr": "La DGI calcule {expected}, la facture porte {actual}. Actualiser les taux et recalculer la facture.",
    "en": "The DGI computes {expected}, the invoice says {actual}. Refresh the rates and compute the invoice again.",
}
_AMOUNTS = {
    "base": ("base hors TVA", "base excluding VAT"),
    "tax": ("TVA", "VAT"),
    "total": ("total TVA comprise", "total including VAT"),
}


class Label(Struct, frozen=True):
    fr: str
    en: str


class ComparedAmount(Struct, frozen=True):
    """An amount of the invoice beside the DGI's, CDF. ``pointer`` (RFC 6901) into the payload; null for a tax group
    that only the DGI names."""

    pointer: str | None
    label: Label
    invoice: str
    dgi: str
    differs: bool


def differences(invoice: Invoice, theirs: DeviceTotals) -> tuple[Finding, ...]:
    """One finding per amount that differs; ``expected`` is the DGI's, ``actual`` ours."""
    return tuple(
        _finding(pointer, expected, actual)
        for pointer, expected, actual in _pairs(invoice, theirs)
        if expected != actual
    )


def comparison(invoice: Invoice, theirs: DeviceTotals) -> tuple[ComparedAmount, ...]:
    """Every amount that is compared, as an invoice is read: each tax group's base, VAT and total by ascending code, of
    the groups that either side names, then the invoice's VAT, then its total."""
    rows = []
    ours = {group.code: (position, group) for position, group in enumerate(invoice.tax_groups)}
    for code in sorted(ours.keys() | theirs.groups.keys()):
        position, group = ours.get(code, (None, None))
        title = _group_title(code, group and group.rate, theirs.rates.get(code))
        for name, (fr, en) in _AMOUNTS.items():
            pointer = None if position is None else f"/tax_groups/{position}/{name}"
            amounts = Decimal(getattr(group, name, 0)), getattr(theirs.groups.get(code, _NOTHING), name)
            rows.append(_compared(pointer, f"{title.fr} – {fr}", f"{title.en} – {en}", *amounts))
    tax, total = Decimal(invoice.totals.tax), Decimal(invoice.totals.total)
    rows.append(_compared("/totals/tax", "Total de la TVA", "Total VAT", tax, theirs.tax))
    rows.append(_compared("/totals/total", "Total TVA comprise", "Total including VAT", total, theirs.total))
    return tuple(rows)


async def record_difference(
    pool: AsyncConnectionPool, invoice: Invoice, theirs: DeviceTotals, fiscal_number: str | None = None
) -> None:
    """The event of a document that is blocked. ``fiscal_number``: of one that was sealed before the DGI was asked."""
    detail = {
        "document_id": invoice.document_id,
        "fiscal_number": fiscal_number,
        "total": {"invoice": invoice.totals.total, "dgi": _written(theirs.total)},
        "tax": {"invoice": invoice.totals.tax, "dgi": _written(theirs.tax)},
    }
    async with pool.connection() as connection:
        await add_event(
            connection, invoice.merchant_nif, invoice.outlet_id, EVENT, "dgi_totals_differ", "warning", detail
        )


def _pairs(invoice: Invoice, theirs: DeviceTotals) -> Iterator[tuple[str, Decimal, Decimal]]:
    yield "/totals/total", theirs.total, Decimal(invoice.totals.total)
    yield "/totals/tax", theirs.tax, Decimal(invoice.totals.tax)
    for position, group in enumerate(invoice.tax_groups):
        amounts = theirs.groups.get(group.code, _NOTHING)
        for name in ("base", "tax", "total"):
            yield f"/tax_groups/{position}/{name}", getattr(amounts, name), Decimal(getattr(group, name))
    for code in sorted(set(theirs.groups) - {group.code for group in invoice.tax_groups}):
        yield "/tax_groups", theirs.groups[code].total, Decimal(0)


def _group_title(code: str, ours: str | None, theirs: Decimal | None) -> Label:
    """With the rate, or both where they are not the same: a rate that was changed is the likeliest fault."""
    mine, told = ours and plain(Decimal(ours)), None if theirs is None else plain(theirs)
    if mine and told and mine != told:
        return Label(f"Groupe {code} (facture {mine} %, DGI {told} %)", f"Group {code} (invoice {mine}%, DGI {told}%)")
    rate = mine or told
    fr, en = (f" ({rate} %)", f" ({rate}%)") if rate else ("", "")
    return Label(f"Groupe {code}{fr}", f"Group {code}{en}")


def _compared(pointer: str | None, fr: str, en: str, ours: Decimal, theirs: Decimal) -> ComparedAmount:
    return ComparedAmount(pointer, Label(fr, en), _written(ours), _written(theirs), ours != theirs)


def _written(amount: Decimal) -> str:
    """With two decimals, or with all that there are, so that two different amounts never look the same."""
    cents = f"{amount:.2f}"
    return cents if Decimal(cents) == amount else f"{amount:f}"


def _finding(pointer: str, expected: Decimal, actual: Decimal) -> Finding:
    values = {"expected": _written(expected), "actual": _written(actual)}
    words = {language: text.format(**values) for language, text in _WORDS.items()}
    return Finding(pointer=pointer, code="dgi.total.differs", message=words, **values)

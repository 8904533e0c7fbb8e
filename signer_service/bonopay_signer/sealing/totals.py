"""Our totals against the DGI's, to the centime: what is sealed must be what the DGI certifies (SFE §1.4)."""

from collections.abc import Iterator
from decimal import Decimal

from bonopay_signer.dgi.device import DeviceTotals, GroupTotals
from bonopay_signer.fiscal.findings import Finding
from bonopay_signer.fiscal.schema import Invoice

_NOTHING = GroupTotals(Decimal(0), Decimal(0), Decimal(0))
_WORDS = {
    "fr": "La DGI calcule {expected}, la facture porte {actual}. Actualiser les taux et recalculer la facture.",
    "en": "The DGI computes {expected}, the invoice says {actual}. Refresh the rates and compute the invoice again.",
}


def differences(invoice: Invoice, theirs: DeviceTotals) -> tuple[Finding, ...]:
    """One finding per amount that differs; ``expected`` is the DGI's, ``actual`` ours."""
    return tuple(
        _finding(pointer, expected, actual)
        for pointer, expected, actual in _pairs(invoice, theirs)
        if expected != actual
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


def _written(amount: Decimal) -> str:
    """With two decimals, or with all that there are, so that two different amounts never look the same."""
    cents = f"{amount:.2f}"
    return cents if Decimal(cents) == amount else f"{amount:f}"


def _finding(pointer: str, expected: Decimal, actual: Decimal) -> Finding:
    values = {"expected": _written(expected), "actual": _written(actual)}
    words = {language: text.format(**values) for language, text in _WORDS.items()}
    return Finding(pointer=pointer, code="dgi.total.differs", message=words, **values)

"""The DGI's tables as dated data (SFE §1.7, §1.11–1.12, §1.18, §1.25, annexes I–III).

A rate, once applied, is never edited: a change is one more `(valid_from, rate)` at the end of its list.
"""

from datetime import date
from decimal import Decimal
from typing import NamedTuple

GOODS, SERVICE, LEVY = "BIE", "SER", "TAX"
_SUPPLIES = (GOODS, SERVICE)
_LEVIES = (LEVY,)

_START = date(2022, 1, 1)
"""First day that these tables know. Invoices dated before it have no rate, and are refused."""

# No published text is known that lowers 8 % to 5 % or creates the groups O and P, nor the day it takes effect. The
# DGI's own table governs (`GET /api/info/taxGroups`); it was seen answering 5, and 1 for O and P, in June 2026.
_REDUCED_RATE_CHANGE = date(2026, 6, 1)


class Group(NamedTuple):
    """A tax group. `label_fr` takes the rate in force at `{rate}`; `rates` ascend by the day they take effect."""

    code: str
    label_fr: str
    item_types: tuple[str, ...]
    rates: tuple[tuple[date, Decimal], ...]


class ClientType(NamedTuple):
    """A type of buyer, its printed mention, and the members of `Client` that it makes compulsory."""

    code: str
    label_fr: str
    mention: str
    compulsory: tuple[str, ...]


class Code(NamedTuple):
    """An entry of a plain code table: its French label and what is printed for it."""

    code: str
    label_fr: str
    mention: str


def _since(*rates: tuple[date, str]) -> tuple[tuple[date, Decimal], ...]:
    return tuple((day, Decimal(rate)) for day, rate in rates)


_ZERO = _since((_START, "0"))
_STANDARD = _since((_START, "16"))
_REDUCED = _since((_START, "8"), (_REDUCED_RATE_CHANGE, "5"))
_ONE = _since((_REDUCED_RATE_CHANGE, "1"))

TAX_GROUPS: dict[str, Group] = {
    group.code: group
    for group in (
        Group("A", "Exonéré", _SUPPLIES, _ZERO),
        Group("B", "Taxable {rate}%", _SUPPLIES, _STANDARD),
        Group("C", "Taxable {rate}%", _SUPPLIES, _REDUCED),
        Group("D", "Régimes dérogatoires TVA", _SUPPLIES, _ZERO),
        Group("E", "Exportation et opérations assimilées", _SUPPLIES, _ZERO),
        Group("F", "TVA marché public à financement extérieur ({rate}%)", _SUPPLIES, _STANDARD),
        Group("G", "TVA marché public à financement extérieur ({rate}%)", _SUPPLIES, _REDUCED),
        Group("H", "Consignation/déconsignation d'emballage", _SUPPLIES, _ZERO),
        Group("I", "Garantie et caution", _SUPPLIES, _ZERO),
        Group("J", "Débours", _SUPPLIES, _ZERO),
        Group("K", "Opérations réalisées par les non assujettis", _SUPPLIES, _ZERO),
        Group("L", "Prélèvements sur ventes", _LEVIES, _ZERO),
        Group("M", "Ventes réglementées avec TVA spécifique", _SUPPLIES, _ZERO),
        Group("N", "TVA spécifique", _LEVIES, _ZERO),
        Group("O", "Taxable {rate}%", _SUPPLIES, _ONE),
        Group("P", "TVA marché public à financement extérieur ({rate}%)", _SUPPLIES, _ONE),
    )
}

SPECIFIC_VAT_GROUP = "N"
"""The group whose amounts are wholly VAT (SFE §1.14, §1.5.8)."""


def _codes(*rows: tuple[str, str, str]) -> dict[str, Code]:
    return {code: Code(code, label, mention) for code, label, mention in rows}


INVOICE_TYPES = _codes(
    ("FV", "Facture de vente", "FACTURE"),
    ("FT", "Facture d'acompte ou d'avance", "FACTURE D'ACOMPTE"),
    ("FA", "Facture d'avoir", "FACTURE D'AVOIR"),
    ("EV", "Facture de vente à l'exportation", "FACTURE EXPORTATION"),
    ("ET", "Facture d'acompte à l'exportation", "FACTURE D'ACOMPTE EXPORTATION"),
    ("EA", "Facture d'avoir à l'exportation", "FACTURE D'AVOIR EXPORTATION"),
)
CREDIT_NOTES = frozenset({"FA", "EA"})
EXPORTS = frozenset({"EV", "ET", "EA"})

CREDIT_NATURES = _codes(
    ("COR", "Correction avant paiement ou livraison", "Correction"),
    ("RAN", "Annulation sans paiement ni livraison", "Annulation"),
    ("RAM", "Correction ou annulation après paiement ou livraison", "Avoir suite reprise"),
    ("RRR", "Remise, ristourne ou rabais", "RRR"),
)
NATURE_WITHOUT_ORIGINAL = "RRR"
"""The nature that refers to no single invoice (SFE §1.28)."""

CLIENT_TYPES: dict[str, ClientType] = {
    client.code: client
    for client in (
        ClientType("PP", "Personne physique", "[PP] Personne physique", ()),
        ClientType("PM", "Personne morale", "[PM] Personne morale", ("name", "nif")),
        ClientType("PC", "Personne physique commerçante", "[PC] Personne physique commerçante", ("name", "nif")),
        ClientType("PL", "Profession libérale", "[PL] Profession libérale", ("name", "nif")),
        ClientType(
            "AO",
            "Ambassades et organisations internationales",
            "[AO] Ambassades et organisations internationales",
            ("name", "exemption_reference"),
        ),
    )
}
EXEMPT_CLIENT = "AO"
EXEMPTION_LABEL = "Réf. Exo. : "
"""What comment line A starts with for an exempt client (annex IV)."""

ITEM_TYPES = _codes(
    (GOODS, "Bien", "[BIE]"),
    (SERVICE, "Service", "[SER]"),
    (LEVY, "Taxes et redevances", "[TAX]"),
)

PAYMENT_METHODS = _codes(
    ("ESPECES", "Espèces", "Espèces"),
    ("VIREMENT", "Virement", "Virement"),
    ("CARTEBANCAIRE", "Carte bancaire", "Carte bancaire"),
    ("MOBILEMONEY", "Mobile money", "Mobile money"),
    ("CHEQUES", "Chèques", "Chèques"),
    ("CREDIT", "Crédit", "Crédit"),
    ("AUTRE", "Autre", "Autre"),
)
LOCAL_CURRENCY = "CDF"


def rate_of(group: str, on: date) -> Decimal | None:
    """Return the rate of `group` in percent on a day, None when it was not in force; KeyError for no such group."""
    rate = None
    for valid_from, value in TAX_GROUPS[group].rates:
        if valid_from <= on:
            rate = value
    return rate


def label_of(group: str, on: date) -> str | None:
    """Return the French label (étiquette) of `group` as printed on a day, or None when it was not in force."""
    rate = rate_of(group, on)
    return None if rate is None else TAX_GROUPS[group].label_fr.format(rate=rate)

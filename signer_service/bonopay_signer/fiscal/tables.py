"""The DGI's tables as dated data (SFE §1.7, §1.11–1.12, §1.18, §1.24–1.25, §1.30–1.31, annexes I–IV).

Every row has a first day and may have a last one. A row that has been applied is never edited: a change closes it with
its last day and adds one more row of the same code. So a document is always judged by the rows of its own day.
"""

import functools
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Generic, NamedTuple, Protocol, TypeVar

GOODS, SERVICE, LEVY = "BIE", "SER", "TAX"
_SUPPLIES = (GOODS, SERVICE)
_LEVIES = (LEVY,)

START = date(2022, 1, 1)
"""First day that these tables know. Invoices dated before it are refused."""

# No published text is known that lowers 8 % to 5 % or creates the groups O and P, nor the day it takes effect. The
# DGI's own table governs (`GET /api/info/taxGroups`); it was seen answering 5, and 1 for O and P, in June 2026.
_NEW_RATES = date(2026, 6, 1)
_DAY_BEFORE_NEW_RATES = _NEW_RATES - timedelta(days=1)


class _Dated(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def valid_from(self) -> date: ...
    @property
    def valid_to(self) -> date | None: ...


Row = TypeVar("Row", bound=_Dated)


class Table(Generic[Row]):
    """The rows of one code table, of all times. `valid_to` is the last day of a row, None while no end is known."""

    def __init__(self, *rows: Row) -> None:
        """Raises ValueError unless the rows of each code follow one another without overlap."""
        self.rows = rows
        last: dict[str, Row] = {}
        for row in rows:
            before = last.get(row.code)
            if before and (before.valid_to is None or before.valid_to >= row.valid_from):
                raise ValueError(f"two rows of code {row.code} on {row.valid_from}")
            if row.valid_to and row.valid_to < row.valid_from:
                raise ValueError(f"the row of code {row.code} ends before it begins")
            last[row.code] = row

    @property
    def codes(self) -> frozenset[str]:
        """Every code that was ever in force, or will be."""
        return frozenset(row.code for row in self.rows)

    def on(self, day: date) -> dict[str, Row]:
        """Return the row in force on a day, by code."""
        return {row.code: row for row in self._in_force(day)}

    def _in_force(self, day: date) -> Iterator[Row]:
        return (row for row in self.rows if row.valid_from <= day and (row.valid_to is None or day <= row.valid_to))


class Group(NamedTuple):
    """A tax group (SFE §1.12). `label_fr` takes the rate, in percent, at `{rate}`; `item_types` are annex II's."""

    code: str
    label_fr: str
    item_types: tuple[str, ...]
    rate: Decimal
    valid_from: date = START
    valid_to: date | None = None


class InvoiceType(NamedTuple):
    """A type of invoice (SFE §1.7). `corrects` are the types whose invoices a credit note corrects (SFE §1.26)."""

    code: str
    label_fr: str
    mention: str
    is_export: bool = False
    corrects: tuple[str, ...] = ()
    valid_from: date = START
    valid_to: date | None = None


class ClientType(NamedTuple):
    """A type of buyer (annex I), its printed mention, and the members of `Client` that it makes compulsory."""

    code: str
    label_fr: str
    mention: str
    compulsory: tuple[str, ...] = ()
    valid_from: date = START
    valid_to: date | None = None


class CommentLine(NamedTuple):
    """A comment line (annex IV). For clients of `client_type` it is the label followed by `member` of the client."""

    code: str
    label_fr: str = ""
    client_type: str | None = None
    member: str = ""
    valid_from: date = START
    valid_to: date | None = None


class Code(NamedTuple):
    """A row of a plain code table: its French label and what is printed for it."""

    code: str
    label_fr: str
    mention: str
    valid_from: date = START
    valid_to: date | None = None


_ZERO, _ONE, _FIVE, _EIGHT, _SIXTEEN = map(Decimal, (0, 1, 5, 8, 16))
_TAXABLE = "Taxable {rate}%"
_EXTERNAL_FUNDS = "TVA marché public à financement extérieur ({rate}%)"

TAX_GROUPS = Table(
    Group("A", "Exonéré", _SUPPLIES, _ZERO),
    Group("B", _TAXABLE, _SUPPLIES, _SIXTEEN),
    Group("C", _TAXABLE, _SUPPLIES, _EIGHT, valid_to=_DAY_BEFORE_NEW_RATES),
    Group("C", _TAXABLE, _SUPPLIES, _FIVE, valid_from=_NEW_RATES),
    Group("D", "Régimes dérogatoires TVA", _SUPPLIES, _ZERO),
    Group("E", "Exportation et opérations assimilées", _SUPPLIES, _ZERO),
    Group("F", _EXTERNAL_FUNDS, _SUPPLIES, _SIXTEEN),
    Group("G", _EXTERNAL_FUNDS, _SUPPLIES, _EIGHT, valid_to=_DAY_BEFORE_NEW_RATES),
    Group("G", _EXTERNAL_FUNDS, _SUPPLIES, _FIVE, valid_from=_NEW_RATES),
    Group("H", "Consignation/déconsignation d'emballage", _SUPPLIES, _ZERO),
    Group("I", "Garantie et caution", _SUPPLIES, _ZERO),
    Group("J", "Débours", _SUPPLIES, _ZERO),
    Group("K", "Opérations réalisées par les non assujettis", _SUPPLIES, _ZERO),
    Group("L", "Prélèvements sur ventes", _LEVIES, _ZERO),
    Group("M", "Ventes réglementées avec TVA spécifique", _SUPPLIES, _ZERO),
    Group("N", "TVA spécifique", _LEVIES, _ZERO),
    Group("O", _TAXABLE, _SUPPLIES, _ONE, valid_from=_NEW_RATES),
    Group("P", _EXTERNAL_FUNDS, _SUPPLIES, _ONE, valid_from=_NEW_RATES),
)

SPECIFIC_VAT_GROUP = "N"
"""The group whose amounts are wholly VAT (SFE §1.14, §1.5.8)."""

INVOICE_TYPES = Table(
    InvoiceType("FV", "Facture de vente", "FACTURE"),
    InvoiceType("FT", "Facture d'acompte ou d'avance", "FACTURE D'ACOMPTE"),
    InvoiceType("FA", "Facture d'avoir", "FACTURE D'AVOIR", corrects=("FV", "FT")),
    InvoiceType("EV", "Facture de vente à l'exportation", "FACTURE EXPORTATION", is_export=True),
    InvoiceType("ET", "Facture d'acompte à l'exportation", "FACTURE D'ACOMPTE EXPORTATION", is_export=True),
    InvoiceType("EA", "Facture d'avoir à l'exportation", "FACTURE D'AVOIR EXPORTATION", True, ("EV", "ET")),
)

CREDIT_NATURES = Table(
    Code("COR", "Correction avant paiement ou livraison", "Correction"),
    Code("RAN", "Annulation sans paiement ni livraison", "Annulation"),
    Code("RAM", "Correction ou annulation après paiement ou livraison", "Avoir suite reprise"),
    Code("RRR", "Remise, ristourne ou rabais", "RRR"),
)
NATURE_WITHOUT_ORIGINAL = "RRR"
"""The nature that refers to no single invoice (SFE §1.28)."""

_NAME_AND_NIF = ("name", "nif")
CLIENT_TYPES = Table(
    ClientType("PP", "Personne physique", "[PP] Personne physique"),
    ClientType("PM", "Personne morale", "[PM] Personne morale", _NAME_AND_NIF),
    ClientType("PC", "Personne physique commerçante", "[PC] Personne physique commerçante", _NAME_AND_NIF),
    ClientType("PL", "Profession libérale", "[PL] Profession libérale", _NAME_AND_NIF),
    ClientType(
        "AO",
        "Ambassades et organisations internationales",
        "[AO] Ambassades et organisations internationales",
        ("name", "exemption_reference"),
    ),
)

# Annex IV gives line A its content for exempt clients. It reserves B to H to the DGI, which has given them no label
# yet: until then they are what §1.24 asks for, lines that a merchant may fill.
COMMENT_LINES = Table(
    CommentLine("A", "Réf. Exo. : ", "AO", "exemption_reference"),
    *(CommentLine(letter) for letter in "BCDEFGH"),
)

ITEM_TYPES = Table(
    Code(GOODS, "Bien", "[BIE]"),
    Code(SERVICE, "Service", "[SER]"),
    Code(LEVY, "Taxes et redevances", "[TAX]"),
)

PAYMENT_METHODS = Table(
    Code("ESPECES", "Espèces", "Espèces"),
    Code("VIREMENT", "Virement", "Virement"),
    Code("CARTEBANCAIRE", "Carte bancaire", "Carte bancaire"),
    Code("MOBILEMONEY", "Mobile money", "Mobile money"),
    Code("CHEQUES", "Chèques", "Chèques"),
    Code("CREDIT", "Crédit", "Crédit"),
    Code("AUTRE", "Autre", "Autre"),
)

CURRENCIES = Table(Code("CDF", "Franc congolais", "CDF"), Code("USD", "Dollar américain", "USD"))
LOCAL_CURRENCY = "CDF"
RATE_TOLERANCE = Decimal("0.01")
"""How far a rate may lie from the central bank's average rate of the day, as a part of it (SFE §1.30)."""


class Tables(NamedTuple):
    """All tables as they are on one day: the rows in force, by code."""

    day: date
    tax_groups: Mapping[str, Group]
    invoice_types: Mapping[str, InvoiceType]
    credit_natures: Mapping[str, Code]
    client_types: Mapping[str, ClientType]
    comment_lines: Mapping[str, CommentLine]
    item_types: Mapping[str, Code]
    payment_methods: Mapping[str, Code]
    currencies: Mapping[str, Code]


@functools.lru_cache(maxsize=512)
def in_force(day: date) -> Tables:
    """Return the tables of a day; all of them are empty before START."""
    return Tables(
        day,
        TAX_GROUPS.on(day),
        INVOICE_TYPES.on(day),
        CREDIT_NATURES.on(day),
        CLIENT_TYPES.on(day),
        COMMENT_LINES.on(day),
        ITEM_TYPES.on(day),
        PAYMENT_METHODS.on(day),
        CURRENCIES.on(day),
    )


def rate_of(group: str, on: date) -> Decimal | None:
    """Return the rate of `group` in percent on a day, None when it was not in force; KeyError for no such group."""
    if group not in TAX_GROUPS.codes:
        raise KeyError(group)
    row = in_force(on).tax_groups.get(group)
    return row and row.rate


def label_of(group: str, on: date) -> str | None:
    """Return the French label (étiquette) of `group` as printed on a day, or None when it was not in force."""
    row = in_force(on).tax_groups.get(group)
    return row and row.label_fr.format(rate=row.rate)

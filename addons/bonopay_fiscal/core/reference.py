"""The DGI's own tables as the signer tells them (contracts §5): read strictly, and compared with what Odoo has."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from . import dgi, payments, told

TAX_GROUPS = "tax_groups"
#: Tables of codes without a rate → the codes that Odoo knows.
CODES = {
    "invoice_types": frozenset(dgi.INVOICE_TYPES),
    "payment_methods": frozenset(payments.METHODS),
    "client_types": frozenset(dgi.CLIENT_TYPES),
    "credit_natures": frozenset(dgi.CREDIT_NATURES),
    "item_types": frozenset(dgi.ITEM_TYPES),
}
_LONGEST_CODE = 40
#: As many as the signer reads of one table.
_MOST_ROWS = 500
_MOST_DECIMALS = 2


@dataclass(frozen=True)
class Told:
    """A code of a table. ``rate``: percent of a tax group, else ``None``; ``since``: the day it was first told."""

    code: str
    rate: Decimal | None
    since: date
    source: str


@dataclass(frozen=True)
class Tables:
    """What the DGI tells.

    ``answered_at``: naive UTC, when the address that is silent longest told them, ``None`` for never; ``rows``: table →
    code → row; ``disputed``: ``(table, code)`` of which two addresses tell different things; ``judged_otherwise``:
    letters of groups for which the signer's core has something else.
    """

    answered_at: datetime | None
    rows: dict[str, dict[str, Told]]
    disputed: frozenset[tuple[str, str]]
    judged_otherwise: frozenset[str]

    def may_be_taken(self, letter: str) -> bool:
        """Whether what is told of a tax group is told alike everywhere, and is what the signer's core judges by.

        >>> tables = Tables(None, {}, frozenset({(TAX_GROUPS, "B")}), frozenset("C"))
        >>> [tables.may_be_taken(letter) for letter in "ABC"]
        [True, False, False]
        """
        return (TAX_GROUPS, letter) not in self.disputed and letter not in self.judged_otherwise

    def disputed_by(self, others: list[dict[str, str]]) -> "Tables":
        """These tables, where the rates that others were told differ as disputed as those of two addresses.

        >>> told = {"C": Told("C", Decimal(4), date(2026, 11, 30), "")}
        >>> tables = Tables(None, {TAX_GROUPS: told}, frozenset(), frozenset())
        >>> [sorted(tables.disputed_by([{"C": rate}]).disputed) for rate in ("4.00", "5")]
        [[], [('tax_groups', 'C')]]
        """
        rows = self.rows.get(TAX_GROUPS, {})
        found = {(TAX_GROUPS, letter) for other in others for letter, rate in other.items()
                 if letter in rows and Decimal(rate) != rows[letter].rate}  # fmt: skip
        return replace(self, disputed=self.disputed | found)


def parse(body: dict, today: date) -> Tables:
    """Read an answer of ``GET /api/v1/reference``.

    An address whose DGI told nothing yet counts for nothing. What several addresses tell alike holds from the latest of
    their days on.

    :param today: in Kinshasa
    :raises ValueError: it is not of the agreed form
    """
    try:
        answers = [_answer(address, today) for address in body["addresses"] if address["answered_at"] is not None]
    except (KeyError, TypeError, AttributeError, InvalidOperation) as error:
        raise ValueError("not of the agreed form") from error
    rows, disputed = {}, set()
    for table in (TAX_GROUPS, *CODES):
        parts = [part for _moment, tables, _judged_otherwise in answers if (part := tables[table])]
        rows[table], differing = _merged(parts)
        disputed |= {(table, code) for code in differing}
    moments = [moment for moment, _tables, _judged_otherwise in answers]
    judged_otherwise = frozenset().union(*(letters for _moment, _tables, letters in answers))
    return Tables(min(moments, default=None), rows, frozenset(disputed), judged_otherwise)


def code_differences(tables: Tables) -> list[tuple[str, str, date | None]]:
    """Codes that only one of DGI and Odoo has: ``(table, code, since when the DGI has it or None)``.

    >>> day = date(2026, 11, 30)
    >>> rows = {"item_types": {code: Told(code, None, day, "") for code in ("BIE", "TAX", "XYZ")}}
    >>> code_differences(Tables(None, rows, frozenset(), frozenset()))
    [('item_types', 'SER', None), ('item_types', 'XYZ', datetime.date(2026, 11, 30))]
    """
    found = []
    for table, ours in CODES.items():
        theirs = tables.rows.get(table)
        if theirs:  # of a table that cannot be read nothing is known
            agreed = {code for code in theirs if (table, code) not in tables.disputed}
            lacking = {code for code in ours - theirs.keys() if (table, code) not in tables.disputed}
            found += [(table, code, theirs[code].since if code in theirs else None)
                      for code in sorted((agreed - ours) | lacking)]  # fmt: skip
    return found


def _answer(address: dict, today: date) -> tuple[datetime, dict[str, dict[str, Told]], frozenset[str]]:
    moment = told.moment(address["answered_at"])
    if moment is None:
        raise ValueError("the moment of an answer cannot be read")
    source = f"DGI {urlsplit(address['dgi_url']).netloc}"
    tables = {}
    for table in (TAX_GROUPS, *CODES):
        if len(address["tables"][table]) > _MOST_ROWS:
            raise ValueError(f"{table} has more than {_MOST_ROWS} rows")
        rows = [_row(one, table == TAX_GROUPS, source, today) for one in address["tables"][table]]
        tables[table] = {row.code: row for row in rows}
    judged_otherwise = frozenset(one["code"] for one in address["differences"] if one["table"] == TAX_GROUPS)
    return moment, tables, judged_otherwise


def _row(one: dict, has_rate: bool, source: str, today: date) -> Told:
    code, since = told.text(one["code"], _LONGEST_CODE), date.fromisoformat(one["valid_from"])
    if not code or since > today:
        raise ValueError(f"{one['code']!r} since {since} cannot be")
    nim = told.text(one.get("nim"), _LONGEST_CODE)
    return Told(code, _rate(one["rate"]) if has_rate else None, since, f"{source}, {nim}" if nim else source)


def _rate(text: str) -> Decimal:
    rate = Decimal(text)
    if not rate.is_finite() or not 0 <= rate < 100 or rate != round(rate, _MOST_DECIMALS):
        raise ValueError(f"{text} is no rate")
    return rate


def _merged(parts: list[dict[str, Told]]) -> tuple[dict[str, Told], set[str]]:
    """The rows of one table by code, and the codes of which not all parts tell the same."""
    rows, differing = {}, set()
    for code in set().union(*parts):
        found = [part[code] for part in parts if code in part]
        if len(found) < len(parts) or len({row.rate for row in found}) > 1:
            differing.add(code)
        rows[code] = max(found, key=lambda row: row.since)
    return rows, differing

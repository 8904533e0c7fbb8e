"""What a DGI device tells of its tables, as values. Its spellings differ between documents; its meaning must not.

A table that cannot be read without guessing is not taken at all: half a table would look like codes withdrawn.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from bonopay_signer.fiscal.taxes import KINSHASA_OFFSET

TAX_GROUPS, CURRENCY_RATES = "tax_groups", "currency_rates"
SERVED = {
    "taxGroups": TAX_GROUPS,
    "invoiceTypes": "invoice_types",
    "paymentTypes": "payment_methods",
    "clientTypes": "client_types",
    "referenceTypes": "credit_natures",
    "itemTypes": "item_types",
    "currencyRates": CURRENCY_RATES,
}
"""Our name of each table, by the name under which the e-MCF serves it (``/api/info/<name>``)."""
_MOST_ROWS, _LONGEST_LABEL = 500, 200
_OLDEST, _FARTHEST = timedelta(days=366), timedelta(days=31)
_GROUP, _CURRENCY, _CODE = (re.compile(form) for form in ("[A-P]", "[A-Z]{3}", "[A-Z0-9_]{1,32}"))
_NUMBER = re.compile(r"[0-9]{1,12}([.,][0-9]{1,6})?")
_CODE_NAMES = ("type", "code", "group", "taxGroup")
_LABEL_NAMES = ("description", "label", "libelle", "name")
_CURRENCY_NAMES = ("curCode", "currencyCode", "code", "currency", "type")
_RATE_NAMES = ("rate", "curRate", "currencyRate", "value")
_DATE_NAMES = ("date", "curDate", "rateDate")
_LISTS_IN = ("rates", "currencyRates", "items", "data")
_FRENCH_DAY = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})([ T].*)?")


class Unreadable(ValueError):
    """A table is not of any form that is known; the words say what is wrong with it."""


@dataclass(frozen=True)
class Told:
    """One code of a table. ``rate``: percent of a tax group, CDF for one unit of a currency, else None."""

    code: str
    label: str | None
    rate: Decimal | None
    valid_from: date


def read_table(name: str, content: Any, today: date) -> dict[str, Told]:
    """The codes of a table (``name`` is ours) as told today; decimals of ``content`` are Decimal.

    Raises Unreadable.
    """
    rows = _READERS.get(name, _types)(content, today)
    by_code = {row.code: row for row in rows}
    if not rows:
        raise Unreadable("it is empty")
    if len(by_code) != len(rows):
        raise Unreadable("a code is given twice")
    return by_code


def fiscal_today(now: datetime) -> date:
    """The day in Kinshasa of an aware moment."""
    return (now.astimezone(UTC) + KINSHASA_OFFSET).date()


def _tax_groups(content: Any, today: date) -> list[Told]:
    """``{"a": 0, "b": 16, …}``, or a list of rows with a rate each."""
    if isinstance(content, dict):
        _limit(content)
        return [Told(_code(group, _GROUP), None, _number(rate, zero=True), today) for group, rate in content.items()]
    return [
        Told(_code(_first(row, _CODE_NAMES), _GROUP), _label(row), _number(_first(row, _RATE_NAMES), zero=True), today)
        for row in _rows(content)
    ]


def _types(content: Any, today: date) -> list[Told]:
    """``[{"type", "description"}]``."""
    return [Told(_code(_first(row, _CODE_NAMES), _CODE), _label(row), None, today) for row in _rows(content)]


def _currency_rates(content: Any, today: date) -> list[Told]:
    """``[{"type", "description", "date", "rate"}]``, or other spellings; without a date it is today's."""
    return [
        Told(
            _code(_first(row, _CURRENCY_NAMES, _CURRENCY), _CURRENCY),
            _label(row),
            _number(_first(row, _RATE_NAMES)),
            _day(_given(row, _DATE_NAMES), today),
        )
        for row in _rows(content)
    ]


_READERS: Mapping[str, Callable[[Any, date], list[Told]]] = {TAX_GROUPS: _tax_groups, CURRENCY_RATES: _currency_rates}


def _rows(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, dict):
        content = _given(content, _LISTS_IN)
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise Unreadable("it is not a list of objects")
    _limit(content)
    return content


def _limit(rows: Any) -> None:
    if len(rows) > _MOST_ROWS:
        raise Unreadable(f"it has more than {_MOST_ROWS} rows")


def _given(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first of these members that is there, whatever its capitals; None without any."""
    members = {name.lower(): value for name, value in row.items()}
    return next((members[name.lower()] for name in names if members.get(name.lower()) is not None), None)


def _first(row: Mapping[str, Any], names: tuple[str, ...], form: re.Pattern[str] | None = None) -> Any:
    """As ``_given``, of the form where one is asked for. Raises Unreadable when there is none."""
    values = [_given(row, (name,)) for name in names]
    fitting = [
        value
        for value in values
        if value is not None and (form is None or (isinstance(value, str) and form.fullmatch(value.strip().upper())))
    ]
    if not fitting:
        raise Unreadable(f"a row has none of {', '.join(names)}")
    return fitting[0]


def _code(value: Any, form: re.Pattern[str]) -> str:
    code = value.strip().upper() if isinstance(value, str) else ""
    if not form.fullmatch(code):
        raise Unreadable(f"{str(value)[:40]!r} is not a code of it")
    return code


def _label(row: Mapping[str, Any]) -> str | None:
    value = _given(row, _LABEL_NAMES)
    return value.strip()[:_LONGEST_LABEL] or None if isinstance(value, str) else None


def _number(value: Any, zero: bool = False) -> Decimal:
    """A plain number, or a text of one, with a decimal comma or a percent sign."""
    text = format(value, "f") if isinstance(value, Decimal) and abs(value.adjusted()) < 30 else value
    text = text.strip().removesuffix("%").strip() if isinstance(text, str) else ""
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    if not _NUMBER.fullmatch(text):
        raise Unreadable(f"{str(value)[:40]!r} is not a rate")
    number = Decimal(text.replace(",", "."))
    if number == 0 and not zero:
        raise Unreadable("a rate is zero")
    return number


def _day(value: Any, today: date) -> date:
    if value is None or value == "":
        return today
    if not isinstance(value, str):
        raise Unreadable(f"{str(value)[:40]!r} is not a date")
    french = _FRENCH_DAY.fullmatch(value.strip())
    text = "-".join(reversed(french.group(1, 2, 3))) if french else value.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unreadable(f"{value[:40]!r} is not a date") from error
    # With an offset it is a moment, and its day is that of Kinshasa; without, it is the DGI's own day.
    try:
        day = moment.date() if moment.tzinfo is None else fiscal_today(moment)
    except OverflowError as error:
        raise Unreadable(f"{value[:40]!r} is not a date") from error
    if not today - _OLDEST <= day <= today + _FARTHEST:
        raise Unreadable(f"{day} is too far from today")
    return day

"""What is new in what the DGI tells, and where it is not what the fiscal core has. Pure.

The core is homologated: what the DGI tells never changes how a payload is judged. A difference is an alarm, and a new
version of the core is what ends it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bonopay_signer.fiscal.tables import Tables, in_force
from bonopay_signer.reference.told import CURRENCY_RATES, TAX_GROUPS, Told

_CORE_NAMES = ("invoice_types", "payment_methods", "client_types", "credit_natures", "item_types")


@dataclass(frozen=True)
class Held:
    """A row as stored."""

    table_name: str
    code: str
    label: str | None
    rate: Decimal | None
    withdrawn: bool
    valid_from: date


@dataclass(frozen=True)
class Change:
    """A row to store, and the one that it follows: None for a code that was never told, or a new day's rate."""

    row: Held
    before: Held | None


@dataclass(frozen=True)
class Difference:
    """``told`` and ``core``: the rate in percent, "in force", or None where one side has no such code."""

    table: str
    code: str
    told: str | None
    core: str | None

    def __str__(self) -> str:
        return f"{self.table} {self.code}: the DGI has {self.told or 'no such code'}, the core {self.core or 'none'}"


def changes(
    held: Mapping[tuple[str, str, date | None], Held], told: Mapping[str, Mapping[str, Told]], today: date
) -> list[Change]:
    """What the answers add to what is held. ``held`` by table, code, and for currency rates the day, else None.

    A code that its table no longer has is withdrawn; a currency of which no rate is told keeps the last one. Another
    label of the same rate of a day is no change.
    """
    found: list[Change] = []
    for table, codes in told.items():
        of_days = table == CURRENCY_RATES
        for code, row in codes.items():
            before = held.get((table, code, row.valid_from if of_days else None))
            now = Held(table, code, row.label, row.rate, False, row.valid_from)
            if before is None or _differs(before, now, with_label=not of_days):
                found.append(Change(now, before))
        if not of_days:
            found += [_withdrawal(row, today) for key, row in held.items() if key[0] == table and key[1] not in codes
                      and not row.withdrawn]  # fmt: skip
    return found


def _differs(before: Held, now: Held, with_label: bool) -> bool:
    return before.withdrawn or before.rate != now.rate or (with_label and before.label != now.label)


def _withdrawal(row: Held, today: date) -> Change:
    return Change(Held(row.table_name, row.code, row.label, row.rate, True, today), row)


def differences(held: Iterable[Held], day: date) -> list[Difference]:
    """Where the rows in force are not the core's of that day. Tables that were never told are not compared."""
    core, told = _core_codes(in_force(day)), {}
    for row in held:
        if row.table_name in core:
            codes = told.setdefault(row.table_name, {})
            if not row.withdrawn:
                codes[row.code] = _shown(row.rate)
    found = [
        Difference(table, code, codes.get(code), core[table].get(code))
        for table, codes in told.items()
        for code in codes.keys() | core[table].keys()
        if codes.get(code) != core[table].get(code)
    ]
    return sorted(found, key=lambda difference: (difference.table, difference.code))


def _core_codes(core: Tables) -> dict[str, dict[str, str]]:
    codes: dict[str, dict[str, str]] = {name: dict.fromkeys(getattr(core, name), _shown(None)) for name in _CORE_NAMES}
    return codes | {TAX_GROUPS: {code: _shown(group.rate) for code, group in core.tax_groups.items()}}


def _shown(rate: Decimal | None) -> str:
    """A rate without trailing zeros, in percent; "in force" for a code that has none."""
    return "in force" if rate is None else f"{plain(rate)} %"


def plain(rate: Decimal) -> str:
    """A decimal without exponent and trailing zeros: the payload's own form of a rate."""
    text = format(rate, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text

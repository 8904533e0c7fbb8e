"""The reference tables that the e-MCF serves (`/api/info/*`), kept as data in `data/tables.json`."""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

LISTS = ("invoiceTypes", "paymentTypes", "clientTypes", "referenceTypes", "itemTypes")
SALES = frozenset({"FV", "FT"})
EXPORT_SALES = frozenset({"EV", "ET"})
CREDIT_NOTES = {"FA": SALES, "EA": EXPORT_SALES}
LEVY_GROUPS = frozenset({"L", "N"})
LEVY_ITEM = "TAX"
REBATE = "RRR"


@dataclass(frozen=True, slots=True)
class Tables:
    """`rates`: percent by upper-case group letter; `client_fields`: compulsory client fields by client type."""

    rates: dict[str, Decimal]
    lists: dict[str, list[dict[str, str]]]
    client_fields: dict[str, tuple[str, ...]]
    currency_rates: tuple[dict[str, Any], ...]

    def codes(self, table: str) -> frozenset[str]:
        return frozenset(row["type"] for row in self.lists[table])


@cache
def load_tables() -> Tables:
    text = files(__package__).joinpath("data/tables.json").read_text("utf-8")
    data = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return Tables(
        rates={letter.upper(): rate for letter, rate in data["taxGroups"].items()},
        lists={name: [_published(row) for row in data[name]] for name in LISTS},
        client_fields={row["type"]: tuple(row["required"]) for row in data["clientTypes"]},
        currency_rates=tuple(data["currencyRates"]),
    )


def _published(row: dict[str, Any]) -> dict[str, str]:
    return {"type": row["type"], "description": row["description"]}

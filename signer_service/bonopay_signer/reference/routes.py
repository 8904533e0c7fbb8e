"""``GET /api/v1/reference``: the DGI's tables as it tells them now, and the reference rate of the day."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

import psycopg
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer.api import parameters
from bonopay_signer.api.bodies import json_response
from bonopay_signer.api.operations import Answer, Operation
from bonopay_signer.api.service import Service
from bonopay_signer.reference import store
from bonopay_signer.reference.comparison import differences, plain
from bonopay_signer.reference.store import InForce
from bonopay_signer.reference.told import SERVED, fiscal_today
from bonopay_signer.tenants.apikeys import ApiKey

_CURRENCY = "USD"
_RATE = """
SELECT rate, valid_on, source FROM signer.currency_rate
 WHERE currency = %s AND valid_on <= %s ORDER BY valid_on DESC LIMIT 1
"""
_ADDRESSES = """
SELECT DISTINCT o.dgi_url, a.answered_at FROM signer.outlet o
  LEFT JOIN signer.reference_answer a ON a.merchant_nif = o.merchant_nif AND a.dgi_url = o.dgi_url
 WHERE o.merchant_nif = %s AND o.revoked_at IS NULL AND (%s::text[] IS NULL OR o.id = ANY(%s)) ORDER BY o.dgi_url
"""


class ReferenceRow(Struct, frozen=True):
    """``rate``: percent of a tax group, CDF for one unit of a currency. ``valid_from``: the DGI's day of a currency's
    rate, else the day (Kinshasa) on which the value was first told, by the e-MCF ``nim``."""

    code: str
    label: str | None
    rate: str | None
    valid_from: date
    told_at: datetime
    nim: str


class ReferenceDifference(Struct, frozen=True):
    """Where the DGI has not what documents are judged by; null: no such code."""

    table: str
    code: str
    told: str | None
    core: str | None


class ReferenceTables(Struct, frozen=True):
    tax_groups: list[ReferenceRow]
    invoice_types: list[ReferenceRow]
    payment_methods: list[ReferenceRow]
    client_types: list[ReferenceRow]
    credit_natures: list[ReferenceRow]
    item_types: list[ReferenceRow]
    currency_rates: list[ReferenceRow]


class ReferenceAddress(Struct, frozen=True):
    """``answered_at``: when the DGI last told its tables, null for never."""

    dgi_url: str
    answered_at: datetime | None
    tables: ReferenceTables
    differences: list[ReferenceDifference]


class DayRate(Struct, frozen=True):
    """CDF for one unit, in force since ``valid_on``. ``source``: ``DGI <host>``, or as the operator recorded it."""

    currency: str
    rate: str
    valid_on: date
    source: str


class ReferenceView(Struct, frozen=True):
    """``day``: today in Kinshasa. ``usd``: what rates of invoices are judged by (SFE §1.30), null without any."""

    day: date
    usd: DayRate | None
    addresses: list[ReferenceAddress]


async def read_reference(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    parameters.read(request, ())
    today = fiscal_today(datetime.now(UTC))
    async with service.tenants.connection(key.merchant_nif) as connection:
        usd = await _day_rate(connection, today)
        addresses = await _addresses(connection, key, today)
    return json_response(ReferenceView(today, usd, addresses))


async def _day_rate(connection: psycopg.AsyncConnection, today: date) -> DayRate | None:
    row = await (await connection.execute(_RATE, [_CURRENCY, today])).fetchone()
    return row and DayRate(_CURRENCY, plain(row[0]), row[1], row[2])


async def _addresses(connection: psycopg.AsyncConnection, key: ApiKey, today: date) -> list[ReferenceAddress]:
    """The addresses of the open outlets that the key covers: tables of one that is left behind are not in force."""
    rows = await store.rows_in_force(connection, key.merchant_nif, today)
    cursor = await connection.execute(_ADDRESSES, [key.merchant_nif, key.outlets, key.outlets])
    return [
        _address(dgi_url, answered_at, [row for row in rows if row.dgi_url == dgi_url], today)
        for dgi_url, answered_at in await cursor.fetchall()
    ]


def _address(dgi_url: str, answered_at: datetime | None, rows: list[InForce], today: date) -> ReferenceAddress:
    tables = {name: _rows(row for row in rows if row.table_name == name) for name in SERVED.values()}
    found = [
        ReferenceDifference(difference.table, difference.code, difference.told, difference.core)
        for difference in differences(rows, today)
    ]
    return ReferenceAddress(dgi_url, answered_at, ReferenceTables(**tables), found)


def _rows(rows: Iterable[InForce]) -> list[ReferenceRow]:
    return [
        ReferenceRow(
            row.code, row.label, None if row.rate is None else plain(row.rate), row.valid_from, row.told_at, row.nim
        )
        for row in rows
        if not row.withdrawn
    ]


OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/reference",
        read_reference,
        "readReference",
        "reference",
        "The DGI's tables in force, and the reference rate of the day",
        (Answer(200, "By DGI address of the outlets that the key covers", ReferenceView),),
        ("parameter_invalid",),
        secured=True,
    ),
)

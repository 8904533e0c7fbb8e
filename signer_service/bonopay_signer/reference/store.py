"""Tables of the DGI in the database: append only, with the day from which each row holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import class_row

from bonopay_signer.events.store import add_event
from bonopay_signer.fiscal.tables import LOCAL_CURRENCY, in_force
from bonopay_signer.reference.comparison import Change, Held, changes, plain
from bonopay_signer.reference.told import CURRENCY_RATES, Told
from bonopay_signer.tenants.rows import find_rate

LARGEST_STEP = Decimal("0.2")
"""How far a told rate may lie from the reference before it, as a part of it, to be believed without an operator."""
_ROW = "table_name, code, label, rate, withdrawn, valid_from"
_LATEST = f"""
SELECT DISTINCT ON (table_name, code, CASE table_name WHEN 'currency_rates' THEN valid_from END) {_ROW}
  FROM signer.reference
 WHERE merchant_nif = %s AND dgi_url = %s AND (table_name <> 'currency_rates' OR valid_from >= %s)
 ORDER BY table_name, code, CASE table_name WHEN 'currency_rates' THEN valid_from END, number DESC
"""
_IN_FORCE = f"""
SELECT DISTINCT ON (dgi_url, table_name, code) {_ROW}, dgi_url, nim, told_at
  FROM signer.reference WHERE merchant_nif = %s AND valid_from <= %s
 ORDER BY dgi_url, table_name, code, valid_from DESC, number DESC
"""
_SOURCES = """
SELECT o.merchant_nif, o.dgi_url, array_agg(o.id ORDER BY o.id) AS outlets,
       extract(epoch FROM clock_timestamp() - a.answered_at)::float8 AS age
  FROM signer.outlet o JOIN signer.merchant m ON m.nif = o.merchant_nif
  LEFT JOIN signer.reference_answer a ON a.merchant_nif = o.merchant_nif AND a.dgi_url = o.dgi_url
 WHERE m.shard = %s AND o.revoked_at IS NULL AND m.revoked_at IS NULL
 GROUP BY o.merchant_nif, o.dgi_url, a.answered_at ORDER BY o.merchant_nif, o.dgi_url
"""
_ANSWERED = """
INSERT INTO signer.reference_answer (merchant_nif, dgi_url, nim, answered_at) VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (merchant_nif, dgi_url) DO UPDATE SET nim = EXCLUDED.nim, answered_at = EXCLUDED.answered_at
"""


@dataclass(frozen=True)
class Source:
    """A merchant's e-MCFs at one DGI address; ``age``: seconds since it last told its tables, None for never."""

    merchant_nif: str
    dgi_url: str
    outlets: list[str]
    age: float | None

    @property
    def key(self) -> tuple[str, str]:
        return self.merchant_nif, self.dgi_url


@dataclass(frozen=True)
class InForce(Held):
    dgi_url: str
    nim: str
    told_at: datetime


@dataclass(frozen=True)
class Doubt:
    """A rate that was told and not taken over, and why."""

    kind: str
    row: Held
    reference: Decimal | None


async def sources(connection: psycopg.AsyncConnection, shard: int) -> list[Source]:
    """Whom to ask: each merchant of the shard at each address of its open outlets."""
    async with connection.cursor(row_factory=class_row(Source)) as cursor:
        await cursor.execute(_SOURCES, [shard])
        return await cursor.fetchall()


async def rows_in_force(connection: psycopg.AsyncConnection, merchant_nif: str, day: date) -> list[InForce]:
    """What holds on a day, of all the merchant's addresses; withdrawn codes too."""
    async with connection.cursor(row_factory=class_row(InForce)) as cursor:
        await cursor.execute(_IN_FORCE, [merchant_nif, day])
        return await cursor.fetchall()


async def record(
    connection: psycopg.AsyncConnection, source: Source, nim: str, told: Mapping[str, Mapping[str, Told]], today: date
) -> tuple[list[Change], list[Doubt]]:
    """Store what is new, with an event for each change, in one transaction. What was new, and which rates were not
    taken into the register.

    The first answer of an address is no change: it fills its tables without an event.
    """
    async with connection.transaction():
        held = await _latest(connection, source, told, today)
        new = changes(held, told, today)
        for change in new:
            await _insert(connection, source, nim, change.row)
            if held:
                await add_event(connection, source.merchant_nif, None, "reference.changed", *_told_of(source, change))
        doubts = await _learn(connection, source, [change.row for change in new])
        await connection.execute(_ANSWERED, [*source.key, nim])
    return new, doubts


def source_name(dgi_url: str) -> str:
    """How the register of rates names an address: without its path."""
    return f"DGI {urlsplit(dgi_url).netloc}"


async def _latest(
    connection: psycopg.AsyncConnection, source: Source, told: Mapping[str, Mapping[str, Told]], today: date
) -> dict[tuple[str, str, date | None], Held]:
    first_day = min((row.valid_from for row in told.get(CURRENCY_RATES, {}).values()), default=today)
    async with connection.cursor(row_factory=class_row(Held)) as cursor:
        await cursor.execute(_LATEST, [*source.key, first_day])
        rows = await cursor.fetchall()
    return {
        (row.table_name, row.code, row.valid_from if row.table_name == CURRENCY_RATES else None): row for row in rows
    }


async def _insert(connection: psycopg.AsyncConnection, source: Source, nim: str, row: Held) -> None:
    await connection.execute(
        f"INSERT INTO signer.reference (merchant_nif, dgi_url, nim, {_ROW}) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [*source.key, nim, row.table_name, row.code, row.label, row.rate, row.withdrawn, row.valid_from],
    )


def _told_of(source: Source, change: Change) -> tuple[str, None, dict[str, object]]:
    row = change.row
    detail = {"dgi_url": source.dgi_url, "code": row.code, "valid_from": str(row.valid_from)}
    return row.table_name, None, detail | {"before": _value(change.before), "after": _value(row)}


def _value(row: Held | None) -> dict[str, object] | None:
    if row is None or row.withdrawn:
        return None
    return {"label": row.label, "rate": None if row.rate is None else plain(row.rate)}


async def _learn(connection: psycopg.AsyncConnection, source: Source, rows: Iterable[Held]) -> list[Doubt]:
    """Take the rates of the currencies that invoices may name into the register of the day (SFE §1.30)."""
    doubts: list[Doubt] = []
    for row in rows:
        currencies = in_force(row.valid_from).currencies.keys() - {LOCAL_CURRENCY}
        if row.table_name != CURRENCY_RATES or row.code not in currencies or row.rate is None:
            continue
        reference = await find_rate(connection, row.code, row.valid_from)
        if reference is not None and abs(row.rate - reference) > reference * LARGEST_STEP:
            doubts.append(Doubt("rate.implausible", row, reference))
        elif not await _learned(connection, source, row):
            doubts.append(Doubt("rate.disagrees", row, reference))
    for doubt in doubts:
        detail = {
            "dgi_url": source.dgi_url,
            "told": plain(doubt.row.rate or Decimal(0)),
            "day": str(doubt.row.valid_from),
        }
        detail |= {"in_register": None if doubt.reference is None else plain(doubt.reference)}
        await add_event(connection, source.merchant_nif, None, doubt.kind, doubt.row.code, "warning", detail)
    return doubts


async def _learned(connection: psycopg.AsyncConnection, source: Source, row: Held) -> bool:
    cursor = await connection.execute(
        "SELECT signer.learn_rate(%s, %s, %s, %s)", [row.code, row.valid_from, row.rate, source_name(source.dgi_url)]
    )
    answer = await cursor.fetchone()
    return answer is not None and answer[0]

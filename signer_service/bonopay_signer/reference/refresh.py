"""The background task that asks the DGI for its tables: of each merchant at each address, one e-MCF, now and then.

Addresses are asked one after the other, at moments of their own, and not while documents find the DGI silent.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bonopay_signer import metrics
from bonopay_signer.dgi.device import DeviceError
from bonopay_signer.dgi.journal import JournalUnavailable
from bonopay_signer.reference import store
from bonopay_signer.reference.comparison import Change, Difference, differences
from bonopay_signer.reference.store import Doubt, Source
from bonopay_signer.reference.told import CURRENCY_RATES, SERVED, Told, Unreadable, fiscal_today, read_table
from bonopay_signer.sealing.devices import DeviceOf
from bonopay_signer.tenants.rows import Outlet, find_outlet
from bonopay_signer.tenants.secrets import SecretsError

_logger = logging.getLogger(__name__)
_OUTAGES = (psycopg.Error, PoolTimeout, JournalUnavailable)
_FIRST_PART, _RETRY_PART, _TICK_PART = 48, 12, 48
_LONGEST_TICK = 60.0


class ReferenceRefresh:
    """Every ``interval`` seconds at most, and no sooner than three quarters of it; ``resting``: silent outlets."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        device_of: DeviceOf,
        shard: int,
        interval: float,
        resting: Callable[[], list[str]],
    ) -> None:
        self._pool = pool
        self._device_of = device_of
        self._shard = shard
        self._interval = interval
        self._resting = resting
        self._due: dict[tuple[str, str], float] = {}  # monotonic
        self._failures: dict[tuple[str, str], int] = {}
        self._differences: dict[tuple[str, str], int] = {}

    async def run(self) -> None:
        """For ever, until cancelled. Nothing that fails here stops the loop: it is logged and tried again."""
        while True:
            try:
                await self._once()
            except _OUTAGES as error:
                _logger.warning("the DGI's tables wait: %s", error)
            except Exception:
                _logger.exception("asking for the DGI's tables failed and will be tried again")
            await asyncio.sleep(min(_LONGEST_TICK, self._interval / _TICK_PART))

    async def _once(self) -> None:
        async with self._pool.connection() as connection:
            known = await store.sources(connection, self._shard)
        self._forget_others({source.key for source in known})
        for source in known:
            due = self._due.setdefault(source.key, time.monotonic() + self._first_wait(source.age))
            if time.monotonic() >= due:
                await self._ask(source)

    def _forget_others(self, keys: set[tuple[str, str]]) -> None:
        for memory in (self._due, self._failures, self._differences):
            for key in memory.keys() - keys:
                memory.pop(key, None)
        metrics.REFERENCE_DIFFERENCES.set(sum(self._differences.values()))

    def _first_wait(self, age: float | None) -> float:
        """After a start: what was told before counts, and those who told nothing yet are not all asked at once."""
        if age is None:
            return random.uniform(0, self._interval / _FIRST_PART)
        return max(random.uniform(0, self._interval / _FIRST_PART), self._pause() - age)

    def _pause(self) -> float:
        return self._interval * random.uniform(0.75, 1.0)

    async def _ask(self, source: Source) -> None:
        resting = set(self._resting())
        awake = [outlet_id for outlet_id in source.outlets if outlet_id not in resting]
        answered = bool(awake) and await self._refreshed(source, random.choice(awake))
        if answered:
            self._failures.pop(source.key, None)
            self._due[source.key] = time.monotonic() + self._pause()
            return
        failures = self._failures[source.key] = self._failures.get(source.key, 0) + 1
        pause = min(self._interval, self._interval / _RETRY_PART * 2 ** min(failures - 1, 8))
        self._due[source.key] = time.monotonic() + pause * random.uniform(0.5, 1.0)

    async def _refreshed(self, source: Source, outlet_id: str) -> bool:
        """Whether the DGI told its tables, through this outlet's e-MCF."""
        async with self._pool.connection() as connection:
            outlet = await find_outlet(connection, outlet_id)
        if outlet is None:
            return False
        try:
            content = await self._device_of(outlet).reference_tables()
        except (DeviceError, SecretsError) as error:
            metrics.REFERENCE_ANSWERS.labels("failed").inc()
            _logger.info("the DGI does not tell its tables to %s: %s", outlet_id, error)
            return False
        await self._take(source, outlet, content)
        return True

    async def _take(self, source: Source, outlet: Outlet, content: Mapping[str, Any]) -> None:
        today = fiscal_today(datetime.now(UTC))
        told = _readable(outlet, content, today)
        async with self._pool.connection() as connection:
            new, doubts = await store.record(connection, source, outlet.nim, told, today)
            rows = await store.rows_in_force(connection, source.merchant_nif, today)
        found = differences((row for row in rows if row.dgi_url == source.dgi_url), today)
        self._differences[source.key] = len(found)
        metrics.REFERENCE_DIFFERENCES.set(sum(self._differences.values()))
        _alert(source, new, doubts, found)


def _readable(outlet: Outlet, content: Mapping[str, Any], today: date) -> dict[str, dict[str, Told]]:
    """The tables that can be read, by our names; the others are told to the log and change nothing."""
    told: dict[str, dict[str, Told]] = {}
    for served, name in SERVED.items():
        if served not in content:
            continue
        try:
            told[name] = read_table(name, content[served], today)
        except Unreadable as error:
            metrics.REFERENCE_ANSWERS.labels("unreadable").inc()
            _logger.warning(
                "the DGI's table %s (told to %s) cannot be read and is not used: %s", name, outlet.id, error
            )
    metrics.REFERENCE_ANSWERS.labels("answered").inc()
    return told


def _alert(source: Source, new: list[Change], doubts: list[Doubt], found: list[Difference]) -> None:
    for change in new:
        metrics.REFERENCE_CHANGES.labels(change.row.table_name).inc()
    changed = [change for change in new if change.before is not None and change.row.table_name != CURRENCY_RATES]
    if changed:
        names = ", ".join(f"{change.row.table_name} {change.row.code}" for change in changed)
        _logger.warning("the DGI's tables at %s have changed: %s", source.dgi_url, names)
    for doubt in doubts:
        _logger.warning(
            "the DGI's rate of %s for %s is %s, the register has %s: it is not used; if the DGI's is right, record it "
            "with: bonopay-signer rate set",
            doubt.row.code,
            doubt.row.valid_from,
            doubt.row.rate,
            doubt.reference,
        )
    if found and new:
        _logger.error(
            "the DGI's tables at %s are not the fiscal core's, by which documents are still judged: %s. Install the "
            "version of the signer that has them; until then the DGI may refuse documents of these codes",
            source.dgi_url,
            "; ".join(map(str, found)),
        )

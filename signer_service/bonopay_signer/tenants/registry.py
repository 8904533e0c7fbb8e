"""The registry in memory: keys, outlets and rates, so that a document is sealed without reading the database first.

What is held is what the database has, for as long as the listener hears every change. While it does not, nothing is
taken from memory and nothing is put there: a revocation holds at once, whatever happens to the listener.

::

    changed ──▶ drop it, and what is being read of it at this moment is used but not kept
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from datetime import date
from decimal import Decimal
from typing import Generic, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.tenants.apikeys import ApiKey
from bonopay_signer.tenants.listener import RegistryListener
from bonopay_signer.tenants.rows import Outlet, find_api_key, find_outlet, find_rate

_HELD, _UNKNOWN_HELD, _READS = 20_000, 1_000, 4
K, V = TypeVar("K", bound=Hashable), TypeVar("V")


class Held(Generic[K, V]):
    """At most ``size`` values; the one that was not asked for the longest makes room."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def drop(self, key: K) -> None:
        self._values.pop(key, None)

    def drop_where(self, condition: Callable[[V], bool]) -> None:
        for key in [key for key, value in self._values.items() if condition(value)]:
            del self._values[key]

    def clear(self) -> None:
        self._values.clear()


class Registry:
    """``start`` before the first question. Raises what the pool raises when the database is asked and is away.

    ``restart`` is called with the outlet whose sending an operator starts again: no change, but heard the same way.
    """

    def __init__(
        self, dsn: str, pool: AsyncConnectionPool, restart: Callable[[str], None] = lambda _outlet_id: None
    ) -> None:
        self._pool = pool
        self._restart = restart
        self._listener = RegistryListener(dsn, self.changed)
        self._keys: Held[str, ApiKey] = Held(_HELD)
        self._outlets: Held[str, Outlet] = Held(_HELD)
        self._rates: Held[tuple[str, date], Decimal] = Held(_HELD)
        # What does not exist is held too, but little of it: random keys must neither fill the memory nor push out the
        # real ones.
        self._unknown: Held[tuple[str, Hashable], bool] = Held(_UNKNOWN_HELD)
        # Nor may they take all connections.
        self._reads = asyncio.Semaphore(_READS)
        self._changes = 0

    def start(self) -> None:
        self._listener.start()

    async def close(self) -> None:
        await self._listener.close()

    async def api_key(self, prefix: str) -> ApiKey | None:
        return await self._find("api_key", self._keys, prefix, lambda c: find_api_key(c, prefix))

    async def outlet(self, outlet_id: str) -> Outlet | None:
        return await self._find("outlet", self._outlets, outlet_id, lambda c: find_outlet(c, outlet_id))

    async def rate(self, currency: str, day: date) -> Decimal | None:
        """The reference rate in force on a day, CDF for one unit (SFE §1.30); None when there is none."""
        return await self._find("currency_rate", self._rates, (currency, day), lambda c: find_rate(c, currency, day))

    async def _find(
        self, kind: str, held: Held[K, V], key: K, read: Callable[[psycopg.AsyncConnection], Awaitable[V | None]]
    ) -> V | None:
        if self._listener.is_current:
            value = held.get(key)
            if value is not None or (kind, key) in self._unknown:
                return value
        before = self._changes
        async with self._reads, self._pool.connection() as connection:
            value = await read(connection)
        # Whether a change that was heard meanwhile is in what was read, nobody knows.
        if self._changes == before and self._listener.is_current:
            if value is None:
                self._unknown.put((kind, key), True)
            else:
                held.put(key, value)
        return value

    def changed(self, what: str) -> None:
        """Forget what a notification names (tenants/listener.py); everything, when that is not understood."""
        kind, _, key = what.partition(" ")
        if kind == "restart":
            self._restart(key)
            return
        self._changes += 1
        self._unknown.clear()
        if kind == "api_key":
            self._keys.drop(key)
        elif kind == "outlet":
            self._outlets.drop(key)
        elif kind == "currency_rate":
            self._rates.clear()
        else:
            of_merchant = kind == "merchant"
            self._keys.drop_where(lambda value: not of_merchant or value.merchant_nif == key)
            self._outlets.drop_where(lambda value: not of_merchant or value.merchant_nif == key)
            if not of_merchant:
                self._rates.clear()

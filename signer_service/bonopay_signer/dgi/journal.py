"""The journal of exchanges: every request before it is sent, every answer as it came.

Headers are never recorded, so a token never is.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.pool import DATABASE_AWAY

_INSERT = """
INSERT INTO signer.dgi_exchange
       (exchange_id, direction, outlet_id, fiscal_number, step, method, path, http_status, body, error)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


class JournalUnavailable(Exception):
    """The exchange cannot be recorded, so it is not made, or its answer is not used."""


@dataclass(frozen=True, slots=True)
class Exchange:
    exchange_id: UUID
    outlet_id: str
    fiscal_number: str | None
    step: str
    method: str
    path: str


class Journal:
    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def request(
        self, outlet_id: str, fiscal_number: str | None, step: str, method: str, path: str, body: bytes
    ) -> Exchange:
        """Record what is about to be sent. Raises JournalUnavailable."""
        exchange = Exchange(uuid4(), outlet_id, fiscal_number, step, method, path)
        await self._insert(exchange, "request", None, body, None)
        return exchange

    async def answer(self, exchange: Exchange, status: int, body: bytes) -> None:
        """Record what came back. Raises JournalUnavailable."""
        await self._insert(exchange, "answer", status, body, None)

    async def silence(self, exchange: Exchange, error: str) -> None:
        """Record that nothing came back, and why. Raises JournalUnavailable."""
        await self._insert(exchange, "answer", None, b"", error)

    async def answers(self, outlet_id: str, fiscal_number: str, step: str, path: str) -> list[bytes]:
        """The answers with HTTP 200 to a step, latest first. Raises JournalUnavailable."""
        query = (
            "SELECT body FROM signer.dgi_exchange WHERE outlet_id = %s AND fiscal_number = %s AND step = %s "
            "AND path = %s AND direction = 'answer' AND http_status = 200 ORDER BY id DESC"
        )
        async with self._connection() as connection:
            cursor = await connection.execute(query, [outlet_id, fiscal_number, step, path])
            return [bytes(body) for (body,) in await cursor.fetchall()]

    async def _insert(
        self, exchange: Exchange, direction: str, status: int | None, body: bytes, error: str | None
    ) -> None:
        values = [exchange.exchange_id, direction, exchange.outlet_id, exchange.fiscal_number, exchange.step]
        values += [exchange.method, exchange.path, status, body, error]
        async with self._connection() as connection:
            await connection.execute(_INSERT, values)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except DATABASE_AWAY as failure:
            raise JournalUnavailable("the journal of DGI exchanges does not answer") from failure

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
_FIRST_SINCE = """
SELECT body FROM signer.dgi_exchange
 WHERE id > (SELECT max(id) FROM signer.dgi_exchange WHERE outlet_id = %s AND fiscal_number = %s AND path = %s)
   AND outlet_id = %s AND step = %s AND direction = 'answer' AND error IS NULL
 ORDER BY id LIMIT 1
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

    async def answer(self, exchange: Exchange, status: int | None, body: bytes) -> None:
        """Record what came back; ``status`` is HTTP's, None on a serial line. Raises JournalUnavailable."""
        await self._insert(exchange, "answer", status, body, None)

    async def silence(self, exchange: Exchange, error: str, received: bytes = b"") -> None:
        """Record that no answer came back, why, and what came instead. Raises JournalUnavailable."""
        await self._insert(exchange, "answer", None, received, error)

    async def answers(
        self, outlet_id: str, fiscal_number: str, step: str, path: str, status: int | None = 200
    ) -> list[bytes]:
        """The answers to a step with this HTTP status, latest first; None: on a serial line. Raises
        JournalUnavailable."""
        query = (
            "SELECT body FROM signer.dgi_exchange WHERE outlet_id = %s AND fiscal_number = %s AND step = %s "
            "AND path = %s AND direction = 'answer' AND error IS NULL AND http_status IS NOT DISTINCT FROM %s "
            "ORDER BY id DESC"
        )
        async with self._connection() as connection:
            cursor = await connection.execute(query, [outlet_id, fiscal_number, step, path, status])
            return [bytes(body) for (body,) in await cursor.fetchall()]

    async def first_answer_since(self, outlet_id: str, step: str, fiscal_number: str, path: str) -> bytes | None:
        """The outlet's first answer to a step after the last row of (fiscal number, path). Raises
        JournalUnavailable."""
        async with self._connection() as connection:
            cursor = await connection.execute(_FIRST_SINCE, [outlet_id, fiscal_number, path, outlet_id, step])
            row = await cursor.fetchone()
        return None if row is None else bytes(row[0])

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

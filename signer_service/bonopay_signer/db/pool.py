"""The service's connections, and what each may see.

Row-level security shows a connection the rows of the merchant that its setting ``bonopay.merchant`` names, and nothing
where that is not set. The service's own workers (writer, agent, public verification) connect with ``*``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

_OPTIONS = "-c statement_timeout=20000 -c lock_timeout=10000 -c timezone=UTC"
SYSTEM = {"options": f"{_OPTIONS} -c bonopay.merchant=*"}
"""Connection parameters of a worker that serves every merchant."""

DATABASE_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby that a failover left behind
    PoolTimeout,
)
"""The database does not answer, or takes nothing: to be tried again."""


def make_pool(dsn: str, size: int) -> AsyncConnectionPool:
    """An unopened pool of system connections."""
    return _pool(dsn, size, "signer", SYSTEM["options"])


class TenantPool:
    """Connections that see one merchant at a time: what answers an authenticated client reads through these."""

    def __init__(self, dsn: str, size: int) -> None:
        self._pool = _pool(dsn, size, "tenants", _OPTIONS)

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def connection(self, merchant_nif: str) -> AsyncIterator[psycopg.AsyncConnection]:
        """A transaction that sees the rows of ``merchant_nif`` alone."""
        if merchant_nif == "*":
            raise ValueError("'*' is no merchant")
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT set_config('bonopay.merchant', %s, true)", [merchant_nif])
            yield connection


def _pool(dsn: str, size: int, name: str, options: str) -> AsyncConnectionPool:
    """Each connection is checked when taken, so a restarted database costs no failed request."""
    return AsyncConnectionPool(
        dsn,
        min_size=2,
        max_size=size,
        open=False,
        timeout=5.0,
        reconnect_timeout=30.0,
        check=AsyncConnectionPool.check_connection,
        kwargs={"autocommit": True, "options": options},
        name=name,
    )

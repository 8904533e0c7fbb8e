"""The service's connections."""

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

DATABASE_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby that a failover left behind
    PoolTimeout,
)
"""The database does not answer, or takes nothing: to be tried again."""


def make_pool(dsn: str, size: int) -> AsyncConnectionPool:
    """An unopened pool; each connection is checked when taken, so a restarted database costs no failed request."""
    return AsyncConnectionPool(
        dsn,
        min_size=2,
        max_size=size,
        open=False,
        timeout=5.0,
        reconnect_timeout=30.0,
        check=AsyncConnectionPool.check_connection,
        kwargs={"autocommit": True, "options": "-c statement_timeout=20000 -c lock_timeout=10000 -c timezone=UTC"},
        name="signer",
    )

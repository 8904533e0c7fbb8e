"""When each API key was last used: noted in memory, written now and then, so that a request costs no write for it."""

import asyncio
import logging
import time

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bonopay_signer.tasks import ended

_logger = logging.getLogger(__name__)
_UPDATE = """
UPDATE signer.api_key AS k SET last_used_at = to_timestamp(used.at)
  FROM unnest(%s::text[], %s::float8[]) AS used (prefix, at)
 WHERE k.prefix = used.prefix AND (k.last_used_at IS NULL OR k.last_used_at < to_timestamp(used.at))
"""


class KeyUsage:
    """One note per key, so there are never more than keys. What a crash loses is one interval of it."""

    def __init__(self, pool: AsyncConnectionPool, interval: float) -> None:
        self._pool = pool
        self._interval = interval
        self._used: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what was noted."""
        if self._task is not None:
            await ended(self._task)
            await self._write()

    def note(self, prefix: str) -> None:
        self._used[prefix] = time.time()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._write()

    async def _write(self) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        try:
            async with self._pool.connection() as connection:
                await connection.execute(_UPDATE, [list(used), list(used.values())])
        except (psycopg.Error, PoolTimeout) as error:
            self._used = used | self._used
            _logger.warning("when API keys were last used cannot be written, and will be tried again: %s", error)

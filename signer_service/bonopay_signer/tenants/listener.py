"""Hears of every change of the registry (NOTIFY on ``bonopay_registry``), and knows when it may have missed one.

What the listener has heard is complete up to its last heartbeat: what was notified before a query on the same
connection, PostgreSQL delivers before that query's answer. So the word of the listener holds for a lease that each
answered heartbeat renews, counted from when it was sent; a cut, silent or slow connection ends it.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable

import psycopg

from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.tasks import ended

CHANNEL = "bonopay_registry"
HEARTBEAT, LEASE = 0.5, 1.5
"""Seconds between heartbeats, and how long after one the listener's word holds."""
_PATIENCE = 3.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_logger = logging.getLogger(__name__)


class RegistryListener:
    """Calls ``changed`` with what a notification names (``api_key <prefix>``, ``outlet <id>``, ``merchant <nif>``,
    ``currency_rate <currency>``, ``restart <outlet id>``), and with "" when anything may have changed."""

    def __init__(self, dsn: str, changed: Callable[[str], None]) -> None:
        self._dsn = dsn
        self._changed = changed
        self._holds_until = 0.0
        self._probe = ""
        self._heard_probe = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        await ended(self._task)
        self._holds_until = 0.0

    @property
    def is_current(self) -> bool:
        """Whether every change up to a moment ago has been heard."""
        return time.monotonic() < self._holds_until

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._listen()
            except (psycopg.Error, TimeoutError, OSError) as error:
                if self._holds_until:
                    pause = _FIRST_PAUSE
                level = logging.WARNING if pause == _FIRST_PAUSE else logging.DEBUG  # told once, not at every attempt
                _logger.log(level, "the registry is read from the database until changes are heard again: %s", error)
            except Exception:
                _logger.exception("the listener of the registry failed and starts anew")
            self._holds_until = 0.0
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, application_name="bonopay-signer registry", connect_timeout=5, **SYSTEM
        ) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            await self._prove(connection)
            self._changed("")
            while True:
                await self._beat(connection)
                await self._hear(connection, HEARTBEAT)

    async def _beat(self, connection: psycopg.AsyncConnection) -> None:
        sent = time.monotonic()
        async with asyncio.timeout(_PATIENCE):
            await connection.execute("SELECT 1")
        await self._hear(connection, 0)
        self._holds_until = sent + LEASE

    async def _prove(self, connection: psycopg.AsyncConnection) -> None:
        """Hear oneself: through a pooler of transactions LISTEN succeeds, and then nothing ever arrives."""
        self._probe, self._heard_probe = f"probe {secrets.token_hex(8)}", False
        async with asyncio.timeout(_PATIENCE):
            await connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, self._probe])
        await self._hear(connection, 0)
        if not self._heard_probe:
            raise ConnectionError("notifications do not arrive; connect to PostgreSQL itself, not to a pooler")

    async def _hear(self, connection: psycopg.AsyncConnection, seconds: float) -> None:
        """What came with the answers before, and what comes within this time."""
        async for notification in connection.notifies(timeout=seconds):
            if notification.payload == self._probe:
                self._heard_probe = True
            elif not notification.payload.startswith("probe "):
                self._changed(notification.payload)

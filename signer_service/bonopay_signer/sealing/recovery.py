"""The background task that finishes what a crash, a silence of the DGI or an outage of the database left open."""

import asyncio
import logging
from collections.abc import Awaitable

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bonopay_signer.db.instance import LockLost, SecondSigner, ShardLock
from bonopay_signer.dgi.device import DeviceError
from bonopay_signer.dgi.journal import JournalUnavailable
from bonopay_signer.ledger import reader
from bonopay_signer.sealing import submissions
from bonopay_signer.sealing.devices import DeviceOf
from bonopay_signer.sealing.settlement import Settlement
from bonopay_signer.sealing.submissions import State, Submission
from bonopay_signer.sealing.tidying import Tidying
from bonopay_signer.sealing.turns import Turns
from bonopay_signer.tenants.rows import find_outlet
from bonopay_signer.tenants.secrets import SecretsError

_logger = logging.getLogger(__name__)
_SEALED = (State.QUEUED, State.CONFIRMING, State.UNKNOWN)
_LEFT_BEHIND = (State.RESERVED, State.PREPARED, State.CANCELLING)
# What hangs at a silent DGI must leave connections to everybody else: of one outlet at once, and of all.
_OF_ONE_OUTLET, _SETTLING, _TIDYING = 10, 40, 20
_OUTAGES = (psycopg.Error, PoolTimeout, JournalUnavailable, LockLost, SecondSigner)


class Recovery:
    """Keeps the instance lock and works through what is due, every ``interval`` seconds."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        lock: ShardLock,
        device_of: DeviceOf,
        settlement: Settlement,
        tidying: Tidying,
        turns: Turns,
        interval: float,
    ) -> None:
        self._pool = pool
        self._lock = lock
        self._device_of = device_of
        self._settlement = settlement
        self._tidying = tidying
        self._turns = turns
        self._interval = interval
        self._tidying_now: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """For ever, until cancelled. Nothing that fails here stops the loop: it is logged and tried again."""
        try:
            while True:
                await self._attempt(self._once())
                await asyncio.sleep(self._interval)
        finally:
            for task in self._tidying_now.values():
                task.cancel()

    async def _attempt(self, work: Awaitable[None]) -> None:
        try:
            await work
        except _OUTAGES as error:
            _logger.warning("recovery waits: %s", error)
        except Exception:
            _logger.exception("recovery failed and will try again")

    async def _once(self) -> None:
        await self._lock.hold()
        await self._work_through()

    async def _work_through(self) -> None:
        async with self._pool.connection() as connection:
            resting = self._settlement.silences.resting()
            sealed = await submissions.due(connection, self._lock.shard, _SEALED, _OF_ONE_OUTLET, resting)
            left_behind = await submissions.due(connection, self._lock.shard, _LEFT_BEHIND, per_outlet=1)
        for row in sealed:
            if self._settlement.running < _SETTLING and self._settlement.silences.may_ask(row.outlet_id):
                await self._resume(row)
        for row in left_behind:
            # A turn that is taken is a document on its way, or a tidying: it does the work by itself.
            if not self._turns[row.outlet_id].locked() and len(self._tidying_now) < _TIDYING:
                self._start_tidying(row.outlet_id)

    def _start_tidying(self, outlet_id: str) -> None:
        if outlet_id not in self._tidying_now:
            task = asyncio.create_task(self._attempt(self._tidy(outlet_id)))
            self._tidying_now[outlet_id] = task
            task.add_done_callback(lambda _done: self._tidying_now.pop(outlet_id))

    async def _resume(self, row: Submission) -> None:
        if self._settlement.is_running(row.fiscal_number):
            return
        async with self._pool.connection() as connection:
            current = await submissions.find(connection, row.id)
            entry = await reader.invoice_by_number(connection, row.fiscal_number)
            outlet = await find_outlet(connection, row.outlet_id)
        if current is not None and current.state in _SEALED and entry is not None and outlet is not None:
            self._settlement.start(current, entry, outlet, ask_first=True)

    async def _tidy(self, outlet_id: str) -> None:
        async with self._turns[outlet_id]:
            async with self._pool.connection() as connection:
                outlet = await find_outlet(connection, outlet_id)
            if outlet is None:
                return
            try:
                await self._tidying.tidy(outlet, self._device_of(outlet))
            except (DeviceError, SecretsError) as error:
                _logger.info("what was left at the DGI for %s is not cleared yet: %s", outlet_id, error)

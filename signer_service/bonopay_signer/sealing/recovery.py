"""The background task that finishes what a crash, a silence of the DGI or an outage of the database left open."""

import asyncio
import logging
from collections.abc import Awaitable, Collection, Mapping
from contextlib import suppress

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bonopay_signer.db.instance import LockLost, SecondSigner, ShardLock
from bonopay_signer.dgi.device import DeviceError
from bonopay_signer.dgi.journal import JournalUnavailable
from bonopay_signer.ledger import reader
from bonopay_signer.sealing import submissions
from bonopay_signer.sealing.agenda import Agenda, Due
from bonopay_signer.sealing.breakers import Breakers, breaker_of
from bonopay_signer.sealing.devices import DeviceOf
from bonopay_signer.sealing.settlement import Settlement
from bonopay_signer.sealing.submissions import State, Submission
from bonopay_signer.sealing.tidying import Tidying
from bonopay_signer.sealing.turns import Turns
from bonopay_signer.tenants.rows import Outlet, devices_of_shard, find_outlet
from bonopay_signer.tenants.secrets import SecretsError

_logger = logging.getLogger(__name__)
_SEALED = (State.QUEUED, State.CONFIRMING, State.UNKNOWN)
_LEFT_BEHIND = (State.RESERVED, State.PREPARED, State.CANCELLING)
_OF_ONE_OUTLET, _OF_ALL = 10, 500
"""What is read ahead."""
_TIDYING = 20
_SHORTEST_INTERVAL = 0.1
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
        breakers: Breakers,
        interval: float,
        parallel: int = 40,
        per_outlet: int = 4,
    ) -> None:
        self._pool = pool
        self._lock = lock
        self._device_of = device_of
        self._settlement = settlement
        self._tidying = tidying
        self._turns = turns
        self._breakers = breakers
        self._interval = interval
        self._agenda = Agenda(breakers.may_ask, parallel, per_outlet)
        self._room = asyncio.Event()
        self._attempts: set[asyncio.Task[None]] = set()
        self._tidying_now: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """For ever, until cancelled. Nothing that fails here stops the loop: it is logged and tried again."""
        try:
            while True:
                self._room.clear()
                await self._attempt(self._once())
                await asyncio.sleep(min(_SHORTEST_INTERVAL, self._interval))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval):
                        await self._room.wait()
        finally:
            for task in [*self._tidying_now.values(), *self._attempts]:
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

    def look_now(self) -> None:
        """What was made due is not left until the interval is over."""
        self._room.set()

    async def _work_through(self) -> None:
        shard, resting = self._lock.shard, set(self._breakers.resting())
        async with self._pool.connection() as connection:
            devices = await devices_of_shard(connection, shard)
            silent = _silent(resting, devices)
            sealed = await submissions.due(connection, shard, _SEALED, _OF_ONE_OUTLET, silent, resting, _OF_ALL)
            left_behind = await submissions.due(connection, shard, _LEFT_BEHIND, 1, silent, resting)
        self._agenda.offer(
            Due(row.created_at, row.id, row.outlet_id, _device_for(row, devices, resting)) for row in sealed
        )
        self._start_attempts()
        for row in left_behind:
            # A turn that is taken is a document on its way, or a tidying: it does the work by itself.
            if not self._turns[row.outlet_id].locked() and len(self._tidying_now) < _TIDYING:
                self._start_tidying(row.outlet_id)

    def _start_tidying(self, outlet_id: str) -> None:
        if outlet_id not in self._tidying_now:
            task = asyncio.create_task(self._attempt(self._tidy(outlet_id)))
            self._tidying_now[outlet_id] = task
            task.add_done_callback(lambda _done: self._tidying_now.pop(outlet_id))

    def _start_attempts(self) -> None:
        while (due := self._agenda.take()) is not None:
            task = asyncio.create_task(self._bring(due))
            self._attempts.add(task)
            task.add_done_callback(self._attempts.discard)

    async def _bring(self, due: Due) -> None:
        try:
            await self._attempt(self._resume(due))
        finally:
            self._agenda.ended(due)
        self._start_attempts()
        if not self._agenda.waiting:
            self._room.set()  # more may be due than was read

    async def _resume(self, due: Due) -> None:
        async with self._pool.connection() as connection:
            row = await submissions.find(connection, due.id)
            entry = await reader.invoice_by_number(connection, row.fiscal_number) if row else None
            outlet = await find_outlet(connection, due.outlet_id)
        if row is None or entry is None or outlet is None:
            return
        if row.state in _SEALED:
            mcf = due.mcf if due.mcf in outlet.devices else outlet.devices[0]
            self._settlement.start(row, entry, outlet, ask_first=True, mcf=mcf)
        await self._settlement.ended(row.fiscal_number)

    async def _tidy(self, outlet_id: str) -> None:
        async with self._turns[outlet_id]:
            async with self._pool.connection() as connection:
                outlet = await find_outlet(connection, outlet_id)
            if outlet is None:
                return
            for mcf in (None, *(mcf.nim for mcf in outlet.mcfs)):
                if self._breakers.state(breaker_of(outlet_id, mcf)) != "open":
                    await self._tidy_device(outlet, mcf)

    async def _tidy_device(self, outlet: Outlet, mcf: str | None) -> None:
        try:
            await self._tidying.tidy(outlet, mcf, self._device_of)
        except (DeviceError, SecretsError) as error:
            _logger.info("what was left at the DGI for %s is not cleared yet: %s", outlet.id, error)


def _silent(resting: Collection[str], devices: Mapping[str, tuple[str | None, ...]]) -> list[str]:
    """The outlets of which no device is to be asked now."""
    return [
        name
        for name in resting
        if all(breaker_of(name, mcf) in resting for mcf in devices.get(name, (None,)))  # no outlet's id has a "/"
    ]


def _device_for(row: Submission, devices: Mapping[str, tuple[str | None, ...]], resting: Collection[str]) -> str | None:
    """The device that is to be asked for a document: its own, or the first of its outlet's that does not rest."""
    if row.is_bound:
        return row.mcf
    known = devices.get(row.outlet_id, (None,))
    return next((mcf for mcf in known if breaker_of(row.outlet_id, mcf) not in resting), known[0])

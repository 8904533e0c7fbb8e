"""Whether the service can seal now: every part that a seal needs, asked for real.

All parts are asked at once, each for at most ``PATIENCE`` seconds. However many ask, the parts are asked once at a time
and at most every ``FRESH`` seconds, so that readiness cannot be used to load the token or the database.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import psycopg
from msgspec import Struct
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bonopay_signer.db.instance import LockLost, SecondSigner, ShardLock
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.hsm.signers import Signers
from bonopay_signer.ledger import store
from bonopay_signer.ledger.batch import ClockBehind, seal_time
from bonopay_signer.ledger.errors import LedgerUnavailable
from bonopay_signer.ledger.headstore import HeadStore, HeadStoreError
from bonopay_signer.ledger.queue import FairQueue
from bonopay_signer.ledger.rollback import LedgerBehind
from bonopay_signer.ledger.writer import LedgerWriter

PATIENCE = 3.0
FRESH = 0.5
CLOCK_TOLERANCE = timedelta(minutes=5)


class Readiness(Struct, frozen=True):
    """``checks``: whether each part is ready; ``reasons``: of those that are not, why, in words for the operator."""

    ready: bool
    checks: dict[str, bool]
    reasons: dict[str, str]


class NotReady(Exception):
    """Why a part is not ready."""


_EXPECTED = (
    NotReady,
    psycopg.Error,
    PoolTimeout,
    OSError,
    HsmUnavailable,
    LockLost,
    SecondSigner,
    LedgerUnavailable,
    LedgerBehind,
    ClockBehind,
    HeadStoreError,
)


class ReadinessCheck:
    def __init__(
        self,
        pool: AsyncConnectionPool,
        lock: ShardLock,
        signers: Signers,
        writer: LedgerWriter,
        heads: HeadStore,
        queue: FairQueue,
        shard: int,
    ) -> None:
        self._pool = pool
        self._lock = lock
        self._signers = signers
        self._writer = writer
        self._heads = heads
        self._queue = queue
        self._shard = shard
        self._parts: dict[str, Callable[[], Awaitable[None]]] = {
            "database": self._database,
            "lock": self._lock_and_fence,
            "hsm": self._signers.check,
            "ledger": self._ledger,
            "head_store": self._head_store,
            "clock": self._clock,
            "queue": self._room,
        }
        self._running: dict[str, asyncio.Task[None]] = {}
        self._asking: asyncio.Task[Readiness] | None = None
        self._asked_at = 0.0

    async def ask(self) -> Readiness:
        """How every part is now, or was at most FRESH seconds ago."""
        if self._asking is None or (self._asking.done() and time.monotonic() - self._asked_at > FRESH):
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Readiness:
        answers = await asyncio.gather(*(self._reason(name) for name in self._parts))
        self._asked_at = time.monotonic()
        reasons = {name: reason for name, reason in zip(self._parts, answers, strict=True) if reason is not None}
        return Readiness(not reasons, {name: name not in reasons for name in self._parts}, reasons)

    async def _reason(self, name: str) -> str | None:
        """Why a part is not ready; None when it is.

        A part that hangs is not cancelled, which would leave its connection in the middle of something: the next to ask
        waits for the same answer.
        """
        task = self._running.get(name)
        if task is None:
            task = self._running[name] = asyncio.ensure_future(self._parts[name]())
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        if not done:
            return f"no answer within {PATIENCE:g} s"
        del self._running[name]
        return _words(task.exception())

    async def _database(self) -> None:
        """Answers, and is not a standby that a failover left behind."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')")
            row = await cursor.fetchone()
        if row != (False, "off"):
            raise NotReady("the database is read-only")

    async def _lock_and_fence(self) -> None:
        """The lock is held, and nobody took a newer generation."""
        await self._lock.check()
        generation = self._lock.required_generation()
        async with self._pool.connection() as connection:
            shard = await store.read_shard(connection, self._shard)
        if shard.generation != generation:
            raise NotReady(f"another signer took shard {self._shard}")

    async def _ledger(self) -> None:
        self._writer.check()

    async def _head_store(self) -> None:
        await asyncio.to_thread(self._heads.check)

    async def _clock(self) -> None:
        """Not behind the last entry, and near the database's."""
        async with self._pool.connection() as connection:
            shard = await store.read_shard(connection, self._shard)
            row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
        now = datetime.now(UTC)
        seal_time(now, shard.sealed_at)
        if row is not None and abs(now - row[0]) > CLOCK_TOLERANCE:
            raise NotReady(f"the clock is {(now - row[0]).total_seconds():+.0f} s from the database's")

    async def _room(self) -> None:
        if len(self._queue) >= self._queue.limit:
            raise NotReady(f"{len(self._queue)} documents wait, no more may")


def _words(error: BaseException | None) -> str | None:
    """The database's own words may quote an address: its kind is enough. Raises what is a defect."""
    if error is None:
        return None
    if isinstance(error, (psycopg.Error, PoolTimeout)):
        return f"the database does not answer ({type(error).__name__})"
    if isinstance(error, _EXPECTED):
        return str(error)
    raise error

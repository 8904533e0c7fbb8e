"""The one writer of a shard: group commit without timers.

::

    queue ──▶ take what waits ──▶ look up ∥ hash and sign ──▶ one statement ──▶ head store ──▶ answers
                                                                    │ no reply
                                                                    ▼
                                              in doubt: take a new generation, then read

A batch is whatever came while the one before was written, so it grows by itself under load and is one at rest. Nothing
leaves before it is durable twice, in the database and in the head store (ledger.tail).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import psycopg

from bonopay_signer import logs, metrics
from bonopay_signer.db.instance import ShardLock
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.ledger import store
from bonopay_signer.ledger.batch import Draft, OutOfOrder, Planner, seal_time
from bonopay_signer.ledger.entries import INVOICE, Entry, now_ms
from bonopay_signer.ledger.errors import AWAY, FINAL, AlreadySealed, LedgerUnavailable, NotAppended, defect, named
from bonopay_signer.ledger.headstore import HeadStore
from bonopay_signer.ledger.queue import FairQueue, Waiting
from bonopay_signer.ledger.tail import Tail

_logger = logging.getLogger(__name__)
_SMALL = 4
_NAMED_REQUESTS = 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0

A, B = TypeVar("A"), TypeVar("B")
Judge = Callable[[psycopg.AsyncConnection, Sequence[Draft]], Awaitable[Mapping[int, Exception]]]
"""Refusals of credit notes by their place in the sequence, judged on what the batch's fence protects."""


class Signs(Protocol):
    """What the writer needs of hsm.signers."""

    authority: str

    @property
    def key_id(self) -> str: ...

    async def sign(self, batch: Sequence[tuple[bytes, bytes]]) -> list[bytes]: ...


class LedgerWriter:
    """Appends for one shard. ``open`` before the first append, ``close`` at the end."""

    def __init__(
        self,
        dsn: str,
        lock: ShardLock,
        signers: Signs,
        heads: HeadStore,
        queue: FairQueue,
        judge: Judge,
        public_url: str,
        shard: int = 0,
        batch_size: int = 256,
        patience: float = 5.0,
    ) -> None:
        self._tail = Tail(dsn, lock, heads, public_url, shard)
        self._signers = signers
        self._queue = queue
        self._judge = judge
        self._batch_size = batch_size
        self._patience = patience
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self.grew = asyncio.Event()

    async def open(self) -> None:
        """Connect, compare with the head store, start writing.

        Raises HeadStoreError, LedgerBehind, LockLost, or psycopg.Error.
        """
        await self._tail.open()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop writing. What still waits is answered LedgerUnavailable."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for waiting in self._queue.take_all():
            waiting.fail(LedgerUnavailable("the service stops"))
        await self._tail.close()

    async def append(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Append drafts of one outlet in order, all or none; returns when they are durable.

        Raises QueueFull, AlreadySealed, OutOfOrder, NotAppended, what the judge refuses with; and when the patience is
        spent, why it could not be written: HsmUnavailable, ClockBehind, LockLost, LedgerUnavailable.
        """
        waiting = Waiting(drafts)
        self._queue.put(waiting)
        done, _ = await asyncio.wait([waiting.done], timeout=self._patience)
        if not done:
            waiting.abandoned = True
            raise waiting.delay or LedgerUnavailable("the ledger is not written at the moment")
        return waiting.done.result()

    def is_released(self, entry: Entry) -> bool:
        """Whether others may be told of an entry: not while only the database has it."""
        return self._tail.is_remembered(entry)

    def require_released(self, entry: Entry) -> None:
        """Raises LedgerUnavailable for what is not released yet."""
        if not self.is_released(entry):
            raise LedgerUnavailable(f"{entry.fiscal_number} is not in the head store yet")

    def check(self) -> None:
        """Raises what keeps the ledger from being written now."""
        if self._task is None or self._task.done():
            raise LedgerUnavailable("the ledger is not open")
        failure = self._tail.trouble or self._failure
        if failure is not None:
            raise failure

    # --- the loop

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await self._something_to_do()
            batch = self._takeable(self._queue.take(self._batch_size))
            if not batch:
                continue
            _observe(batch)
            try:
                await self._write(batch)
                self._failure, pause = None, _FIRST_PAUSE
            except asyncio.CancelledError:
                _fail(batch, LedgerUnavailable("the service stops"))
                raise
            except Exception as error:
                self._postpone(batch, named(error))
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    async def _something_to_do(self) -> None:
        """Until something waits. After a failure, find out by and by whether what failed holds again."""
        while self._failure is not None:
            try:
                async with asyncio.timeout(_LONGEST_PAUSE):
                    await self._queue.filled()
                    return
            except TimeoutError:
                await self._try_again()
        await self._queue.filled()

    async def _try_again(self) -> None:
        try:
            await self._tail.load()
        except Exception as error:
            self._failure = named(error)
        else:
            self._failure = None

    def _takeable(self, batch: list[Waiting]) -> list[Waiting]:
        """Without those nobody waits for, and one document once: its twin waits for the next batch and finds it."""
        seen: set[tuple[str, str, object]] = set()
        taken, later = [], []
        for waiting in batch:
            if waiting.abandoned:
                continue
            ids = {(draft.kind, draft.merchant_nif, draft.document_id) for draft in waiting.drafts if draft.document_id}
            (later if ids & seen else taken).append(waiting)
            seen |= ids
        self._queue.put_back(later)
        return taken

    def _postpone(self, batch: Sequence[Waiting], error: Exception) -> None:
        if self._failure is None or type(error) is not type(self._failure):
            _logger.warning("the ledger is not written: %s", error, exc_info=defect(error))
        self._failure = error
        open_ones = [waiting for waiting in batch if not waiting.done.done()]
        if isinstance(error, FINAL):
            _fail(open_ones, error)
            return
        for waiting in open_ones:
            waiting.delay = error
        self._queue.put_back(open_ones)

    # --- one batch

    async def _write(self, batch: list[Waiting], look: bool = False) -> None:
        """Bring a batch to its end. What cannot be written now is raised; a refusal goes to who waits for it.

        A small batch is not looked up first: should the database find a document in it twice, it is written again with
        ``look``.
        """
        await self._tail.load()
        await self._tail.know(waiting.outlet_id for waiting in batch)
        look = look or len(batch) > _SMALL or any(draft.original for waiting in batch for draft in waiting.drafts)
        admitted, planner, signatures = await self._admitted_and_signed(batch, look)
        if not admitted:
            return
        try:
            entries = await self._tail.append(planner.plan(), signatures)
        except psycopg.Error as error:
            if isinstance(error, psycopg.errors.UniqueViolation) and not look:
                await self._write(admitted, look=True)
            else:
                await self._not_committed(admitted, error)
        else:
            self._release(admitted, entries)

    async def _admitted_and_signed(
        self, batch: list[Waiting], look: bool
    ) -> tuple[list[Waiting], Planner, list[bytes]]:
        """Look up and sign at the same time: that a document is refused here is rare, so nothing waits for it."""
        wanted, planner = self._planned(batch)
        if not look:
            return wanted, planner, await self._signed(planner)
        refused, signatures = await _both(self._refusals(wanted), self._signed(planner))
        if not refused:
            return wanted, planner, signatures
        for waiting, error in refused.items():
            waiting.fail(error)
        wanted, planner = self._planned([waiting for waiting in wanted if waiting not in refused])
        return wanted, planner, await self._signed(planner)

    def _planned(self, batch: Sequence[Waiting]) -> tuple[list[Waiting], Planner]:
        sealed_at = seal_time(now_ms(), self._tail.shard.sealed_at)
        planner = Planner(self._tail.heads, sealed_at, self._signers.authority, self._signers.key_id)
        planned = []
        for waiting in batch:
            try:
                planner.add(waiting.drafts)
            except (OutOfOrder, KeyError) as error:
                waiting.fail(OutOfOrder(str(error)))
            else:
                planned.append(waiting)
        return planned, planner

    async def _signed(self, planner: Planner) -> list[bytes]:
        if not planner.entries:
            return []
        pairs = [(entry.statement_bytes, entry.previous_hash) for entry in planner.entries]
        with metrics.timed(metrics.sign):
            try:
                return await self._signers.sign(pairs)
            except HsmUnavailable:
                metrics.HSM_ERRORS.inc()
                raise

    async def _refusals(self, batch: Sequence[Waiting]) -> dict[Waiting, Exception]:
        connection = self._tail.connection
        new = [(w, draft) for w in batch for draft in w.drafts if draft.kind == INVOICE]
        if not new:
            return {}
        documents = [(draft.merchant_nif, draft.document_id) for _, draft in new if draft.document_id]
        with metrics.timed(metrics.look_up):
            sealed = await store.sealed_documents(connection, documents)
        refused: dict[Waiting, Exception] = {}
        for waiting, draft in new:
            number = sealed.get((draft.merchant_nif, draft.document_id))
            if number is not None:
                refused[waiting] = AlreadySealed(number)
        credits = [(w, draft) for w, draft in new if draft.original is not None and w not in refused]
        if credits:
            found = await self._judge(connection, [draft for _, draft in credits])
            refused |= {credits[place][0]: error for place, error in found.items()}
        return refused

    async def _not_committed(self, batch: list[Waiting], error: psycopg.Error) -> None:
        """Raises what concerns the whole ledger. One entry that the database refuses is found by writing singly."""
        if error.sqlstate in (None, store.FENCED) or isinstance(error, AWAY):
            raise error
        if len(batch) > 1:
            for waiting in batch:
                await self._write([waiting])
            return
        _logger.error("the database refuses an entry of %s: %s", batch[0].outlet_id, error)
        batch[0].fail(NotAppended(str(error)))

    def _release(self, batch: Sequence[Waiting], entries: list[Entry]) -> None:
        place = 0
        for waiting in batch:
            count = len(waiting.drafts)
            if not waiting.done.done():
                waiting.done.set_result(entries[place : place + count])
            place += count
        self.grew.set()


async def _both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Both results; when one fails the other is awaited too, so that none is left behind on the connection."""
    one, other = await asyncio.gather(first, second, return_exceptions=True)
    for result in (one, other):
        if isinstance(result, BaseException):
            raise result
    return one, other  # type: ignore[return-value]


def _observe(batch: Sequence[Waiting]) -> None:
    """How long each has waited; and what is logged until the next batch is about these requests."""
    now = time.perf_counter()
    for waiting in batch:
        metrics.queue.observe(now - waiting.arrived)
    named_ones = [waiting.request_id for waiting in batch[:_NAMED_REQUESTS] if waiting.request_id]
    logs.request_ids.set(named_ones)


def _fail(batch: Sequence[Waiting], error: Exception) -> None:
    for waiting in batch:
        waiting.fail(error)

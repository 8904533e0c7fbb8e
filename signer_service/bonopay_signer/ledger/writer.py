"""The one writer of a shard: group commit without timers, three batches at work at once.

::

    queue ──▶ take what waits ──▶ look up ∥ hash and sign ──▶ one statement ──▶ head store ──▶ answers
                    ▲                (preparation)                  │    │ no reply
                    └── as soon as enough waits, or at its end ─────┘    ▼
                                                   in doubt: take a new generation, then read

A batch is whatever came while the one before was written, so it grows by itself under load and is one at rest. It is
prepared on top of the one that is being committed, as if that had succeeded, and again if it did not; and it is
committed while the head store takes that one. Nothing leaves before it is durable twice, in the database and in the
head store (ledger.tail).
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import psycopg

from bonopay_signer import logs, metrics
from bonopay_signer.db.instance import ShardLock
from bonopay_signer.ledger import store
from bonopay_signer.ledger.batch import Draft
from bonopay_signer.ledger.entries import Entry
from bonopay_signer.ledger.errors import AWAY, FINAL, LedgerUnavailable, NotAppended, defect, named
from bonopay_signer.ledger.headstore import HeadStore, Mark
from bonopay_signer.ledger.preparation import Judge, Preparation, Prepared, Signs, Underway
from bonopay_signer.ledger.queue import FairQueue, Waiting
from bonopay_signer.ledger.tail import Tail
from bonopay_signer.tasks import ended

_logger = logging.getLogger(__name__)
_AHEAD = 16
"""As many documents are prepared before the batch in front of them is committed; fewer are not worth a batch."""
_AT_ONCE = 16
_UNRELEASED = 2
"""As many batches may be in the database and not in the head store: while that is away, no more are appended."""
_NAMED_REQUESTS = 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


@dataclass
class _Commit:
    """A batch on its way into the ledger. The task raises why it does not get there."""

    batch: list[Waiting]
    underway: Underway
    task: asyncio.Task[None]


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
        self._preparation = Preparation(self._tail, signers, judge)
        self._queue = queue
        self._batch_size = batch_size
        self._patience = patience
        self._task: asyncio.Task[None] | None = None
        self._commit: _Commit | None = None
        self._in_hand: list[Waiting] = []  # taken and, as far as is known, without an answer
        self._releases: deque[asyncio.Task[None]] = deque()
        self._sealed: list[Waiting] = []  # released, and about to be answered
        self._failure: Exception | None = None
        self._pause = _FIRST_PAUSE
        self.grew = asyncio.Event()

    async def open(self) -> None:
        """Connect, compare with the head store, start writing.

        Raises HeadStoreError, LedgerBehind, LockLost, or psycopg.Error.
        """
        await self._tail.open()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop writing. What still waits is answered LedgerUnavailable."""
        await ended(self._task)
        await ended(self._commit.task if self._commit else None)  # which may have begun a release just now
        for release in self._releases:
            await ended(release)
        while self._sealed:
            self._answer_some()
        for waiting in [*self._in_hand, *self._queue.take_all()]:
            waiting.fail(LedgerUnavailable("the service stops"))
        await self._tail.close()

    async def append(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Append drafts of one outlet in order, all or none; returns when they are durable.

        Raises QueueFull, AlreadySealed, OutOfOrder, NotAppended, what the judge refuses with; and when the patience is
        spent, why it could not be written: HsmUnavailable, ClockBehind, LockLost, LedgerUnavailable.
        """
        waiting = Waiting(drafts)
        self._queue.put(waiting)
        timer = asyncio.get_running_loop().call_later(self._patience, waiting.abandon)
        try:
            return await waiting.done
        finally:
            timer.cancel()

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
        while True:
            try:
                batch = await self._next_batch()
                self._in_hand += batch
                await self._write(batch)
            except Exception as error:
                await self._come_to_rest(error)
                await asyncio.sleep(self._pause)
                self._pause = min(_LONGEST_PAUSE, self._pause * 2)

    async def _next_batch(self) -> list[Waiting]:
        """What is to be prepared now. Raises why the batch before could not be committed."""
        while True:
            if self._commit is not None and self._commit.task.done():
                await self._committed()
            await self._something_to_do(1 if self._commit is None else _AHEAD)
            if self._commit is None or len(self._queue) >= _AHEAD:
                batch = self._takeable(self._queue.take(self._batch_size))
                if batch:
                    _observe(batch)
                    return batch

    async def _something_to_do(self, count: int) -> None:
        """Until so many wait. After a failure, find out by and by whether what failed holds again."""
        while self._failure is not None and self._commit is None:
            try:
                async with asyncio.timeout(_LONGEST_PAUSE):
                    await self._queue.holds(1)
                    return
            except TimeoutError:
                await self._try_again()
        await self._queue.holds(count)

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

    async def _come_to_rest(self, error: Exception) -> None:
        """After a failure: nothing is under way any more, and what has no answer waits again, in its order."""
        try:
            await self._committed()
        except Exception as earlier:
            error = earlier
        batch, self._in_hand, self._commit = self._in_hand, [], None
        self._postpone(batch, named(error))

    def _postpone(self, batch: Sequence[Waiting], error: Exception) -> None:
        if self._failure is None or type(error) is not type(self._failure):
            _logger.warning("the ledger is not written: %s", error, exc_info=defect(error))
        self._failure = error
        open_ones = [waiting for waiting in batch if not waiting.done.done() and not waiting.entries]
        if isinstance(error, FINAL):
            _fail(open_ones, error)
            return
        for waiting in open_ones:
            waiting.delay = error
        self._queue.put_back(open_ones)

    # --- one batch

    async def _write(self, batch: list[Waiting]) -> None:
        """Prepare a batch, let the one before come to its end, and start its commit.

        Raises why this one cannot be prepared, or why that one could not be committed.
        """
        if self._commit is None:
            await self._tail.load()
        prepared = await self._preparation.of(batch, self._commit.underway if self._commit else None)
        await self._committed()
        await self._tail.load()
        if prepared.follows != self._tail.shard.last_hash:
            prepared = await self._preparation.of(batch)
        if prepared.refused:
            await self._released()  # who sent what is sealed already is answered what it was sealed as
            self._refuse(prepared)
        if not prepared.batch:
            self._in_hand.clear()
            self._is_well()
            return
        await self._released(_UNRELEASED - 1)
        underway = Underway(prepared.plan)
        task = asyncio.create_task(self._append(prepared, underway))
        task.add_done_callback(lambda _done: self._queue.wake())
        self._commit = _Commit(batch, underway, task)

    async def _committed(self) -> None:
        """Wait for the commit that is under way, if any. Raises why it did not succeed."""
        if self._commit is not None:
            await self._commit.task
            del self._in_hand[: len(self._commit.batch)]
            self._commit = None

    def _refuse(self, prepared: Prepared) -> None:
        for waiting, error in prepared.refused.items():
            waiting.fail(error)

    async def _append(self, prepared: Prepared, underway: Underway) -> None:
        """Bring a prepared batch into the ledger, in other batches if need be, and answer it."""
        try:
            entries = await self._in_database(prepared, underway)
        except psycopg.Error as error:
            await self._append_otherwise(prepared, error)
        else:
            self._stored(prepared, entries)
            self._is_well()

    async def _in_database(self, prepared: Prepared, underway: Underway) -> list[Entry]:
        try:
            return await self._tail.append(prepared.plan, prepared.signatures)
        finally:
            underway.appended.set()

    async def _append_otherwise(self, prepared: Prepared, error: psycopg.Error) -> None:
        """Raises what concerns the whole ledger. One entry that the database refuses is found by writing singly."""
        if isinstance(error, psycopg.errors.UniqueViolation) and not prepared.looked:
            await self._write_alone(prepared.batch, look=True)
            return
        if error.sqlstate in (None, store.FENCED) or isinstance(error, AWAY):
            raise error
        if len(prepared.batch) > 1:
            for waiting in prepared.batch:
                await self._write_alone([waiting])
            return
        waiting = prepared.batch[0]
        _logger.error("the database refuses an entry of %s: %s", waiting.outlet_id, error)
        waiting.fail(NotAppended(str(error)))

    async def _write_alone(self, batch: list[Waiting], look: bool = False) -> None:
        """A batch from its preparation to its answers, with nothing ahead of it."""
        await self._released()
        await self._tail.load()
        prepared = await self._preparation.of(batch, look=look)
        self._refuse(prepared)
        if prepared.batch:
            await self._append(prepared, Underway(prepared.plan))

    def _is_well(self) -> None:
        self._failure, self._pause = None, _FIRST_PAUSE

    # --- in the database

    def _stored(self, prepared: Prepared, entries: list[Entry]) -> None:
        """Let the head store take it while the next batch is appended."""
        remaining = iter(entries)
        for waiting in prepared.batch:
            waiting.entries = list(islice(remaining, len(waiting.drafts)))
        self._releases.append(asyncio.create_task(self._release(prepared.batch, self._tail.mark(prepared.plan))))

    async def _release(self, batch: Sequence[Waiting], mark: Mark) -> None:
        """Answer a batch once the head store has it; the batches' turns are in the order of the ledger."""
        try:
            await self._tail.remember(mark)
        except BaseException as error:
            stops = isinstance(error, asyncio.CancelledError)
            if not stops:
                _logger.exception("a batch is in the database and was not told to the head store")
            _fail(batch, LedgerUnavailable("the service stops") if stops else named(error))
            raise
        self._sealed += batch
        self._answer_some()
        self.grew.set()

    async def _released(self, but: int = 0) -> None:
        """Until the head store has all batches but so many. Raises what kept it from taking one."""
        while self._releases and (len(self._releases) > but or self._releases[0].done()):
            await asyncio.wait([self._releases[0]])
            self._releases.popleft().result()

    def _answer_some(self) -> None:
        """Answer a few, and the rest in the next turns of the loop: what else it has to do is not held up by them."""
        for waiting in self._sealed[:_AT_ONCE]:
            waiting.succeed()
        del self._sealed[:_AT_ONCE]
        if self._sealed:
            asyncio.get_running_loop().call_soon(self._answer_some)


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

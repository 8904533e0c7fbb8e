"""The one writer of a shard: group commit without timers.

::

    queue ──▶ take what waits ──▶ look up ∥ hash and sign ──▶ one statement ──▶ head store ──▶ answers
                                                                    │ no reply
                                                                    ▼
                                              in doubt: take a new generation, then read

A batch is whatever came while the one before was written, so it grows by itself under load and is one at rest. Nothing
leaves before it is durable twice, in the database and in the head store. A commit whose reply was lost is decided by
taking a new generation: that waits for the row the old statement holds, and keeps it from committing later.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

import psycopg

from bonopay_signer.db.instance import LockLost, SecondSigner, ShardLock
from bonopay_signer.db.pool import DATABASE_AWAY, SYSTEM
from bonopay_signer.hsm.errors import HsmUnavailable, KeyMissing, PinRefused
from bonopay_signer.ledger import rollback, store
from bonopay_signer.ledger.batch import ClockBehind, Draft, OutOfOrder, Plan, Planner, seal_time, signed_entries
from bonopay_signer.ledger.entries import INVOICE, Entry, Head, now_ms
from bonopay_signer.ledger.headstore import HeadStore, HeadStoreError, Mark, known_heads
from bonopay_signer.ledger.queue import FairQueue, Waiting
from bonopay_signer.ledger.store import Shard

_logger = logging.getLogger(__name__)
_SMALL = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
_AWAY = (*DATABASE_AWAY, OSError)
_FINAL = (KeyMissing, PinRefused, SecondSigner, LockLost, rollback.LedgerBehind)

A, B = TypeVar("A"), TypeVar("B")
Judge = Callable[[psycopg.AsyncConnection, Sequence[Draft]], Awaitable[Mapping[int, Exception]]]
"""Refusals of credit notes by their place in the sequence, judged on what the batch's fence protects."""


class LedgerUnavailable(Exception):
    """The database or the head store does not answer. Whether the document was sealed, sending it again tells."""


class AlreadySealed(Exception):
    """The document id is sealed; under which number is in ``fiscal_number``."""

    def __init__(self, fiscal_number: str) -> None:
        super().__init__(f"sealed as {fiscal_number}")
        self.fiscal_number = fiscal_number


class NotAppended(Exception):
    """The database refuses this entry, whatever is tried: a submission in another state, or a defect."""


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
        self._dsn = dsn
        self._lock = lock
        self._signers = signers
        self._head_store = heads
        self._queue = queue
        self._judge = judge
        self._public_url = public_url
        self._shard_id = shard
        self._batch_size = batch_size
        self._patience = patience
        self._connection: psycopg.AsyncConnection | None = None
        self._shard: Shard | None = None
        self._heads: dict[str, Head] = {}
        self._months: set[tuple[int, int]] = set()
        self._task: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self.grew = asyncio.Event()

    async def open(self) -> None:
        """Connect, compare with the head store, start writing.

        Raises HeadStoreError, LedgerBehind, LockLost, or psycopg.Error.
        """
        known = await asyncio.to_thread(self._head_store.open)
        await self._load()
        if known is None:
            assert self._shard is not None
            await asyncio.to_thread(self._head_store.write, rollback.first_known(self._shard))
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop writing. What still waits is answered LedgerUnavailable."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for waiting in self._queue.take_all():
            waiting.fail(LedgerUnavailable("the service stops"))
        await self._forget()
        self._head_store.close()

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

    def check(self) -> None:
        """Raises what keeps the ledger from being written now."""
        if self._task is None or self._task.done():
            raise LedgerUnavailable("the ledger is not open")
        if self._failure is not None:
            raise self._failure

    # --- the loop

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await self._something_to_do()
            batch = self._takeable(self._queue.take(self._batch_size))
            if not batch:
                continue
            try:
                await self._write(batch)
                self._failure, pause = None, _FIRST_PAUSE
            except asyncio.CancelledError:
                _fail(batch, LedgerUnavailable("the service stops"))
                raise
            except Exception as error:
                self._postpone(batch, _named(error))
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
            await self._load()
        except Exception as error:
            self._failure = _named(error)
        else:
            self._failure = None

    def _takeable(self, batch: list[Waiting]) -> list[Waiting]:
        """Without those nobody waits for, and one document once: its twin waits for the next batch and finds it."""
        seen: set[tuple[str, str, object]] = set()
        taken, later = [], []
        for waiting in batch:
            if waiting.abandoned:
                continue
            ids = {(draft.kind, draft.merchant_nif, draft.document_id) for draft in waiting.drafts}
            (later if ids & seen else taken).append(waiting)
            seen |= ids
        self._queue.put_back(later)
        return taken

    def _postpone(self, batch: Sequence[Waiting], error: Exception) -> None:
        if self._failure is None or type(error) is not type(self._failure):
            _logger.warning("the ledger is not written: %s", error, exc_info=_defect(error))
        self._failure = error
        open_ones = [waiting for waiting in batch if not waiting.done.done()]
        if isinstance(error, _FINAL):
            _fail(open_ones, error)
            return
        for waiting in open_ones:
            waiting.delay = error
        self._queue.put_back(open_ones)

    async def _write(self, batch: list[Waiting], look: bool = False) -> None:
        """Bring a batch to its end. What cannot be written now is raised; a refusal goes to who waits for it.

        A small batch is not looked up first: should the database find a document in it twice, it is written again with
        ``look``.
        """
        await self._load()
        await self._know_heads(batch)
        look = look or len(batch) > _SMALL or any(draft.original for waiting in batch for draft in waiting.drafts)
        admitted, planner, signatures = await self._admitted_and_signed(batch, look)
        if not admitted:
            return
        try:
            await self._commit(admitted, planner.plan(), signatures)
        except psycopg.errors.UniqueViolation:
            if look:
                raise
            await self._write(admitted, look=True)

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
        assert self._shard is not None
        sealed_at = seal_time(now_ms(), self._shard.sealed_at)
        planner = Planner(self._heads, sealed_at, self._signers.authority, self._signers.key_id)
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
        return await self._signers.sign([(entry.statement_bytes, entry.previous_hash) for entry in planner.entries])

    async def _refusals(self, batch: Sequence[Waiting]) -> dict[Waiting, Exception]:
        assert self._connection is not None
        new = [(w, draft) for w in batch for draft in w.drafts if draft.kind == INVOICE]
        if not new:
            return {}
        sealed = await store.sealed_documents(
            self._connection, [(draft.merchant_nif, draft.document_id) for _, draft in new if draft.document_id]
        )
        refused: dict[Waiting, Exception] = {}
        for waiting, draft in new:
            number = sealed.get((draft.merchant_nif, draft.document_id))
            if number is not None:
                refused[waiting] = AlreadySealed(number)
        credits = [(w, draft) for w, draft in new if draft.original is not None and w not in refused]
        if credits:
            found = await self._judge(self._connection, [draft for _, draft in credits])
            refused |= {credits[place][0]: error for place, error in found.items()}
        return refused

    async def _know_heads(self, batch: Sequence[Waiting]) -> None:
        """Of outlets that were registered since the heads were read."""
        unknown = [waiting.outlet_id for waiting in batch if waiting.outlet_id not in self._heads]
        if unknown and self._connection is not None:
            self._heads |= await store.heads_of(self._connection, unknown)

    # --- the commit

    async def _commit(self, batch: list[Waiting], plan: Plan, signatures: Sequence[bytes]) -> None:
        assert self._shard is not None and self._connection is not None
        await self._ensure_month(plan.sealed_at)
        entries = signed_entries(plan, signatures, self._shard.id, self._shard.size, self._public_url)
        drafts = [planned.draft for planned in plan.entries]
        after = replace(
            self._shard,
            size=self._shard.size + len(entries),
            last_hash=entries[-1].entry_hash,
            sealed_at=plan.sealed_at,
        )
        before = self._shard
        # Until the statement has answered, nothing of this is certain: what comes next reads it anew.
        self._shard = None
        try:
            await store.append(
                self._connection,
                before,
                entries,
                [draft.submission for draft in drafts],
                [draft.original for draft in drafts],
            )
        except psycopg.Error as error:
            if not await self._was_committed(error, before, after):
                await self._not_committed(batch, error)
                return
        self._shard = after
        self._heads |= plan.heads
        await self._remember(after, plan)
        self._release(batch, entries)

    async def _was_committed(self, error: psycopg.Error, before: Shard, after: Shard) -> bool:
        """Raises LedgerUnavailable while that cannot be told; the batch is then asked about first thing."""
        if error.sqlstate is not None and self._connection is not None and not self._connection.closed:
            return False  # PostgreSQL itself said no: the statement was rolled back
        _logger.warning("the reply to a commit was lost: %s", error)
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._decide(before, after)
            except (*_AWAY, SecondSigner) as away:
                self._failure = _named(away)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    async def _decide(self, before: Shard, after: Shard) -> bool:
        await self._forget()
        await self._lock.acquire()
        connection = await self._connected()
        found = await store.read_shard(connection, self._shard_id)
        if found.size == before.size:
            return False
        return await store.hash_at(connection, self._shard_id, after.size - 1) == after.last_hash

    async def _not_committed(self, batch: list[Waiting], error: psycopg.Error) -> None:
        """Raises what concerns the whole ledger. One entry that the database refuses is found by writing singly."""
        if error.sqlstate in (None, store.FENCED) or isinstance(error, (*_AWAY, psycopg.errors.UniqueViolation)):
            raise error
        if len(batch) > 1:
            for waiting in batch:
                await self._write([waiting])
            return
        _logger.error("the database refuses an entry of %s: %s", batch[0].outlet_id, error)
        batch[0].fail(NotAppended(str(error)))

    async def _remember(self, shard: Shard, plan: Plan) -> None:
        """In the head store, for as long as it takes: the entries are sealed, but nobody may know it before."""
        mark = Mark(shard.id, shard.log_epoch, shard.size, shard.last_hash, known_heads(plan.heads.values()))
        pause = _FIRST_PAUSE
        while True:
            try:
                await asyncio.to_thread(self._head_store.record, mark)
                return
            except HeadStoreError as error:
                if self._failure is None:
                    _logger.error("nothing is answered until the head store can be written: %s", error)
                self._failure = LedgerUnavailable(str(error))
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)

    def _release(self, batch: Sequence[Waiting], entries: list[Entry]) -> None:
        place = 0
        for waiting in batch:
            count = len(waiting.drafts)
            if not waiting.done.done():
                waiting.done.set_result(entries[place : place + count])
            place += count
        self.grew.set()

    # --- what the database says

    async def _load(self) -> None:
        """Read where the shard ends, unless it is known, and compare it with the head store."""
        generation = self._lock.generation
        if self._shard is not None and self._shard.generation == generation and not self._closed():
            return
        generation = await self._lock.hold()
        connection = await self._connected()
        shard = await store.read_shard(connection, self._shard_id)
        if shard.generation != generation:
            raise LockLost("another signer took this shard")
        heads = await store.read_heads(connection, self._shard_id)
        await rollback.refuse_lost_entries(connection, shard, self._head_store.known)
        await self._catch_up(shard, heads)
        self._heads, self._shard = heads, shard

    async def _catch_up(self, shard: Shard, heads: Mapping[str, Head]) -> None:
        known = self._head_store.known
        if known is not None and known.size < shard.size:
            moved = [head for head in known_heads(heads.values()) if known.heads.get(head.outlet_id) != head]
            mark = Mark(shard.id, shard.log_epoch, shard.size, shard.last_hash, moved)
            await asyncio.to_thread(self._head_store.record, mark)

    async def _connected(self) -> psycopg.AsyncConnection:
        if self._closed():
            await self._forget()
            self._connection = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, application_name="bonopay-signer writer", connect_timeout=5, **SYSTEM
            )
            self._connection.prepare_threshold = 0
            await self._connection.execute("SET synchronous_commit = on")
        assert self._connection is not None
        return self._connection

    def _closed(self) -> bool:
        return self._connection is None or self._connection.closed

    async def _forget(self) -> None:
        connection, self._connection, self._shard = self._connection, None, None
        if connection is not None:
            try:
                await connection.close()
            except psycopg.Error as error:
                _logger.info("closing the writer's connection answered %s", type(error).__name__)

    async def _ensure_month(self, moment: datetime) -> None:
        month = (moment.year, moment.month)
        if month not in self._months and self._connection is not None:
            await self._connection.execute("SELECT signer.ensure_month(%s)", [moment])
            self._months.add(month)


async def _both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Both results; when one fails the other is awaited too, so that none is left behind on the connection."""
    one, other = await asyncio.gather(first, second, return_exceptions=True)
    for result in (one, other):
        if isinstance(result, BaseException):
            raise result
    return one, other  # type: ignore[return-value]


def _fail(batch: Sequence[Waiting], error: Exception) -> None:
    for waiting in batch:
        waiting.fail(error)


def _named(error: Exception) -> Exception:
    """What a caller is told: the database's own errors become LedgerUnavailable."""
    if isinstance(error, (HsmUnavailable, ClockBehind, LedgerUnavailable, *_FINAL)):
        return error
    if isinstance(error, (*_AWAY, HeadStoreError, psycopg.Error)):
        return LedgerUnavailable(f"the ledger does not answer: {type(error).__name__}")
    return error


def _defect(error: Exception) -> Exception | None:
    """What belongs in the log with its traceback."""
    return None if isinstance(error, (HsmUnavailable, ClockBehind, LedgerUnavailable, *_FINAL)) else error

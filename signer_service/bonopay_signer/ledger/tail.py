"""The end of a shard's ledger as its only writer holds it, and appending there.

A commit whose reply was lost is decided by taking a new generation: that waits for the row the old statement holds,
and keeps it from committing later.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import psycopg

from bonopay_signer import metrics
from bonopay_signer.db.instance import LockLost, SecondSigner, ShardLock
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.ledger import rollback, store
from bonopay_signer.ledger.batch import Plan, signed_entries
from bonopay_signer.ledger.entries import Entry, Head
from bonopay_signer.ledger.errors import AWAY, LedgerUnavailable, named
from bonopay_signer.ledger.headstore import HeadStore, HeadStoreError, KnownHead, Mark, known_heads
from bonopay_signer.ledger.store import Shard

_logger = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


class Tail:
    """``heads`` and ``shard`` are what the next append continues.

    What was appended may be remembered while the next is appended: the head store is behind, never ahead.
    """

    def __init__(self, dsn: str, lock: ShardLock, heads: HeadStore, public_url: str, shard: int) -> None:
        self._dsn = dsn
        self._lock = lock
        self._head_store = heads
        self._public_url = public_url
        self._shard_id = shard
        self._connection: psycopg.AsyncConnection | None = None
        self._shard: Shard | None = None
        self._months: set[tuple[int, int]] = set()
        self._in_doubt: Exception | None = None
        self._unremembered: Exception | None = None
        self._remembering = asyncio.Lock()
        self._moved: dict[str, KnownHead] = {}  # what the head store does not know yet
        self.heads: dict[str, Head] = {}

    @property
    def trouble(self) -> Exception | None:
        """Why what is under way has not come to its end yet, None otherwise."""
        return self._in_doubt or self._unremembered

    @property
    def shard(self) -> Shard:
        """Certain since ``load``, and no more once an append failed."""
        assert self._shard is not None, "load was not called"
        return self._shard

    @property
    def connection(self) -> psycopg.AsyncConnection:
        """The connection that appends, for what is to be read just before."""
        assert self._connection is not None, "load was not called"
        return self._connection

    async def open(self) -> None:
        """Connect and compare with the head store. Raises HeadStoreError, LedgerBehind, LockLost, or psycopg.Error."""
        known = await asyncio.to_thread(self._head_store.open)
        await self.load()
        if known is None:
            await asyncio.to_thread(self._head_store.write, rollback.first_known(self.shard))

    async def close(self) -> None:
        await self._forget()
        await asyncio.to_thread(self._head_store.close)  # which waits for what is being written

    def is_remembered(self, entry: Entry) -> bool:
        """Whether the head store knows of an entry, or has nothing to do with it because it is another shard's."""
        known = self._head_store.known
        return entry.shard != self._shard_id or (known is not None and entry.position < known.size)

    async def load(self) -> None:
        """Read where the shard ends, unless it is known, and compare it with the head store.

        Raises LockLost, SecondSigner, LedgerBehind, HeadStoreError, or psycopg.Error.
        """
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
        self.heads, self._shard = heads, shard
        metrics.LEDGER_ENTRIES.set(shard.size)

    async def know(self, outlets: Iterable[str]) -> None:
        """The heads also of outlets that were registered since ``load``."""
        unknown = [outlet for outlet in outlets if outlet not in self.heads]
        if unknown:
            self.heads |= await store.heads_of(self.connection, unknown)

    async def append(self, plan: Plan, signatures: Sequence[bytes]) -> list[Entry]:
        """Append a signed plan; returns when it is durable in the database. Nobody may know it before ``remember``.

        Raises psycopg.Error when nothing was appended. A lost reply is followed up for as long as it takes, with
        ``trouble`` telling so.
        """
        await self._ensure_month(plan.sealed_at)
        before = self.shard
        entries = signed_entries(plan, signatures, before.id, before.size, self._public_url)
        size, last_hash = before.size + len(entries), entries[-1].entry_hash
        after = replace(before, size=size, last_hash=last_hash, sealed_at=plan.sealed_at)
        drafts = [planned.draft for planned in plan.entries]
        submissions, originals = [draft.submission for draft in drafts], [draft.original for draft in drafts]
        # Until the statement has answered, nothing of this is certain: what comes next reads it anew.
        self._shard = None
        try:
            with metrics.timed(metrics.append):
                await store.append(self.connection, before, entries, submissions, originals)
        except psycopg.Error as error:
            if not await self._was_committed(error, before, after):
                raise
        self._shard = after
        self.heads |= plan.heads
        metrics.BATCH_ENTRIES.observe(len(entries))
        metrics.LEDGER_ENTRIES.set(after.size)
        return entries

    async def _was_committed(self, error: psycopg.Error, before: Shard, after: Shard) -> bool:
        if error.sqlstate is not None and not self._closed():
            return False  # PostgreSQL itself said no: the statement was rolled back
        _logger.warning("the reply to a commit was lost: %s", error)
        pause = _FIRST_PAUSE
        while True:
            try:
                committed = await self._decide(before, after)
            except (*AWAY, SecondSigner) as away:
                self._in_doubt = named(away)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            else:
                self._in_doubt = None
                return committed

    async def _decide(self, before: Shard, after: Shard) -> bool:
        await self._forget()
        await self._lock.acquire()
        connection = await self._connected()
        found = await store.read_shard(connection, self._shard_id)
        if found.size == before.size:
            return False
        return await store.hash_at(connection, self._shard_id, after.size - 1) == after.last_hash

    def mark(self, plan: Plan) -> Mark:
        """What the head store is to know once a plan was appended, with what it still has not been told of plans
        before: whichever mark it takes first, no head stays behind."""
        self._moved |= {head.outlet_id: head for head in known_heads(plan.heads.values())}
        shard = self.shard
        return Mark(shard.id, shard.log_epoch, shard.size, shard.last_hash, list(self._moved.values()))

    async def remember(self, mark: Mark) -> None:
        """In the head store, for as long as it takes: it is sealed, but nobody may know yet."""
        pause = _FIRST_PAUSE
        while True:
            try:
                with metrics.timed(metrics.head_store):
                    await self._record(mark)
            except HeadStoreError as error:
                if self._unremembered is None:
                    _logger.error("nothing is answered until the head store can be written: %s", error)
                self._unremembered = LedgerUnavailable(str(error))
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            else:
                self._unremembered = None
                return

    async def _record(self, mark: Mark) -> None:
        async with self._remembering:
            await asyncio.to_thread(self._head_store.record, mark)
        for head in mark.heads:
            if self._moved.get(head.outlet_id) == head:
                del self._moved[head.outlet_id]

    async def _catch_up(self, shard: Shard, heads: Mapping[str, Head]) -> None:
        known = self._head_store.known
        if known is not None and known.size < shard.size:
            moved = [head for head in known_heads(heads.values()) if known.heads.get(head.outlet_id) != head]
            await self._record(Mark(shard.id, shard.log_epoch, shard.size, shard.last_hash, moved))

    async def _connected(self) -> psycopg.AsyncConnection:
        if self._closed():
            await self._forget()
            self._connection = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, application_name="bonopay-signer writer", connect_timeout=5, **SYSTEM
            )
            self._connection.prepare_threshold = 0
            await self._connection.execute("SET synchronous_commit = on")
        return self.connection

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
        if month not in self._months:
            await self.connection.execute("SELECT signer.ensure_month(%s)", [moment])
            self._months.add(month)

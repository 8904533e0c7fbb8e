"""The background task that keeps a shard's log: writes tiles, has checkpoints signed, and stops at a contradiction.

::

    resume ──▶ follow ──▶ prove ──▶ sign ──▶ publish ──▶ (wait for the writer or the interval) ──▶ follow …
      ▲           │          │
      └── alarm ◀─┴──────────┘    nothing is signed until what contradicts itself agrees again

resume   the tree as of the last checkpoint is derived from stored tiles and entries: its root must be the signed one
follow   the entries since then, in bounded chunks; every tile that fills is stored before the next chunk
prove    a consistency proof out of the stored rows, from the last stored checkpoint to the new root, must hold
patrol   besides, one stored tile each time round is derived again from what is below it, and then the edge

Every step may be repeated: a crash anywhere leaves full tiles that are derived equal, and no checkpoint that is not
covered by committed entries.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from bonopay_signer.db.pool import DATABASE_AWAY
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.transparency.checkpoints import Checkpoint, origin_of
from bonopay_signer.transparency.notes import (
    EcdsaVerifier,
    NoteMalformed,
    NoteUntrusted,
    Signature,
    SignedNote,
    parse_note,
    verified,
)
from bonopay_signer.transparency.proofs import builder_at, consistency_hashes, prove_growth
from bonopay_signer.transparency.store import LogContradiction, LogId, LogStore, StoredCheckpoint
from bonopay_signer.transparency.tiles import WIDTH, TileBuilder, TileId, tile_root

CHUNK = 4 * WIDTH
"""Leaves hashed at a time, about 3 ms: the event loop also seals invoices."""

_FRESH_SECONDS = 5.0
_LONGEST_DELAY = 30.0
_BEFORE_ALL = TileId(0, -1)
_logger = structlog.get_logger(__name__)


class CheckpointSigner(Protocol):
    """What the checkpointer needs of hsm.signers.Signers."""

    @property
    def public_key(self) -> PublicKey: ...

    async def sign_checkpoint(self, note_text: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class LogState:
    """What /ready and the metrics show. ``healthy``: nothing new is unsigned for longer than 5 s, and no alarm.

    ``size``: of the last signed checkpoint; ``backlog``: entries after it; ``checkpoint_age``: its age in seconds, None
    before the first; ``alarm``: what was signed and what is stored disagree.
    """

    shard: int
    healthy: bool
    alarm: bool
    reason: str
    size: int
    backlog: int
    checkpoint_age: float | None


class Checkpointer:
    """Keeps the log of one shard. ``run`` it as a task; set ``grew`` after each commit.

    ``interval``: seconds between checkpoints at the least, and between looks at the ledger at the most. ``remembered``:
    how many entries are known outside the database (the head store). No checkpoint reaches further: an entry that is in
    the database alone may be lost without anybody noticing, and what takes its place would be a fork.
    """

    def __init__(
        self,
        store: LogStore,
        signer: CheckpointSigner,
        authority: str,
        shard: int,
        interval: float = 1.0,
        grew: asyncio.Event | None = None,
        remembered: Callable[[], int] | None = None,
    ) -> None:
        self._store = store
        self._signer = signer
        self._authority = authority
        self._shard = shard
        self._interval = interval
        self._woken = grew or asyncio.Event()
        self._remembered = remembered
        self._builder: TileBuilder | None = None
        self._last: StoredCheckpoint | None = None
        self._log: LogId | None = None
        self._patrolled = _BEFORE_ALL
        self._published_at = float("-inf")
        self._backlog = 0
        self._due, self._covered_at = 0, time.monotonic()  # how many entries there were then; all before are covered
        self._trouble: Exception | None = None

    def wake(self) -> None:
        """Entries were committed. The next checkpoint comes at once, or an interval after the last one."""
        self._woken.set()

    def state(self) -> LogState:
        now = time.monotonic()
        alarm = isinstance(self._trouble, LogContradiction)
        late = now - self._covered_at > _FRESH_SECONDS + self._interval
        reason = str(self._trouble) or type(self._trouble).__name__ if self._trouble else ""
        if late and not reason:
            reason = f"{self._backlog} entries wait for a checkpoint since {now - self._covered_at:.0f} s"
        age = (datetime.now(UTC) - self._last.created_at).total_seconds() if self._last else None
        size = self._last.size if self._last else 0
        return LogState(self._shard, not (alarm or late), alarm, reason, size, self._backlog, age)

    async def run(self) -> None:
        """Until cancelled. Trouble is logged and kept in ``state``, and tried again with growing delays."""
        delay = self._interval
        while True:
            if await self._try():
                delay = self._interval
                await self._wait()
            else:
                await asyncio.sleep(delay)
                delay = min(_LONGEST_DELAY, 2 * delay)

    async def _wait(self) -> None:
        """For an interval, or less: until the writer wakes us, but never two checkpoints within an interval."""
        spacing = max(0.0, self._published_at + self._interval - time.monotonic())
        await asyncio.sleep(spacing)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._interval - spacing):
                await self._woken.wait()

    async def _try(self) -> bool:
        self._woken.clear()
        try:
            await self.advance()
        except (*DATABASE_AWAY, HsmUnavailable) as error:
            self._note_trouble(error, "checkpoint postponed")
            return False
        except Exception as error:  # a defect must show in the state too, and not end the task in silence
            self._note_trouble(error, "checkpoint refused")
            return False
        if self._trouble is not None:
            _logger.warning("checkpoints go on", shard=self._shard, after=str(self._trouble))
            self._trouble = None
        return True

    def _note_trouble(self, error: Exception, event: str) -> None:
        if str(self._trouble) != str(error):
            known = isinstance(error, (*DATABASE_AWAY, HsmUnavailable))
            log = _logger.warning if known else _logger.error
            log(event, shard=self._shard, error=type(error).__name__, reason=str(error), exc_info=not known)
        self._trouble = error
        self._builder = None

    async def advance(self) -> StoredCheckpoint | None:
        """One time round. Returns the last checkpoint, None while there is none.

        Raises LogContradiction, HsmUnavailable, psycopg.Error; nothing is published then.
        """
        log, size = await self._look()
        looked_at = time.monotonic()
        builder = await self._resumed(log)
        await self._patrol(log)
        if size < builder.size:
            raise LogContradiction(f"shard {self._shard} has {size} entries, its checkpoint covers {builder.size}")
        self._backlog = size - builder.size
        reach = size if self._remembered is None else min(size, self._remembered())
        if reach > builder.size:
            self._builder = None  # until it is published: a failure on the way resumes from the stored rows
            await self._follow(log, builder, reach)
            self._last = await self._publish(log, builder)
            self._builder = builder
            self._published_at = time.monotonic()
        self._backlog = size - builder.size
        if builder.size >= self._due:
            self._due, self._covered_at = size, looked_at
        return self._last

    async def _look(self) -> tuple[LogId, int]:
        for log, size in await self._store.shards():
            if log.shard == self._shard:
                return log, size
        raise LookupError(f"there is no shard {self._shard}")

    async def _resumed(self, log: LogId) -> TileBuilder:
        if log != self._log:
            self._log, self._last, self._builder, self._patrolled = log, None, None, _BEFORE_ALL
        stored = await self._store.latest_checkpoint(log)
        if self._builder is not None and stored == self._last:
            return self._builder
        await self._refuse_fork(log, stored)
        self._builder = await self._derived_as_signed(stored) if stored else TileBuilder()
        self._last = stored
        return self._builder

    async def _refuse_fork(self, log: LogId, stored: StoredCheckpoint | None) -> None:
        """What is stored must be signed by us, and extend what this process knows was signed."""
        last = self._last
        if last is not None and (stored is None or stored.size < last.size):
            raise LogContradiction(f"the checkpoint of {last.size} entries of {log} is gone")
        await self._refuse_forged(stored)
        if last is not None and stored is not None:
            proof = await consistency_hashes(self._store, log, last.size, stored.size)
            prove_growth(last.size, last.root, stored.size, stored.root, proof)

    async def _refuse_forged(self, stored: StoredCheckpoint | None) -> None:
        if stored is None:
            return
        expected = Checkpoint(self._origin(stored.log), stored.size, stored.root)
        verifiers = [EcdsaVerifier(expected.origin, der) for der in await self._store.public_keys()]
        try:
            check_note(stored.note, expected, verifiers)
        except (NoteMalformed, NoteUntrusted) as error:
            raise LogContradiction(f"the checkpoint of {stored.size} entries of {stored.log}: {error}") from error

    async def _follow(self, log: LogId, builder: TileBuilder, size: int) -> None:
        while builder.size < size:
            leaves = await self._store.leaves(log.shard, builder.size, min(builder.size + CHUNK, size))
            await self._store.put_tiles(log, builder.extend(leaves))
            self._backlog = size - builder.size

    async def _publish(self, log: LogId, builder: TileBuilder) -> StoredCheckpoint:
        last, size, root = self._last, builder.size, builder.root()
        if last is not None:
            proof = await consistency_hashes(self._store, log, last.size, size)
            prove_growth(last.size, last.root, size, root, proof)
        note = await self._signed(Checkpoint(self._origin(log), size, root))
        await self._store.put_checkpoint(log, size, root, note)
        stored = await self._store.checkpoint(log, size)
        if stored is None or stored.root != root:
            raise LogContradiction(f"another root is signed already for the {size} entries of {log}")
        return stored

    async def _signed(self, checkpoint: Checkpoint) -> str:
        text = checkpoint.text()
        verifier = EcdsaVerifier(checkpoint.origin, self._signer.public_key.der)
        der = await self._signer.sign_checkpoint(text.encode())
        if not verifier.verifies(text, der):
            raise HsmUnavailable("the token's signature of a checkpoint does not verify under its own public key")
        return SignedNote(text, (Signature(verifier.name, verifier.key_id, der),)).encode()

    def _origin(self, log: LogId) -> str:
        return origin_of(self._authority, log.shard, log.epoch)

    async def _patrol(self, log: LogId) -> None:
        """Derive the next stored tile again, and after the last one the edge of the tree."""
        tile = await self._store.next_full_tile(log, self._patrolled)
        if tile is not None:
            hashes = await self._store.derived(log, tile.id, WIDTH)
            if hashes != tile.hashes or tile_root(hashes) != tile.root:
                raise LogContradiction(
                    f"tile {tile.id.index} of level {tile.id.level} of {log} is not what its entries give"
                )
        elif self._last is not None:
            await self._derived_as_signed(self._last)
        self._patrolled = tile.id if tile else _BEFORE_ALL

    async def _derived_as_signed(self, checkpoint: StoredCheckpoint) -> TileBuilder:
        log, size = checkpoint.log, checkpoint.size
        builder = await builder_at(self._store, log, size)
        if builder.root() != checkpoint.root:
            raise LogContradiction(f"the entries and tiles of {log} do not give the root that was signed at {size}")
        return builder


def check_note(note: str, expected: Checkpoint, verifiers: Sequence[EcdsaVerifier]) -> None:
    """Raises NoteMalformed or NoteUntrusted unless the note is this checkpoint, signed by one of these keys."""
    parsed = parse_note(note.encode())
    if parsed.text != expected.text():
        raise NoteMalformed(f"the note does not say {expected.size} entries with root {expected.root.hex()}")
    verified(parsed, verifiers)

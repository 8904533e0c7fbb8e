"""A witness of other logs (C2SP tlog-witness): cosigns what extends the last checkpoint that it cosigned of a log.

::

    request = "old " ‖ size ‖ "\\n" ‖ up to 63 lines of base64(hash) ‖ "\\n" ‖ checkpoint

What was cosigned last is a row of signer.witnessed, moved by one compare-and-swap before the answer: of two requests at
once that extend the same checkpoint one wins, and the other is told the new size.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.transparency.checkpoints import Checkpoint, decode_hash, parse_checkpoint, parse_size
from bonopay_signer.transparency.keys import CosigningKey
from bonopay_signer.transparency.merkle import EMPTY_ROOT, ProofInvalid, verify_consistency
from bonopay_signer.transparency.notes import NoteMalformed, Verifier, parse_note, verified

PROOF_LIMIT = 63
_SWAP = """
INSERT INTO signer.witnessed AS w (origin, size, root, note, cosigned_at)
VALUES (%(origin)s, %(size)s, %(root)s, %(note)s, %(now)s)
ON CONFLICT (origin) DO UPDATE SET (size, root, note, cosigned_at) = (%(size)s, %(root)s, %(note)s, %(now)s)
 WHERE w.size = %(old)s AND w.root = %(old_root)s AND w.cosigned_at <= %(now)s
"""
_logger = structlog.get_logger(__name__)


class UnknownLog(Exception):
    """No key is configured for the checkpoint's origin."""


class OtherSize(Exception):
    """The request does not continue what was cosigned last, whose ``size`` this is."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the last cosigned checkpoint has {size} entries")
        self.size = size


class CosignedLater(Exception):
    """This machine's clock is behind the last cosignature of the log."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A parsed add-checkpoint request; nothing in it is verified. ``note`` is the checkpoint as it came."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint
    note: str


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The last checkpoint that was cosigned of a log; ``cosigned_at`` in POSIX seconds."""

    size: int
    root: bytes
    cosigned_at: int


_NOTHING = Witnessed(0, EMPTY_ROOT, 0)


def parse_submission(body: bytes) -> Submission:
    """Raises NoteMalformed, also when the old size is above the new one."""
    head, separator, note = body.partition(b"\n\n")
    if not separator or not head.isascii():
        raise NoteMalformed("the request is an old size, a proof, an empty line and a checkpoint")
    first, *lines = head.decode().split("\n")
    if not first.startswith("old ") or len(lines) > PROOF_LIMIT:
        raise NoteMalformed(f'the request begins with "old " and a size, and at most {PROOF_LIMIT} hashes')
    old = parse_size(first.removeprefix("old "))
    checkpoint = parse_checkpoint(parse_note(note).text)
    if old > checkpoint.size:
        raise NoteMalformed(f"the old size {old} is above the checkpoint's size {checkpoint.size}")
    return Submission(old, tuple(decode_hash(line) for line in lines), checkpoint, note.decode())


class Witness:
    """``logs``: the keys of each log by origin. ``clock`` gives POSIX seconds."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        key: CosigningKey,
        logs: Mapping[str, Sequence[Verifier]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._key = key
        self._logs = logs
        self._clock = clock

    @property
    def verifier_key(self) -> str:
        return self._key.verifier.verifier_key

    @property
    def origins(self) -> list[str]:
        return sorted(self._logs)

    async def add_checkpoint(self, body: bytes) -> str:
        """The cosignature's line, once the checkpoint is recorded.

        Raises NoteMalformed, UnknownLog, NoteUntrusted, OtherSize, ProofInvalid, CosignedLater, psycopg.Error.
        """
        submission = parse_submission(body)
        checkpoint = submission.checkpoint
        verifiers = self._logs.get(checkpoint.origin)
        if verifiers is None:
            raise UnknownLog(checkpoint.origin)
        note = parse_note(submission.note.encode())
        verified(note, verifiers)
        last = await self.last(checkpoint.origin)
        self._refuse_fork(submission, last)
        now = int(self._clock())
        await self._record(submission, last, now)
        return self._key.cosign(note.text, now).line()

    async def last(self, origin: str) -> Witnessed:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Witnessed)) as cursor,
        ):
            await cursor.execute("SELECT size, root, cosigned_at FROM signer.witnessed WHERE origin = %s", [origin])
            return await cursor.fetchone() or _NOTHING

    def _refuse_fork(self, submission: Submission, last: Witnessed) -> None:
        """Raises OtherSize or ProofInvalid. A fork signed by its log is evidence: it is logged whole."""
        new = submission.checkpoint
        if submission.old != last.size:
            raise OtherSize(last.size)
        if new.size == last.size and new.root != last.root:
            _logger.error("a log signed two trees of one size", origin=new.origin, note=submission.note)
            raise OtherSize(last.size)
        try:
            verify_consistency(last.size, last.root, new.size, new.root, submission.proof)
        except ProofInvalid as error:
            _logger.warning("not cosigned", origin=new.origin, reason=str(error), note=submission.note)
            raise

    async def _record(self, submission: Submission, last: Witnessed, now: int) -> None:
        new = submission.checkpoint
        values = {
            "origin": new.origin,
            "size": new.size,
            "root": new.root,
            "note": submission.note,
            "now": now,
            "old": last.size,
            "old_root": last.root,
        }
        async with self._pool.connection() as connection:
            moved = (await connection.execute(_SWAP, values)).rowcount
        if moved == 1:
            return
        current = await self.last(new.origin)
        if current.cosigned_at > now:
            raise CosignedLater(f"the clock is behind the last cosignature of {new.origin}")
        raise OtherSize(current.size)

"""Witnesses' cosignatures of our own checkpoints: taken from who brings them, published with the checkpoint."""

import time

import structlog

from bonopay_signer.transparency.checkpoints import Checkpoint, log_of, parse_checkpoint
from bonopay_signer.transparency.notes import (
    CosignatureVerifier,
    NoteMalformed,
    NoteUntrusted,
    cosigned_at,
    parse_note,
    parse_verifier_key,
    verified,
)
from bonopay_signer.transparency.store import LogId, LogStore, StoredCheckpoint

LONGEST_LEAD = 300
"""Seconds that a witness's clock may be ahead of ours."""

_logger = structlog.get_logger(__name__)


class CheckpointUnknown(Exception):
    """No checkpoint of this origin and size was published here."""


class CheckpointForked(Exception):
    """A witness cosigned, for a size that was published here, another root."""


async def published_note(store: LogStore, checkpoint: StoredCheckpoint) -> str:
    """The checkpoint with the log's signature and the newest cosignature of each witness."""
    return checkpoint.note + "".join(await store.cosignature_lines(checkpoint))


async def accept_cosignatures(store: LogStore, authority: str, body: bytes) -> StoredCheckpoint:
    """Add the cosignatures of registered witnesses that a checkpoint note carries; other signatures are passed over.

    Returns the checkpoint that they are on. Raises NoteMalformed, CheckpointUnknown, CheckpointForked, NoteUntrusted,
    psycopg.Error.
    """
    note = parse_note(body)
    checkpoint = parse_checkpoint(note.text)
    witnesses = [parse_verifier_key(key) for key in await store.witnesses()]
    found = verified(note, witnesses)
    stored = await _published(store, authority, checkpoint, note.text)
    for witness, signature in found:
        assert isinstance(witness, CosignatureVerifier)
        at = cosigned_at(signature.value)
        if at is None or at > time.time() + LONGEST_LEAD:
            raise NoteUntrusted(f"the cosignature of {witness.name} is from the future")
        await store.put_cosignature(stored, witness.verifier_key, at, signature.line())
    return stored


async def _published(store: LogStore, authority: str, checkpoint: Checkpoint, text: str) -> StoredCheckpoint:
    log = log_of(checkpoint.origin, authority)
    stored = await store.checkpoint(LogId(*log), checkpoint.size) if log else None
    if stored is None:
        raise CheckpointUnknown(f"{checkpoint.size} entries of {checkpoint.origin}")
    if stored.root != checkpoint.root:
        _logger.error("a witness saw another tree", origin=checkpoint.origin, size=checkpoint.size, text=text)
        raise CheckpointForked(f"{checkpoint.size} entries of {checkpoint.origin}")
    if checkpoint.extensions:
        raise NoteMalformed("the checkpoints of this log have no extension lines")
    return stored

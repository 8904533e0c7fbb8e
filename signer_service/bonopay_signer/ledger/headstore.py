"""Where the chains ended, kept outside the database and written before any answer is released.

A hash chain cannot show that its newest entries are gone: a database that was restored from an older copy looks whole.
This store remembers. It should lie on another disk than the database, and must not be part of the same backup.

Two files in a folder of their own: a snapshot, replaced atomically, and a journal of what came after it. The journal is
written over zeros that are on the disk already, so a record costs one ``fdatasync`` and no space at the time of need.
"""

import fcntl
import os
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from bonopay_signer.ledger.entries import Head

JOURNAL_SIZE = 4 * 1024 * 1024
_NEEDED_SPACE = 2 * JOURNAL_SIZE  # a new journal beside the old one, and the snapshot
_HEADER = 8  # length and CRC-32 of a record, each 4 bytes, big endian


class HeadStoreError(Exception):
    """The store cannot be read or written, or another signer uses it."""


class KnownHead(msgspec.Struct, frozen=True, array_like=True):
    """Where an outlet's chain ended."""

    outlet_id: str
    epoch: int
    index: int
    sequence: int
    entry_hash: bytes

    @classmethod
    def of(cls, head: Head) -> "KnownHead":
        return cls(head.outlet_id, head.epoch, head.index, head.sequence, head.entry_hash)


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where a shard ended: ``size`` entries, the last with ``last_hash``; ``heads`` are those that moved since."""

    shard: int
    log_epoch: int
    size: int
    last_hash: bytes
    heads: list[KnownHead]


@dataclass(frozen=True)
class Known:
    """All that the store knows of its shard, and where that ends. ``heads`` go on with the store; the end does not, so
    that whoever compares with it sees one end and not parts of two."""

    shard: int
    log_epoch: int
    size: int
    last_hash: bytes
    heads: dict[str, KnownHead]

    def after(self, mark: Mark) -> "Known":
        self.heads.update((head.outlet_id, head) for head in mark.heads)
        return replace(self, log_epoch=mark.log_epoch, size=mark.size, last_hash=mark.last_hash)

    def mark(self) -> Mark:
        return Mark(self.shard, self.log_epoch, self.size, self.last_hash, list(self.heads.values()))


class HeadStore:
    """The store of one shard. Every method blocks for the time of the disk; one process at a time holds it.

    What is being written when it is closed is written to its end before another may open it, and nothing after that.
    """

    def __init__(self, folder: Path, shard: int) -> None:
        self._folder = folder
        self._shard = shard
        self._snapshot = folder / f"shard-{shard}.heads"
        self._journal_path = folder / f"shard-{shard}.journal"
        self._journal: int | None = None
        self._lock: int | None = None
        self._offset = 0
        self._known: Known | None = None
        self._writing = threading.Lock()

    @property
    def known(self) -> Known | None:
        """What was written last; None while nothing ever was."""
        return self._known

    def open(self) -> Known | None:
        """Take the store and read it. Raises HeadStoreError when another process holds it or it is damaged."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self._folder / f"shard-{self._shard}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise HeadStoreError(f"another signer holds the head store {self._folder}") from error
        except OSError as error:
            self.close()
            raise HeadStoreError(f"the head store {self._folder} cannot be used: {error.strerror}") from error
        self._known = self.read()
        if self._known is not None:
            self.write(self._known)
        return self._known

    def write(self, known: Known) -> None:
        """Replace the whole content, atomically. Raises HeadStoreError."""
        try:
            self._close_journal()
            # In this order: the marks of an old journal are older than the new snapshot and are passed over.
            self._replace(self._snapshot, _record(known.mark()))
            self._replace(self._journal_path, bytes(JOURNAL_SIZE))
            self._journal = os.open(self._journal_path, os.O_RDWR)
        except OSError as error:
            raise HeadStoreError(f"the head store {self._folder} cannot be written: {error.strerror}") from error
        self._offset = 0
        self._known = known

    def record(self, mark: Mark) -> None:
        """Add a mark, durably; one that is no later than what is known changes nothing.

        Raises HeadStoreError; the same or a later mark may be tried again.
        """
        with self._writing:
            self._record(mark)

    def _record(self, mark: Mark) -> None:
        if self._lock is None:
            raise HeadStoreError("the head store is closed")
        if self._known is None:
            raise HeadStoreError("the head store was not initialised")
        if (mark.log_epoch, mark.size) <= (self._known.log_epoch, self._known.size):
            return
        data = _record(mark)
        if self._journal is None or self._offset + len(data) + _HEADER > JOURNAL_SIZE:
            # On a copy: what is known must never be ahead of what is on the disk.
            self.write(replace(self._known, heads=dict(self._known.heads)).after(mark))
            return
        try:
            _write_all(self._journal, data, self._offset)
            os.fdatasync(self._journal)
        except OSError as error:
            raise HeadStoreError(f"the head store {self._folder} cannot be written: {error.strerror}") from error
        self._offset += len(data)
        self._known = self._known.after(mark)

    def check(self) -> None:
        """Whether the next snapshot can be written. Raises HeadStoreError: a read-only or full disk, a folder gone.

        Records go to space that is there already, so without asking this a full disk would show 4 MiB too late.
        """
        probe = self._folder / f"shard-{self._shard}.probe"
        try:
            space = os.statvfs(self._folder)
            handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                _write_all(handle, b"\0", 0)
            finally:
                os.close(handle)
                probe.unlink()
        except OSError as error:
            raise HeadStoreError(f"the head store cannot be written: {error.strerror}") from error
        free = space.f_bavail * space.f_frsize
        if free < _NEEDED_SPACE:
            raise HeadStoreError(f"the head store's disk has {free // 1024} KiB left, it needs {_NEEDED_SPACE // 1024}")

    def close(self) -> None:
        with self._writing:
            self._close_journal()
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _close_journal(self) -> None:
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def _replace(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(path.name + ".new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write_all(handle, content, 0)
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self) -> Known | None:
        """What is on the disk; None where nothing ever was written. Raises HeadStoreError.

        Also of a store that another process holds: what that one writes meanwhile may be missing, so this is no later
        than the truth.
        """
        try:
            snapshot = self._snapshot.read_bytes() if self._snapshot.exists() else None
            journal = self._journal_path.read_bytes() if self._journal_path.exists() else b""
        except OSError as error:
            raise HeadStoreError(f"the head store {self._folder} cannot be read: {error.strerror}") from error
        if snapshot is None:
            return None
        first = next(_marks(snapshot), None)
        if first is None or first.shard != self._shard:
            raise HeadStoreError(f"{self._snapshot} is damaged, or belongs to another shard")
        known = Known(self._shard, 0, 0, b"", {}).after(first)
        for mark in _marks(journal):
            if mark.shard == self._shard and (mark.log_epoch, mark.size) >= (known.log_epoch, known.size):
                known = known.after(mark)
        return known


def _record(mark: Mark) -> bytes:
    body = msgspec.msgpack.encode(mark)
    return len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body


def _marks(data: bytes) -> Iterator[Mark]:
    """The sound records; a torn one at the end was never acknowledged."""
    offset = 0
    while offset + _HEADER <= len(data):
        length = int.from_bytes(data[offset : offset + 4], "big")
        checksum = int.from_bytes(data[offset + 4 : offset + _HEADER], "big")
        body = data[offset + _HEADER : offset + _HEADER + length]
        if length == 0 or len(body) != length or zlib.crc32(body) != checksum:
            return
        yield msgspec.msgpack.decode(body, type=Mark)
        offset += _HEADER + length


def _write_all(handle: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written


def known_heads(heads: Iterable[Head]) -> list[KnownHead]:
    return [KnownHead.of(head) for head in heads]

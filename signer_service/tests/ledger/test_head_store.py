"""The head store under a full disk, I/O errors and torn writes; a clock that runs backwards.

Nothing is answered that the head store does not have, and nothing is lost when it works again.
"""

import asyncio
import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bonopay_signer.ledger import batch, headstore, preparation
from bonopay_signer.ledger.batch import ClockBehind
from bonopay_signer.ledger.entries import now_ms
from bonopay_signer.ledger.errors import LedgerUnavailable
from bonopay_signer.ledger.headstore import HeadStore, HeadStoreError, Known, KnownHead, Mark
from bonopay_signer.ledger.verify.run import verify_database

from ..support.databases import Database
from .ledgers import AUTHORITY, OUTLETS, Books

HASH = b"\x07" * 32


@pytest.fixture
def books(database: Database, tmp_path: Path) -> Books:
    books = Books(database, tmp_path / "heads")
    books.register(OUTLETS)
    return books


def mark(size: int) -> Mark:
    return Mark(0, 1, size, bytes([size % 256]) * 32, [KnownHead("KIN001", 1, size, size, HASH)])


def opened(folder: Path) -> HeadStore:
    store = HeadStore(folder, 0)
    if store.open() is None:
        store.write(Known(0, 1, 0, HASH, {}))
    return store


def known_at(folder: Path) -> Known:
    known = HeadStore(folder, 0).read()
    assert known is not None
    return known


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, name: str, number: int) -> Iterator[None]:
    """A system call of the head store that the kernel answers with an error."""

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(headstore.os, name, fail)
        yield


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
async def test_nothing_is_answered_until_the_head_store_can_be_written(
    books: Books, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    async with books.open():
        first = await books.invoice("KIN001")
        books.writer._patience = 0.5
        with failing(monkeypatch, call, number):
            with pytest.raises(LedgerUnavailable):
                await books.invoice("KIN001")
            assert books.rows("SELECT count(*) FROM signer.entry") == [(2,)], "sealed, but nobody was told"
            assert known_at(books.folder).size == 1 or call == "fdatasync", "what reached no disk may be read"
            with pytest.raises(LedgerUnavailable):
                books.writer.check()
        books.writer._patience = 10
        third = await books.invoice("KIN001")
    assert (first.index, third.index) == (1, 3)
    assert known_at(books.folder).size == 3
    assert verify_database(books.database.service, AUTHORITY, None, None, HeadStore(books.folder, 0)).faults == []


def test_journal_needs_no_space_at_the_time_of_need(tmp_path: Path) -> None:
    """Its zeros are on the disk already: a limit of the file's size, as a full disk, stops only the next snapshot."""
    store = opened(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (headstore.JOURNAL_SIZE, before[1]))
    try:
        for size in range(1, 200):
            store.record(mark(size))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    store.close()
    assert known_at(tmp_path).size == 199


def test_snapshot_that_does_not_fit_leaves_the_old_one(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.record(mark(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(HeadStoreError, match="cannot be written"):
            store.write(
                Known(0, 1, 2, HASH, {f"OUT{n:03d}": KnownHead(f"OUT{n:03d}", 1, 1, 1, HASH) for n in range(9)})
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    store.close()
    assert known_at(tmp_path).size == 1


@pytest.mark.parametrize("kept", range(0, 90, 7))
def test_torn_record_at_the_end_is_passed_over(tmp_path: Path, kept: int) -> None:
    store = opened(tmp_path)
    store.record(mark(1))
    whole = store._offset
    store.record(mark(2))
    end = store._offset
    store.close()
    journal = tmp_path / "shard-0.journal"
    content = bytearray(journal.read_bytes())
    cut = min(whole + kept, end - 1)
    content[cut:end] = bytes(end - cut)
    journal.write_bytes(content)
    assert known_at(tmp_path).size == 1
    again = opened(tmp_path)
    again.record(mark(2))
    again.close()
    assert known_at(tmp_path).size == 2


def test_what_is_compared_with_does_not_move_on_meanwhile(tmp_path: Path) -> None:
    """Else a healthy database would now and then look like another one (rollback.refuse_lost_entries)."""
    store = opened(tmp_path)
    store.record(mark(1))
    compared = store.known
    store.record(mark(2))
    assert (compared.size, store.known.size) == (1, 2)
    store.close()


def test_a_mark_that_comes_late_does_not_take_the_store_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.record(mark(2))
    store.record(mark(1))
    assert store.known.size == 2
    store.close()
    assert known_at(tmp_path).size == 2


@pytest.mark.parametrize("change", [b"", b"x", b"\x00" * 100])
def test_damaged_snapshot_is_refused_and_not_taken_for_an_empty_one(tmp_path: Path, change: bytes) -> None:
    opened(tmp_path).close()
    (tmp_path / "shard-0.heads").write_bytes(change)
    with pytest.raises(HeadStoreError, match="is damaged"):
        HeadStore(tmp_path, 0).open()


def test_two_processes_do_not_hold_one_store(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(HeadStoreError, match="another signer holds"):
        HeadStore(tmp_path, 0).open()
    assert HeadStore(tmp_path, 0).read() is not None, "reading takes nothing"
    first.close()
    opened(tmp_path).close()


async def test_clock_that_runs_backwards_seals_nothing(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    async with books.open():
        await books.invoice("KIN001")
        books.writer._patience = 0.5
        with monkeypatch.context() as patch:
            patch.setattr(preparation, "now_ms", lambda: now_ms() - timedelta(seconds=60))
            with pytest.raises(ClockBehind, match="the clock shows"):
                await books.invoice("KIN001")
            assert books.rows("SELECT count(*) FROM signer.entry") == [(1,)]
            patch.setattr(preparation, "now_ms", lambda: now_ms() - timedelta(seconds=1))
            slewed = await books.invoice("KIN001")
        books.writer._patience = 10
        await asyncio.sleep(0)
        await books.invoice("KIN001")
    first, second = books.rows("SELECT sealed_at FROM signer.entry ORDER BY position LIMIT 2")
    assert first == second == (slewed.sealed_at,), "a clock that is being slewed seals at the last entry's time"
    assert batch._CLOCK_TOLERANCE < timedelta(seconds=60)
    assert verify_database(books.database.service, AUTHORITY).faults == []

"""A batch is appended while the head store takes the one before; answers keep the ledger's order, and their promise."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.entries import Entry
from bonopay_signer.ledger.errors import AlreadySealed
from bonopay_signer.ledger.headstore import HeadStore, HeadStoreError, Mark
from bonopay_signer.ledger.verify.run import verify_database
from bonopay_signer.sealing.drafts import invoice_draft

from ..fiscal.builders import accepted
from ..support.databases import throw_away_database
from .ledgers import AUTHORITY, OUTLETS, Books


class HeldHeads:
    """A head store that takes nothing for as long as it is held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.free.set()
        self.asked: list[int] = []
        record = HeadStore.record

        def held(heads: HeadStore, mark: Mark) -> None:
            self.asked.append(mark.size)
            assert self.free.wait(60)
            record(heads, mark)

        monkeypatch.setattr(HeadStore, "record", held)


@pytest.fixture
async def books(cluster: str, tmp_path: Path) -> AsyncIterator[Books]:
    with throw_away_database(cluster) as database:
        books = Books(database, tmp_path)
        books.register(OUTLETS)
        yield books


def _stored(books: Books) -> int:
    ((count,),) = books.rows("SELECT count(*) FROM signer.entry")
    return count


async def _entry(books: Books, position: int) -> Entry:
    ((number,),) = books.rows("SELECT fiscal_number FROM signer.entry WHERE position = %s", position)
    async with await psycopg.AsyncConnection.connect(books.database.service, autocommit=True, **SYSTEM) as connection:
        entry = await reader.invoice_by_number(connection, number)
    assert entry is not None
    return entry


async def _until_stored(books: Books, count: int) -> None:
    async with asyncio.timeout(60):
        while _stored(books) < count:
            await asyncio.sleep(0.01)


async def _pending(books: Books, count: int) -> list[asyncio.Task[Entry]]:
    """Documents that are sent one after the other, each once the one before is in the database or can only wait."""
    tasks = []
    for number in range(count):
        tasks.append(asyncio.create_task(books.invoice("KIN001")))
        await (_until_stored(books, number + 2) if number < 2 else asyncio.sleep(0.3))
    return tasks


async def test_two_batches_wait_for_the_head_store_and_a_third_is_not_appended(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = HeldHeads(monkeypatch)
    async with books.open():
        books.writer._patience = 60
        await books.invoice("KIN001")
        heads.free.clear()
        tasks = await _pending(books, 4)
        assert _stored(books) == 3, "one was answered, two wait for the head store, the rest for these"
        assert not any(task.done() for task in tasks)
        assert not books.writer.is_released(await _entry(books, 1))
        heads.free.set()
        entries = await asyncio.gather(*tasks)
    assert [entry.position for entry in entries] == [1, 2, 3, 4]
    assert heads.asked == sorted(heads.asked)
    assert verify_database(books.database.service, AUTHORITY).faults == []


async def test_what_is_sent_again_meanwhile_is_answered_as_sealed_and_not_refused(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = HeldHeads(monkeypatch)
    async with books.open():
        books.writer._patience = 60
        await books.invoice("KIN001")
        heads.free.clear()
        encoded = canonical.encode(accepted(outlet_id="KIN001"))
        draft = invoice_draft(parse(encoded), encoded)
        first = asyncio.create_task(books.writer.append([draft]))
        await _until_stored(books, 2)
        again = asyncio.create_task(books.writer.append([draft]))
        await asyncio.sleep(0.3)
        assert not again.done(), "as long as nobody may know of the first"
        heads.free.set()
        (entry,) = await first
        with pytest.raises(AlreadySealed, match=entry.fiscal_number):
            await again
        assert books.writer.is_released(entry)


async def test_a_stop_while_the_head_store_is_away_answers_that_it_is_not_known(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = HeldHeads(monkeypatch)
    async with books.open():
        books.writer._patience = 60
        await books.invoice("KIN001")
        heads.free.clear()
        tasks = await _pending(books, 3)
        threading.Timer(1.0, heads.free.set).start()  # the disk comes back while the service stops
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(answer).__name__ for answer in answers} <= {"LedgerUnavailable", "Entry"}
    assert not all(isinstance(answer, Entry) for answer in answers)
    async with books.open():
        assert (await books.invoice("KIN001")).position == 3
    assert HeadStore(books.folder, 0).read().size == 4, "what was being written has not taken its successor back"


async def test_after_an_outage_no_outlet_stays_behind_whichever_mark_is_written_first(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second batch's mark gets through first, and the first one's is old by then."""
    record, away, first_after = HeadStore.record, True, []

    def unsteady(heads: HeadStore, mark: Mark) -> None:
        if away or (not first_after and mark.size < 4):
            raise HeadStoreError("the disk is away")
        first_after.append(mark.size)
        record(heads, mark)

    async with books.open():
        books.writer._patience = 60
        await books.invoice("KIN001")
        await books.invoice("KIN002")
        monkeypatch.setattr(HeadStore, "record", unsteady)
        tasks = [asyncio.create_task(books.invoice("KIN001"))]
        await _until_stored(books, 3)
        tasks.append(asyncio.create_task(books.invoice("KIN002")))
        await _until_stored(books, 4)
        away = False
        entries = await asyncio.gather(*tasks)
    assert first_after[0] == 4
    known = HeadStore(books.folder, 0).read()
    assert {name: known.heads[name].entry_hash for name in ("KIN001", "KIN002")} == {
        entry.outlet_id: entry.entry_hash for entry in entries
    }

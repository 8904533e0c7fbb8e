"""An older copy of the database: refused, then continued in a new epoch, and what is missing is said."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bonopay_signer.db.instance import ShardLock
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.fiscal.statement import entry_hash
from bonopay_signer.ledger import epochs, store
from bonopay_signer.ledger.epochs import Lost
from bonopay_signer.ledger.headstore import HeadStore, KnownHead
from bonopay_signer.ledger.rollback import LedgerBehind
from bonopay_signer.ledger.verify.outcome import Outcome
from bonopay_signer.ledger.verify.run import verify_database

from ..support.databases import Database
from .ledgers import ADDRESS, AUTHORITY, OTHER_NIF, OUTLETS, Books, trade

_ROLES = ("admin", "owner", "service")
REASON = "le disque du serveur est tombé en panne"


@pytest.fixture
def books(database: Database, tmp_path: Path) -> Books:
    books = Books(database, tmp_path / "heads")
    books.register(OUTLETS)
    return books


@contextmanager
def older_copy(cluster: str, books: Books) -> Iterator[Books]:
    """The database as it is now, under another name."""
    name = f"{books.database.name}_copy"
    names = sql.Identifier(name), sql.Identifier(books.database.name)
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        try:
            database = replace(
                books.database,
                name=name,
                **{
                    role: make_conninfo(getattr(books.database, role), dbname=name)
                    for role in ("admin", "owner", "service")
                },
            )
            yield Books(database, books.folder, books.signer)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


def verified(books: Books, outlets: list[str] | None = None) -> Outcome:
    return verify_database(books.database.service, AUTHORITY, outlets, None, HeadStore(books.folder, 0))


async def opened(books: Books, write: bool = True) -> None:
    """As ``bonopay-signer epoch open`` does; without ``write`` it is killed before the head store has it."""
    heads, lock = HeadStore(books.folder, 0), ShardLock(books.database.owner, 0)
    known = heads.open()
    await lock.acquire()
    try:
        async with await psycopg.AsyncConnection.connect(books.database.owner, autocommit=True, **SYSTEM) as connection:
            shard, ends = await store.read_shard(connection, 0), await store.read_heads(connection, 0)
            lost = await epochs.lost_ends(connection, known, ends)
            await epochs.open_epoch(connection, shard, lost, known, books.signer, REASON, ADDRESS)
            shard, ends = await store.read_shard(connection, 0), await store.read_heads(connection, 0)
            assert await epochs.was_opened(connection, known, ends)
            if write:
                heads.write(epochs.known_of(shard, ends))
    finally:
        await lock.release()
        heads.close()


async def test_sealing_goes_on_in_a_new_epoch_after_the_last_answered_entry(cluster: str, books: Books) -> None:
    async with books.open():
        await trade(books)
    with older_copy(cluster, books) as copy:
        async with books.open():
            lost = [
                await books.invoice("KIN001"),
                await books.invoice("KIN001"),
                await books.invoice("LUB001", OTHER_NIF),
            ]
            await books.settle(lost[0])
        with pytest.raises(LedgerBehind, match="ends at entry 11 .* knows of 15.*epoch open"):
            async with copy.open():
                pass
        assert {fault.check for fault in verified(copy).faults} == {"head store"}
        await opened(copy)
        async with copy.open():
            again = await copy.invoice("KIN001")
            untouched = await copy.invoice("KIN002")
            await copy.settle(again)
        assert again.fiscal_number == "BONO-KIN001-02-000000006" and again.index == 10
        assert untouched.fiscal_number == "BONO-KIN002-01-000000003"
        outcome = verified(copy)
        assert outcome.faults == []
        gaps = {gap.outlet_id: gap for chain in outcome.chains for gap in chain.gaps}
        assert gaps["KIN001"].numbers == ("BONO-KIN001-01-000000004", "BONO-KIN001-01-000000005")
        assert (gaps["KIN001"].first_index, gaps["KIN001"].last_index) == (6, 8)
        assert gaps["LUB001"].numbers == ("BONO-LUB001-01-000000003",) * 2 and set(gaps) == {"KIN001", "LUB001"}
        assert {chain.outlet_id: chain.entries for chain in outcome.chains} == {"KIN001": 8, "KIN002": 4, "LUB001": 4}
        assert sum(REASON in note for note in outcome.notes) == 2
        assert verified(copy, ["KIN001"]).is_good
        assert [row for row in copy.rows("SELECT log_epoch FROM signer.shard")] == [(2,)]
        actions = copy.rows("SELECT convert_from(record, 'UTF8')::jsonb ->> 'action' FROM signer.action_log")
        assert ("epoch.open",) in actions


async def test_older_copy_of_an_older_epoch_skips_both(cluster: str, books: Books) -> None:
    async with books.open():
        await books.invoice("KIN001")
    with older_copy(cluster, books) as first:
        async with books.open():
            await books.invoice("KIN001")
        with older_copy(cluster, first) as second:
            await opened(first)
            async with first.open():
                await first.invoice("KIN001")
            with pytest.raises(LedgerBehind):
                async with second.open():
                    pass
            await opened(second)
            async with second.open():
                entry = await second.invoice("KIN001")
            assert entry.fiscal_number == "BONO-KIN001-03-000000004"
            assert verified(second).faults == []


async def test_opening_that_was_interrupted_is_finished(cluster: str, books: Books) -> None:
    async with books.open():
        await books.invoice("KIN001")
    with older_copy(cluster, books) as copy:
        async with books.open():
            await books.invoice("KIN001")
        await opened(copy, write=False)
        with pytest.raises(LedgerBehind, match="a new epoch was opened and the head store does not know it"):
            async with copy.open():
                pass
        assert [fault.check for fault in verified(copy).faults] == ["head store"]


async def test_other_database_of_the_same_size_is_refused(cluster: str, books: Books) -> None:
    async with books.open():
        await books.invoice("KIN001")
    with older_copy(cluster, books) as fork:
        async with books.open():
            await books.invoice("KIN001")
        fork.folder = books.folder.with_name("other-heads")
        heads = HeadStore(fork.folder, 0)
        async with await psycopg.AsyncConnection.connect(fork.database.service, **SYSTEM) as connection:
            heads.open()
            heads.write(epochs.known_of(await store.read_shard(connection, 0), await store.read_heads(connection, 0)))
            heads.close()
        async with fork.open():
            await fork.invoice("KIN001")
        fork.folder = books.folder
        with pytest.raises(LedgerBehind, match="is not the one that the head store knows"):
            async with fork.open():
                pass
        await opened(fork)
        async with fork.open():
            entry = await fork.invoice("KIN001")
        assert entry.fiscal_number == "BONO-KIN001-02-000000003" and entry.index == 4
        outcome = verified(fork)
        assert outcome.faults == [] and "other entries were answered in place" in outcome.notes[0]


def test_service_role_opens_no_epoch(books: Books) -> None:
    signature = "SELECT 'signer.open_epoch'::regproc::oid"
    with books.database.as_admin() as connection:
        ((oid,),) = connection.execute(signature).fetchall()
        allowed = connection.execute(
            "SELECT has_function_privilege(%s, %s, 'EXECUTE')", [books.database.service_role, oid]
        ).fetchone()
    assert allowed == (False,)


@pytest.mark.parametrize(
    ("change", "sqlstate"),
    [
        (("e.generation", -1), "BP001"),
        (("e.size", 1), "BP001"),
        (("e.log_epoch", 0), "BP001"),
        (("index", 1), "BP002"),
        (("epoch", 1), "BP002"),
        (("sequence", 0), "BP002"),
        (("outlet", "KIN002"), "BP002"),
        (("merchant", "B7654321C"), "BP002"),
        (("hash", b"\x01" * 32), "BP002"),
        (("key", "0" * 16), "BP002"),
        (("twice", None), "BP002"),
        (("found", 2), "BP002"),
    ],
)
async def test_opening_that_does_not_fit_is_refused_whole(books: Books, change: tuple, sqlstate: str) -> None:
    """signer.open_epoch judges for itself, whatever the command hands in."""
    async with books.open():
        await books.invoice("KIN001")
    name, value = change
    async with await psycopg.AsyncConnection.connect(books.database.owner, autocommit=True, **SYSTEM) as connection:
        shard, heads = await store.read_shard(connection, 0), await store.read_heads(connection, 0)
        found = heads["KIN001"]
        known = KnownHead("KIN001", 1, 3, 3, b"\x05" * 32)
        lost = Lost(known, replace(found, index=value) if name == "found" else found)
        place, statement, payload = epochs._planned(lost, REASON, 2, found.sealed_at, books.signer)
        digest = entry_hash(known.entry_hash, statement)
        row = {"outlet": "KIN001", "merchant": found.merchant_nif, "index": place.index, "epoch": place.epoch}
        row |= {"sequence": place.sequence, "statement": statement, "payload": payload}
        row |= {"previous": known.entry_hash, "hash": digest, "signature": b"\x07" * 64}
        row |= {name: value} if name in row else {}
        generation = shard.generation + (value if name == "e.generation" else 0)
        size = shard.size + (value if name == "e.size" else 0)
        log_epoch = 1 if name == "e.log_epoch" else 2
        columns = [[member] * (2 if name == "twice" else 1) for member in row.values()]
        key = value if name == "key" else books.signer.key_id
        with pytest.raises(psycopg.Error) as refused:
            await connection.execute(
                epochs._OPEN_EPOCH, [0, generation, size, log_epoch, found.sealed_at, ADDRESS, *columns, key]
            )
    assert refused.value.sqlstate == sqlstate, refused.value
    assert books.rows("SELECT count(*), max(log_epoch) FROM signer.entry, signer.shard") == [(1, 1)]

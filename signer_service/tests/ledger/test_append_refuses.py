"""The only way into the ledger refuses every batch that does not continue it, whole, whoever hands it in."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from bonopay_signer.db.instance import ShardLock
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.ledger import store
from bonopay_signer.ledger.batch import Planner, signed_entries
from bonopay_signer.ledger.entries import Entry, now_ms
from bonopay_signer.ledger.store import FENCED, NOT_A_CONTINUATION, STATE_CONFLICT, Shard
from bonopay_signer.sealing.drafts import invoice_draft

from ..fiscal.builders import accepted
from ..support.databases import throw_away_database
from .ledgers import ADDRESS, AUTHORITY, NIF, OUTLETS, Books

CHECK, UNIQUE, NULL = "23514", "23505", "23502"


class Batch:
    """Three entries that continue the ledger: two of KIN001 and one of KIN002."""

    def __init__(self, books: Books, shard: Shard, entries: list[Entry]) -> None:
        self.books = books
        self.shard = shard
        self.entries = entries
        self.submissions: list[int | None] = [None] * len(entries)
        self.originals: list[str | None] = [None] * len(entries)

    def change(self, place: int, **columns: Any) -> None:
        self.entries[place] = replace(self.entries[place], **columns)


@pytest.fixture(scope="module")
async def books(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Books]:
    with throw_away_database(cluster) as database:
        books = Books(database, Path(tmp_path_factory.mktemp("heads")))
        books.register(OUTLETS)
        async with books.open():
            books.first = await books.invoice("KIN001")
            books.verdict = await books.settle(books.first)
            books.second = await books.invoice("KIN001")
        yield books


@pytest.fixture
async def connection(books: Books) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(books.database.service, autocommit=True, **SYSTEM) as connection:
        yield connection


@pytest.fixture
async def batch(books: Books, connection: psycopg.AsyncConnection) -> AsyncIterator[Batch]:
    lock = ShardLock(books.database.service, 0)
    await lock.acquire()
    shard = await store.read_shard(connection, 0)
    planner = Planner(await store.read_heads(connection, 0), now_ms(), AUTHORITY, books.signer.key_id)
    for outlet_id in ("KIN001", "KIN001", "KIN002"):
        payload = canonical.encode(accepted(document_id=str(uuid4()), merchant_nif=NIF, outlet_id=outlet_id))
        planner.add([invoice_draft(parse(payload), payload)])
    plan = planner.plan()
    signatures = await books.signer.sign([(entry.statement_bytes, entry.previous_hash) for entry in plan.entries])
    yield Batch(books, shard, signed_entries(plan, signatures, 0, shard.size, ADDRESS))
    await lock.release()


async def appended(connection: psycopg.AsyncConnection, batch: Batch) -> None:
    await store.append(connection, batch.shard, batch.entries, batch.submissions, batch.originals)


def _change(place: int, **columns: Any) -> Callable[[Batch], None]:
    return lambda batch: batch.change(place, **columns)


def _shard(**columns: int) -> Callable[[Batch], None]:
    def change(batch: Batch) -> None:
        moved = {name: getattr(batch.shard, name) + by for name, by in columns.items()}
        batch.shard = replace(batch.shard, **moved)

    return change


def _swap(batch: Batch) -> None:
    batch.entries[0], batch.entries[1] = batch.entries[1], batch.entries[0]


def _older(batch: Batch) -> None:
    batch.change(0, sealed_at=batch.shard.sealed_at - timedelta(milliseconds=1))


def _flip(column: str) -> Callable[[Batch], None]:
    def change(batch: Batch) -> None:
        old = getattr(batch.entries[1], column)
        batch.change(1, **{column: bytes([old[0] ^ 1]) + old[1:]})

    return change


def _again(batch: Batch) -> None:
    batch.change(1, document_id=batch.books.first.document_id)


def _submission(value: Callable[[Books], int]) -> Callable[[Batch], None]:
    def change(batch: Batch) -> None:
        batch.submissions[0] = value(batch.books)

    return change


MALFORMED: dict[str, tuple[Callable[[Batch], None], str]] = {
    "an older generation": (_shard(generation=-1), FENCED),
    "a generation to come": (_shard(generation=1), FENCED),
    "a position before the end": (_shard(size=-1), FENCED),
    "a position after the end": (_shard(size=1), FENCED),
    "another shard": (_shard(id=1), FENCED),
    "a time before the last entry's": (_older, FENCED),
    "a gap in the index": (_change(0, index=5), NOT_A_CONTINUATION),
    "an index that is taken": (_change(0, index=3), NOT_A_CONTINUATION),
    "entries of a chain in another order": (_swap, NOT_A_CONTINUATION),
    "another epoch": (_change(0, epoch=2), NOT_A_CONTINUATION),
    "another chain's end": (_change(2, previous_hash=b"\x01" * 32), NOT_A_CONTINUATION),
    "a link that was changed": (_flip("previous_hash"), NOT_A_CONTINUATION),
    "a payload that was changed": (_flip("payload"), NOT_A_CONTINUATION),
    "another payload's hash": (_flip("payload_hash"), NOT_A_CONTINUATION),
    "a statement that was changed": (_flip("statement"), NOT_A_CONTINUATION),
    "another statement's hash": (_flip("entry_hash"), NOT_A_CONTINUATION),
    "a number that skips one": (_change(2, fiscal_number="BONO-KIN002-01-000000002"), NOT_A_CONTINUATION),
    "a number of another outlet": (_change(2, fiscal_number="BONO-KIN001-01-000000005"), NOT_A_CONTINUATION),
    "a number of another epoch": (_change(2, fiscal_number="BONO-KIN002-02-000000001"), NOT_A_CONTINUATION),
    "another merchant": (_change(2, merchant_nif="B7654321C"), NOT_A_CONTINUATION),
    "an unknown outlet": (_change(2, outlet_id="NOWHERE"), NOT_A_CONTINUATION),
    "a key that is not published": (_change(2, key_id="0" * 16), NOT_A_CONTINUATION),
    "an invoice without document": (_change(2, document_id=None), NOT_A_CONTINUATION),
    "an epoch of its own": (_change(2, kind="epoch_opened", document_id=None), NOT_A_CONTINUATION),
    "a rotation with a document": (_change(2, kind="key_rotation"), NOT_A_CONTINUATION),
    "an unknown kind": (_change(2, kind="gift", document_id=None), CHECK),
    "an unknown kind with a document": (_change(2, kind="gift"), NOT_A_CONTINUATION),
    "a credential with a document": (_change(2, kind="credential"), NOT_A_CONTINUATION),
    "a gap with a document": (_change(2, kind="offline_gap"), NOT_A_CONTINUATION),
    "a clone with a document": (_change(2, kind="till_cloned"), NOT_A_CONTINUATION),
    "a signature that is too short": (_change(2, signature=b"x" * 63), CHECK),
    "a document that is sealed": (_again, UNIQUE),
    "a second verdict": (_change(2, kind="dgi_rejected", fiscal_number="BONO-KIN001-01-000000001"), UNIQUE),
    "a submission that does not exist": (_submission(lambda _books: 10**9), STATE_CONFLICT),
    "a submission that is settled": (
        _submission(lambda books: books.submission(books.first.fiscal_number)),
        STATE_CONFLICT,
    ),
    "another document's submission": (
        _submission(lambda books: books.submission(books.second.fiscal_number)),
        STATE_CONFLICT,
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_batch_is_refused_whole(batch: Batch, connection: psycopg.AsyncConnection, case: str) -> None:
    change, sqlstate = MALFORMED[case]
    before = _state(batch.books)
    change(batch)
    with pytest.raises(psycopg.Error) as refused:
        await appended(connection, batch)
    assert refused.value.sqlstate == sqlstate, refused.value
    assert _state(batch.books) == before


async def test_batch_as_it_should_be_is_taken(batch: Batch, connection: psycopg.AsyncConnection) -> None:
    """Else the refusals would prove nothing."""
    async with connection.transaction(force_rollback=True):
        await appended(connection, batch)
        cursor = await connection.execute("SELECT count(*) FROM signer.entry")
        assert await cursor.fetchone() == (6,)


async def test_connection_of_one_merchant_appends_nothing(batch: Batch) -> None:
    for setting in ("", f" -c bonopay.merchant={NIF}"):
        options = {"options": f"-c timezone=UTC{setting}"}
        async with await psycopg.AsyncConnection.connect(batch.books.database.service, **options) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await appended(connection, batch)


async def test_operators_put_before_postgresql_s_do_not_fool_the_fence(batch: Batch) -> None:
    """PostgreSQL 14 lets every role create in the schema public."""
    database, role = batch.books.database, batch.books.database.service_role
    batch.shard = replace(batch.shard, generation=batch.shard.generation - 1)
    with database.as_admin() as admin:
        admin.execute(f'GRANT CREATE ON SCHEMA public TO "{role}"')
        try:
            async with await psycopg.AsyncConnection.connect(database.service, autocommit=True, **SYSTEM) as connection:
                await connection.execute(
                    "CREATE FUNCTION public.always(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
                )
                await connection.execute(
                    "CREATE OPERATOR public.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.always)"
                )
                await connection.execute("SET search_path = public, pg_catalog")
                assert await (await connection.execute("SELECT 1::bigint = 2::bigint")).fetchone() == (True,)
                with pytest.raises(psycopg.Error) as refused:
                    await appended(connection, batch)
                assert refused.value.sqlstate == FENCED
        finally:
            admin.execute("DROP FUNCTION IF EXISTS public.always CASCADE")
            admin.execute(f'REVOKE CREATE ON SCHEMA public FROM "{role}"')


def _state(books: Books) -> list[tuple]:
    tables = ("entry", "document", "verdict", "credit", "submission", "outlet_head", "shard")
    digest = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM signer.{} t"
    with books.database.as_admin() as connection:
        return [connection.execute(digest.format(table)).fetchone() for table in tables]

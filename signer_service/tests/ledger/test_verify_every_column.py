"""Every column of every table of a ledger: whatever is changed by somebody with all rights is found, and named."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from bonopay_signer.ledger.entries import ENTRY_COLUMNS as ENTRY_COLUMNS_STORED
from bonopay_signer.ledger.headstore import HeadStore
from bonopay_signer.ledger.verify.outcome import Outcome
from bonopay_signer.ledger.verify.run import verify_database

from ..support.databases import throw_away_database
from .ledgers import AUTHORITY, OUTLETS, Books, trade


@pytest.fixture(scope="module")
def books(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    with throw_away_database(cluster) as database:
        books = Books(database, tmp_path_factory.mktemp("heads"))
        books.register(OUTLETS)

        async def fill() -> None:
            async with books.open():
                await trade(books)

        asyncio.run(fill())
        yield books


def verified(books: Books, outlets: list[str] | None = None) -> Outcome:
    return verify_database(books.database.service, AUTHORITY, outlets, None, HeadStore(Path(books.folder), 0))


@contextmanager
def intruder(books: Books) -> Iterator[psycopg.Connection]:
    """A superuser without triggers; what was changed is put back."""
    tables = ("entry", "document", "verdict", "credit", "outlet_head", "shard", "signing_key")
    with books.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        for table in tables:
            connection.execute(f"CREATE TABLE public.saved_{table} AS SELECT * FROM signer.{table}")
        try:
            yield connection
        finally:
            for table in tables:
                connection.execute(f"DELETE FROM signer.{table}")
                names = ENTRY_COLUMNS_STORED if table == "entry" else "*"
                into = f"({names})" if table == "entry" else ""
                connection.execute(f"INSERT INTO signer.{table} {into} SELECT {names} FROM public.saved_{table}")
                connection.execute(f"DROP TABLE public.saved_{table}")


def test_untouched_ledger_is_good(books: Books) -> None:
    outcome = verified(books)
    assert outcome.faults == [] and outcome.notes == []
    assert [(chain.outlet_id, chain.entries, chain.invoices) for chain in outcome.chains] == [
        ("KIN001", 5, 3),
        ("KIN002", 3, 2),
        ("LUB001", 3, 2),
    ]
    assert verified(books, ["KIN002"]).is_good


_FLIP = "set_byte({0}, 0, get_byte({0}, 0) # 1)"
_LATER = "sealed_at + interval '1 microsecond'"
ENTRY_COLUMNS = {
    "shard": "7",
    "position": "position + 100",
    "outlet_id": "'KIN002'",
    "index": "index + 100",
    "epoch": "2",
    "kind": "'dgi_rejected'",
    "merchant_nif": "'C0000000X'",
    "document_id": "NULL",
    "fiscal_number": "'BONO-KIN001-01-000000009'",
    "sealed_at": _LATER,
    "statement": _FLIP.format("statement"),
    "payload": _FLIP.format("payload"),
    "payload_hash": _FLIP.format("payload_hash"),
    "previous_hash": _FLIP.format("previous_hash"),
    "entry_hash": _FLIP.format("entry_hash"),
    "signature": _FLIP.format("signature"),
    "key_id": "'0123456789abcdef'",
}
"""But for public_url, which nothing signed covers."""
NARROW = {
    "document": {
        "merchant_nif": "'C0000000X'",
        "document_id": "gen_random_uuid()",
        "fiscal_number": "'BONO-KIN001-01-000000099'",
        "outlet_id": "'KIN002'",
        "index": "index + 1",
        "sealed_at": _LATER,
        "payload_hash": _FLIP.format("payload_hash"),
    },
    "verdict": {
        "fiscal_number": "'BONO-KIN001-01-000000002'",
        "merchant_nif": "'C0000000X'",
        "outlet_id": "'KIN002'",
        "index": "index + 1",
        "sealed_at": _LATER,
    },
    "credit": {
        "credit_number": "'BONO-KIN001-01-000000099'",
        "merchant_nif": "'C0000000X'",
        "original_number": "'BONO-KIN002-01-000000001'",
    },
}
HEAD = {
    "outlet_id": "'KIN009'",
    "epoch": "2",
    "index": "index + 1",
    "entry_hash": _FLIP.format("entry_hash"),
    "sequence": "sequence - 1",
    "sealed_at": _LATER,
    "merchant_nif": "'C0000000X'",
}
SHARD = {
    "size": "size - 1",
    "last_hash": _FLIP.format("last_hash"),
    "sealed_at": _LATER,
    "log_epoch": "2",
}


def _columns(books: Books, table: str) -> set[str]:
    query = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'signer' AND table_name = %s "
    query += "AND is_generated = 'NEVER'"  # PostgreSQL derives the others from the payload
    return {name for (name,) in books.rows(query, table)}


def test_no_column_is_left_out(books: Books) -> None:
    assert _columns(books, "entry") == {*ENTRY_COLUMNS, "public_url"}
    assert all(_columns(books, table) == set(changes) for table, changes in NARROW.items())
    assert _columns(books, "outlet_head") == set(HEAD)
    assert _columns(books, "shard") == {*SHARD, "id", "generation", "taken_at"}


@pytest.mark.parametrize("column", ENTRY_COLUMNS)
def test_changed_column_of_an_entry_is_named(books: Books, column: str) -> None:
    with intruder(books) as connection:
        where = "outlet_id = 'KIN001' AND index = 2"  # a verdict
        connection.execute(f"UPDATE signer.entry SET {column} = {ENTRY_COLUMNS[column]} WHERE {where}")
        outcome = verified(books)
    if column in ("shard", "position"):
        assert {fault.subject for fault in outcome.faults} >= {"shard 0"}
        assert any("position 2 is missing" in fault.detail for fault in outcome.faults)
    else:
        places = [(fault.subject, fault.index) for fault in outcome.faults]
        assert places[0] in (("KIN001", 2), ("KIN002", 2), ("KIN001", 3)), outcome.faults
    assert [chain.outlet_id for chain in outcome.chains][-1:] == ["LUB001"], "the others are verified all the same"


@pytest.mark.parametrize("column", ENTRY_COLUMNS)
def test_changed_column_of_an_invoice_is_named(books: Books, column: str) -> None:
    with intruder(books) as connection:
        connection.execute(
            f"UPDATE signer.entry SET {column} = {ENTRY_COLUMNS[column]} WHERE outlet_id = 'LUB001' AND index = 3"
        )
        outcome = verified(books)
    assert not outcome.is_good
    assert any((fault.subject, fault.index) == ("LUB001", 3) for fault in outcome.faults) or column in (
        "shard",
        "position",
        "outlet_id",
    ), outcome.faults


def test_changed_address_is_noted_with_its_place(books: Books) -> None:
    with intruder(books) as connection:
        connection.execute("UPDATE signer.entry SET public_url = 'http://elsewhere' WHERE position = 4")
        outcome = verified(books)
    ((note,),) = [[note for note in outcome.notes if "elsewhere" in note]]
    assert "1 entries, the first of them entry 3 of KIN001" in note


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in NARROW for column in NARROW[table]])
def test_changed_column_of_a_narrow_table_is_named(books: Books, table: str, column: str) -> None:
    number = {"document": "fiscal_number", "verdict": "fiscal_number", "credit": "credit_number"}[table]
    ((first,),) = books.rows(f"SELECT min({number}) FROM signer.{table}")
    with intruder(books) as connection:
        connection.execute(f"UPDATE signer.{table} SET {column} = {NARROW[table][column]} WHERE {number} = %s", [first])
        outcome = verified(books)
    (fault,) = outcome.faults
    assert fault.subject == f"table {table}"
    changed = NARROW[table][column].strip("'") if column == number else first
    assert fault.detail.startswith((f"{first}: ", f"{changed}: "))


@pytest.mark.parametrize("table", NARROW)
def test_row_taken_from_a_narrow_table_is_named(books: Books, table: str) -> None:
    number = {"document": "fiscal_number", "verdict": "fiscal_number", "credit": "credit_number"}[table]
    ((last,),) = books.rows(f"SELECT max({number}) FROM signer.{table}")
    with intruder(books) as connection:
        connection.execute(f"DELETE FROM signer.{table} WHERE {number} = %s", [last])
        outcome = verified(books)
    assert [str(fault) for fault in outcome.faults] == [
        f"table {table}: BAD at {table}, {table}: {last}: the row is missing"
    ]


@pytest.mark.parametrize("column", HEAD)
def test_changed_head_is_named(books: Books, column: str) -> None:
    with intruder(books) as connection:
        connection.execute(f"UPDATE signer.outlet_head SET {column} = {HEAD[column]} WHERE outlet_id = 'KIN001'")
        outcome = verified(books)
    assert outcome.faults[0].subject == "KIN001" and outcome.faults[0].check == "head"
    assert [chain.outlet_id for chain in outcome.chains] == ["KIN002", "LUB001"]


@pytest.mark.parametrize("column", SHARD)
def test_changed_shard_is_named(books: Books, column: str) -> None:
    with intruder(books) as connection:
        connection.execute(f"UPDATE signer.shard SET {column} = {SHARD[column]}")
        outcome = verified(books)
    assert {fault.subject for fault in outcome.faults} == {"shard 0"} and len(outcome.chains) == 3


@pytest.mark.parametrize("position", range(11))
def test_removed_entry_is_named(books: Books, position: int) -> None:
    with intruder(books) as connection:
        (outlet_id, index) = connection.execute(
            "DELETE FROM signer.entry WHERE position = %s RETURNING outlet_id, index", [position]
        ).fetchone()
        outcome = verified(books)
    places = [fault.subject for fault in outcome.faults]
    assert outlet_id in places and "shard 0" in places
    fault = next(fault for fault in outcome.faults if fault.subject == outlet_id)
    assert fault.index in (None, index + 1)
    assert f"entry {index}" in fault.detail or f"entry {index - 1}" in fault.detail


@pytest.mark.parametrize("position", [0, 5, 10])
def test_doubled_entry_is_named(books: Books, position: int) -> None:
    unique = {"shard_position": "(shard, position, sealed_at)", "outlet_index": "(outlet_id, index, sealed_at)"}
    with intruder(books) as connection:
        for (name,) in connection.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'signer.entry'::regclass AND contype = 'u'"
        ).fetchall():
            connection.execute(f"ALTER TABLE signer.entry DROP CONSTRAINT {name}")
        connection.execute(
            f"INSERT INTO signer.entry ({ENTRY_COLUMNS_STORED}) SELECT {ENTRY_COLUMNS_STORED} FROM signer.entry "
            "WHERE position = %s",
            [position],
        )
        outcome = verified(books)
    with books.database.as_admin() as connection:
        for name, columns in unique.items():
            connection.execute(f"ALTER TABLE signer.entry ADD CONSTRAINT entry_{name} UNIQUE {columns}")
    assert any(f"position {position} is taken twice" in fault.detail for fault in outcome.faults)


@pytest.mark.parametrize(("one", "other"), [(0, 9), (3, 10), (4, 10)])
def test_swapped_entries_are_named(books: Books, one: int, other: int) -> None:
    with intruder(books) as connection:
        for old, new in ((one, 1000), (other, one), (1000, other)):
            connection.execute("UPDATE signer.entry SET position = %s WHERE position = %s", [new, old])
        outcome = verified(books)
    assert outcome.faults, "positions are in the order of time"


@pytest.mark.parametrize("size", range(11))
def test_ledger_cut_cleanly_is_named_by_the_head_store(books: Books, size: int) -> None:
    """As an older copy of the database: entries, tables, heads and shard agree, only the end is gone."""
    with intruder(books) as connection:
        cut_back(connection, size)
        outcome = verified(books)
    assert {fault.check for fault in outcome.faults} == {"head store"}
    lost = {outlet for (outlet,) in books.rows("SELECT outlet_id FROM signer.entry WHERE position >= %s", size)}
    assert {fault.subject for fault in outcome.faults} == {*lost, "shard 0"}


def cut_back(connection: psycopg.Connection, size: int) -> None:
    """What a restore of an older copy leaves."""
    connection.execute("DELETE FROM signer.entry WHERE position >= %s", [size])
    for table in ("document", "verdict"):
        connection.execute(
            f"DELETE FROM signer.{table} WHERE (outlet_id, index) NOT IN (SELECT outlet_id, index FROM signer.entry)"
        )
    connection.execute(
        "DELETE FROM signer.credit WHERE credit_number NOT IN (SELECT fiscal_number FROM signer.document)"
    )
    connection.execute(
        "UPDATE signer.outlet_head h SET index = e.index, entry_hash = e.entry_hash, sealed_at = e.sealed_at, "
        "sequence = (SELECT count(*) FROM signer.document d WHERE d.outlet_id = h.outlet_id) "
        "FROM (SELECT DISTINCT ON (outlet_id) * FROM signer.entry ORDER BY outlet_id, index DESC) AS e "
        "WHERE e.outlet_id = h.outlet_id"
    )
    connection.execute(
        "UPDATE signer.outlet_head SET index = 0, sequence = 0, sealed_at = 'epoch', "
        "entry_hash = decode(repeat('00', 32), 'hex') WHERE outlet_id NOT IN (SELECT outlet_id FROM signer.entry)"
    )
    connection.execute(
        "UPDATE signer.shard SET size = %s, last_hash = COALESCE((SELECT entry_hash FROM signer.entry "
        "ORDER BY position DESC LIMIT 1), decode(repeat('00', 32), 'hex')), "
        "sealed_at = COALESCE((SELECT max(sealed_at) FROM signer.entry), 'epoch')",
        [size],
    )

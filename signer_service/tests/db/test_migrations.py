"""Migrations run once, in order, in one process at a time, and an edited history is refused."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from bonopay_signer.db import migrate as migrate_module
from bonopay_signer.db.migrate import Migration, MigrationError, bundled, migrate
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.fiscal.statement import ZERO_HASH
from bonopay_signer.ledger.batch import Draft, Planner, signed_entries
from bonopay_signer.ledger.entries import Entry, Head
from bonopay_signer.ledger.epochs import known_of
from bonopay_signer.ledger.errors import NotAppended
from bonopay_signer.ledger.headstore import HeadStore
from bonopay_signer.ledger.rollback import LedgerBehind
from bonopay_signer.ledger.store import read_heads, read_shard
from bonopay_signer.ledger.verify.run import verify_database
from bonopay_signer.sealing.drafts import invoice_draft

from ..fiscal.builders import accepted, credit_note
from ..ledger.ledgers import NIF, OUTLETS, Books, SoftSigner, TillKey, trade
from ..support.databases import Database, throw_away_database


@pytest.fixture
def empty(cluster: str) -> Iterator[Database]:
    with throw_away_database(cluster, migrated=False) as database:
        yield database


def test_second_run_applies_nothing(empty: Database) -> None:
    assert migrate(empty.owner, empty.service_role) == [migration.name for migration in bundled()]
    assert migrate(empty.owner, empty.service_role) == []


def test_two_runs_at_once_apply_each_file_once(empty: Database) -> None:
    applied: list[str] = []
    runs = [threading.Thread(target=lambda: applied.extend(migrate(empty.owner, empty.service_role))) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(applied) == sorted(migration.name for migration in bundled())


def test_edited_history_is_refused(empty: Database) -> None:
    migrate(empty.owner, empty.service_role)
    edited = [Migration(m.number, m.name, m.text + "-- edited") if m.number == 2 else m for m in bundled()]
    with pytest.raises(MigrationError, match="0002_ledger.sql was applied with other content"):
        migrate(empty.owner, empty.service_role, edited)


def test_database_newer_than_the_program_is_refused(empty: Database) -> None:
    migrate(empty.owner, empty.service_role)
    with pytest.raises(MigrationError, match="this program knows"):
        migrate(empty.owner, empty.service_role, bundled()[:-1])


def test_failed_file_leaves_nothing_of_itself(empty: Database) -> None:
    broken = [*bundled(), Migration(len(bundled()) + 1, "0099_broken.sql", "CREATE TABLE signer.half (); SELECT 1/0")]
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty.owner, empty.service_role, broken)
    with psycopg.connect(empty.owner) as connection:
        assert connection.execute("SELECT to_regclass('signer.half')").fetchone() == (None,)
        assert connection.execute("SELECT count(*) FROM signer.migration").fetchone() == (len(bundled()),)


def test_service_role_must_exist_and_must_not_be_the_owner(empty: Database) -> None:
    with pytest.raises(MigrationError, match="CREATE ROLE"):
        migrate(empty.owner, "nobody_of_this_name")
    with pytest.raises(MigrationError, match="must not be the owner"):
        migrate(empty.owner, empty.service_role.replace("_service", "_owner"))


KEPT = "SELECT outlet_id, index, statement, payload, previous_hash, entry_hash, signature, sealed_at, public_url "
KEPT += "FROM signer.entry ORDER BY outlet_id, index"


def _sealed_before_shards(database: Database, signer: SoftSigner) -> list[tuple]:
    """A ledger of the fourth migration, over two months and two outlets, with a verdict and a credit note."""
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(migrate_module._BOOTSTRAP)
        for migration in bundled()[:4]:
            migrate_module._apply(connection, migration)  # without the grants, which know later tables
    heads: dict[str, Head] = {}
    first_day = datetime(2026, 10, 31, 22, 30, tzinfo=UTC)
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute("INSERT INTO signer.merchant (nif, name) VALUES (%s, 'Vendeur')", [NIF])
        connection.execute(
            "INSERT INTO signer.signing_key (key_id, public_der) VALUES (%s, %s)",
            [signer.key_id, signer.public_key.der],
        )
        for outlet_id in ("KIN001", "KIN002"):
            connection.execute(
                "INSERT INTO signer.outlet (id, merchant_nif, name, address, nim, isf, dgi_mode, dgi_url, dgi_token) "
                "VALUES (%s, %s, 'Boutique', 'rue', 'nim', 'isf', 'inline', 'http://dgi', '')",
                [outlet_id, NIF],
            )
            connection.execute(
                "INSERT INTO signer.outlet_head VALUES (%s, 1, 0, %s, 0, 'epoch')", [outlet_id, ZERO_HASH]
            )
            heads[outlet_id] = Head(outlet_id, NIF, 1, 0, ZERO_HASH, 0, first_day)
        invoices: list[Entry] = []
        for step in range(12):
            outlet_id = ("KIN001", "KIN002")[step % 2]
            sealed_at = first_day + timedelta(minutes=20 * step)
            planner = Planner(heads, sealed_at, signer.authority, signer.key_id)
            planner.add([_old_draft(step, outlet_id, invoices)])
            plan = planner.plan()
            (planned,) = plan.entries
            signature = signer.raw(planned.entry_hash)
            (entry,) = signed_entries(plan, [signature], 0, 0, "http://127.0.0.1:17480")
            heads |= plan.heads
            invoices.append(entry)
            _insert_before_shards(connection, plan.heads[outlet_id], entry)
        return connection.execute(KEPT).fetchall()


def _old_draft(step: int, outlet_id: str, invoices: list[Entry]) -> Draft:
    """Invoices; at 4 a verdict on the first one, at 6 a credit note against it."""
    if step == 4:
        first = invoices[0]
        payload = {"schema": "bonopay.dgi_certified/1", "document_id": str(first.document_id), "code": "CODE"}
        payload |= {"fiscal_number": first.fiscal_number, "invoice_entry_hash": first.entry_hash.hex()}
        sums = [getattr(first.statement_values, name) for name in ("document_type", "total", "tax", "currency")]
        return Draft(
            *(outlet_id, NIF, "dgi_certified", first.document_id, first.fiscal_number, *sums),
            payload=canonical.encode(payload),
        )
    ids = {"document_id": str(uuid4()), "merchant_nif": NIF, "outlet_id": outlet_id}
    if step == 6:
        number = {"nature": "RAM", "original_fiscal_number": invoices[0].fiscal_number, "original_dgi_code": "CODE"}
        sale = invoices[0].payload_fields
        content = credit_note(sale, [{**item, "quantity": "1"} for item in sale["items"]], credit=number, **ids)
    else:
        content = accepted(**ids)
    encoded = canonical.encode(content)
    return invoice_draft(parse(encoded), encoded)


def _insert_before_shards(connection: psycopg.Connection, head: Head, entry: Entry) -> None:
    columns = "outlet_id, index, epoch, kind, merchant_nif, document_id, fiscal_number, sealed_at, statement, payload, "
    columns += "payload_hash, previous_hash, entry_hash, signature, key_id, public_url"
    values = [getattr(entry, name) for name in columns.split(", ")]
    with connection.transaction():
        connection.execute(
            "UPDATE signer.outlet_head SET index = %s, entry_hash = %s, sequence = %s, sealed_at = %s "
            "WHERE outlet_id = %s",
            [head.index, head.entry_hash, head.sequence, head.sealed_at, head.outlet_id],
        )
        connection.execute(f"INSERT INTO signer.entry ({columns}) VALUES ({', '.join(['%s'] * 16)})", values)


async def test_ledger_of_the_first_release_is_kept_to_the_byte_and_goes_on(empty: Database, tmp_path: Path) -> None:
    signer = SoftSigner()
    before = _sealed_before_shards(empty, signer)
    assert migrate(empty.owner, empty.service_role) == [migration.name for migration in bundled()[4:]]
    with empty.as_admin() as connection:
        assert connection.execute(KEPT).fetchall() == before
        months = connection.execute("SELECT DISTINCT tableoid::regclass::text FROM signer.entry ORDER BY 1").fetchall()
    assert months == [("signer.entry_2026_10",), ("signer.entry_2026_11",)]
    outcome = verify_database(empty.service, signer.authority)
    assert outcome.faults == [] and outcome.entries == 12
    assert [(chain.entries, chain.invoices) for chain in outcome.chains] == [(6, 5), (6, 6)]

    books = Books(empty, tmp_path / "heads", signer)
    with pytest.raises(LedgerBehind, match="head-store adopt"):
        async with books.open():
            pass
    async with await psycopg.AsyncConnection.connect(empty.service, **SYSTEM) as connection:
        store = HeadStore(books.folder, 0)
        store.open()
        store.write(known_of(await read_shard(connection, 0), await read_heads(connection, 0)))
        store.close()
    async with books.open():
        assert (await books.invoice("KIN001")).fiscal_number == "BONO-KIN001-01-000000006"
    assert verify_database(empty.service, signer.authority, None, None, HeadStore(books.folder, 0)).faults == []


def _of_the_release_before_tills(database: Database) -> None:
    """The first fifteen migrations, and the rights of that release."""
    with psycopg.connect(database.owner, autocommit=True) as connection:
        connection.execute(migrate_module._BOOTSTRAP)
        for migration in bundled()[:15]:
            migrate_module._apply(connection, migration)
        rights = (resources.files("bonopay_signer.db") / "grants.sql").read_text(encoding="utf-8")
        known = ";".join(grant for grant in rights.split(";") if "signer.till" not in grant)
        connection.execute(sql.SQL(known).format(role=sql.Identifier(database.service_role)))


async def test_ledger_from_before_tills_is_kept_to_the_byte_and_takes_their_entries(
    empty: Database, tmp_path: Path
) -> None:
    _of_the_release_before_tills(empty)
    books = Books(empty, tmp_path / "heads")
    books.register(OUTLETS)
    till = TillKey()
    async with books.open():
        await trade(books)
        with pytest.raises(NotAppended):
            await books.tell("KIN001", till.credential())
    before = books.rows(KEPT)
    assert migrate(empty.owner, empty.service_role) == [migration.name for migration in bundled()[15:]]
    assert books.rows(KEPT) == before
    async with books.open():
        for told in (till.credential(), till.gap(), till.clone()):
            await books.tell("KIN001", told)
        await trade(books)
    outcome = verify_database(empty.service, books.signer.authority, None, None, HeadStore(books.folder, 0))
    assert outcome.faults == [] and outcome.entries == 2 * len(before) + 3
    kinds = books.rows("SELECT kind FROM signer.entry WHERE outlet_id = 'KIN001' ORDER BY index OFFSET 5 LIMIT 3")
    assert [kind for (kind,) in kinds] == ["credential", "offline_gap", "till_cloned"]

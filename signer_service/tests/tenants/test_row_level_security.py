"""The database itself keeps merchants apart: whatever is asked over a merchant's connection, it sees its own alone."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from bonopay_signer.db.pool import SYSTEM, TenantPool
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.secrets import SecretBox, new_key

from ..support.databases import Database, throw_away_database

OURS, THEIRS = "A1234567B", "B7654321C"
# Of all merchants together, or of none: what they hold names nobody.
OF_NOBODY = {"migration", "shard", "signing_key", "currency_rate"}
TABLES = """
SELECT c.relname, c.relrowsecurity,
       EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS has_policy,
       has_any_column_privilege(%(role)s, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
       OR has_table_privilege(%(role)s, c.oid, 'DELETE, TRUNCATE, TRIGGER') AS reachable
  FROM pg_class c
 WHERE c.relnamespace = 'signer'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""


@pytest.fixture(scope="module")
def two_merchants(cluster: str) -> Iterator[Database]:
    """Both with rows in every table of the registry, and in the ledger's."""
    with throw_away_database(cluster) as database:
        with psycopg.connect(database.owner, autocommit=True) as connection:
            for number, nif in enumerate((OURS, THEIRS), 1):
                _fill(connection, nif, f"OUT{number}")
        yield database


def _fill(connection: psycopg.Connection, nif: str, outlet: str) -> None:
    admin.add_merchant(connection, nif, f"Vendeur {nif}", False)
    new = admin.NewOutlet(outlet, nif, "Boutique", "1 avenue du Port", "CD01", "ISF-1", "inline", "http://dgi")
    admin.add_outlet(connection, new, "jwt", SecretBox.from_text(new_key()), False)
    key = admin.create_api_key(connection, nif, [outlet], ["read"], None, "test")
    admin.rotate_api_key(connection, key.split("_")[1], timedelta(days=1))
    admin.add_terminal(connection, outlet, "CAISSE-1", "Caisse 1")
    admin.add_user(connection, nif, "6", "Comptable", [outlet])
    number = f"BONO-{outlet}-01-000000001"
    connection.execute(
        "INSERT INTO signer.reference (merchant_nif, dgi_url, table_name, code, rate, withdrawn, valid_from, nim) "
        "VALUES (%s, 'http://dgi', 'tax_groups', 'B', 16, false, '2026-11-21', 'CD01')",
        [nif],
    )
    connection.execute("INSERT INTO signer.reference_answer VALUES (%s, 'http://dgi', 'CD01', now())", [nif])
    connection.execute(
        "INSERT INTO signer.dgi_event (merchant_nif, outlet_id, kind, code, detail) "
        "VALUES (%s, %s, 'alarm.began', 'dgi_silent', '{}')",
        [nif, outlet],
    )
    mcf = admin.NewMcf(f"MCF-{outlet}", f"/dev/{outlet}")
    admin.set_mcf(connection, outlet, mcf, False)
    connection.execute(
        "INSERT INTO signer.mcf_state (outlet_id, merchant_nif, nim) VALUES (%s, %s, %s)", [outlet, nif, mcf.nim]
    )
    connection.execute(
        "INSERT INTO signer.submission (outlet_id, merchant_nif, document_id, fiscal_number, state) "
        "VALUES (%s, %s, gen_random_uuid(), %s, 'queued')",
        [outlet, nif, number],
    )
    connection.execute(
        "INSERT INTO signer.dgi_exchange (exchange_id, direction, outlet_id, fiscal_number, step, body) "
        "VALUES (gen_random_uuid(), 'request', %s, %s, 'prepare', '{}')",
        [outlet, number],
    )
    connection.execute(
        "INSERT INTO signer.document VALUES (%s, gen_random_uuid(), %s, %s, 1, now(), sha256('x'))",
        [nif, number, outlet],
    )
    connection.execute("INSERT INTO signer.verdict VALUES (%s, %s, %s, 2, now())", [number, nif, outlet])
    connection.execute("INSERT INTO signer.credit VALUES (%s, %s, %s)", [number, nif, number])
    connection.execute(
        "INSERT INTO signer.entry VALUES (0, %s, %s, 1, 1, 'invoice', %s, gen_random_uuid(), %s, now(), '', '', "
        "sha256('x'), sha256('x'), sha256('x'), decode(repeat('00', 64), 'hex'), 'k', 'http://x')",
        [0 if nif == OURS else 1, outlet, nif, number],
    )
    _fill_tills(connection, nif, outlet)


def _fill_tills(connection: psycopg.Connection, nif: str, outlet: str) -> None:
    device_id = uuid4()
    connection.execute(
        "INSERT INTO signer.till (device_id, outlet_id, merchant_nif, terminal, key_id, public_der) "
        "VALUES (%s, %s, %s, 'T1', %s, '')",
        [device_id, outlet, nif, f"key of {outlet}"],
    )
    connection.execute(
        "INSERT INTO signer.till_ticket (device_id, counter, hash, merchant_nif, outlet_id, document_id, statement, "
        "payload, previous_hash, signature) VALUES (%s, 1, sha256('x'), %s, %s, gen_random_uuid(), '', '', "
        "sha256('x'), decode(repeat('00', 64), 'hex'))",
        [device_id, nif, outlet],
    )


def _tables(database: Database) -> list[tuple[str, bool, bool, bool]]:
    with database.as_admin() as connection:
        return connection.execute(TABLES, {"role": database.service_role}).fetchall()


def _guarded(database: Database) -> list[str]:
    return sorted(name for name, _, has_policy, reachable in _tables(database) if has_policy and reachable)


def test_every_table_that_the_service_reaches_has_a_policy_or_holds_nothing_of_a_merchant(
    two_merchants: Database,
) -> None:
    """A new table is of a merchant until it is named above: then somebody has thought about it."""
    open_to_all = {
        name for name, enabled, has_policy, reachable in _tables(two_merchants)
        if reachable and not (enabled and has_policy)
    }  # fmt: skip
    known_to_be_shared = {name for name in open_to_all if name in OF_NOBODY or name in _shared_logs(two_merchants)}
    assert open_to_all == known_to_be_shared


def _shared_logs(database: Database) -> set[str]:
    """Tables without any column that could name a merchant: the log of hashes, for instance."""
    names = ["nif", "merchant_nif", "outlet_id", "document_id", "fiscal_number", "payload", "statement"]
    query = """
    SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'signer'::regnamespace AND NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = ANY (%s) AND NOT a.attisdropped)
    """
    with database.as_admin() as connection:
        return {name for (name,) in connection.execute(query, [names]).fetchall()}


def test_months_of_the_ledger_are_not_reached_around_their_parent(two_merchants: Database) -> None:
    months = {name: reachable for name, _, _, reachable in _tables(two_merchants) if name.startswith("entry_2")}
    assert months and not any(months.values())


def _counts(database: Database, options: str) -> dict[str, int]:
    with psycopg.connect(database.service, options=options) as connection:
        return {name: _count(connection, name) for name in _guarded(database)}


def _count(connection: psycopg.Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM signer.{table}").fetchone()
    assert row is not None
    return row[0]


def test_all_tables_of_a_merchant_are_tried_here(two_merchants: Database) -> None:
    assert {"merchant", "outlet", "api_key", "terminal", "operator", "action_log", "outlet_head", "entry", "document",
            "verdict", "credit", "submission", "dgi_exchange"} <= set(_guarded(two_merchants))  # fmt: skip
    everything = _counts(two_merchants, "-c bonopay.merchant=*")
    assert all(count >= 2 for count in everything.values()), everything


def test_connection_that_sets_nothing_sees_nothing(two_merchants: Database) -> None:
    assert set(_counts(two_merchants, "").values()) == {0}


@pytest.mark.parametrize(
    "setting", ["", "%", "_________", "A1234567", "a1234567b", "A1234567B,B7654321C", "{*}", "**", "NULL", "' OR 1=1"]
)
def test_setting_that_is_no_merchant_sees_nothing(two_merchants: Database, setting: str) -> None:
    with psycopg.connect(two_merchants.service, autocommit=True) as connection:
        connection.execute("SELECT set_config('bonopay.merchant', %s, false)", [setting])
        assert {_count(connection, name) for name in _guarded(two_merchants)} == {0}


@pytest.mark.parametrize(("mine", "other"), [(OURS, THEIRS), (THEIRS, OURS)])
def test_merchant_sees_its_own_rows_and_none_of_another_s(two_merchants: Database, mine: str, other: str) -> None:
    own = _counts(two_merchants, f"-c bonopay.merchant={mine}")
    everything = _counts(two_merchants, "-c bonopay.merchant=*")
    assert all(0 < own[name] < everything[name] for name in own), own
    with psycopg.connect(two_merchants.service, options=f"-c bonopay.merchant={mine}") as connection:
        for name in _guarded(two_merchants):
            rows = connection.execute(f"SELECT t::text FROM signer.{name} AS t").fetchall()
            assert not any(other in text or f"OUT{1 if other == OURS else 2}" in text for (text,) in rows), name


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM signer.outlet WHERE merchant_nif = %(other)s",
        "SELECT * FROM signer.outlet o JOIN signer.merchant m ON true WHERE m.nif = %(other)s",
        "SELECT * FROM signer.entry WHERE merchant_nif <> %(mine)s OR true AND merchant_nif = %(other)s",
        "SELECT * FROM signer.api_key WHERE merchant_nif = %(other)s UNION SELECT * FROM signer.api_key WHERE false",
        "WITH x AS (SELECT * FROM signer.document) SELECT * FROM x WHERE merchant_nif = %(other)s",
        "SELECT * FROM signer.dgi_exchange WHERE outlet_id = 'OUT2'",
        "UPDATE signer.submission SET reason = 'x' WHERE merchant_nif = %(other)s RETURNING 1",
        "UPDATE signer.api_key SET last_used_at = now() WHERE merchant_nif = %(other)s RETURNING 1",
    ],
)
def test_crafted_statement_over_a_merchant_s_connection_finds_nothing(two_merchants: Database, statement: str) -> None:
    with psycopg.connect(two_merchants.service, options=f"-c bonopay.merchant={OURS}") as connection:
        assert connection.execute(statement, {"mine": OURS, "other": THEIRS}).fetchall() == []


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO signer.submission (outlet_id, merchant_nif, document_id, fiscal_number, state) "
        "VALUES ('OUT2', %(other)s, gen_random_uuid(), 'BONO-OUT2-01-000000009', 'reserved')",
        "UPDATE signer.submission SET merchant_nif = %(other)s",
        "INSERT INTO signer.dgi_exchange (exchange_id, direction, outlet_id, step, body) "
        "VALUES (gen_random_uuid(), 'request', 'OUT2', 'prepare', '')",
        "SET row_security = off; SELECT * FROM signer.entry",
        "ALTER TABLE signer.entry DISABLE ROW LEVEL SECURITY",
        "DROP POLICY of_merchant ON signer.outlet",
        "SELECT signer.append(0::smallint, 0, 0, now(), '', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', "
        "'{}', '{}', '{}', '{}', '{}', '{}', '{}')",
    ],
)
def test_merchant_s_connection_cannot_write_for_another_nor_lift_the_policy(
    two_merchants: Database, statement: str
) -> None:
    with (
        psycopg.connect(two_merchants.service, options=f"-c bonopay.merchant={OURS}") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        for part in statement.split("; "):
            connection.execute(part, {"other": THEIRS} if "%(" in part else None)


@pytest.mark.anyio
async def test_connection_of_the_pool_forgets_its_merchant(two_merchants: Database) -> None:
    pool = TenantPool(two_merchants.service, 2)
    await pool.open()
    try:
        for nif in (OURS, THEIRS, "ZZZZZ", "'; SET bonopay.merchant = '*"):
            async with pool.connection(nif) as connection:
                cursor = await connection.execute("SELECT nif FROM signer.merchant")
                assert await cursor.fetchall() == ([(nif,)] if nif in (OURS, THEIRS) else [])
            async with pool._pool.connection() as connection:
                cursor = await connection.execute("SELECT nif FROM signer.merchant")
                assert await cursor.fetchall() == [], "what the last one was for is over"
        with pytest.raises(ValueError, match="no merchant"):
            async with pool.connection("*"):
                pass
    finally:
        await pool.close()


def test_system_connection_is_what_sees_all(two_merchants: Database) -> None:
    with psycopg.connect(two_merchants.service, **SYSTEM) as connection:
        assert _count(connection, "merchant") == 2

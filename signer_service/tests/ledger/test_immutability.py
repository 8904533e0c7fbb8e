"""What is sealed cannot be changed through the database: not by the service's role, not by the owner's."""

import psycopg
import pytest

from ..support.stand import Stand

FORBIDDEN = [
    "UPDATE signer.entry SET payload = payload",
    "DELETE FROM signer.entry",
    "TRUNCATE signer.entry",
    "DELETE FROM signer.outlet_head",
    "TRUNCATE signer.outlet_head CASCADE",
    "DELETE FROM signer.signing_key",
    "UPDATE signer.signing_key SET public_der = ''",
    "DELETE FROM signer.dgi_exchange",
    "UPDATE signer.dgi_exchange SET body = ''",
    "TRUNCATE signer.dgi_exchange",
    "DELETE FROM signer.submission",
    "TRUNCATE signer.submission",
]


@pytest.fixture(scope="module")
def with_entries(stand: Stand) -> Stand:
    outlet = stand.outlet()
    stand.sealed(outlet)
    return stand


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_service_role_has_no_right_to(with_entries: Stand, statement: str) -> None:
    with with_entries.database.as_service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_service_role_cannot_say_when_a_key_was_published(with_entries: Stand) -> None:
    """Keys are used in the order of their publication: a key put before the one in force would count as retired."""
    backdated = "INSERT INTO signer.signing_key VALUES ('0000000000000000', '', '2026-01-01')"
    with with_entries.database.as_service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(backdated)


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_triggers_refuse_even_the_superuser(with_entries: Stand, statement: str) -> None:
    with with_entries.database.as_admin() as connection, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO signer.api_key (prefix, merchant_nif, secret_hash, operations) VALUES ('aaaaaaaaaaaa', "
        "'A1234567B', decode(repeat('00', 32), 'hex'), ARRAY['read'])",
        "UPDATE signer.outlet SET dgi_url = 'http://elsewhere'",
        "UPDATE signer.merchant SET name = 'x'",
        "ALTER TABLE signer.entry DISABLE TRIGGER ALL",
        "DROP TABLE signer.entry",
        "CREATE TABLE signer.own (x int)",
        "CREATE TABLE public.own (x int)",
        "CREATE SCHEMA own",
        "CREATE FUNCTION signer.own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION signer.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER own BEFORE INSERT ON signer.entry FOR EACH ROW EXECUTE FUNCTION signer.refuse_change()",
        "CREATE RULE own AS ON INSERT TO signer.entry DO INSTEAD NOTHING",
        "ALTER FUNCTION signer.refuse_change() RESET ALL",
        "SET session_replication_role = replica",
        "SET ROLE postgres",
        "SELECT setval('signer.submission_id_seq', 1)",
        "SELECT nextval('signer.dgi_exchange_id_seq')",
        "COPY signer.entry TO PROGRAM 'cat'",
        "SELECT pg_read_file('/etc/passwd')",
        "INSERT INTO signer.outlet_head SELECT * FROM signer.outlet_head",
        "INSERT INTO signer.merchant (nif, name) VALUES ('ZZZZZ', 'x')",
        "INSERT INTO signer.migration (number, name, checksum) VALUES (99, 'x', 'x')",
        "UPDATE signer.api_key SET revoked_at = NULL",
        "UPDATE signer.migration SET checksum = ''",
        "SELECT signer.open_epoch(0::smallint, 1, 0, 2, now(), '' "
        ", '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '')",
        "SELECT signer.create_month(now()::timestamp)",
        "SELECT signer.move_submissions('{}', '{}', '{}', '{}', '{}', '{}')",
    ],
)
def test_service_role_cannot_administer(with_entries: Stand, statement: str) -> None:
    with with_entries.database.as_service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


LEDGER = ("entry", "outlet_head", "document", "verdict", "credit", "shard")


@pytest.mark.parametrize("table", LEDGER)
def test_service_role_writes_no_table_of_the_ledger_directly(with_entries: Stand, table: str) -> None:
    """What it appends goes through signer.append; of a shard it may take the generation, and no more."""
    column = {"shard": "size", "outlet_head": "index"}.get(table, "merchant_nif")
    for statement in (
        f"INSERT INTO signer.{table} DEFAULT VALUES",
        f"UPDATE signer.{table} SET {column} = {column}",
        f"DELETE FROM signer.{table}",
        f"TRUNCATE signer.{table}",
    ):
        with with_entries.database.as_service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_service_role_writes_no_month_directly(with_entries: Stand) -> None:
    months = with_entries.rows(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'signer.entry'::regclass"
    )
    assert months
    for (month,) in months:
        for statement in (f"INSERT INTO {month} DEFAULT VALUES", f"DELETE FROM {month}", f"TRUNCATE {month}"):
            with with_entries.database.as_service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_triggers_guard_every_month_from_the_superuser(with_entries: Stand) -> None:
    ((month,),) = with_entries.rows("SELECT DISTINCT tableoid::regclass::text FROM signer.entry")
    for statement in (f"UPDATE {month} SET kind = kind", f"DELETE FROM {month}", f"TRUNCATE {month}"):
        with with_entries.database.as_admin() as connection:
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
                connection.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "index = index - 1",
        "index = index",
        "index = index + 1",
        "index = index + 1, sequence = sequence - 1, entry_hash = sha256('x')",
        "index = index + 1, epoch = epoch - 1, entry_hash = sha256('x')",
        "index = index + 1, merchant_nif = 'B7654321C', entry_hash = sha256('x')",
        "index = index + 1, sealed_at = sealed_at - interval '1 second', entry_hash = sha256('x')",
    ],
)
def test_head_only_moves_forward(with_entries: Stand, change: str) -> None:
    with with_entries.database.as_admin() as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="only moves forward"):
            connection.execute(f"UPDATE signer.outlet_head SET {change} WHERE index > 0")


@pytest.mark.parametrize("change", ["size = size - 1", "generation = generation - 1", "log_epoch = log_epoch - 1"])
def test_shard_only_moves_forward(with_entries: Stand, change: str) -> None:
    with with_entries.database.as_admin() as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="only moves forward"):
            connection.execute(f"UPDATE signer.shard SET {change}")


def test_new_head_starts_empty(with_entries: Stand) -> None:
    outlet = with_entries.outlet()
    with with_entries.database.as_admin() as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="a new head is empty"):
            connection.execute(
                "INSERT INTO signer.outlet_head VALUES (%s, 1, 5, decode(repeat('00', 32), 'hex'), 5, now(), %s)",
                [outlet.id, outlet.nif],
            )

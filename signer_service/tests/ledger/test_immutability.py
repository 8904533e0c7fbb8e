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
    ],
)
def test_service_role_cannot_administer(with_entries: Stand, statement: str) -> None:
    with with_entries.database.as_service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "index = index + 2",
        "index = index - 1",
        "index = index",
        "index = index + 1, sequence = sequence + 2",
        "index = index + 1, sequence = sequence - 1",
        "index = index + 1, epoch = epoch + 1",
        "index = index + 1, sealed_at = sealed_at - interval '1 second', entry_hash = sha256('x')",
        "index = index + 1",
    ],
)
def test_head_only_moves_forward_by_one_entry(with_entries: Stand, change: str) -> None:
    with with_entries.database.as_service() as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="moves forward by one entry"):
            connection.execute(f"UPDATE signer.outlet_head SET {change} WHERE index > 0")


def test_head_cannot_move_without_its_entry(with_entries: Stand) -> None:
    with with_entries.database.as_service() as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="names an entry that does not exist"):
            connection.execute(
                "UPDATE signer.outlet_head SET index = index + 1, sequence = sequence + 1, entry_hash = sha256('x') "
                "WHERE index > 0"
            )


@pytest.mark.parametrize("new_index", ["index", "index + 1", "index + 7"])
def test_entry_cannot_be_inserted_beside_the_chain(with_entries: Stand, new_index: str) -> None:
    columns = (
        "epoch, kind, merchant_nif, gen_random_uuid(), 'BONO-X', sealed_at, statement, payload, payload_hash, "
        "previous_hash, sha256('forged'), signature, key_id, public_url"
    )
    with with_entries.database.as_service() as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="does not extend its chain"):
            connection.execute(
                f"INSERT INTO signer.entry SELECT outlet_id, {new_index}, {columns} FROM signer.entry LIMIT 1"
            )


def test_new_head_starts_empty(with_entries: Stand) -> None:
    outlet = with_entries.outlet()
    with with_entries.database.as_admin() as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="a new head is empty"):
            connection.execute(
                "INSERT INTO signer.outlet_head VALUES (%s, 1, 5, decode(repeat('00', 32), 'hex'), 5, now())",
                [outlet.id],
            )

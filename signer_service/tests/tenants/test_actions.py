"""What was done to the registry is written down with it, without secrets, and cannot be rewritten unseen."""

import json
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from bonopay_signer.db.migrate import _BOOTSTRAP, _apply, bundled, migrate
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.fiscal.statement import ZERO_HASH
from bonopay_signer.ledger.verify.run import verify_database
from bonopay_signer.tenants import admin
from bonopay_signer.tenants.actions import (
    ActionFault,
    LoggedAction,
    VerifiedActions,
    _fault,
    acting,
    action_hash,
    actor,
    recent_actions,
    verify_action_log,
)
from bonopay_signer.tenants.secrets import SecretBox, new_key

from ..support.databases import Database, throw_away_database

NIF = "A1234567B"
NEW = admin.NewOutlet("KIN001", NIF, "Kin", "1 av. du Port", "CD01", "ISF-1", "inline", "http://dgi")


@pytest.fixture(scope="module")
def registry(cluster: str) -> Iterator[Database]:
    with throw_away_database(cluster) as database:
        box = SecretBox.from_text(new_key())
        with psycopg.connect(database.owner, autocommit=True) as connection:
            with acting(connection, "merchant.add"):
                admin.add_merchant(connection, NIF, "Vendeur", False)
            with acting(connection, "outlet.add"):
                admin.add_outlet(connection, NEW, "first.secret.jwt", box, False)
            with acting(connection, "outlet.set-dgi-token"):
                admin.set_dgi_token(connection, "KIN001", "second.secret.jwt", box)
            with acting(connection, "api_key.create"):
                key = admin.create_api_key(connection, NIF, ["KIN001"], ["seal"], None, "odoo")
            with acting(connection, "api_key.rotate"):
                admin.rotate_api_key(connection, key.split("_")[1], timedelta(days=7))
            with acting(connection, "terminal.add"):
                admin.add_terminal(connection, "KIN001", "CAISSE-1", "Caisse 1")
            with acting(connection, "operator.add"):
                admin.add_user(connection, NIF, "6", "Comptable", None)
            connection.execute("UPDATE signer.outlet SET dgi_mode = 'deferred'")
        yield database


def _actions(database: Database) -> list[LoggedAction]:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        return recent_actions(connection, None, None)


def _verify(dsn: str, options: str = "-c timezone=UTC") -> VerifiedActions | ActionFault:
    with psycopg.connect(dsn, options=options) as connection:
        return verify_action_log(connection)


def test_every_change_has_its_record_with_who_what_and_when(registry: Database) -> None:
    members = [action.members for action in _actions(registry)]
    assert [member["action"] for member in members] == [
        "merchant.add",
        "outlet.add",
        "outlet.set-dgi-token",
        "api_key.create",
        "api_key.rotate",
        "api_key.rotate",
        "terminal.add",
        "operator.add",
        "outlet.update",
    ]
    assert {member["actor"] for member in members[:-1]} == {actor()}
    assert members[-1]["actor"] == members[-1]["role"], "by hand: the role is all that is known"
    assert {member["merchant_nif"] for member in members} == {NIF}
    assert (members[-1]["before"], members[-1]["after"]) == ({"dgi_mode": "inline"}, {"dgi_mode": "deferred"})
    assert set(members[2]["before"]) == set(members[2]["after"]) == {"dgi_token_fingerprint"}
    assert members[2]["before"] != members[2]["after"]
    assert all(member["at"].endswith("Z") for member in members)


def test_no_secret_is_in_any_record(registry: Database) -> None:
    text = b"".join(action.record for action in _actions(registry)).decode()
    assert "secret.jwt" not in text and '"secret_hash"' not in text
    with psycopg.connect(registry.owner) as connection:
        hidden = connection.execute("SELECT encode(secret_hash, 'hex') FROM signer.api_key").fetchall()
        hidden += connection.execute("SELECT encode(dgi_token, 'hex') FROM signer.outlet").fetchall()
    assert hidden and not any(value in text for (value,) in hidden)


def test_change_that_is_rolled_back_leaves_no_record(registry: Database) -> None:
    before = len(_actions(registry))
    with (
        pytest.raises(ZeroDivisionError),
        psycopg.connect(registry.owner, autocommit=True) as connection,
        acting(connection, "merchant.add"),
    ):
        admin.add_merchant(connection, "ZZZZZ", "x", False)
        raise ZeroDivisionError
    assert len(_actions(registry)) == before


def test_chain_verifies_for_owner_and_service_and_only_where_all_of_it_is_seen(registry: Database) -> None:
    actions = _actions(registry)
    expected = VerifiedActions(len(actions), actions[-1].hash)
    assert _verify(registry.owner) == expected
    assert _verify(registry.service, **SYSTEM) == expected
    for options in ("", f"-c bonopay.merchant={NIF}"):
        with pytest.raises(PermissionError):
            _verify(registry.service, options=options)


def test_chain_is_the_one_that_is_documented(registry: Database) -> None:
    last = ZERO_HASH
    for number, action in enumerate(_actions(registry), 1):
        assert action.number == json.loads(action.record)["number"] == number
        assert action.previous_hash == last
        assert action.hash == action_hash(last, action.record)
        last = action.hash


TAMPERING = {
    "changed record": "SET record = convert_to(replace(convert_from(record, 'UTF8'), 'actor', 'Actor'), 'UTF8')",
    "changed hash": "SET hash = sha256('x')",
    "changed link": "SET previous_hash = sha256('x')",
    "another merchant": "SET merchant_nif = 'ZZZZZ'",
    "no merchant": "SET merchant_nif = NULL",
    "rewritten with a right hash": "SET record = 'x', hash = signer.action_hash(previous_hash, 'x')",
    "renumbered": "SET number = number + 1000",
    "removed": "",
}


@pytest.mark.parametrize("tampering", TAMPERING)
def test_any_tampering_by_a_superuser_is_located(registry: Database, tampering: str) -> None:
    change = TAMPERING[tampering]
    table = f"UPDATE signer.action_log {change}" if change else "DELETE FROM signer.action_log"
    with psycopg.connect(registry.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        for number in (1, 4, len(_actions(registry)) - 1):
            with connection.transaction(force_rollback=True):
                assert connection.execute(f"{table} WHERE number = %s", [number]).rowcount == 1
                found = verify_action_log(connection)
                assert isinstance(found, ActionFault) and found.number == number, tampering


def test_swapped_records_are_located(registry: Database) -> None:
    with psycopg.connect(registry.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE signer.action_log a SET record = b.record, hash = b.hash, previous_hash = b.previous_hash "
            "FROM signer.action_log b WHERE (a.number, b.number) IN ((3, 5), (5, 3))"
        )
        found = verify_action_log(connection)
        connection.rollback()
    assert isinstance(found, ActionFault) and found.number == 3


BEHIND_THE_LOG = {
    "UPDATE signer.outlet SET dgi_url = 'http://elsewhere'": "outlet KIN001: dgi_url is not what was last written",
    "UPDATE signer.outlet SET dgi_token = 'x'": "outlet KIN001: dgi_token_fingerprint is not what was last written",
    "UPDATE signer.api_key SET secret_hash = sha256('x')": "secret_hash_fingerprint is not what was last written",
    "UPDATE signer.api_key SET expires_at = NULL": "expires_at is not what was last written",
    "UPDATE signer.merchant SET name = 'x'": "merchant A1234567B: name is not what was last written",
    "DELETE FROM signer.operator": "it is in the log and not in the registry",
    "UPDATE signer.terminal SET id = 'X'": "terminal KIN001/",
    "INSERT INTO signer.operator (merchant_nif, id, name) VALUES ('A1234567B', '9', 'x')": "the log does not know it",
    "DELETE FROM signer.action_log WHERE number >= 8": "the log does not know it",
    "DELETE FROM signer.action_log WHERE number >= 9": "outlet KIN001: dgi_mode is not what was last written",
}


@pytest.mark.parametrize("statement", BEHIND_THE_LOG)
def test_change_past_the_log_and_an_end_that_was_cut_off_are_found(registry: Database, statement: str) -> None:
    with psycopg.connect(registry.admin, options="-c timezone=UTC") as connection:
        connection.execute("SET session_replication_role = replica")
        assert connection.execute(statement).rowcount > 0
        found = verify_action_log(connection)
        connection.rollback()
    assert isinstance(found, ActionFault) and found.number is None
    assert BEHIND_THE_LOG[statement] in found.detail


def test_what_was_registered_before_the_log_began_is_in_it(cluster: str) -> None:
    """A database of the version before, whose owner's session is in another time zone."""
    with throw_away_database(cluster, migrated=False) as database:
        with psycopg.connect(database.owner, autocommit=True) as connection:
            connection.execute(_BOOTSTRAP)
            for migration in bundled()[:5]:
                _apply(connection, migration)
            admin.add_merchant(connection, NIF, "Vendeur", False)
            admin.add_outlet(connection, NEW, "jwt", SecretBox.from_text(new_key()), False)
            connection.execute(
                "INSERT INTO signer.api_key (prefix, merchant_nif, secret_hash, operations) "
                "VALUES ('aaaaaaaaaaaa', %s, sha256('x'), ARRAY['seal'])",
                [NIF],
            )
        migrate(make_conninfo(database.owner, options="-c timezone=Asia/Tokyo"), database.service_role)
        assert [action.members["action"] for action in _actions(database)] == ["registry.adopt"] * 3
        assert isinstance(_verify(database.owner), VerifiedActions)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), which=st.sampled_from(["record", "previous_hash", "hash"]))
def test_any_flipped_bit_is_found(registry: Database, place: int, bit: int, which: str) -> None:
    action = _actions(registry)[3]
    content = bytearray(getattr(action, which))
    content[place % len(content)] ^= 1 << bit
    changed = LoggedAction(**{**vars(action), which: bytes(content)})
    assert _fault(action, 4, action.previous_hash) is None
    assert _fault(changed, 4, action.previous_hash) is not None


FORBIDDEN = [
    "UPDATE signer.action_log SET record = record",
    "DELETE FROM signer.action_log",
    "TRUNCATE signer.action_log",
    "DELETE FROM signer.merchant",
    "DELETE FROM signer.outlet",
    "TRUNCATE signer.api_key CASCADE",
    "DELETE FROM signer.terminal",
    "DELETE FROM signer.operator",
    "UPDATE signer.outlet SET id = 'KIN002'",
    "UPDATE signer.api_key SET secret_hash = sha256('x')",
    "UPDATE signer.api_key SET operations = ARRAY['seal', 'read']",
    "UPDATE signer.terminal SET id = 'CAISSE-2'",
    "INSERT INTO signer.action_log SELECT number + 1, merchant_nif, record, hash, sha256('x') FROM signer.action_log "
    "ORDER BY number DESC LIMIT 1",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_not_even_the_superuser_changes_what_stays(registry: Database, statement: str) -> None:
    with registry.as_admin() as connection, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        *FORBIDDEN,
        "UPDATE signer.api_key SET expires_at = NULL",
        "INSERT INTO signer.currency_rate (currency, valid_on, rate, source) VALUES ('USD', '2026-11-21', 1, 'x')",
        "INSERT INTO signer.operator (merchant_nif, id, name) VALUES ('A1234567B', '9', 'x')",
    ],
)
def test_service_role_administers_nothing(registry: Database, statement: str) -> None:
    with psycopg.connect(registry.service, **SYSTEM) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(("table", "kind"), [("merchant", admin.MERCHANT), ("terminal", admin.TERMINAL)])
def test_revocation_is_never_taken_back(database: Database, table: str, kind: admin.Kind) -> None:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        admin.add_merchant(connection, NIF, "Vendeur", False)
        admin.add_outlet(connection, NEW, "jwt", SecretBox.from_text(new_key()), False)
        admin.add_terminal(connection, "KIN001", "CAISSE-1", "Caisse 1")
        key = [NIF] if kind is admin.MERCHANT else ["KIN001", "CAISSE-1"]
        assert admin.revoke(connection, kind, key) and not admin.revoke(connection, kind, key)
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="stays revoked"):
            connection.execute(f"UPDATE signer.{table} SET revoked_at = NULL")


def test_two_administrators_at_once_write_one_chain(database: Database) -> None:
    with (
        psycopg.connect(database.owner, autocommit=True) as first,
        psycopg.connect(database.owner, autocommit=True) as second,
    ):
        with acting(first, "merchant.add"):
            admin.add_merchant(first, "AAAAA", "a", False)
            second.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable), acting(second, "merchant.add"):
                admin.add_merchant(second, "BBBBB", "b", False)
        with acting(second, "merchant.add"):
            admin.add_merchant(second, "BBBBB", "b", False)
    assert [action.number for action in _actions(database)] == [1, 2]


def test_verification_of_the_whole_ledger_covers_the_log(database: Database) -> None:
    with psycopg.connect(database.owner, autocommit=True) as connection:
        admin.add_merchant(connection, NIF, "Vendeur", False)
        admin.add_outlet(connection, NEW, "jwt", SecretBox.from_text(new_key()), False)
    assert verify_database(database.service, "BONO-CD-TEST").is_good
    with database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE signer.outlet SET dgi_url = 'http://elsewhere'")
    (fault,) = verify_database(database.service, "BONO-CD-TEST").faults
    assert str(fault).startswith("action log: BAD at action") and "outlet KIN001: dgi_url" in str(fault)

"""Migrations run once, in order, in one process at a time, and an edited history is refused."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from bonopay_signer.db.migrate import Migration, MigrationError, bundled, migrate

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

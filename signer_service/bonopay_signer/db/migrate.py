"""Runs the numbered SQL files of ``migrations/`` once each, in order, and refuses an edited history."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import psycopg
from psycopg import sql

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 0x626F6E6F_6D696772  # "bonomigr": two migration runs wait for one another
_BOOTSTRAP = """
CREATE SCHEMA IF NOT EXISTS signer;
CREATE TABLE IF NOT EXISTS signer.migration (
    number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now());
"""


class MigrationError(Exception):
    """The database's history and the files do not agree, or the service's role does not exist."""


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def bundled() -> list[Migration]:
    """The package's migrations by number. Raises MigrationError unless they count 1, 2, 3 …"""
    folder = resources.files("bonopay_signer.db") / "migrations"
    found = [
        Migration(int(match[1]), item.name, item.read_text(encoding="utf-8"))
        for item in folder.iterdir()
        if (match := _NAME.fullmatch(item.name))
    ]
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError("the migration files are not numbered 0001, 0002, … without a gap")
    return found


def migrate(dsn: str, service_role: str, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing, each file in a transaction, then the grants. Returns the names applied now."""
    wanted = bundled() if migrations is None else list(migrations)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        connection.execute(_BOOTSTRAP)
        applied = connection.execute("SELECT number, name, checksum FROM signer.migration ORDER BY number").fetchall()
        _check_history(applied, wanted)
        pending = wanted[len(applied) :]
        for migration in pending:
            _apply(connection, migration)
        _grant(connection, service_role)
    return [migration.name for migration in pending]


def refuse_other_version(applied_count: int) -> None:
    """Raises MigrationError when the database has fewer migrations than this program brings, or more."""
    known = len(bundled())
    if applied_count < known:
        raise MigrationError("the database is older than this program; run: bonopay-signer migrate")
    if applied_count > known:
        raise MigrationError(_newer(applied_count, known))


def _newer(applied: int, known: int) -> str:
    return f"the database has {applied} migrations, this program knows {known}; install the newer program"


def _check_history(applied: list[tuple[int, str, str]], wanted: list[Migration]) -> None:
    if len(applied) > len(wanted):
        raise MigrationError(_newer(len(applied), len(wanted)))
    for (number, name, checksum), migration in zip(applied, wanted, strict=False):
        if number != migration.number or checksum != migration.checksum:
            raise MigrationError(f"{name} was applied with other content than {migration.name} has now")


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    with connection.transaction():
        connection.execute(migration.text)
        connection.execute(
            "INSERT INTO signer.migration (number, name, checksum) VALUES (%s, %s, %s)",
            [migration.number, migration.name, migration.checksum],
        )


def _grant(connection: psycopg.Connection, role: str) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        raise MigrationError(f'the role "{role}" does not exist; create it first: CREATE ROLE "{role}" LOGIN')
    if connection.execute("SELECT current_user = %s", [role]).fetchone() == (True,):
        raise MigrationError("the service's role must not be the owner: it could change the ledger")
    text = (resources.files("bonopay_signer.db") / "grants.sql").read_text(encoding="utf-8")
    with connection.transaction():
        connection.execute(sql.SQL(text).format(role=sql.Identifier(role)))

"""A throw-away database with its two roles, in the cluster that BONOPAY_TEST_DATABASE_URL names."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bonopay_signer.db.migrate import migrate


@dataclass(frozen=True)
class Database:
    """``admin`` connects as the cluster's superuser, ``owner`` and ``service`` as the signer's two roles."""

    name: str
    admin: str
    owner: str
    service: str
    service_role: str

    def as_admin(self) -> psycopg.Connection:
        return psycopg.connect(self.admin, autocommit=True)

    def as_service(self) -> psycopg.Connection:
        return psycopg.connect(self.service, autocommit=True)

    def admit(self, connections: bool) -> None:
        """Let nobody in, and end the service's connections; or let them in again."""
        with psycopg.connect(make_conninfo(self.admin, dbname="postgres"), autocommit=True) as connection:
            allow = sql.SQL("true" if connections else "false")
            connection.execute(
                sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(self.name), allow)
            )
            if not connections:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [self.service_role]
                )


@contextmanager
def throw_away_database(cluster: str, migrated: bool = True) -> Iterator[Database]:
    """A database and two roles of a unique name, dropped at the end."""
    name = f"bonopay_test_{secrets.token_hex(5)}"
    owner, service, password = f"{name}_owner", f"{name}_service", secrets.token_hex(16)
    with psycopg.connect(cluster, autocommit=True) as connection:
        for role in (owner, service):
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
            )
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))
    database = Database(
        name,
        make_conninfo(cluster, dbname=name),
        make_conninfo(cluster, dbname=name, user=owner, password=password),
        make_conninfo(cluster, dbname=name, user=service, password=password),
        service,
    )
    try:
        if migrated:
            migrate(database.owner, service)
        yield database
    finally:
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            for role in (owner, service):
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))

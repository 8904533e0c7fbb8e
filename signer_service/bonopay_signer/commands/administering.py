"""The owner's connection of the commands that change the registry."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bonopay_signer.settings import Settings
from bonopay_signer.tenants.actions import acting


@contextmanager
def administering(settings: Settings, action: str) -> Iterator[psycopg.Connection]:
    """The owner's connection, in a transaction that the action log knows under this name."""
    with psycopg.connect(settings.owner_dsn(), autocommit=True) as connection, acting(connection, action):
        yield connection

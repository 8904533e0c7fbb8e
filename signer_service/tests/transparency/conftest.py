"""A migrated database with a ledger to grow, a key that signs its checkpoints, connections as the service's role."""

from collections.abc import AsyncIterator

import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.pool import make_pool
from bonopay_signer.transparency.checkpointer import Checkpointer
from bonopay_signer.transparency.store import LogId, LogStore

from ..support.databases import Database
from .logs import AUTHORITY, Ledger, SoftwareSigner

LOG = LogId(0, 1)


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture
def signer(database: Database) -> SoftwareSigner:
    signer = SoftwareSigner()
    signer.publish(database)
    return signer


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[AsyncConnectionPool]:
    pool = make_pool(database.service, 6)
    await pool.open()
    yield pool
    await pool.close()


@pytest.fixture
def store(pool: AsyncConnectionPool) -> LogStore:
    return LogStore(pool)


@pytest.fixture
def checkpointer(store: LogStore, signer: SoftwareSigner) -> Checkpointer:
    return Checkpointer(store, signer, AUTHORITY, 0)

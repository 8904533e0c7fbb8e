"""A migrated database with a ledger to grow, a key that signs its checkpoints, connections as the service's role."""

import itertools
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette

from bonopay_signer.api.problems import HANDLERS
from bonopay_signer.db.pool import make_pool
from bonopay_signer.transparency.checkpointer import Checkpointer
from bonopay_signer.transparency.description import OPERATIONS
from bonopay_signer.transparency.keys import CosigningKey
from bonopay_signer.transparency.routes import TransparencyLog
from bonopay_signer.transparency.store import LogId, LogStore
from bonopay_signer.transparency.witness import Witness

from ..support.databases import Database
from .logs import AUTHORITY, ForeignLog, Ledger, SoftwareSigner

LOG = LogId(0, 1)
_foreign_numbers = itertools.count(1)


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


@pytest.fixture
def foreign() -> ForeignLog:
    """A log that no test has seen before."""
    return ForeignLog(f"log.example/{next(_foreign_numbers)}")


@pytest.fixture
def witness(pool: AsyncConnectionPool, foreign: ForeignLog) -> Witness:
    return Witness(pool, CosigningKey.generate("witness.example/w1"), {foreign.origin: [foreign.verifier]})


@pytest.fixture
async def client(
    pool: AsyncConnectionPool, checkpointer: Checkpointer, witness: Witness
) -> AsyncIterator[httpx.AsyncClient]:
    """The published routes over the real rows, without a network."""
    app = Starlette(routes=[operation.route for operation in OPERATIONS], exception_handlers=HANDLERS)
    app.state.service = SimpleNamespace(log=TransparencyLog(pool, AUTHORITY, 0, checkpointer, witness))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://log") as client:
        yield client

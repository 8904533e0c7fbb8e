"""What all worlds share: an event loop, a database, and the seams through which the core's effects pass."""

import asyncio
import itertools
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.pool import make_pool
from bonopay_signer.fiscal.statement import ZERO_HASH
from bonopay_signer.ledger import headstore, preparation, writer

from ..support.databases import Database
from .disk import Disk, SimulatedOs, simulated_rename
from .faults import ThreadsOfProcesses, current, owning_tasks
from .process import PUBLIC
from .statements import connect, execute

T = TypeVar("T")


def now() -> datetime:
    """What the clock of the running process shows, in whole milliseconds."""
    effects = current.get()
    moment = datetime.now(UTC) + (effects.clock_offset if effects else timedelta(0))
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class Stage:
    """Puts the seams in place while it is entered; ``run`` is where worlds live."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self._folder = folder
        self.disks: dict[Path, Disk] = {}
        self._runner = asyncio.Runner()
        loop = self._runner.get_loop()
        loop.set_task_factory(owning_tasks)
        loop.set_default_executor(ThreadsOfProcesses(max_workers=2))
        self._patches = pytest.MonkeyPatch()
        self.admin = database.as_admin()
        self.pool: AsyncConnectionPool = make_pool(database.service, 16)
        self._shards = itertools.count(1)

    def __enter__(self) -> "Stage":
        put = self._patches.setattr
        put(psycopg.AsyncCursor, "execute", execute)
        put(psycopg.AsyncConnection, "connect", classmethod(connect))
        put(headstore, "os", SimulatedOs(self.disks))
        put(headstore, "JOURNAL_SIZE", 2048)  # so that it is replaced every few batches
        put(Path, "rename", simulated_rename)
        put(preparation, "now_ms", now)
        put(preparation, "_SMALL", 1)
        put(writer, "_AHEAD", 1)  # every batch is prepared while the one before is committed
        # PostgreSQL does not crash here. The writer still asks for its own commits to be synchronous.
        name = sql.Identifier(self.database.name)
        self.admin.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))
        self.admin.execute("SET synchronous_commit = off")
        self.admin.execute(
            "INSERT INTO signer.signing_key (key_id, public_der) VALUES (%s, %s)", [PUBLIC.key_id, PUBLIC.der]
        )
        self.run(self.pool.open(wait=True))
        return self

    def __exit__(self, *_error: object) -> None:
        self.run(self.pool.close())
        self._runner.close()
        self._patches.undo()
        self.admin.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def new_shard(self) -> int:
        shard = next(self._shards)
        self.admin.execute(
            "INSERT INTO signer.shard (id, generation, taken_at, size, last_hash, sealed_at, log_epoch) "
            "VALUES (%s, 0, now(), 0, %s, 'epoch', 1)",
            [shard, ZERO_HASH],
        )
        return shard

    def folder_of(self, shard: int, copy: int) -> Path:
        return self._folder / f"shard-{shard}-{copy}"

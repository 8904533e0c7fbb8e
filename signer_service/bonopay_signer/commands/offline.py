"""The ledger in the hands of a command, while no service writes it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import psycopg

from bonopay_signer.commands.options import CommandFailed
from bonopay_signer.db.instance import SecondSigner, ShardLock
from bonopay_signer.db.migrate import refuse_other_version
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.db.safety import refuse_unsafe
from bonopay_signer.hsm.signers import Signers
from bonopay_signer.ledger.headstore import HeadStore
from bonopay_signer.ledger.queue import FairQueue
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.sealing import credits
from bonopay_signer.settings import Settings, token_address
from bonopay_signer.tenants.actions import actor


@dataclass(frozen=True)
class OfflineLedger:
    connection: psycopg.AsyncConnection
    signers: Signers
    writer: LedgerWriter


@asynccontextmanager
async def offline_ledger(settings: Settings, key_labels: Sequence[str]) -> AsyncIterator[OfflineLedger]:
    """Lock the shard, open the token with these keys (the first signs) and the writer; let go of all at the end.

    Raises CommandFailed while a signer serves the shard, and what the service's start raises.
    """
    dsn = settings.service_dsn()
    async with AsyncExitStack() as stack:
        connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=5, **SYSTEM)
        stack.push_async_callback(connection.close)
        await _refuse_other_schema(connection)
        await refuse_unsafe(connection)
        await name_actor(connection)
        lock = ShardLock(dsn, settings.shard)
        try:
            await lock.acquire()
        except SecondSigner as error:
            raise CommandFailed(f"a signer serves shard {settings.shard}; stop it first") from error
        stack.push_async_callback(lock.release)
        signers = Signers(
            token_address(settings),
            settings.token_pin(),
            settings.authority,
            key_labels,
            processes=1,
            timeout=settings.signing_timeout,
        )
        stack.callback(signers.close)
        await signers.start()
        writer = LedgerWriter(
            dsn,
            lock,
            signers,
            HeadStore(settings.head_store_folder(), settings.shard),
            FairQueue(settings.queue_per_outlet, settings.queue_total),
            credits.judge,
            settings.public_url,
            settings.shard,
            settings.batch_size,
            settings.seal_patience,
        )
        stack.push_async_callback(writer.close)
        await writer.open()
        yield OfflineLedger(connection, signers, writer)


async def name_actor(connection: psycopg.AsyncConnection) -> None:
    """What this connection does is logged as done by the user who runs this process."""
    await connection.execute("SELECT set_config('bonopay.actor', %s, false)", [actor()])


async def _refuse_other_schema(connection: psycopg.AsyncConnection) -> None:
    row = await (await connection.execute("SELECT count(*) FROM signer.migration")).fetchone()
    refuse_other_version(row[0] if row else 0)

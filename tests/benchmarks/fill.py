"""Fill a ledger through the service's own writer, without HTTP: `python -m tests.benchmarks.fill OUTLETS ENTRIES`.

Runs in the signer's own environment while no signer runs on the database.
"""

import asyncio
import sys
from itertools import islice

import psycopg

from bonopay_signer.db.instance import ShardLock
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.headstore import HeadStore
from bonopay_signer.ledger.queue import FairQueue
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.sealing import credits
from bonopay_signer.settings import Settings
from tests.benchmarks.outlets import Outlet, new_outlets
from tests.benchmarks.parts import drafts_of, make_signers

TOGETHER = 16  # drafts that an outlet hands over at once
UNDER_WAY = 4  # such groups of every outlet that wait at the same time


async def fill(settings: Settings, outlets: int, entries: int) -> None:
    """Append so many entries, shared evenly between the outlets."""
    signers, lock = make_signers(settings), ShardLock(settings.service_dsn(), settings.shard)
    await lock.acquire()
    key = await signers.start()
    async with await psycopg.AsyncConnection.connect(settings.service_dsn(), autocommit=True, **SYSTEM) as connection:
        await reader.publish_key(connection, key)
    writer = LedgerWriter(
        settings.service_dsn(),
        lock,
        signers,
        HeadStore(settings.head_store_folder(), settings.shard),
        FairQueue(settings.queue_per_outlet, settings.queue_total),
        credits.judge,
        settings.public_url,
        settings.shard,
        settings.batch_size,
        patience=60.0,
    )
    await writer.open()
    try:
        each = entries // outlets
        await asyncio.gather(*(_fill_one(writer, outlet, each) for outlet in new_outlets(outlets)))
    finally:
        await writer.close()
        await lock.release()
        signers.close()


async def _fill_one(writer: LedgerWriter, outlet: Outlet, entries: int) -> None:
    drafts = islice(drafts_of(outlet), entries)

    async def hand_over() -> None:
        while group := list(islice(drafts, TOGETHER)):
            await writer.append(group)

    await asyncio.gather(*(hand_over() for _ in range(UNDER_WAY)))


if __name__ == "__main__":
    asyncio.run(fill(Settings(), int(sys.argv[1]), int(sys.argv[2])))

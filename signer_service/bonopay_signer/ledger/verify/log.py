"""The transparency log of a database: tiles and signed checkpoints derived again from the entries."""

from bonopay_signer.db.pool import make_pool
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.verify.outcome import Fault, Outcome
from bonopay_signer.transparency.store import LogStore
from bonopay_signer.transparency.verification import LogFault, verify_log


async def verify_logs(dsn: str, authority: str, outcome: Outcome) -> None:
    """Add what is wrong with the log of any shard; a checkpoint may be signed with any published key.

    Raises psycopg.Error.
    """
    async with make_pool(dsn, 2) as pool:
        async with pool.connection() as connection:
            keys = [key for key, _ in await reader.signing_keys(connection)]
        store = LogStore(pool)
        for log, size in await store.shards():
            found = await verify_log(store, authority, log.shard, [key.der for key in keys])
            if isinstance(found, LogFault):
                subject = f"log {found.log_epoch} of shard {found.shard}"
                outcome.faults.append(Fault(subject, None, found.check, f"up to size {found.size}: {found.detail}"))
            elif size > found.covered:
                outcome.notes.append(f"the last {size - found.covered} entries are under no checkpoint yet")

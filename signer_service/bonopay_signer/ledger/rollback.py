"""Is the database as far as the head store says that answers were given?"""

import psycopg

from bonopay_signer.ledger import store
from bonopay_signer.ledger.headstore import Known
from bonopay_signer.ledger.store import Shard


class LedgerBehind(Exception):
    """The database lacks entries that were answered, or holds others in their place. Nothing is sealed."""


def first_known(shard: Shard) -> Known:
    """What a new head store starts with. Raises LedgerBehind for a ledger that it never saw: it may lack its end."""
    if shard.size:
        raise LedgerBehind(
            f"the ledger has {shard.size} entries and the head store knows nothing of it; if this is the first start "
            "with a head store, check the ledger (bonopay-signer verify) and run: bonopay-signer head-store adopt"
        )
    return Known(shard.id, shard.log_epoch, 0, shard.last_hash, {})


async def refuse_lost_entries(connection: psycopg.AsyncConnection, shard: Shard, known: Known | None) -> None:
    """Raises LedgerBehind."""
    if known is None:
        return
    if shard.log_epoch < known.log_epoch or (shard.log_epoch == known.log_epoch and shard.size < known.size):
        raise LedgerBehind(
            f"the database ends at entry {shard.size} of shard {shard.id}, the head store knows of {known.size}: it "
            "was restored from an older copy. Restore the newest copy; if there is none, run: bonopay-signer epoch open"
        )
    if shard.log_epoch > known.log_epoch:
        raise LedgerBehind("a new epoch was opened and the head store does not know it; run: bonopay-signer epoch open")
    if known.size and await store.hash_at(connection, shard.id, known.size - 1) != known.last_hash:
        raise LedgerBehind(
            f"entry {known.size - 1} of shard {shard.id} is not the one that the head store knows: the database is "
            "not the one that was sealed to. Restore the right one, or run: bonopay-signer epoch open"
        )

"""Verifies whole chains over one consistent snapshot of the database."""

from collections.abc import Sequence

import psycopg
from psycopg import IsolationLevel

from bonopay_signer.ledger import reader
from bonopay_signer.ledger.verifier import Fault, Verified, verify_chain

__all__ = ["Fault", "Verified", "audit"]


async def audit(dsn: str, outlets: Sequence[str] | None = None) -> list[Verified | Fault]:
    """One result per outlet. Raises LookupError for an outlet without a chain."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        known = await reader.outlets_with_chain(connection)
        missing = sorted(set(outlets or ()) - set(known))
        if missing:
            raise LookupError(f"no outlet {', '.join(missing)}")
        keys = {key.key_id: key for key, _ in await reader.signing_keys(connection)}
        results = []
        for outlet_id in outlets or known:
            head = await reader.read_head(connection, outlet_id)
            results.append(await verify_chain(outlet_id, reader.chain(connection, outlet_id), head, keys))
        return results

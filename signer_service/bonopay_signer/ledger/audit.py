"""Verifies whole chains over one consistent snapshot of the database."""

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import IsolationLevel

from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.verifier import Fault, Verified, verify_chain

__all__ = ["Fault", "Verified", "audit"]


async def audit(dsn: str, outlets: Sequence[str] | None = None) -> list[Verified | Fault]:
    """One result per outlet, and a fault per key that is not the published one. Raises LookupError for an outlet
    without a chain."""
    async with await psycopg.AsyncConnection.connect(dsn, **SYSTEM) as connection:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        known = await reader.outlets_with_chain(connection)
        missing = sorted(set(outlets or ()) - set(known))
        if missing:
            raise LookupError(f"no outlet {', '.join(missing)}")
        keys = {key.key_id: key for key, _ in await reader.signing_keys(connection)}
        damaged = await reader.damaged_keys(connection)
        results: list[Verified | Fault] = [Fault(key, None, "key", "its row holds another key") for key in damaged]
        for outlet_id in outlets or known:
            results.append(await _verify(connection, outlet_id, keys))
        return results


async def _verify(
    connection: psycopg.AsyncConnection, outlet_id: str, keys: Mapping[str, PublicKey]
) -> Verified | Fault:
    try:
        async with connection.transaction():
            head = await reader.read_head(connection, outlet_id)
            return await verify_chain(outlet_id, reader.chain(connection, outlet_id), head, keys)
    except psycopg.DataError as error:
        return Fault(outlet_id, None, "rows", f"a row holds what cannot be read: {error}")

"""Appends entries: read the head, hash, sign, then one short transaction fenced on the head that was read.

READ COMMITTED with an explicit fence: the head's row lock serialises the writers of an outlet and the fence on index
and hash turns a lost race into an error instead of a fork. The signature is made before the transaction, so no row
stays locked while the token works; it leaves this module only after the commit.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.instance import InstanceLock
from bonopay_signer.db.pool import DATABASE_AWAY
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.numbering import fiscal_number
from bonopay_signer.fiscal.statement import Statement, entry_hash
from bonopay_signer.hsm.sealer import Seal, Sealer
from bonopay_signer.ledger.entries import INVOICE, Entry, Head, now_ms, timestamp
from bonopay_signer.ledger.reader import read_head

AlsoCommit = Callable[[psycopg.AsyncConnection], Awaitable[None]]

_MOVE_HEAD = """
UPDATE signer.outlet_head SET index = %(index)s, entry_hash = %(entry_hash)s, sequence = %(sequence)s,
       sealed_at = %(sealed_at)s
 WHERE outlet_id = %(outlet_id)s AND epoch = %(epoch)s AND index = %(index)s - 1 AND entry_hash = %(previous_hash)s
   AND EXISTS (SELECT FROM signer.instance WHERE generation = %(generation)s)
"""
_INSERT_ENTRY = """
INSERT INTO signer.entry (outlet_id, index, epoch, kind, merchant_nif, document_id, fiscal_number, sealed_at,
                          statement, payload, payload_hash, previous_hash, entry_hash, signature, key_id,
                          public_url)
VALUES (%(outlet_id)s, %(index)s, %(epoch)s, %(kind)s, %(merchant_nif)s, %(document_id)s, %(fiscal_number)s,
        %(sealed_at)s, %(statement)s, %(payload)s, %(payload_hash)s, %(previous_hash)s, %(entry_hash)s, %(signature)s,
        %(key_id)s, %(public_url)s)
"""


class LedgerUnavailable(Exception):
    """The database does not answer, or its answer to a commit was lost: whether it was written must be read again."""


class FenceLost(LedgerUnavailable):
    """The head is not where it was read, or another signer opened a newer generation. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be appended. ``payload`` is canonical; an invoice takes the next number, others repeat theirs."""

    outlet_id: str
    merchant_nif: str
    kind: str
    document_id: UUID
    fiscal_number: str
    document_type: str
    total: str
    tax: str
    currency: str
    payload: bytes
    also_commit: AlsoCommit


class LedgerWriter:
    """The one writer of a process. One append at a time per outlet; outlets are independent."""

    def __init__(self, pool: AsyncConnectionPool, sealer: Sealer, lock: InstanceLock, public_url: str) -> None:
        self._pool = pool
        self._sealer = sealer
        self._lock = lock
        self._public_url = public_url
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def append(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Append drafts of one outlet in order, all or none, each with its ``also_commit`` in the same transaction.

        Raises FenceLost, LedgerUnavailable, HsmUnavailable, LockLost; ValueError for a number that is not the next.
        """
        outlet_id = drafts[0].outlet_id
        async with self._turns[outlet_id]:
            generation = self._lock.required_generation()
            try:
                return await self._append(outlet_id, drafts, generation)
            except DATABASE_AWAY as error:
                raise LedgerUnavailable(f"the ledger's database does not answer: {type(error).__name__}") from error

    async def _append(self, outlet_id: str, drafts: Sequence[Draft], generation: int) -> list[Entry]:
        async with self._pool.connection() as connection:
            head = await read_head(connection, outlet_id)
        if head is None:
            raise LookupError(f"outlet {outlet_id} has no chain")
        # Without a connection: a token that hangs must not leave the whole service without any.
        entries = await self._seal(head, drafts)
        async with self._pool.connection() as connection, connection.transaction():
            sequence = head.sequence
            for draft, entry in zip(drafts, entries, strict=True):
                sequence += draft.kind == INVOICE
                await _write(connection, entry, sequence, generation)
                await draft.also_commit(connection)
        return entries

    async def _seal(self, head: Head, drafts: Sequence[Draft]) -> list[Entry]:
        sealed_at = max(now_ms(), head.sealed_at)
        previous_hash, sequence, batch = head.entry_hash, head.sequence, []
        for offset, draft in enumerate(drafts, start=1):
            sequence += draft.kind == INVOICE
            _refuse_other_number(draft, head, sequence)
            statement = self._statement(draft, head.epoch, head.index + offset, timestamp(sealed_at))
            batch.append((statement, previous_hash))
            previous_hash = entry_hash(previous_hash, statement.encode())
        seals = await self._sealer.sign(batch)
        return [_entry(draft, seal, sealed_at, self._public_url) for draft, seal in zip(drafts, seals, strict=True)]

    def _statement(self, draft: Draft, epoch: int, index: int, sealed_at: str) -> Statement:
        return Statement(
            v=1,
            kind=draft.kind,
            authority=self._sealer.authority,
            epoch=epoch,
            merchant_nif=draft.merchant_nif,
            outlet_id=draft.outlet_id,
            index=index,
            fiscal_number=draft.fiscal_number,
            document_type=draft.document_type,
            sealed_at=sealed_at,
            total=draft.total,
            tax=draft.tax,
            currency=draft.currency,
            payload_hash=canonical.sha256_hex(draft.payload),
            key_id=self._sealer.key_id,
        )


def _refuse_other_number(draft: Draft, head: Head, sequence: int) -> None:
    if draft.kind == INVOICE and draft.fiscal_number != fiscal_number(head.outlet_id, head.epoch, sequence):
        raise ValueError(f"{draft.fiscal_number} is not the next number of {head.outlet_id}")


def _entry(draft: Draft, seal: Seal, sealed_at: datetime, public_url: str) -> Entry:
    return Entry(
        outlet_id=draft.outlet_id,
        index=seal.statement.index,
        epoch=seal.statement.epoch,
        kind=draft.kind,
        merchant_nif=draft.merchant_nif,
        document_id=draft.document_id,
        fiscal_number=draft.fiscal_number,
        sealed_at=sealed_at,
        statement=seal.statement_bytes,
        payload=draft.payload,
        payload_hash=bytes.fromhex(seal.statement.payload_hash),
        previous_hash=seal.previous_hash,
        entry_hash=seal.entry_hash,
        signature=seal.signature,
        key_id=seal.statement.key_id,
        public_url=public_url,
    )


async def _write(connection: psycopg.AsyncConnection, entry: Entry, sequence: int, generation: int) -> None:
    values = asdict(entry) | {"sequence": sequence, "generation": generation}
    cursor = await connection.execute(_MOVE_HEAD, values)
    if cursor.rowcount != 1:
        raise FenceLost(f"the head of {entry.outlet_id} is not at entry {entry.index - 1}, or this signer was replaced")
    await connection.execute(_INSERT_ENTRY, values)

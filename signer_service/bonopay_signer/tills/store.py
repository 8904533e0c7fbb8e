"""The tables of tills and tickets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from bonopay_signer.fiscal.ticket import Ticket
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.tills import Credential, read

_COLUMNS = (
    "device_id, outlet_id, merchant_nif, terminal, key_id, public_der, state, counter, head_hash, credential, "
    "not_after, enrolled_at, seen_at, revoked_at"
)


@dataclass(frozen=True)
class Till:
    """``counter`` and ``head_hash`` are of the last ticket that has no open gap before it; 0 and zeros at first."""

    device_id: UUID
    outlet_id: str
    merchant_nif: str
    terminal: str
    key_id: str
    public_der: bytes
    state: Literal["active", "cloned", "revoked"]
    counter: int
    head_hash: bytes
    credential: int | None
    not_after: datetime | None
    enrolled_at: datetime
    seen_at: datetime
    revoked_at: datetime | None

    @property
    def key(self) -> PublicKey:
        return PublicKey(bytes(self.public_der))


@dataclass(frozen=True)
class SignedTicket:
    """A ticket whose signature was verified."""

    ticket: Ticket
    statement: bytes
    payload: bytes
    previous_hash: bytes
    hash: bytes
    signature: bytes


@dataclass(frozen=True)
class Link:
    """A stored ticket's place in its chain."""

    counter: int
    previous_hash: bytes
    hash: bytes


async def add_till(
    connection: psycopg.AsyncConnection, device_id: UUID, outlet_id: str, nif: str, terminal: str, key: PublicKey
) -> bool:
    """Whether it is new. Raises psycopg.errors.UniqueViolation when the terminal's name or the key is taken."""
    cursor = await connection.execute(
        "INSERT INTO signer.till (device_id, outlet_id, merchant_nif, terminal, key_id, public_der) "
        "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (device_id) DO NOTHING",
        [device_id, outlet_id, nif, terminal, key.key_id, key.der],
    )
    return cursor.rowcount > 0


async def till(connection: psycopg.AsyncConnection, device_id: UUID, lock: bool = False) -> Till | None:
    async with connection.cursor(row_factory=class_row(Till)) as cursor:
        await cursor.execute(
            f"SELECT {_COLUMNS} FROM signer.till WHERE device_id = %s{' FOR UPDATE' if lock else ''}", [device_id]
        )
        return await cursor.fetchone()


async def tills_of(connection: psycopg.AsyncConnection, outlet_id: str) -> list[Till]:
    """All that ever were, in the order of their enrolment."""
    async with connection.cursor(row_factory=class_row(Till)) as cursor:
        await cursor.execute(
            f"SELECT {_COLUMNS} FROM signer.till WHERE outlet_id = %s ORDER BY enrolled_at, device_id", [outlet_id]
        )
        return await cursor.fetchall()


async def till_of_key(connection: psycopg.AsyncConnection, key_id: str) -> Till | None:
    async with connection.cursor(row_factory=class_row(Till)) as cursor:
        await cursor.execute(f"SELECT {_COLUMNS} FROM signer.till WHERE key_id = %s", [key_id])
        return await cursor.fetchone()


async def admitted(connection: psycopg.AsyncConnection, device_id: UUID, credential: int, not_after: datetime) -> bool:
    """Whether the till is still one that is admitted. Of two renewals at once the later entry stays."""
    cursor = await connection.execute(
        "UPDATE signer.till SET credential = GREATEST(credential, %s), not_after = GREATEST(not_after, %s), "
        "seen_at = now() WHERE device_id = %s AND state = 'active'",
        [credential, not_after, device_id],
    )
    return cursor.rowcount > 0


async def seen(connection: psycopg.AsyncConnection, till: Till, counter: int, head_hash: bytes) -> None:
    """The till was here, and its head is that ticket."""
    await connection.execute(
        "UPDATE signer.till SET counter = %s, head_hash = %s, seen_at = now() WHERE device_id = %s",
        [counter, head_hash, till.device_id],
    )


async def set_cloned(connection: psycopg.AsyncConnection, device_id: UUID) -> None:
    """What is revoked stays so."""
    await connection.execute(
        "UPDATE signer.till SET state = 'cloned', cloned_at = now() WHERE device_id = %s AND state = 'active'",
        [device_id],
    )


async def revoke(connection: psycopg.AsyncConnection, device_id: UUID) -> None:
    await connection.execute(
        "UPDATE signer.till SET state = 'revoked', revoked_at = now() WHERE device_id = %s AND state <> 'revoked'",
        [device_id],
    )


async def credentials(connection: psycopg.AsyncConnection, till: Till, indexes: set[int]) -> dict[int, Credential]:
    """Those of the till's key among these entries of its outlet; what cannot be read admits nobody."""
    cursor = await connection.execute(
        "SELECT index, payload FROM signer.entry WHERE outlet_id = %s AND kind = 'credential' AND index = ANY(%s)",
        [till.outlet_id, list(indexes)],
    )
    found = {}
    for index, payload in await cursor.fetchall():
        try:
            credential = read(bytes(payload), Credential)
        except ValueError:
            continue
        if (credential.device_id, credential.key_id) == (str(till.device_id), till.key_id):
            found[index] = credential
    return found


async def add_tickets(connection: psycopg.AsyncConnection, till: Till, tickets: Sequence[SignedTicket]) -> set[bytes]:
    """Keep them; the hashes of those that were new."""
    new = set()
    for signed in tickets:
        cursor = await connection.execute(
            "INSERT INTO signer.till_ticket (device_id, counter, hash, merchant_nif, outlet_id, document_id, "
            "statement, payload, previous_hash, signature) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT DO NOTHING",
            [
                *(till.device_id, signed.ticket.counter, signed.hash, till.merchant_nif, till.outlet_id),
                *(UUID(signed.ticket.document_id), signed.statement, signed.payload, signed.previous_hash),
                signed.signature,
            ],
        )
        if cursor.rowcount:
            new.add(signed.hash)
    return new


async def links_after(connection: psycopg.AsyncConnection, device_id: UUID, counter: int, limit: int) -> list[Link]:
    """The stored tickets with larger counters, smallest first."""
    async with connection.cursor(row_factory=class_row(Link)) as cursor:
        await cursor.execute(
            "SELECT counter, previous_hash, hash FROM signer.till_ticket WHERE device_id = %s AND counter > %s "
            "ORDER BY counter, hash LIMIT %s",
            [device_id, counter, limit],
        )
        return await cursor.fetchall()


_FORKS = """
SELECT counter, hash, LEAD(hash) OVER (PARTITION BY counter ORDER BY hash) FROM signer.till_ticket
 WHERE device_id = %(till)s AND counter = ANY(%(counters)s)
UNION
SELECT t.counter, t.hash, n.previous_hash FROM signer.till_ticket t
  JOIN signer.till_ticket n ON n.device_id = t.device_id AND n.counter = t.counter + 1
 WHERE t.device_id = %(till)s AND n.previous_hash <> t.hash
   AND t.counter = ANY(%(counters)s || ARRAY(SELECT unnest(%(counters)s) - 1))
"""


async def forks(
    connection: psycopg.AsyncConnection, device_id: UUID, counters: Sequence[int]
) -> list[tuple[int, bytes, bytes]]:
    """(counter, hash, hash): two different tickets of one counter, of which both are here, or one is and the other is
    named by the ticket that follows it. Of these counters, and of those before them."""
    cursor = await connection.execute(
        f"SELECT * FROM ({_FORKS}) AS f (counter, one, other) WHERE other IS NOT NULL ORDER BY counter, one, other",
        {"till": device_id, "counters": list(counters)},
    )
    return [(counter, bytes(one), bytes(other)) for counter, one, other in await cursor.fetchall()]


async def is_in_chain(connection: psycopg.AsyncConnection, outlet_id: str, kind: str, payload_hash: bytes) -> bool:
    """Whether the outlet's chain tells this already."""
    cursor = await connection.execute(
        "SELECT FROM signer.entry WHERE kind IN ('offline_gap', 'till_cloned') "
        "AND outlet_id = %s AND kind = %s AND payload_hash = %s LIMIT 1",
        [outlet_id, kind, payload_hash],
    )
    return cursor.rowcount > 0


async def received_at(connection: psycopg.AsyncConnection, till: Till, counter: int, hash_: bytes) -> datetime | None:
    """When this very ticket was brought; None as long as it was not."""
    cursor = await connection.execute(
        "SELECT received_at FROM signer.till_ticket WHERE device_id = %s AND counter = %s AND hash = %s",
        [till.device_id, counter, hash_],
    )
    row = await cursor.fetchone()
    return row and row[0]


async def other_tickets(connection: psycopg.AsyncConnection, till: Till, document: UUID, hash_: bytes) -> bool:
    """Whether another ticket of the document was brought than this one."""
    cursor = await connection.execute(
        "SELECT FROM signer.till_ticket WHERE merchant_nif = %s AND document_id = %s AND hash <> %s LIMIT 1",
        [till.merchant_nif, document, hash_],
    )
    return cursor.rowcount > 0


async def doubled(connection: psycopg.AsyncConnection, nif: str, documents: set[UUID]) -> set[UUID]:
    """Documents of a merchant that more than one ticket is of."""
    cursor = await connection.execute(
        "SELECT document_id FROM signer.till_ticket WHERE merchant_nif = %s AND document_id = ANY(%s) "
        "GROUP BY document_id HAVING count(*) > 1",
        [nif, list(documents)],
    )
    return {document for (document,) in await cursor.fetchall()}

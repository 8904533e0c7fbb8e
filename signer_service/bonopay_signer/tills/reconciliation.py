"""What comes of the tickets that a till brings: kept, chained, and what does not fit told in the outlet's chain.

::

    head ─▶ next counter, names the head's hash ───────────▶ the head moves
         ─▶ next counter, names another hash                 the key is at two places: till_cloned
         ─▶ two tickets of one counter                        the same
         ─▶ a later counter                                   kept; a gap once the till says that it has no more

Order does not matter: a till sends the sale just made before those that wait. Only the till knows that nothing waits
any more, so only what it says (``complete``) turns a gap into an entry.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from uuid import UUID

import psycopg
from msgspec import Meta, Struct
from psycopg_pool import AsyncConnectionPool

from bonopay_signer import metrics
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.forms import Sha256Hex
from bonopay_signer.fiscal.security import auth_code
from bonopay_signer.fiscal.statement import ZERO_HASH
from bonopay_signer.fiscal.ticket import Ticket, ticket_hash
from bonopay_signer.ledger.tills import OFFLINE_GAP, TILL_CLONED, OfflineGap, TillCloned
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.tills import store
from bonopay_signer.tills.admission import draft
from bonopay_signer.tills.remarks import Remark, remarks_on

_PAGE = 1000


class SentTicket(Struct, frozen=True, forbid_unknown_fields=True):
    """A ticket as its till sends it: what it signed, after which, and the sale that `payload_hash` covers."""

    statement: Ticket
    previous_hash: Sha256Hex
    signature: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{85}[AQgw]$(?!\n)")]
    payload: dict[str, Any]


class TicketResult(Struct, frozen=True):
    """``known``: it was here already. ``refused``: it is not this till's ticket, for the reason in ``detail``.
    ``remarks``: what is odd about one that is kept."""

    counter: int
    result: Literal["accepted", "known", "refused"]
    hash: str | None = None
    detail: str | None = None
    remarks: list[Remark] = []


@dataclass
class Reconciled:
    """``missing``: ranges of counters below the largest one that came, ends included."""

    results: list[TicketResult]
    till: store.Till
    missing: list[tuple[int, int]] = field(default_factory=list)


class Refused(ValueError):
    """Why a ticket is not this till's."""


class Reconciliation:
    def __init__(self, pool: AsyncConnectionPool, writer: LedgerWriter, authority: str) -> None:
        self._pool = pool
        self._writer = writer
        self._authority = authority

    async def take(self, device_id: UUID, sent: Sequence[SentTicket], complete: bool) -> Reconciled:
        """Keep tickets, move the head, tell gaps (when ``complete``) and clones.

        One call of a till at a time: its row is locked. Raises LookupError without such a till, and what the writer
        raises; what was kept stays kept, and the same call says the rest.
        """
        async with self._pool.connection() as connection:
            results = await self._kept(connection, device_id, sent)
            async with connection.transaction():
                till = await _locked(connection, device_id)
                counters = [one.statement.counter for one in sent]
                for counter, one, other in await store.forks(connection, device_id, counters):
                    await self._tell_clone(connection, till, counter, one, other)
                missing = await self._follow(connection, till, complete)
            after = await store.till(connection, device_id)
        assert after is not None
        return Reconciled(results, after, missing)

    async def _kept(
        self, connection: psycopg.AsyncConnection, device_id: UUID, sent: Sequence[SentTicket]
    ) -> list[TicketResult]:
        async with connection.transaction():
            till = await _locked(connection, device_id)
            judged = [_judged(one, till, self._authority) for one in sent]
            signed = [one for one in judged if isinstance(one, store.SignedTicket)]
            new = await store.add_tickets(connection, till, signed)
        credentials = await store.credentials(connection, till, {one.ticket.credential_id for one in signed})
        documents = {UUID(one.ticket.document_id) for one in signed}
        doubled = await store.doubled(connection, till.merchant_nif, documents)
        results = []
        for one, judgement in zip(sent, judged, strict=True):
            if isinstance(judgement, Refused):
                results.append(TicketResult(one.statement.counter, "refused", detail=str(judgement)))
                continue
            ticket = judgement.ticket
            is_doubled = UUID(ticket.document_id) in doubled
            remarks = list(remarks_on(ticket, credentials.get(ticket.credential_id), is_doubled))
            # a ticket that is sent twice in one call is new once
            result: Literal["accepted", "known"] = "accepted" if judgement.hash in new else "known"
            new.discard(judgement.hash)
            results.append(TicketResult(ticket.counter, result, judgement.hash.hex(), remarks=remarks))
        return results

    async def _follow(
        self, connection: psycopg.AsyncConnection, till: store.Till, complete: bool
    ) -> list[tuple[int, int]]:
        """Move the head as far as nothing is missing before it, or is known to be lost; what is missing."""
        missing: list[tuple[int, int]] = []
        head = last = store.Link(till.counter, b"", bytes(till.head_hash))
        while links := await store.links_after(connection, till.device_id, last.counter, _PAGE):
            for link in links:
                if link.counter > last.counter + 1 and complete:
                    await self._tell_gap(connection, till, last, link)
                elif link.counter > last.counter + 1:
                    missing.append((last.counter + 1, link.counter - 1))
                last = link
                head = head if missing else link
        await store.seen(connection, till, head.counter, bytes(head.hash))
        return missing

    async def _tell_gap(
        self, connection: psycopg.AsyncConnection, till: store.Till, before: store.Link, after: store.Link
    ) -> None:
        gap = OfflineGap(
            schema="bonopay.offline_gap/1",
            device_id=str(till.device_id),
            terminal=till.terminal,
            key_id=till.key_id,
            counter_from=before.counter + 1,
            counter_to=after.counter - 1,
            hash_before=bytes(before.hash).hex(),
            hash_after=bytes(after.previous_hash).hex(),
        )
        await self._tell(connection, till, OFFLINE_GAP, canonical.encode(gap))

    async def _tell_clone(
        self, connection: psycopg.AsyncConnection, till: store.Till, counter: int, one: bytes, other: bytes
    ) -> None:
        first, second = sorted((one.hex(), other.hex()))
        clone = TillCloned(
            schema="bonopay.till_cloned/1",
            device_id=str(till.device_id),
            terminal=till.terminal,
            key_id=till.key_id,
            counter=counter,
            hashes=(first, second),
        )
        await self._tell(connection, till, TILL_CLONED, canonical.encode(clone))
        await store.set_cloned(connection, till.device_id)

    async def _tell(self, connection: psycopg.AsyncConnection, till: store.Till, kind: str, payload: bytes) -> None:
        """Once, however often the till says it: a call that was cut short comes again."""
        if not await store.is_in_chain(connection, till.outlet_id, kind, hashlib.sha256(payload).digest()):
            await self._writer.append([draft(till, kind, payload)])
            metrics.TILLS_TOLD.labels(kind).inc()


async def _locked(connection: psycopg.AsyncConnection, device_id: UUID) -> store.Till:
    """For the rest of the transaction. Raises LookupError."""
    till = await store.till(connection, device_id, lock=True)
    if till is None:
        raise LookupError(f"there is no till {device_id}")
    return till


def _judged(sent: SentTicket, till: store.Till, authority: str) -> store.SignedTicket | Refused:
    """The ticket with its hash, once all that it claims of itself holds."""
    ticket = sent.statement
    try:
        for name, expected in _belonging(till, authority).items():
            if getattr(ticket, name) != expected:
                raise Refused(f"{name} is {getattr(ticket, name)}, that of this till is {expected}")
        if ticket.counter == 1 and sent.previous_hash != ZERO_HASH.hex():
            raise Refused("the first ticket follows none")
        payload = canonical.encode(sent.payload)
        if canonical.sha256_hex(payload) != ticket.payload_hash:
            raise Refused("payload_hash is not that of the payload")
        previous, signature = _octets(sent)
        statement = ticket.encode()
        digest = ticket_hash(previous, statement)
        if not till.key.verifies(signature, digest):
            raise Refused("the signature is not that of the till's key")
    except Refused as refusal:
        return refusal
    except ValueError as error:
        return Refused(str(error))
    except RecursionError:
        return Refused("the payload is nested too deeply")
    return store.SignedTicket(ticket, statement, payload, previous, digest, signature)


def _belonging(till: store.Till, authority: str) -> dict[str, str]:
    own = {name: getattr(till, name) for name in ("merchant_nif", "outlet_id", "terminal", "key_id")}
    return {"authority": authority, **own}


def _octets(sent: SentTicket) -> tuple[bytes, bytes]:
    """(previous hash, signature). Raises ValueError."""
    signature = base64.urlsafe_b64decode(sent.signature + "==")
    if auth_code(signature) != sent.signature:
        raise Refused("the signature is not 64 bytes in base64url without padding")
    return bytes.fromhex(sent.previous_hash), signature

"""From waiting drafts to a signed plan: looked up, judged, planned and signed on top of where the ledger will be.

Nothing here is durable and nothing is told to anybody: a preparation whose ground was lost is made again.
"""

import asyncio
from collections import ChainMap
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

import psycopg

from bonopay_signer import metrics
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.ledger import store
from bonopay_signer.ledger.batch import Draft, OutOfOrder, Plan, Planner, seal_time
from bonopay_signer.ledger.entries import INVOICE, Head, now_ms
from bonopay_signer.ledger.errors import AlreadySealed
from bonopay_signer.ledger.queue import Waiting
from bonopay_signer.ledger.tail import Tail

_SMALL = 4

A, B = TypeVar("A"), TypeVar("B")
Judge = Callable[[psycopg.AsyncConnection, Sequence[Draft]], Awaitable[Mapping[int, Exception]]]
"""Refusals of credit notes by their place in the sequence, judged on what the batch's fence protects."""


class Signs(Protocol):
    """What sealing needs of hsm.signers."""

    authority: str

    @property
    def key_id(self) -> str: ...

    async def sign(self, batch: Sequence[tuple[bytes, bytes]]) -> list[bytes]: ...


@dataclass
class Underway:
    """A plan that is being appended at this time; ``appended`` is set when the database has answered, whatever."""

    plan: Plan
    appended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Prepared:
    """What is to be appended for ``batch``, and who is to be refused once the batch before is committed.

    It is good after the entry with hash ``follows`` only. ``looked``: its documents were looked for in the ledger.
    """

    follows: bytes
    batch: list[Waiting]
    plan: Plan
    signatures: list[bytes]
    refused: dict[Waiting, Exception]
    looked: bool


class _Ground(NamedTuple):
    """Where the ledger ends, or will end."""

    heads: Mapping[str, Head]
    last_hash: bytes
    sealed_at: datetime


class Preparation:
    """Prepares batches for one tail."""

    def __init__(self, tail: Tail, signers: Signs, judge: Judge) -> None:
        self._tail = tail
        self._signers = signers
        self._judge = judge

    async def of(self, batch: Sequence[Waiting], after: Underway | None = None, look: bool = False) -> Prepared:
        """A batch on top of the tail, and of what is being appended there.

        A small batch is not looked up unless ``look``: should the database find a document in it twice, it is prepared
        again. Raises HsmUnavailable, ClockBehind, psycopg.Error.
        """
        ground = await self._ground({waiting.outlet_id for waiting in batch}, after)
        refused: dict[Waiting, Exception] = {}
        wanted, planner = self._planned(batch, ground, refused)
        look = look or len(batch) > _SMALL or any(draft.original for waiting in batch for draft in waiting.drafts)
        if look:
            # At the same time: that a document is refused is rare, so nothing waits for it.
            unwanted, signatures = await _both(self._refusals(wanted, after), self._signed(planner))
            if unwanted:
                refused |= unwanted
                wanted, planner = self._planned([one for one in wanted if one not in unwanted], ground, refused)
                signatures = await self._signed(planner)
        else:
            signatures = await self._signed(planner)
        return Prepared(ground.last_hash, wanted, planner.plan(), signatures, refused, look)

    async def _ground(self, outlets: set[str], after: Underway | None) -> _Ground:
        if not outlets <= self._tail.heads.keys():
            if after is not None:
                await after.appended.wait()  # until then the connection is not to be had
            await self._tail.know(outlets)
        if after is None:
            shard = self._tail.shard
            return _Ground(self._tail.heads, shard.last_hash, shard.sealed_at)
        plan = after.plan
        return _Ground(ChainMap(plan.heads, self._tail.heads), plan.entries[-1].entry_hash, plan.sealed_at)

    def _planned(
        self, batch: Sequence[Waiting], ground: _Ground, refused: dict[Waiting, Exception]
    ) -> tuple[list[Waiting], Planner]:
        sealed_at = seal_time(now_ms(), ground.sealed_at)
        planner = Planner(ground.heads, sealed_at, self._signers.authority, self._signers.key_id)
        planned = []
        for waiting in batch:
            try:
                planner.add(waiting.drafts)
            except (OutOfOrder, KeyError) as error:
                refused[waiting] = OutOfOrder(str(error))
            else:
                planned.append(waiting)
        return planned, planner

    async def _signed(self, planner: Planner) -> list[bytes]:
        if not planner.entries:
            return []
        pairs = [(entry.statement_bytes, entry.previous_hash) for entry in planner.entries]
        with metrics.timed(metrics.sign):
            try:
                return await self._signers.sign(pairs)
            except HsmUnavailable:
                metrics.HSM_ERRORS.inc()
                raise

    async def _refusals(self, batch: Sequence[Waiting], after: Underway | None) -> dict[Waiting, Exception]:
        """Judged on the ledger with what is being appended: not before that is there."""
        new = [(w, draft) for w in batch for draft in w.drafts if draft.kind == INVOICE]
        if not new:
            return {}
        if after is not None:
            await after.appended.wait()
        connection = self._tail.connection
        documents = [(draft.merchant_nif, draft.document_id) for _, draft in new if draft.document_id]
        with metrics.timed(metrics.look_up):
            sealed = await store.sealed_documents(connection, documents)
        refused: dict[Waiting, Exception] = {}
        for waiting, draft in new:
            number = sealed.get((draft.merchant_nif, draft.document_id))
            if number is not None:
                refused[waiting] = AlreadySealed(number)
        credits = [(w, draft) for w, draft in new if draft.original is not None and w not in refused]
        if credits:
            found = await self._judge(connection, [draft for _, draft in credits])
            refused |= {credits[place][0]: error for place, error in found.items()}
        return refused


async def _both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Both results; when one fails the other is awaited too, so that none is left behind on the connection."""
    one, other = await asyncio.gather(first, second, return_exceptions=True)
    for result in (one, other):
        if isinstance(result, BaseException):
            raise result
    return one, other  # type: ignore[return-value]

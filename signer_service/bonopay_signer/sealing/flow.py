"""A document from its client to its outcome: rules, then the way of its outlet's mode.

``inline``: the DGI computes before the seal and certifies right after it (inline.py). ``deferred``: the seal is the
answer, and the settlement brings the document to the DGI afterwards.
"""

import asyncio
import time
from dataclasses import replace

import psycopg
from psycopg_pool import AsyncConnectionPool

from bonopay_signer import metrics
from bonopay_signer.db.pool import DATABASE_AWAY
from bonopay_signer.dgi.journal import JournalUnavailable
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.findings import Finding
from bonopay_signer.fiscal.rules import check
from bonopay_signer.fiscal.rules.against_rate import check_rate
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.fiscal.taxes import fiscal_date
from bonopay_signer.ledger.errors import AlreadySealed, LedgerUnavailable, NotAppended
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.sealing.drafts import invoice_draft
from bonopay_signer.sealing.errors import Invalid
from bonopay_signer.sealing.inline import InlineSealing
from bonopay_signer.sealing.replay import Outcome, find_sealed
from bonopay_signer.sealing.submissions import StateConflict
from bonopay_signer.tenants.registry import Registry
from bonopay_signer.tenants.rows import DEFERRED, Outlet

_AWAY = (
    *DATABASE_AWAY,
    psycopg.errors.UniqueViolation,  # of an open submission: another signer reserved the number
    JournalUnavailable,
    NotAppended,
    StateConflict,  # another signer took this one for dead and gave its attempt up
)


class Sealing:
    def __init__(
        self, pool: AsyncConnectionPool, registry: Registry, writer: LedgerWriter, inline: InlineSealing
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._writer = writer
        self._inline = inline
        self._in_flight: dict[tuple[str, str, bytes], asyncio.Task[Outcome]] = {}

    async def seal(self, invoice: Invoice, outlet: Outlet) -> Outcome:
        """Seal a document, or answer what it was sealed as. The same document that is on its way already waits for it.

        Runs on when the caller goes away: the caller's next attempt gets the result.
        Raises NotSealed, QueueFull, LedgerUnavailable, HsmUnavailable, ClockBehind, LockLost, LedgerBehind,
        SecretsError.
        """
        payload = canonical.encode(invoice)
        if outlet.dgi_mode == DEFERRED:
            return await self._seal(invoice, payload, outlet)  # the ledger's writer sees to both
        key = (invoice.merchant_nif, invoice.document_id, payload)
        task = self._in_flight.get(key)
        if task is not None:
            return replace(await asyncio.shield(task), replayed=True)
        task = asyncio.create_task(self._seal(invoice, payload, outlet))
        self._in_flight[key] = task
        task.add_done_callback(lambda _done: self._in_flight.pop(key))
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Until no document is on its way and no confirmation is running."""
        if self._in_flight:
            await asyncio.wait(list(self._in_flight.values()))
        await self._inline.drain()

    async def _seal(self, invoice: Invoice, payload: bytes, outlet: Outlet) -> Outcome:
        try:
            started = time.perf_counter()
            findings = check(invoice)
            metrics.judge.observe(time.perf_counter() - started)
            findings += await self._against_the_rate_of_the_day(invoice)
            if findings:
                # What was sealed stays sealed, also when the rules are others by now.
                replay = await find_sealed(self._pool, self._writer, invoice, payload)
                if replay is None:
                    raise Invalid(findings)
                return replay
            if outlet.dgi_mode == DEFERRED:
                return await self._seal_at_once(invoice, payload)
            return await self._inline.seal(invoice, payload, outlet)
        except _AWAY as error:
            raise LedgerUnavailable(f"the ledger's database does not answer: {type(error).__name__}") from error

    async def _against_the_rate_of_the_day(self, invoice: Invoice) -> tuple[Finding, ...]:
        if invoice.foreign_currency is None and not any(payment.rate for payment in invoice.payments):
            return ()
        return check_rate(invoice, await self._registry.rate("USD", fiscal_date(invoice)))

    async def _seal_at_once(self, invoice: Invoice, payload: bytes) -> Outcome:
        try:
            (entry,) = await self._writer.append([invoice_draft(invoice, payload)])
        except AlreadySealed as sealed:
            replay = await find_sealed(self._pool, self._writer, invoice, payload)
            if replay is None:
                raise LedgerUnavailable(f"{sealed.fiscal_number} cannot be read") from sealed
            return replay
        return Outcome(entry, replayed=False)

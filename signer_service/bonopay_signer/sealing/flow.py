"""The flow of an ``inline`` outlet: reserve, prepare, compare, seal; then the settlement confirms.

A refusal before the seal cancels the DGI's uid and hands the number to the next document: the series has no gap. The
seal is one commit: the entry, the head and the submission's state.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.pool import DATABASE_AWAY
from bonopay_signer.dgi.device import Device, DeviceError, Document, Pending, Refused, Unreachable
from bonopay_signer.dgi.journal import JournalUnavailable
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.rules import check
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.entries import INVOICE, Entry
from bonopay_signer.ledger.writer import Draft, LedgerUnavailable, LedgerWriter
from bonopay_signer.sealing import submissions
from bonopay_signer.sealing.devices import DeviceOf
from bonopay_signer.sealing.errors import Conflict, DgiRefused, DgiTotalsDiffer, DgiUnreachable, Invalid
from bonopay_signer.sealing.settlement import Settlement, cancel_quietly
from bonopay_signer.sealing.submissions import StateConflict, Submission, UidTaken
from bonopay_signer.sealing.tidying import Tidying
from bonopay_signer.sealing.totals import differences
from bonopay_signer.sealing.turns import Turns
from bonopay_signer.tenants.rows import Outlet

_logger = logging.getLogger(__name__)
_AWAY = (
    *DATABASE_AWAY,
    psycopg.errors.UniqueViolation,  # of an open submission: another signer reserved the number
    JournalUnavailable,
)


@dataclass(frozen=True)
class Outcome:
    entry: Entry
    replayed: bool


@dataclass(frozen=True)
class _Work:
    """A reserved number and what is to be sealed under it."""

    submission: Submission
    invoice: Invoice
    payload: bytes
    outlet: Outlet
    device: Device


class InlineSealing:
    def __init__(
        self,
        pool: AsyncConnectionPool,
        writer: LedgerWriter,
        device_of: DeviceOf,
        settlement: Settlement,
        tidying: Tidying,
        turns: Turns,
        patience: float,
    ) -> None:
        self._pool = pool
        self._writer = writer
        self._device_of = device_of
        self._settlement = settlement
        self._tidying = tidying
        self._turns = turns
        self._patience = patience
        self._in_flight: dict[tuple[str, str, bytes], asyncio.Task[Outcome]] = {}
        self._silent_since: dict[str, float] = {}

    async def seal(self, invoice: Invoice, outlet: Outlet) -> Outcome:
        """Seal a document, or answer what it was sealed as.

        Runs on when the caller goes away: the caller's next attempt gets the result.
        Raises NotSealed, LedgerUnavailable, HsmUnavailable, LockLost, SecretsError.
        """
        payload = canonical.encode(invoice)
        key = (invoice.merchant_nif, invoice.document_id, payload)
        task = self._in_flight.get(key)
        if task is not None:
            # The same document again while it is on its way, for instance after the client's timeout.
            return replace(await asyncio.shield(task), replayed=True)
        task = asyncio.create_task(self._seal(invoice, payload, outlet))
        self._in_flight[key] = task
        task.add_done_callback(lambda _done: self._in_flight.pop(key))
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Until no document is on its way and no confirmation is running."""
        if self._in_flight:
            await asyncio.wait(list(self._in_flight.values()))
        await self._settlement.drain()

    async def _seal(self, invoice: Invoice, payload: bytes, outlet: Outlet) -> Outcome:
        try:
            outcome = await self._replay(invoice, payload)
            if outcome is None:
                findings = check(invoice)
                if findings:
                    raise Invalid(findings)
                outcome = await self._seal_in_turn(invoice, payload, outlet)
        except _AWAY as error:
            raise LedgerUnavailable(f"the ledger's database does not answer: {type(error).__name__}") from error
        await self._settlement.wait(outcome.entry.fiscal_number, self._patience)
        return outcome

    async def _seal_in_turn(self, invoice: Invoice, payload: bytes, outlet: Outlet) -> Outcome:
        arrived = time.monotonic()
        async with self._turns[outlet.id]:
            replay = await self._replay(invoice, payload)
            if replay is not None:
                return replay
            if self._silent_since.get(outlet.id, 0) > arrived:
                # Every document of a queue would wait for the same silence, one after the other.
                raise DgiUnreachable("the DGI stopped answering while the document waited for its turn")
            try:
                return Outcome(await self._reserve_and_seal(invoice, payload, outlet), replayed=False)
            except DgiUnreachable:
                self._silent_since[outlet.id] = time.monotonic()
                raise

    async def _replay(self, invoice: Invoice, payload: bytes) -> Outcome | None:
        async with self._pool.connection() as connection:
            entry = await reader.invoice_by_document(connection, invoice.merchant_nif, UUID(invoice.document_id))
        if entry is None:
            return None
        if entry.payload_hash.hex() != canonical.sha256_hex(payload):
            raise Conflict(entry.payload_hash.hex())
        return Outcome(entry, replayed=True)

    async def _reserve_and_seal(self, invoice: Invoice, payload: bytes, outlet: Outlet) -> Entry:
        device = self._device_of(outlet)
        try:
            await self._tidying.tidy(outlet, device)
        except DeviceError as error:
            raise DgiUnreachable(str(error)) from error
        async with self._pool.connection() as connection:
            head = await reader.read_head(connection, outlet.id)
            if head is None:
                raise LookupError(f"outlet {outlet.id} has no chain")
            submission = await submissions.reserve(connection, head, outlet.merchant_nif, UUID(invoice.document_id))
        work = _Work(submission, invoice, payload, outlet, device)
        pending = await self._prepare(work)
        found = differences(invoice, pending.totals)
        if found:
            await self._give_up(work, "the DGI's totals differ", pending.uid)
            raise DgiTotalsDiffer(found)
        entry = await self._append(work, pending)
        sealed = Submission(**{**vars(submission), "state": "confirming", "uid": pending.uid})
        self._settlement.start(sealed, entry, outlet, ask_first=False)
        return entry

    async def _prepare(self, work: _Work) -> Pending:
        try:
            pending = await work.device.prepare(Document(work.submission.fiscal_number, work.outlet.isf, work.invoice))
            async with self._pool.connection() as connection:
                await submissions.prepared(connection, work.submission.id, pending.uid)
        except Refused as refusal:
            await self._release(work, f"refused: {refusal}", maybe_pending=False)
            raise DgiRefused(refusal.code, refusal.words) from refusal
        except Unreachable as error:
            await self._release(work, str(error), maybe_pending=False)
            raise DgiUnreachable(str(error)) from error
        except (DeviceError, UidTaken) as error:
            await self._release(work, str(error), maybe_pending=True)
            raise DgiUnreachable(str(error)) from error
        return pending

    async def _append(self, work: _Work, pending: Pending) -> Entry:
        totals = work.invoice.totals
        draft = Draft(
            outlet_id=work.outlet.id,
            merchant_nif=work.outlet.merchant_nif,
            kind=INVOICE,
            document_id=work.submission.document_id,
            fiscal_number=work.submission.fiscal_number,
            document_type=work.invoice.invoice_type,
            total=totals.total,
            tax=totals.tax,
            currency=totals.currency,
            payload=work.payload,
            also_commit=lambda connection: submissions.sealed(connection, work.submission.id),
        )
        try:
            (entry,) = await self._writer.append([draft])
        except LedgerUnavailable:
            # The commit may have happened, or still be under way: the row's lock and state decide.
            try:
                await self._give_up(work, "the ledger did not take the entry", pending.uid)
            except StateConflict:
                return await self._committed(work)
            raise
        except Exception as error:
            await self._give_up(work, f"not sealed: {type(error).__name__}", pending.uid)
            raise
        return entry

    async def _committed(self, work: _Work) -> Entry:
        async with self._pool.connection() as connection:
            entry = await reader.invoice_by_number(connection, work.submission.fiscal_number)
        if entry is None or entry.document_id != work.submission.document_id:
            raise LedgerUnavailable(f"{work.submission.fiscal_number} is neither sealed nor free")
        return entry

    async def _give_up(self, work: _Work, reason: str, uid: str) -> None:
        """Hand the number on and cancel the uid at once, or leave that to the tidying."""
        await self._release(work, reason, maybe_pending=True, uid=uid)
        if await cancel_quietly(work.device, work.submission.fiscal_number, uid):
            async with self._pool.connection() as connection:
                await submissions.released(connection, work.submission.id)

    async def _release(self, work: _Work, reason: str, maybe_pending: bool, uid: str | None = None) -> None:
        async with self._pool.connection() as connection:
            await submissions.given_up(connection, work.submission.id, reason, maybe_pending, uid)
        _logger.info("number %s is free again: %s", work.submission.fiscal_number, reason)

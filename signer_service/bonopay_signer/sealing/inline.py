"""The flow of an ``inline`` outlet: reserve, prepare, compare, seal; then the settlement confirms.

A refusal before the seal cancels the DGI's uid and hands the number to the next document: the series has no gap. The
seal is one commit: the entry, the head and the submission's state.

Where nothing happened at the outlet's main device, the document is prepared on the spare one (arrêté 033, art. 9 and
11). Where something may have happened it is not: the client sends it again.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from bonopay_signer.dgi.device import Busy, Device, DeviceError, Document, Pending, Refused, Unreachable
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.entries import Entry
from bonopay_signer.ledger.errors import LedgerUnavailable
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.sealing import credits, submissions
from bonopay_signer.sealing.breakers import Breakers, breaker_of
from bonopay_signer.sealing.devices import DeviceOf
from bonopay_signer.sealing.drafts import invoice_draft
from bonopay_signer.sealing.errors import DgiRefused, DgiTotalsDiffer, DgiUnreachable, Invalid
from bonopay_signer.sealing.replay import Outcome, find_sealed
from bonopay_signer.sealing.settlement import Settlement, cancel_quietly
from bonopay_signer.sealing.submissions import StateConflict, Submission, UidTaken
from bonopay_signer.sealing.tidying import Tidying
from bonopay_signer.sealing.totals import comparison, differences, record_difference
from bonopay_signer.sealing.turns import Turns
from bonopay_signer.tenants.rows import Outlet
from bonopay_signer.tenants.secrets import SecretsError

_logger = logging.getLogger(__name__)


class _NothingHappened(DgiUnreachable):
    """Another device may be asked for the same document. ``is_silence``: for the breaker."""

    def __init__(self, words: str, is_silence: bool = True) -> None:
        super().__init__(words)
        self.is_silence = is_silence


@dataclass(frozen=True)
class _Work:
    """A reserved number, what is to be sealed under it, and the device that is asked."""

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
        breakers: Breakers,
        patience: float,
    ) -> None:
        self._pool = pool
        self._writer = writer
        self._device_of = device_of
        self._settlement = settlement
        self._tidying = tidying
        self._turns = turns
        self._breakers = breakers
        self._patience = patience
        self._silent_since: dict[str, float] = {}

    async def seal(self, invoice: Invoice, payload: bytes, outlet: Outlet) -> Outcome:
        """Seal a document that breaks no rule by itself, and wait a while for its confirmation.

        Raises NotSealed, LedgerUnavailable, HsmUnavailable, LockLost, SecretsError.
        """
        replay = await find_sealed(self._pool, self._writer, invoice, payload)
        outcome = replay or await self._seal_in_turn(invoice, payload, outlet)
        verdict = await self._settlement.wait(outcome.entry.fiscal_number, self._patience)
        return replace(outcome, verdict=verdict)

    async def drain(self) -> None:
        """Until no confirmation is running."""
        await self._settlement.drain()

    async def _seal_in_turn(self, invoice: Invoice, payload: bytes, outlet: Outlet) -> Outcome:
        arrived = time.monotonic()
        async with self._turns[outlet.id]:
            replay = await find_sealed(self._pool, self._writer, invoice, payload)
            if replay is not None:
                return replay
            return Outcome(await self._seal_with_any_device(invoice, payload, outlet, arrived), replayed=False)

    async def _seal_with_any_device(self, invoice: Invoice, payload: bytes, outlet: Outlet, arrived: float) -> Entry:
        """With the first of the outlet's devices that takes it; raises what the first said when none does."""
        failures: list[Exception] = []
        for mcf in outlet.devices:
            breaker = breaker_of(outlet.id, mcf)
            try:
                self._refuse_silent(breaker, arrived)
                with self._reported(breaker):
                    return await self._reserve_and_seal(invoice, payload, outlet, mcf)
            except (_NothingHappened, SecretsError) as error:
                failures.append(error)
        raise failures[0]

    def _refuse_silent(self, breaker: str, arrived: float) -> None:
        if self._silent_since.get(breaker, 0) > arrived:
            # Every document of a queue would wait for the same silence, one after the other.
            raise _NothingHappened("the DGI stopped answering while the document waited for its turn")
        if not self._breakers.may_ask(breaker):
            words = "the DGI did not answer several times in a row; it is asked again within a minute"
            raise _NothingHappened(words)

    @contextmanager
    def _reported(self, breaker: str) -> Iterator[None]:
        """To the breaker: whether the device gave an answer, whichever."""
        try:
            yield
        except DgiUnreachable as error:
            if not isinstance(error, _NothingHappened) or error.is_silence:
                self._silent_since[breaker] = time.monotonic()
                self._breakers.unanswered(breaker)
            else:
                self._breakers.answered(breaker)
            raise
        except (DgiRefused, DgiTotalsDiffer):
            self._breakers.answered(breaker)
            raise
        self._breakers.answered(breaker)

    async def _reserve_and_seal(self, invoice: Invoice, payload: bytes, outlet: Outlet, mcf: str | None) -> Entry:
        try:
            device = self._device_of(outlet, mcf)
            await self._tidying.tidy(outlet, mcf, self._device_of)
        except DeviceError as error:
            raise _NothingHappened(str(error), is_silence=not isinstance(error, Busy)) from error
        async with self._pool.connection() as connection:
            found = await credits.findings(connection, invoice)
            if found:
                raise Invalid(found)
            head = await reader.read_head(connection, outlet.id)
            if head is None:
                raise LookupError(f"outlet {outlet.id} has no chain")
            document_id = UUID(invoice.document_id)
            submission = await submissions.reserve(connection, head, outlet.merchant_nif, document_id, mcf)
        work = _Work(submission, invoice, payload, outlet, device)
        pending = await self._prepare(work)
        found = differences(invoice, pending.totals)
        if found:
            await self._give_up(work, "the DGI's totals differ", pending.uid)
            await record_difference(self._pool, invoice, pending.totals)
            raise DgiTotalsDiffer(found, comparison(invoice, pending.totals))
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
            if not refusal.is_verdict and len(work.outlet.devices) > 1:
                # A gateway on the way, or a text that is too long for the MCF's frames: not the other device's affair.
                raise _NothingHappened(str(refusal), is_silence=False) from refusal
            raise DgiRefused(refusal.code, refusal.words) from refusal
        except Unreachable as error:
            await self._release(work, str(error), maybe_pending=False)
            raise _NothingHappened(str(error), is_silence=not isinstance(error, Busy)) from error
        except (DeviceError, UidTaken) as error:
            await self._release(work, str(error), maybe_pending=True)
            raise DgiUnreachable(str(error)) from error
        return pending

    async def _append(self, work: _Work, pending: Pending) -> Entry:
        draft = invoice_draft(work.invoice, work.payload, work.submission.fiscal_number, work.submission.id)
        try:
            (entry,) = await self._writer.append([draft])
        except Exception as error:
            # The commit may have happened, or still be under way: the row's lock and state decide.
            try:
                await self._give_up(work, f"not sealed: {type(error).__name__}", pending.uid)
            except StateConflict:
                return await self._committed(work)
            raise
        return entry

    async def _committed(self, work: _Work) -> Entry:
        async with self._pool.connection() as connection:
            entry = await reader.invoice_by_number(connection, work.submission.fiscal_number)
        if entry is None or entry.document_id != work.submission.document_id:
            raise LedgerUnavailable(f"{work.submission.fiscal_number} is neither sealed nor free")
        self._writer.require_released(entry)
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

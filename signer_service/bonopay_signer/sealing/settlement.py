"""After the seal: confirm with the DGI and chain its verdict; when its answer is lost, ask, never repeat blindly.

What is known of the uid decides the next step:

====================================  =====================================================================
the DGI lists it as pending           confirm, with the same uid
the DGI shows its security elements   it was certified: chain them
the DGI says it was not finalised     prepare again under the same number, then confirm the new uid
the DGI says nothing of it            unknown; ask again later, with growing delay
====================================  =====================================================================

Of a uid the device that gave it is asked, and no other. "Prepare again" may be at the outlet's other device: what has
no uid, or one that is not finalised by its device's word, cannot be certified twice.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

import psycopg
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.instance import LockLost
from bonopay_signer.dgi.device import (
    Busy,
    Device,
    DeviceError,
    Document,
    Elements,
    Fate,
    NoUsableAnswer,
    Pending,
    Refused,
    UnknownOutcome,
    Unreachable,
)
from bonopay_signer.dgi.emcf import UID_UNKNOWN
from bonopay_signer.dgi.journal import JournalUnavailable
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.ledger.batch import Draft
from bonopay_signer.ledger.entries import CERTIFIED, REJECTED, Entry
from bonopay_signer.ledger.errors import LedgerUnavailable
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.sealing import submissions
from bonopay_signer.sealing.breakers import Breakers, breaker_of
from bonopay_signer.sealing.devices import DeviceOf
from bonopay_signer.sealing.submissions import State, Submission, UidTaken
from bonopay_signer.sealing.totals import ComparedAmount, comparison, differences, record_difference
from bonopay_signer.sealing.turns import Turns
from bonopay_signer.tenants.rows import Outlet
from bonopay_signer.tenants.secrets import SecretsError

_logger = logging.getLogger(__name__)
_FIRST_DELAY = 1.0
_OUTAGES = (psycopg.Error, JournalUnavailable, LedgerUnavailable, HsmUnavailable, LockLost)


@dataclass
class Sealed:
    """An invoice of the ledger that waits for the DGI's verdict. ``mcf``: the device that is asked now, an MCF by its
    NIM, or None, the e-MCF."""

    submission: Submission
    entry: Entry
    invoice: Invoice
    outlet: Outlet
    mcf: str | None

    @property
    def number(self) -> str:
        return self.entry.fiscal_number

    @property
    def uid(self) -> str:
        assert self.submission.uid is not None, "only a queued document has no uid to be confirmed"
        return self.submission.uid

    @property
    def breaker(self) -> str:
        return breaker_of(self.outlet.id, self.mcf)


class Settlement:
    """Brings sealed invoices to their verdict. At most one attempt per invoice at a time."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        writer: LedgerWriter,
        device_of: DeviceOf,
        turns: Turns,
        breakers: Breakers,
        backoff_max: float,
    ) -> None:
        self._pool = pool
        self._writer = writer
        self._device_of = device_of
        self._turns = turns
        self._backoff_max = backoff_max
        self._breakers = breakers
        self._running: dict[str, asyncio.Task[Entry | None]] = {}

    def start(
        self, submission: Submission, entry: Entry, outlet: Outlet, ask_first: bool, mcf: str | None = None
    ) -> None:
        """Settle an invoice in a task of its own. ``ask_first``: after a crash or a silence. ``mcf``: the device for a
        document that none was asked for yet."""
        if self.is_running(entry.fiscal_number):
            return
        asked = submission.mcf if submission.is_bound else mcf
        sealed = Sealed(submission, entry, parse(entry.payload), outlet, asked)
        task = asyncio.create_task(self._settle(sealed, ask_first))
        self._running[entry.fiscal_number] = task
        task.add_done_callback(lambda done: self._finished(entry.fiscal_number, done))

    def is_running(self, fiscal_number: str) -> bool:
        return fiscal_number in self._running

    async def wait(self, fiscal_number: str, timeout: float) -> Entry | None:
        """Until no attempt for this invoice is running, at most ``timeout`` seconds.

        The verdict, when the attempt that was waited for chained it; None tells nothing.
        """
        task = self._running.get(fiscal_number)
        if task is None:
            return None
        await asyncio.wait([task], timeout=timeout)
        failed = not task.done() or task.cancelled() or task.exception() is not None
        return None if failed else task.result()

    async def ended(self, fiscal_number: str) -> None:
        """Until no attempt for this invoice is running."""
        task = self._running.get(fiscal_number)
        if task is not None:
            await asyncio.wait([task])

    async def drain(self) -> None:
        """Until no attempt is running at all."""
        if self._running:
            await asyncio.wait(list(self._running.values()))

    def _finished(self, number: str, task: asyncio.Task[Entry | None]) -> None:
        self._running.pop(number, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            defect = None if isinstance(error, _OUTAGES) else error
            _logger.warning("settlement of %s stopped, recovery takes over: %s", number, error, exc_info=defect)

    async def _settle(self, sealed: Sealed, ask_first: bool) -> Entry | None:
        """The verdict, if the first confirmation brought it."""
        self._writer.require_released(sealed.entry)  # the DGI is told of nothing that could still be lost
        try:
            verdict = None if ask_first else await self._confirmed_at_once(sealed)
            if verdict is None:
                await self._resolve(sealed)
            self._breakers.answered(sealed.breaker)
            return verdict
        except (DeviceError, UidTaken, SecretsError) as error:
            self._report(sealed.breaker, error)
            unknown = not isinstance(error, (Unreachable, SecretsError))
            await self._postpone(sealed.submission, error, unknown)
        except LockLost:
            raise  # the row is another signer's now
        except Exception as error:
            with suppress(*_OUTAGES):  # else the DGI is asked the same again every few seconds
                await self._postpone(sealed.submission, error)
            raise
        return None

    def _report(self, breaker: str, error: Exception) -> None:
        """To the breaker: what the DGI says of one document, or that it is busy, is an answer all the same."""
        if isinstance(error, (Unreachable, NoUsableAnswer, SecretsError)) and not isinstance(error, Busy):
            self._breakers.unanswered(breaker)
        else:
            self._breakers.answered(breaker)

    async def _confirmed_at_once(self, sealed: Sealed) -> Entry | None:
        try:
            return await self._confirm(sealed, sealed.uid)
        except UnknownOutcome as error:
            await self._postpone(sealed.submission, error, unknown=True)
            return None

    async def _confirm(self, sealed: Sealed, uid: str) -> Entry:
        """Confirm and chain the verdict. Raises Unreachable, or UnknownOutcome: also for "unknown uid", which may mean
        that an earlier confirmation had its effect, and for a refusal that is not the DGI's own."""
        total, tax = Decimal(sealed.invoice.totals.total), Decimal(sealed.invoice.totals.tax)
        try:
            elements = await self._device(sealed).confirm(sealed.number, uid, total, tax)
        except Refused as refusal:
            if refusal.code == UID_UNKNOWN:
                raise UnknownOutcome(f"the DGI no longer waits for {uid}") from refusal
            _believe_only_the_dgi(refusal)
            await cancel_quietly(self._device(sealed), sealed.number, uid)
            return await self._append(sealed, REJECTED, _rejected(sealed, uid, refusal.code, refusal.words))
        return await self._append(sealed, CERTIFIED, _certified(sealed, uid, elements))

    def _device(self, sealed: Sealed) -> Device:
        """Raises Unreachable, SecretsError."""
        return self._device_of(sealed.outlet, sealed.mcf)

    async def _resolve(self, sealed: Sealed) -> None:
        if sealed.submission.uid is None or sealed.submission.state is State.QUEUED:
            await self._prepare_again(sealed)
            return
        device = self._device(sealed)
        fate = await device.recall(sealed.number, sealed.uid)
        if fate is None:
            if sealed.uid in (await device.status()).pending_uids:
                await self._confirm(sealed, sealed.uid)
                return
            fate = await device.fate(sealed.number, sealed.uid)
            self._breakers.answered(sealed.breaker)  # the next one to be asked may be another
        if isinstance(fate, Elements):
            await self._append(sealed, CERTIFIED, _certified(sealed, sealed.uid, fate))
        elif fate is Fate.NOT_FINALISED:
            sealed.mcf = self._device_for_another_try(sealed)
            await self._prepare_again(sealed)
        else:
            raise UnknownOutcome(f"the DGI does not tell what became of {sealed.uid} ({fate.value})")

    def _device_for_another_try(self, sealed: Sealed) -> str | None:
        """The first device that may be asked, of the outlet's in their order: its breaker's one attempt may be taken by
        this, and is reported by what follows. A credit note goes to the e-MCF first when its MCF did not certify it:
        the MCF may be without the DGI, which has to verify it."""
        devices = sealed.outlet.devices
        if sealed.invoice.credit is not None and sealed.mcf is not None:
            devices = (None, *(mcf for mcf in devices if mcf is not None))
        for mcf in devices:
            if self._breakers.may_ask(breaker_of(sealed.outlet.id, mcf)):
                return mcf
        return sealed.mcf if sealed.mcf in devices else devices[0]

    async def _prepare_again(self, sealed: Sealed) -> None:
        """A new uid, for what has none yet, or one that was not finalised, by its device's word, or must not be."""
        if sealed.submission.uid is not None and sealed.submission.state is State.QUEUED:
            await self._cancel_what_differs(sealed, sealed.submission.uid)
        async with self._turns[sealed.outlet.id]:
            try:
                pending = await self._prepare(sealed)
            except Refused as refusal:
                _believe_only_the_dgi(refusal)
                await self._append(
                    sealed, REJECTED, _rejected(sealed, sealed.submission.uid, refusal.code, refusal.words)
                )
                return
            found = differences(sealed.invoice, pending.totals)
            async with self._pool.connection() as connection:
                await submissions.prepared_again(
                    connection, sealed.submission.id, pending.uid, sealed.mcf, may_confirm=not found
                )
        if found:
            await cancel_quietly(self._device(sealed), sealed.number, pending.uid)
            words = "; ".join(f"{finding.pointer}: {finding.expected}" for finding in found)
            compared = comparison(sealed.invoice, pending.totals)
            await self._append(sealed, REJECTED, _rejected(sealed, pending.uid, found[0].code, words, compared))
            # Told once, and only of what is settled: while the ledger is away all this is done again.
            await record_difference(self._pool, sealed.invoice, pending.totals, sealed.number)
            return
        await self._confirm(sealed, pending.uid)

    async def _cancel_what_differs(self, sealed: Sealed, uid: str) -> None:
        """At the device that gave the uid; one that is not to be had lets it expire by itself."""
        with suppress(Unreachable, SecretsError):
            await cancel_quietly(self._device_of(sealed.outlet, sealed.submission.mcf), sealed.number, uid)

    async def _prepare(self, sealed: Sealed) -> Pending:
        """With the device that is to be asked, or the other one when nothing happened there. An e-MCF that is busy is
        asked again; an MCF that is busy, with another document or for want of the DGI, holds up no sale of its outlet.
        """
        document = Document(sealed.number, sealed.outlet.isf, sealed.invoice)
        try:
            return await self._device(sealed).prepare(document)
        except (Unreachable, SecretsError, Refused) as error:
            if isinstance(error, Busy) and sealed.mcf is None or isinstance(error, Refused) and error.is_verdict:
                raise
            others = [mcf for mcf in sealed.outlet.devices if mcf != sealed.mcf]
            other = next(
                (mcf for mcf in others if self._breakers.may_ask(breaker_of(sealed.outlet.id, mcf))), sealed.mcf
            )
            if other == sealed.mcf:
                raise
            self._report(sealed.breaker, error)
            _logger.info("%s is prepared on the outlet's other device: %s", sealed.number, error)
            sealed.mcf = other
        return await self._device(sealed).prepare(document)

    async def _append(self, sealed: Sealed, kind: str, payload: bytes) -> Entry:
        totals = sealed.invoice.totals
        draft = Draft(
            outlet_id=sealed.entry.outlet_id,
            merchant_nif=sealed.entry.merchant_nif,
            kind=kind,
            document_id=sealed.entry.document_id,
            fiscal_number=sealed.number,
            document_type=sealed.invoice.invoice_type,
            total=totals.total,
            tax=totals.tax,
            currency=totals.currency,
            payload=payload,
            submission=sealed.submission.id,
        )
        (entry,) = await self._writer.append([draft])
        return entry

    async def _postpone(self, submission: Submission, error: Exception, unknown: bool = False) -> None:
        delay = min(self._backoff_max, _FIRST_DELAY * 2 ** min(submission.attempts, 16))
        async with self._pool.connection() as connection:
            await submissions.postponed(
                connection, submission.id, unknown, str(error), delay * random.uniform(0.5, 1.0)
            )
        _logger.warning(
            "%s is not settled yet, asking again in about %.0f s: %s", submission.fiscal_number, delay, error
        )


def _believe_only_the_dgi(refusal: Refused) -> None:
    """Raises UnknownOutcome for a refusal that is not the DGI's own."""
    if not refusal.is_verdict:
        raise UnknownOutcome(f"something other than the DGI refused: {refusal}") from refusal


async def cancel_quietly(device: Device, fiscal_number: str | None, uid: str) -> bool:
    """Cancel a uid that expires by itself anyway. Whether the DGI holds it no longer, as far as it told."""
    try:
        await device.cancel(fiscal_number, uid)
    except Refused as refusal:
        return refusal.is_verdict  # by the DGI's word: not pending any more
    except DeviceError as error:
        _logger.info("uid %s was not cancelled and will expire: %s", uid, error)
        return False
    return True


def _certified(sealed: Sealed, uid: str, elements: Elements) -> bytes:
    return canonical.encode(
        _verdict_base(sealed, CERTIFIED, uid)
        | {
            "code": elements.code,
            "nim": elements.nim,
            "counters": elements.counters,
            "time": elements.time,
            "qr": elements.qr,
        }
    )


def _rejected(sealed: Sealed, uid: str | None, code: str, words: str, compared: Sequence[ComparedAmount] = ()) -> bytes:
    error = {"code": code, "message": words} | ({"comparison": list(compared)} if compared else {})
    nim = sealed.outlet.nim_of(sealed.mcf)
    return canonical.encode(_verdict_base(sealed, REJECTED, uid) | {"nim": nim, "error": error})


def _verdict_base(sealed: Sealed, kind: str, uid: str | None) -> dict[str, object]:
    return {
        "schema": f"bonopay.{kind}/1",
        "document_id": str(sealed.entry.document_id),
        "fiscal_number": sealed.number,
        "invoice_entry_hash": sealed.entry.entry_hash.hex(),
        "uid": uid,
        "isf": sealed.outlet.isf,
        "total": sealed.invoice.totals.total,
        "tax": sealed.invoice.totals.tax,
    }

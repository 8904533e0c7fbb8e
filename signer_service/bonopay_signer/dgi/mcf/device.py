"""The physical MCF behind the interface of all devices.

Only 38h with totals certifies, so every failure before it leaves nothing but, at worst, an open invoice, of which the
device holds one at a time. The driver opens one only after it has seen the last one closed: cancelled by 38h ``C``,
finalised, or reported as not open. What that means for the failures of each step:

=================  =======================================  =======================================
step               no usable answer                         the device's no (``E:``)
=================  =======================================  =======================================
C1h, C2h, 2Bh      asked again, then Unreachable            Refused
38h ``C`` before   Unreachable: ours was not opened         20 (none is open) is what is wanted
C3h                Unreachable: ours was not opened         Refused
C0h … 35h          38h ``C``; heard: Unreachable,           38h ``C``, Refused
                   else UnknownOutcome
38h totals         UnknownOutcome                           38h ``C``, Refused (10: Unreachable)
=================  =======================================  =======================================

A frame that the device did not take (NAK each time, port gone) had no effect at all: Unreachable. After the outcome of
38h was lost the uid is no longer told as pending, and ``fate`` finds out: first the open invoice is cancelled, so that
nothing can be certified later, then C1h tells the last invoice. Documents that came after it do not hide it, because
each begins with the same two steps and the journal keeps the answer.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bonopay_signer.dgi.device import (
    Busy,
    DeviceStatus,
    Document,
    Elements,
    Fate,
    Pending,
    Refused,
    UnknownOutcome,
    Unreachable,
)
from bonopay_signer.dgi.journal import Exchange, Journal
from bonopay_signer.dgi.mcf import commands, frame
from bonopay_signer.dgi.mcf.commands import AnswerError, LinkStatus, McfStatus, Request
from bonopay_signer.dgi.mcf.link import Link, NotReceived
from bonopay_signer.dgi.mcf.verdicts import (
    NO_ANSWER,
    NOT_OPEN,
    UID,
    elements_of,
    fate_by,
    in_doubt,
    judged,
    text_of,
    without_effect,
)

_METHOD = "MCF"
_SETTLED = "C1h after 38h"  # the step of a C1h that was asked when no invoice was open
_QUERIES = 2
_TAXPAYER = ("I0", "I1", "I2", "I3", "I4", "D0", "D1", "D2")


@dataclass(frozen=True, slots=True)
class McfSettings:
    """Seconds. ``open_for``: how long a prepared document may keep the device for its confirmation. ``room``: how long
    another waits for the device before it is told that it is busy. ``verification``: how long the DGI may take to
    check a credit note."""

    open_for: float = 120.0
    room: float = 3.0
    verification: float = 90.0
    poll_interval: float = 1.0


@dataclass(frozen=True, slots=True)
class _Open:
    uid: str
    since: float


class McfDevice:
    """One MCF. Every frame goes through the journal, whose path is the document's uid, or the port.

    ``nim``: which MCF has to be at the port; another one is given no document.
    """

    def __init__(
        self,
        link: Link,
        outlet_id: str,
        journal: Journal,
        settings: McfSettings | None = None,
        nim: str | None = None,
    ) -> None:
        self._link = link
        self._nim = nim
        self._outlet_id = outlet_id
        self._journal = journal
        self._settings = settings or McfSettings()
        self._turn = asyncio.Lock()
        self._vacant = asyncio.Event()
        self._open: _Open | None = None
        self._clean = False  # whether the device is known to hold no open invoice

    def __repr__(self) -> str:
        return f"McfDevice({self._outlet_id!r}, {self._link.path!r})"

    async def prepare(self, document: Document) -> Pending:
        requests = commands.invoice_requests(document)
        payments = commands.payment_requests(document.invoice)
        async with self._room():
            with without_effect("the MCF is not ready"):
                await self._make_clean_if_ours()
                status = await self._status_when_settled()
            self._require_ours(status)
            number = document.fiscal_number
            uid = f"{status.mid}~{number}~{status.total_counter}~{secrets.token_hex(4)}"
            with without_effect("the client was not taken"):
                await self._ask(requests[0], number, uid)
            pending = await self._fill(uid, number, requests[1:], payments)
            self._open = _Open(uid, asyncio.get_running_loop().time())
            self._vacant.clear()
            return pending

    async def confirm(self, fiscal_number: str, uid: str, total: Decimal, tax: Decimal) -> Elements:
        async with self._turn:
            self._require_open(uid)
            opened, self._open = self._open, None  # if this is interrupted, it is no longer known to be pending
            try:
                return await self._finalise(fiscal_number, uid, commands.finalise_request(total, tax))
            except NotReceived as error:
                self._open = opened
                raise Unreachable(str(error)) from error
            except NO_ANSWER as error:
                raise UnknownOutcome(f"no usable answer to 38h: {error}") from error
            except Refused as refusal:
                await self._clean_quietly()
                raise judged(refusal) from refusal
            finally:
                if self._open is None:
                    self._vacant.set()

    async def cancel(self, fiscal_number: str | None, uid: str) -> None:
        async with self._turn:
            if self._open is not None:
                self._require_open(uid)
            self._open = None
            self._vacant.set()
            self._clean = False
            with in_doubt("no usable answer to the cancellation"):
                await self._ask(Request(commands.FINALISE, commands.CANCEL_DATA), fiscal_number, self._link.path)
            self._clean = True

    async def status(self) -> DeviceStatus:
        """``operational``: the device answers; without network it still certifies sales. Raises Busy while it checks a
        credit note."""
        async with self._soon(self._turn.acquire()):
            status = await self._query_status("C1h")
            pending = frozenset() if self._open is None else frozenset({self._open.uid})
        return DeviceStatus(True, status.mid, status.nif, None, status.time, pending)

    async def link_status(self) -> LinkStatus:
        """C2h: what the device still has to send to the DGI, and when it last reached it (SFE §1.6). It does not tell
        whose it is, so the device is asked that first. Raises Unreachable, also when another MCF is at the port."""
        async with self._turn:
            if self._nim is not None:
                self._require_ours(await self._query_status("C1h"))
            return await self._query(Request(commands.LINK_STATUS, b""), "C2h", commands.read_link_status)

    async def taxpayer(self) -> Mapping[str, str]:
        """2Bh: I0 name, I1 address, I2 city, I3 telephone, I4 mail, D0–D2 currency."""
        async with self._turn:
            return {
                name: await self._query(Request(commands.TAXPAYER, name.encode()), "2Bh", frame.unescape)
                for name in _TAXPAYER
            }

    async def fate(self, fiscal_number: str, uid: str) -> Elements | Fate:
        parts = UID.fullmatch(uid)
        if parts is None or parts[2] != fiscal_number:
            return Fate.NOT_TOLD
        async with self._turn:
            if self._open is not None and self._open.uid == uid:
                return Fate.PENDING
            status = await self._witness(fiscal_number, uid)
            if status is None or status.mid != parts[1]:  # or the outlet had another MCF meanwhile
                with without_effect("the MCF does not tell"):
                    if self._open is None:
                        await self._make_clean_if_ours()
                    status = await self._status_when_settled()
        return fate_by(status, fiscal_number, uid)

    async def recall(self, fiscal_number: str, uid: str) -> Elements | Fate | None:
        """From the journal: an answer that arrived although its verdict was never chained, or what C1h told since: it
        was asked when no invoice was open, so nothing can be certified any more, be the device dead since then.

        That no 38h with totals is on record proves nothing here, although each is recorded before it is sent: it may
        yet come, from a signer that lost its lock and still holds the port, and only the device's word that the
        invoice is closed keeps it from certifying what another device has certified meanwhile.
        """
        for raw in await self._journal.answers(self._outlet_id, fiscal_number, "38h", uid, status=None):
            with suppress(frame.FrameError, AnswerError):
                return elements_of(text_of(raw), fiscal_number, uid)
        witness = await self._witness(fiscal_number, uid)
        fate = Fate.NOT_TOLD if witness is None else fate_by(witness, fiscal_number, uid)
        return None if fate is Fate.NOT_TOLD else fate

    async def reference_tables(self) -> Mapping[str, Any]:
        """The rates of the tax groups and the currency's, in the form of the e-MCF's tables."""
        async with self._turn:
            status = await self._query_status("C1h")
        currency = {"type": status.currency, "date": status.currency_date, "rate": status.currency_rate}
        rates = {group.lower(): rate for group, rate in status.rates.items()}
        return {"taxGroups": rates, "currencyRates": [currency] if status.currency_rate is not None else []}

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        """The device, when no prepared document waits for its confirmation, or one has waited too long. Raises Busy:
        whoever waits keeps all sales of the outlet waiting, and there may be a spare device."""
        async with self._soon(self._turn_when_vacant()):
            self._open = None
            yield

    async def _turn_when_vacant(self) -> None:
        while True:
            await self._turn.acquire()
            left = self._seconds_left()
            if left <= 0:
                return
            self._turn.release()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._vacant.wait()

    @asynccontextmanager
    async def _soon(self, turn: Awaitable[object]) -> AsyncIterator[None]:
        """``turn``, which takes the device's turn, for a few seconds at most. Raises Busy."""
        try:
            async with asyncio.timeout(self._settings.room):
                await turn
        except TimeoutError as error:
            raise Busy(f"the MCF at {self._link.path} is occupied with another document") from error
        try:
            yield
        finally:
            self._turn.release()

    def _seconds_left(self) -> float:
        if self._open is None:
            return 0
        return self._open.since + self._settings.open_for - asyncio.get_running_loop().time()

    def _require_open(self, uid: str) -> None:
        if self._open is None or self._open.uid != uid:
            raise Refused(NOT_OPEN, f"{uid} is not open at the MCF", is_verdict=False)

    async def _fill(self, uid: str, number: str, requests: list[Request], payments: list[Request]) -> Pending:
        """Open the invoice, enter it, and read its totals; after a failure nothing is left open, if it can be."""
        self._clean = False
        try:
            for request in requests:
                await self._ask(request, number, uid)
            totals = commands.read_totals(await self._ask(Request(commands.SUBTOTAL, b""), number, uid))
            for request in payments:
                await self._ask(request, number, uid)
        except NO_ANSWER as error:
            await self._clean_quietly()
            kind = Unreachable if self._clean else UnknownOutcome
            raise kind(f"the MCF did not take the document: {error}") from error
        except Refused as refusal:
            await self._clean_quietly()
            raise judged(refusal) from refusal
        return Pending(uid, totals)

    async def _finalise(self, number: str, uid: str, request: Request) -> Elements:
        """38h, and again as long as the device answers ``P:``: the DGI is checking a credit note."""
        self._clean = False
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.verification
        text = await self._ask(request, number, uid)
        while text.startswith("P:"):
            if loop.time() >= deadline:
                raise AnswerError("the DGI has not verified the credit note in time")
            await asyncio.sleep(self._settings.poll_interval)
            try:
                text = await self._ask(request, number, uid)
            except NotReceived as error:
                raise AnswerError(str(error)) from error  # the first one was received
        elements = elements_of(text, number, uid)
        self._clean = True
        return elements

    def _require_ours(self, status: McfStatus) -> None:
        if self._nim not in (None, status.mid):
            raise Unreachable(f"at {self._link.path} is the MCF {status.mid}, not {self._nim}")

    async def _make_clean_if_ours(self) -> None:
        """The device is asked who it is first: another one at the port may have an invoice of its own open."""
        if not self._clean and self._nim is not None:
            self._require_ours(await self._query_status("C1h"))
        await self._make_clean()

    async def _make_clean(self) -> None:
        """Close whatever invoice is open. Raises LinkError, FrameError, or Refused for another reason than none is."""
        if self._clean:
            return
        try:
            await self._ask(Request(commands.FINALISE, commands.CANCEL_DATA), None, self._link.path)
        except Refused as refusal:
            if refusal.code != NOT_OPEN:
                raise
        self._clean = True

    async def _clean_quietly(self) -> None:
        """What is left open now is closed before the next document."""
        with suppress(Refused, *NO_ANSWER):
            await self._make_clean()

    async def _witness(self, number: str, uid: str) -> McfStatus | None:
        """What C1h told first after this document's last step, when no invoice was open."""
        raw = await self._journal.first_answer_since(self._outlet_id, _SETTLED, number, uid)
        if raw is None:
            return None
        with suppress(frame.FrameError, AnswerError):
            return commands.read_status(text_of(raw))
        return None

    async def _status_when_settled(self) -> McfStatus:
        return await self._query_status(_SETTLED if self._open is None else "C1h")

    async def _query_status(self, step: str) -> McfStatus:
        return await self._query(Request(commands.STATUS, b""), step, commands.read_status)

    async def _query(self, request: Request, step: str, read: Any) -> Any:
        """A question changes nothing: it is asked again after silence. Raises Unreachable or Refused."""
        for attempt in range(1, _QUERIES + 1):
            try:
                return read(await self._ask(request, None, self._link.path, step))
            except NO_ANSWER as error:
                if attempt == _QUERIES:
                    raise Unreachable(f"the MCF does not answer {step}: {error}") from error

    async def _ask(self, request: Request, number: str | None, path: str, step: str | None = None) -> str:
        """The answer's text. Raises LinkError, FrameError, Refused."""
        recorder = _Recorder(self._journal, self._outlet_id, number, step or f"{request.command:02X}h", path)
        text = frame.as_text((await self._link.exchange(request.command, request.data, recorder)).data)
        refusal = commands.refusal_of(text)
        if refusal is not None:
            raise refusal
        return text


class _Recorder:
    """Journals the frames of one command; each sending is an exchange of its own."""

    def __init__(self, journal: Journal, outlet_id: str, number: str | None, step: str, path: str) -> None:
        self._journal = journal
        self._about = (outlet_id, number, step, _METHOD, path)
        self._exchange: Exchange | None = None

    async def sent(self, raw: bytes) -> None:
        self._exchange = await self._journal.request(*self._about, raw)

    async def received(self, raw: bytes) -> None:
        assert self._exchange is not None
        await self._journal.answer(self._exchange, None, raw)

    async def failed(self, raw: bytes, error: str) -> None:
        assert self._exchange is not None
        await self._journal.silence(self._exchange, error, raw)

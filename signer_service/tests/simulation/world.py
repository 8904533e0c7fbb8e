"""A shard of its own in a real database, a disk that can lose power, a model of the DGI, and clients.

The world survives its processes. Clients do what real ones do: they send a document until it is answered.
"""

import asyncio
import contextvars
import itertools
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg

from bonopay_signer.db.instance import LockLost, SecondSigner
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.fiscal.statement import ZERO_HASH
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.ledger import headstore
from bonopay_signer.ledger.batch import ClockBehind, OutOfOrder
from bonopay_signer.ledger.entries import Entry
from bonopay_signer.ledger.errors import LedgerUnavailable
from bonopay_signer.ledger.headstore import HeadStore, HeadStoreError
from bonopay_signer.ledger.rollback import LedgerBehind
from bonopay_signer.sealing.errors import Conflict, DgiUnreachable, Invalid
from bonopay_signer.sealing.replay import Outcome
from bonopay_signer.tenants.rows import Outlet

from ..fiscal.builders import accepted, cases, parsed
from .dgi import Dgi
from .disk import Disk
from .faults import Late, Plan
from .invariants import Answer, Ledger, Violated, check_documents, check_verdicts, holds
from .process import PATIENCE, Over, Process
from .stage import Stage
from .statements import name_of

SENT_AGAIN = (
    ClockBehind,
    DgiUnreachable,
    HsmUnavailable,
    LedgerBehind,
    LedgerUnavailable,
    LockLost,
    OutOfOrder,
    SecondSigner,
)
"""What a client is told when the document may be sent again."""
PERSEVERANCE = 6.0
"""Seconds for which a client sends a document again; the writer's longest pause between two attempts is one."""
STARTED_AGAIN = (psycopg.Error, LookupError, HeadStoreError, LockLost, SecondSigner, Over)
"""What a supervisor starts the signer again for."""


class World:
    """One shard with its outlets: "D" and "E" are deferred, "I" and "J" inline."""

    def __init__(self, stage: Stage, plan: Plan | None = None, power: bool = False, patience: float = PATIENCE) -> None:
        """``power``: when a process dies, the power fails."""
        self.stage = stage
        self._patience = patience
        self._power = power
        self.plan = plan or Plan()
        self.shard = stage.new_shard()
        self.nif = f"SIM{self.shard:05d}"
        self.ledger = Ledger(stage.admin, self.shard)
        self.dgi = Dgi()
        self._copies = itertools.count(1)
        self.disk = self._new_disk()
        self.answers: dict[str, Answer] = {}
        self.documents: dict[str, dict] = {}
        self.refused: set[str] = set()
        self.process: Process | None = None
        self._late: list[Late] = []
        self._violations: list[str] = []
        self._clock_offset = timedelta(0)
        self._ids = itertools.count(1)
        self._register()
        self.outlets = {letter: self._outlet(letter) for letter in "DEIJ"}

    def _new_disk(self, copy_of: Disk | None = None) -> Disk:
        disk = Disk(self.stage.folder_of(self.shard, next(self._copies)), copy_of)
        self.stage.disks[disk.folder] = disk
        return disk

    def _register(self) -> None:
        self.stage.admin.execute(
            "INSERT INTO signer.merchant (nif, name, shard) VALUES (%s, %s, %s)", [self.nif, "Vendeur", self.shard]
        )

    def _outlet(self, letter: str) -> Outlet:
        mode = "deferred" if letter in "DE" else "inline"
        name, nim = f"S{self.shard:05d}{letter}", f"CD{self.shard:05d}{letter}-1"
        outlet = Outlet(name, self.nif, "Vendeur", "Boutique", "Avenue", nim, "ISF", mode, "http://x", b"-")
        self.stage.admin.execute(
            "INSERT INTO signer.outlet (id, merchant_nif, name, address, nim, isf, dgi_mode, dgi_url, dgi_token) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [outlet.id, outlet.merchant_nif, outlet.name, outlet.address, outlet.nim, outlet.isf, mode,
             outlet.dgi_url, outlet.dgi_token],
        )  # fmt: skip
        self.stage.admin.execute(
            "INSERT INTO signer.outlet_head (outlet_id, merchant_nif, epoch, index, entry_hash, sequence, sealed_at) "
            "VALUES (%s, %s, 1, 0, %s, 0, 'epoch')",
            [outlet.id, outlet.merchant_nif, ZERO_HASH],
        )
        return outlet

    # --- processes

    async def boot(self) -> None:
        """Start a signer, again and again as a supervisor does."""
        reasons = []
        for _ in range(10):
            self.process = self._new_process()
            try:
                await self.process.run(self.process.start())
            except STARTED_AGAIN as error:
                reasons.append(error)
                await self.kill()
            else:
                return
        raise Violated(f"the signer does not start: {reasons}")

    def _new_process(self) -> Process:
        process = Process(
            self.stage.database.service,
            self.stage.pool,
            self.shard,
            self.disk.folder,
            self.dgi,
            self.plan,
            self._patience,
        )
        process.effects.clock_offset = self._clock_offset
        process.effects.late, process.effects.deliver = self._late, self._deliver
        return process

    async def kill(self) -> None:
        if self.process is not None:
            process, self.process = self.process, None
            await process.kill()
        if self._power:
            self.disk.lose_power()

    async def take_over(self) -> Process:
        """Start a successor elsewhere, with a copy of the disk, while a process stands still; its predecessor."""
        predecessor = self.process
        assert predecessor is not None
        lock = predecessor.effects.connections[0]
        self.stage.admin.execute("SELECT pg_terminate_backend(%s)", [lock.info.backend_pid])
        disk = self._new_disk(copy_of=self.disk)
        self.disk = disk
        await self.boot()
        return predecessor

    def set_clock(self, offset: timedelta) -> None:
        """How far the signer's clock is from the true time."""
        self._clock_offset = offset
        if self.process is not None:
            self.process.effects.clock_offset = offset

    async def _deliver(self, late: Late) -> None:
        """What the network held back arrives just when another generation has begun: it must find a closed door."""
        size = self._size()
        async with await psycopg.AsyncConnection.connect(
            self.stage.database.service, autocommit=True, **SYSTEM
        ) as connection:
            with suppress(psycopg.Error):
                await connection.execute(late.query, late.parameters)
        if name_of(str(late.query)) == "SELECT append" and self._size() != size:
            self._violations.append("a statement of an earlier generation was let in")

    def _size(self) -> int:
        return self.stage.admin.execute("SELECT size FROM signer.shard WHERE id = %s", [self.shard]).fetchone()[0]

    # --- documents

    def new(self, letter: str, **members: Any) -> str:
        """A document that was not sent yet; its id."""
        outlet = self.outlets[letter]
        document_id = str(uuid.UUID(int=self.shard << 64 | next(self._ids)))
        self.documents[document_id] = accepted(
            document_id=document_id, merchant_nif=self.nif, outlet_id=outlet.id, **members
        )
        return document_id

    def credit_of(self, document_id: str, letter: str, **members: Any) -> str:
        """A document that credits everything of one that was answered."""
        number = self.answers[document_id].fiscal_number
        code = next(
            (self.dgi.answered[uid].code for uid, known in self.dgi.requests.items()
             if (known.fiscal_number, known.state) == (number, "certified") and uid in self.dgi.answered),
            "CODE-unknown",
        )  # fmt: skip
        original = cases.original("RAM") | {"original_fiscal_number": number, "original_dgi_code": code}
        return self.new(letter, invoice_type="FA", credit=original, **members)

    async def send(self, document_id: str) -> None:
        """Send a document until it is answered or refused; start the signer again when it died."""
        end = time.monotonic() + PERSEVERANCE
        while time.monotonic() < end:
            if self.process is None:
                await self.boot()
            if await self.send_once(document_id):
                return
            await asyncio.sleep(0.03)
        raise Violated(f"{document_id} is not answered after {PERSEVERANCE} s")

    async def send_together(self, document_ids: Sequence[str]) -> None:
        """Send documents at the same time, and again what was not answered."""
        if self.process is None:
            await self.boot()
        done = await asyncio.gather(*(self.send_once(document_id) for document_id in document_ids))
        for document_id, is_done in zip(document_ids, done, strict=True):
            if not is_done:
                await self.send(document_id)

    async def send_once(self, document_id: str) -> bool:
        """Whether the document was answered, or refused for good."""
        process = self.process
        if process is None:
            return False
        invoice = parsed(self.documents[document_id])
        outlet = next(outlet for outlet in self.outlets.values() if outlet.id == invoice.outlet_id)
        try:
            await process.run(self._as_client(process, invoice, outlet))
        except Over:
            if self.process is process:
                await self.kill()
            return False
        except Invalid:
            self.refused.add(document_id)
        except SENT_AGAIN:
            return False
        return True

    async def _as_client(self, process: Process, invoice: Invoice, outlet: Outlet) -> None:
        outcome = await process.sealing.seal(invoice, outlet)
        self._heard(invoice, outcome, process)

    def _heard(self, invoice: Invoice, outcome: Outcome, process: Process) -> None:
        answer, known = Answer.of(outcome.entry), self.answers.get(invoice.document_id)
        if answer.payload_hash.hex() != canonical.sha256_hex(canonical.encode(invoice)):
            raise Violated(f"{invoice.document_id} was answered for another content")
        if known not in (None, answer):
            raise Violated(f"{invoice.document_id} was answered {known}, and now {answer}")
        self.answers[invoice.document_id] = answer
        disk = process.disk_of(self.stage.disks)
        contextvars.Context().run(self._must_be_durable, answer, disk)  # the world looks, not the process

    def _must_be_durable(self, answer: Answer, disk: Disk) -> None:
        """In the database, and in what a power failure would leave of the head store."""
        stored = self.stage.admin.execute(
            "SELECT entry_hash FROM signer.entry WHERE shard = %s AND position = %s", [self.shard, answer.position]
        ).fetchone()
        if stored is None or bytes(stored[0]) != answer.entry_hash:
            raise Violated(f"{answer.fiscal_number} was answered before the database had it")
        found = self._head_store_after_power_failure(disk)
        if found is None or found.size <= answer.position:
            raise Violated(f"{answer.fiscal_number} was answered before the head store had it: {found}")

    def _head_store_after_power_failure(self, disk: Disk) -> headstore.Known | None:
        folder = self.stage.folder_of(self.shard, next(self._copies))
        disk.copy_of_what_lasts(folder)
        return HeadStore(folder, self.shard).read()

    # --- what must hold

    async def settle(self) -> None:
        """Let recovery work until nothing of any outlet is under way."""
        for _ in range(25):
            if self.process is None:
                await self.boot()
            process = self.process
            with suppress(psycopg.Error, *SENT_AGAIN):
                try:
                    await process.run(process.recover())
                except Over:
                    await self.kill()
            if not self._open_submissions():
                return
        raise Violated(f"recovery does not end: {self._open_submissions()}")

    def _open_submissions(self) -> list[tuple]:
        return self.stage.admin.execute(
            "SELECT fiscal_number, state, reason FROM signer.submission WHERE merchant_nif = %s "
            "AND state NOT IN ('settled', 'released')",
            [self.nif],
        ).fetchall()

    async def conclude(self) -> None:
        """Bring everything to its end, and check all that must hold then."""
        self.plan.disarm()
        self.set_clock(timedelta(0))
        for document_id in self.documents:
            if document_id not in self.answers and document_id not in self.refused:
                await self.send(document_id)
        await self.settle()
        self.check_ledger()
        for document_id in list(self.answers):
            await self.send(document_id)  # the same again: `_heard` compares
        for document_id in list(self.answers)[:1]:
            await self._refuses_changed(document_id)
        entries = self.check_ledger()
        check_documents(entries, self.documents, self.answers, self.refused)
        check_verdicts(entries, self.dgi.certified())
        known = self._head_store_after_power_failure(self.disk)
        holds(known and known.size, len(entries), "the head store ends where the ledger does")
        await self.kill()

    async def _refuses_changed(self, document_id: str) -> None:
        assert self.process is not None
        changed = parsed(self.documents[document_id] | {"cashier_name": "Un autre"})
        outlet = next(outlet for outlet in self.outlets.values() if outlet.id == changed.outlet_id)
        try:
            await self.process.run(self.process.sealing.seal(changed, outlet))
        except Conflict as conflict:
            if conflict.stored_hash != self.answers[document_id].payload_hash.hex():
                raise Violated("a conflict names another content than what was sealed") from conflict
        else:
            raise Violated(f"{document_id} was answered although it was changed")

    def check_ledger(self) -> list[Entry]:
        """What must hold at any time, for the shard alone."""
        holds(self._violations, [], "nothing was seen that must not be")
        return self.ledger.check(outlet.id for outlet in self.outlets.values())

"""One signer process of the simulation: the real sealing core, put together as the service does it."""

import asyncio
import contextvars
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.db.instance import SecondSigner, ShardLock
from bonopay_signer.fiscal.statement import entry_hash
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.ledger.headstore import HeadStore
from bonopay_signer.ledger.queue import FairQueue
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.sealing import credits
from bonopay_signer.sealing.breakers import Breakers
from bonopay_signer.sealing.flow import Sealing
from bonopay_signer.sealing.inline import InlineSealing
from bonopay_signer.sealing.recovery import Recovery
from bonopay_signer.sealing.settlement import Settlement
from bonopay_signer.sealing.tidying import Tidying
from bonopay_signer.sealing.turns import Turns
from bonopay_signer.tenants.registry import Registry

from .dgi import Dgi, ModelDevice
from .disk import Disk
from .faults import BEFORE, Crash, Effects, Fault, Plan, current

AUTHORITY = "BONO-CD-TEST"
PATIENCE = 3.0
"""Seconds that a client waits for the writer."""
_PRIVATE = ec.derive_private_key(0x51_0D_CA_FE, ec.SECP256R1())
PUBLIC = PublicKey(_PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
_DIGEST = ec.ECDSA(utils.Prehashed(hashes.SHA256()), deterministic_signing=True)

T = TypeVar("T")


class Over(Exception):
    """The process died before the work was done."""


class InProcessKey:
    """Signs as the token does, within the process and always the same (RFC 6979)."""

    authority = AUTHORITY
    key_id = PUBLIC.key_id

    async def sign(self, batch: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        effects = current.get()
        assert effects is not None
        fault = effects.begin("sign")
        if fault is Fault.STALL_BEFORE:
            await effects.stall()
        if fault in BEFORE:
            raise HsmUnavailable("simulated: the token does not answer")
        signatures = [_signature(entry_hash(previous, statement)) for statement, previous in batch]
        effects.end("sign", fault)
        if fault is Fault.STALL_AFTER:
            await effects.stall()
        if fault is Fault.ERROR_AFTER:
            raise HsmUnavailable("simulated: the token's answer was lost")
        return signatures


def _signature(digest: bytes) -> bytes:
    r, s = utils.decode_dss_signature(_PRIVATE.sign(digest, _DIGEST))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Process:
    """Made, started and killed from the world; what runs within it goes through ``run``."""

    def __init__(
        self,
        dsn: str,
        pool: AsyncConnectionPool,
        shard: int,
        folder: Path,
        dgi: Dgi,
        plan: Plan,
        patience: float = PATIENCE,
    ) -> None:
        self.effects = Effects(plan, asyncio.get_running_loop())
        self._folder = folder
        self._context = contextvars.copy_context()
        self._context.run(current.set, self.effects)
        self._lock = ShardLock(dsn, shard)
        self._heads = HeadStore(folder, shard)
        queue = FairQueue(100, 1000)
        self.writer = LedgerWriter(
            dsn, self._lock, InProcessKey(), self._heads, queue, credits.judge, "https://x.example", shard,
            batch_size=2, patience=patience,
        )  # fmt: skip
        turns = Turns()
        tidying = Tidying(pool)
        breakers = Breakers(failures=1000)
        self._settlement = Settlement(pool, self.writer, self._device_of(dgi), turns, breakers, backoff_max=0)
        inline = InlineSealing(
            pool, self.writer, self._device_of(dgi), self._settlement, tidying, turns, breakers, patience
        )
        self.sealing = Sealing(pool, Registry(dsn, pool), self.writer, inline)  # not listening: it reads each time
        self._recovery = Recovery(
            pool, self._lock, self._device_of(dgi), self._settlement, tidying, turns, breakers, interval=3600
        )

    def disk_of(self, disks: Mapping[Path, Disk]) -> Disk:
        return disks[self._folder]

    @staticmethod
    def _device_of(dgi: Dgi) -> Any:
        return lambda outlet, mcf=None: ModelDevice(dgi, outlet)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of work within the process. Raises what it raises, and Over."""
        task = asyncio.get_running_loop().create_task(work, context=self._context.copy())
        over = asyncio.ensure_future(self.effects.over.wait())
        try:
            await asyncio.wait([task, over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        if not task.done() or isinstance(task.exception(), Crash):
            raise Over
        return task.result()

    async def start(self) -> None:
        """Raises what the service's start raises."""
        await self._take_lock()
        await self.writer.open()

    async def _take_lock(self) -> None:
        """The server may take a moment to notice that a predecessor died, as a supervisor would."""
        for _ in range(200):
            try:
                await self._lock.acquire()
                return
            except SecondSigner:
                await asyncio.sleep(0.01)
        raise SecondSigner("for two seconds")

    async def recover(self) -> None:
        """One round of the recovery, until everything that it began has ended."""
        await self._recovery._once()
        while self._recovery._tidying_now or self._recovery._attempts:
            await asyncio.gather(*self._recovery._tidying_now.values(), *self._recovery._attempts)
        await self._settlement.drain()

    async def kill(self) -> None:
        """What a SIGKILL does: no line of it runs any more, the kernel closes its connections, locks and files."""
        self.effects.is_down = True
        self.effects.resume.set()
        tasks = set(self.effects.tasks)
        while tasks:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=5)
            tasks = {task for task in self.effects.tasks if not task.done()}
        self.effects.threads.shutdown(wait=True)
        self._heads.close()
        for connection in self.effects.connections:
            await connection.close()

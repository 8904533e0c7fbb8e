"""The parts of a seal, one by one: signatures, batches into the ledger, the disk, the token alone.

Runs in the signer's own environment, as a process of its own beside the service, with a database of its own. One
request a line on standard input (`{"part": …, "seconds": …}`), one measurement a line on standard output.
"""

import asyncio
import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pkcs11
import psycopg

from bonopay_signer.db.instance import ShardLock
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.hsm.signers import Signers
from bonopay_signer.ledger import reader, store
from bonopay_signer.ledger.batch import Draft, Plan, Planner, signed_entries
from bonopay_signer.ledger.entries import Head, now_ms
from bonopay_signer.sealing.drafts import invoice_draft
from bonopay_signer.settings import Settings, token_address
from tests.benchmarks.outlets import Outlet, new_outlets

BATCH = 256
BLOCK = 8192  # bytes, as of one page of PostgreSQL's log
Measurement = dict[str, float]


def make_signers(settings: Settings) -> Signers:
    """As the service makes them."""
    return Signers(
        token_address(settings),
        settings.token_pin(),
        settings.authority,
        [settings.key_label],
        settings.signing_processes,
        settings.signing_timeout,
    )


def drafts_of(outlet: Outlet) -> Iterator[Draft]:
    """Sales of an outlet without end, as the service drafts them from a request."""
    invoice = parse(json.dumps(outlet.payload("00000000-0000-4000-8000-000000000000")).encode())
    fields = invoice_draft(invoice, canonical.encode(invoice))
    before, after = fields.payload.split(str(fields.document_id).encode())
    while True:
        document_id = uuid4()
        payload = before + str(document_id).encode() + after
        yield Draft(
            fields.outlet_id,
            fields.merchant_nif,
            fields.kind,
            document_id,
            None,
            fields.document_type,
            fields.total,
            fields.tax,
            fields.currency,
            payload,
        )


class Batches:
    """Batches of sales over all outlets, planned on top of given heads."""

    def __init__(self, outlets: int, authority: str, key_id: str) -> None:
        self._drafts = [drafts_of(outlet) for outlet in new_outlets(outlets)]
        self._authority, self._key_id = authority, key_id

    def plan(self, heads: dict[str, Head], size: int = BATCH) -> Plan:
        planner = Planner(heads, now_ms(), self._authority, self._key_id)
        for number in range(size):
            planner.add([next(self._drafts[number % len(self._drafts)])])
        return planner.plan()


class Signing:
    """R_sign: the signing processes as the service drives them, with whole batches."""

    def __init__(self, signers: Signers, batches: Batches, heads: dict[str, Head]) -> None:
        self._signers = signers
        self._pairs = [(one.statement_bytes, one.previous_hash) for one in batches.plan(heads).entries]

    async def measure(self, seconds: float) -> Measurement:
        done, started = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            await self._signers.sign(self._pairs)
            done += len(self._pairs)
        return {"per_second": done / elapsed}

    async def measure_one(self, seconds: float) -> Measurement:
        """One signature at a time, there and back."""
        return await _timed_turns(lambda: self._signers.sign(self._pairs[:1]), seconds)


class Appending:
    """R_db: `signer.append` with batches that were planned and signed beforehand."""

    def __init__(
        self, connection: psycopg.AsyncConnection, lock: ShardLock, batches: Batches, public_url: str, shard: int
    ) -> None:
        self._connection, self._lock = connection, lock
        self._batches, self._public_url, self._shard_id = batches, public_url, shard
        self._rate = 5000.0  # rows per second, as far as it is known

    async def measure(self, seconds: float) -> Measurement:
        times = await self._append(seconds, BATCH, int(self._rate * seconds * 1.5 / BATCH) + 2)
        self._rate = BATCH * len(times) / sum(times)
        return {"per_second": self._rate}

    async def measure_one(self, seconds: float) -> Measurement:
        """One entry at a time."""
        return _figures(await self._append(seconds, 1, int(4_000 * seconds)))

    async def _append(self, seconds: float, size: int, most: int) -> list[float]:
        """The seconds that each batch of this size took."""
        shard = await store.read_shard(self._connection, self._shard_id)
        heads = await store.read_heads(self._connection, self._shard_id)
        prepared = []
        for _ in range(most):
            plan = self._batches.plan(heads, size)
            signatures = [hashlib.sha512(one.entry_hash).digest() for one in plan.entries]
            heads = {**heads, **plan.heads}
            prepared.append(signed_entries(plan, signatures, shard.id, 0, self._public_url))
        await self._connection.execute("SELECT signer.ensure_month(%s)", [now_ms()])
        place, nothing, times = shard, [None] * size, []
        deadline = time.perf_counter() + seconds
        for entries in prepared:
            started = time.perf_counter()
            if started >= deadline:
                break
            place = replace(place, generation=self._lock.required_generation())
            await store.append(self._connection, place, entries, nothing, nothing)
            times.append(time.perf_counter() - started)
            place = replace(place, size=place.size + size)
        return times


class TokenAlone:
    """One signature after another in this process: what the token itself takes."""

    def __init__(self, settings: Settings) -> None:
        token = pkcs11.lib(settings.pkcs11_module).get_token(token_label=settings.token_label)
        self._session = token.open(user_pin=settings.token_pin())
        self._key = self._session.get_key(
            object_class=pkcs11.ObjectClass.PRIVATE_KEY, key_type=pkcs11.KeyType.EC, label=settings.key_label
        )

    async def measure(self, seconds: float) -> Measurement:
        digest = hashlib.sha256(b"bonopay/benchmark/1\n").digest()
        return _timed(lambda: self._key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA), seconds)


class Disk:
    """fdatasync of a page that is written over, on the file system of the database."""

    def __init__(self, folder: Path) -> None:
        self._handle = os.open(folder / "fdatasync", os.O_RDWR | os.O_CREAT, 0o600)
        os.write(self._handle, bytes(BLOCK * 16))
        os.fsync(self._handle)
        self._page = os.urandom(BLOCK)

    async def measure(self, seconds: float) -> Measurement:
        def write() -> None:
            os.pwrite(self._handle, self._page, 0)
            os.fdatasync(self._handle)

        return _timed(write, seconds)


def _timed(call: Callable[[], object], seconds: float) -> Measurement:
    times = []
    deadline = time.perf_counter() + seconds
    while (started := time.perf_counter()) < deadline:
        call()
        times.append(time.perf_counter() - started)
    return _figures(times)


async def _timed_turns(call: Callable[[], Awaitable[object]], seconds: float) -> Measurement:
    times = []
    deadline = time.perf_counter() + seconds
    while (started := time.perf_counter()) < deadline:
        await call()
        times.append(time.perf_counter() - started)
    return _figures(times)


def _figures(times: list[float]) -> Measurement:
    return {"per_second": len(times) / sum(times), "p50": statistics.median(times)}


@asynccontextmanager
async def _parts(
    settings: Settings, outlets: int, folder: Path
) -> AsyncIterator[dict[str, Callable[[float], Awaitable[Measurement]]]]:
    signers, lock = make_signers(settings), ShardLock(settings.service_dsn(), settings.shard)
    key = await signers.start()
    try:
        await lock.acquire()
        connection = await psycopg.AsyncConnection.connect(settings.service_dsn(), autocommit=True, **SYSTEM)
        async with connection:
            await reader.publish_key(connection, key)
            batches = Batches(outlets, settings.authority, key.key_id)
            heads = await store.read_heads(connection, settings.shard)
            signing = Signing(signers, batches, heads)
            appending = Appending(connection, lock, batches, settings.public_url, settings.shard)
            yield {
                "sign": signing.measure,
                "sign_one": signing.measure_one,
                "append": appending.measure,
                "append_one": appending.measure_one,
                "token": TokenAlone(settings).measure,
                "disk": Disk(folder).measure,
            }
    finally:
        await lock.release()
        signers.close()


async def _serve(outlets: int, folder: Path) -> None:
    async with _parts(Settings(), outlets, folder) as parts:
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            request = json.loads(line)
            print(json.dumps(await parts[request["part"]](request["seconds"])), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))

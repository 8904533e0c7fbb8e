"""The parts of a running signer, put together, started and stopped in order."""

import asyncio
import logging
from datetime import timedelta

import httpx
import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bonopay_signer import metrics
from bonopay_signer.api import gauges
from bonopay_signer.api.cursors import Cursors
from bonopay_signer.api.readiness import ReadinessCheck
from bonopay_signer.api.stopping import Stopping
from bonopay_signer.db.instance import ShardLock
from bonopay_signer.db.migrate import MigrationError, refuse_other_version
from bonopay_signer.db.pool import TenantPool, make_pool
from bonopay_signer.db.safety import refuse_unsafe
from bonopay_signer.dgi.emcf import make_client
from bonopay_signer.dgi.journal import Journal
from bonopay_signer.hsm.errors import KeyMissing
from bonopay_signer.hsm.signers import Signers
from bonopay_signer.ledger import handover, reader
from bonopay_signer.ledger.headstore import HeadStore
from bonopay_signer.ledger.queue import FairQueue
from bonopay_signer.ledger.writer import LedgerWriter
from bonopay_signer.reference.refresh import ReferenceRefresh
from bonopay_signer.sealing import credits
from bonopay_signer.sealing.breakers import Breakers
from bonopay_signer.sealing.devices import Devices
from bonopay_signer.sealing.flow import Sealing
from bonopay_signer.sealing.inline import InlineSealing
from bonopay_signer.sealing.recovery import Recovery
from bonopay_signer.sealing.settlement import Settlement
from bonopay_signer.sealing.tidying import Tidying
from bonopay_signer.sealing.turns import Turns
from bonopay_signer.settings import Settings, token_address
from bonopay_signer.sync.mcfs import McfWatch
from bonopay_signer.sync.restarts import Restarts
from bonopay_signer.sync.watch import AlarmWatch
from bonopay_signer.tasks import ended
from bonopay_signer.tenants.access import Access
from bonopay_signer.tenants.limits import Rate, RateLimits
from bonopay_signer.tenants.registry import Registry
from bonopay_signer.tenants.secrets import SecretBox
from bonopay_signer.tenants.usage import KeyUsage
from bonopay_signer.tills.admission import Admission
from bonopay_signer.tills.reconciliation import Reconciliation
from bonopay_signer.transparency.checkpointer import Checkpointer
from bonopay_signer.transparency.keys import CosigningKey, KeyFileError, read_logs
from bonopay_signer.transparency.routes import TransparencyLog
from bonopay_signer.transparency.store import LogStore
from bonopay_signer.transparency.witness import Witness

_logger = logging.getLogger(__name__)


class Service:
    """Everything a request needs; ``start`` must have returned before the first one."""

    def __init__(self, settings: Settings) -> None:
        dsn = settings.service_dsn()
        self.box = SecretBox.from_text(settings.secrets_key_text())
        self.settings = settings
        self.pool = make_pool(dsn, settings.database_pool_size)
        self.tenants = TenantPool(dsn, settings.database_pool_size)
        self.registry = Registry(dsn, self.pool, self.restart_sync)
        self.restarts = Restarts(self.pool, self.restart_sync)
        self._usage = KeyUsage(self.pool, settings.key_usage_interval)
        limits = RateLimits(
            Rate(settings.key_rate, settings.key_burst), Rate(settings.outlet_rate, settings.outlet_burst)
        )
        self.access = Access(self.registry, limits, self._usage)
        self.lock = ShardLock(dsn, settings.shard)
        self.signers = Signers(
            token_address(settings),
            settings.token_pin(),
            settings.authority,
            [settings.key_label],
            settings.signing_processes,
            settings.signing_timeout,
        )
        self._client: httpx.AsyncClient = make_client(settings.dgi_connect_timeout, settings.dgi_timeout)
        self.device_of = Devices(
            self._client, self.box, Journal(self.pool), settings.dgi_token_scheme, settings.mcf_answer_timeout
        )
        self._make_ledger(settings)
        self._make_agent(settings)
        self.cursors = Cursors(settings.secrets_key_text())
        self.readiness = ReadinessCheck(
            self.pool, self.lock, self.signers, self.writer, self._heads, self._queue, settings.shard
        )

    def _make_ledger(self, settings: Settings) -> None:
        """Queue, writer, head store and the log over all entries."""
        self._heads = HeadStore(settings.head_store_folder(), settings.shard)
        self._queue = FairQueue(settings.queue_per_outlet, settings.queue_total)
        self.writer = LedgerWriter(
            settings.service_dsn(),
            self.lock,
            self.signers,
            self._heads,
            self._queue,
            credits.judge,
            settings.public_url,
            settings.shard,
            settings.batch_size,
            settings.seal_patience,
        )
        checkpointer = Checkpointer(
            LogStore(self.pool),
            self.signers,
            settings.authority,
            settings.shard,
            settings.checkpoint_interval,
            self.writer.grew,
            lambda: self._heads.known.size if self._heads.known else 0,
        )
        self.log = TransparencyLog(
            self.pool, settings.authority, settings.shard, checkpointer, _witness(settings, self.pool)
        )
        self._checkpoint_task: asyncio.Task[None] | None = None

    def _make_agent(self, settings: Settings) -> None:
        """What brings documents to the DGI, before and after the seal, and watches over it."""
        turns = Turns()
        tidying = Tidying(self.pool)
        breakers = self.breakers = Breakers(settings.dgi_breaker_failures, settings.dgi_breaker_rest)
        settlement = Settlement(self.pool, self.writer, self.device_of, turns, breakers, settings.recovery_backoff_max)
        inline = InlineSealing(
            self.pool, self.writer, self.device_of, settlement, tidying, turns, breakers, settings.dgi_timeout + 1
        )
        self.sealing = Sealing(self.pool, self.registry, self.writer, inline)
        self._recovery = Recovery(
            self.pool,
            self.lock,
            self.device_of,
            settlement,
            tidying,
            turns,
            breakers,
            settings.recovery_interval,
            settings.dgi_parallel,
            settings.dgi_parallel_per_outlet,
        )
        self._recovery_task: asyncio.Task[None] | None = None
        self.admission = Admission(self.pool, self.writer, timedelta(hours=settings.till_credential_hours))
        self.reconciliation = Reconciliation(self.pool, self.writer, settings.authority)
        self._reference = ReferenceRefresh(
            self.pool, self.device_of, settings.shard, settings.reference_interval, breakers.resting
        )
        self._alarms = AlarmWatch(self.pool, self.box, settings.shard, settings.alarm_interval)
        self._mcfs = McfWatch(self.pool, self.device_of, settings.shard, settings.mcf_interval)
        self._watch_tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Raises ConnectionError, SecondSigner, MigrationError, UnsafeDatabase, HsmUnavailable, KeyNotInForce,
        HeadStoreError, LedgerBehind, or psycopg.Error: the process must not serve then."""
        try:
            await self.pool.open(wait=True, timeout=10)
        except PoolTimeout as error:
            words = "the database does not answer (see above); check BONOPAY_SIGNER_DATABASE_URL and PostgreSQL"
            raise ConnectionError(words) from error
        await self._refuse_other_schema()
        async with self.pool.connection() as connection:
            await refuse_unsafe(connection)
        await self.tenants.open()
        self.registry.start()
        self._usage.start()
        await self.lock.acquire()
        public_key = await self.signers.start()
        async with self.pool.connection() as connection:
            await handover.refuse_other_key(connection, self.settings.shard, public_key.key_id)
            await reader.publish_key(connection, public_key)
            if public_key.key_id in await reader.damaged_keys(connection):
                raise KeyMissing(
                    "the database holds another key under the id of the token's; see: bonopay-signer verify"
                )
        await self.writer.open()
        self._recovery_task = asyncio.create_task(self._recovery.run())
        self._checkpoint_task = asyncio.create_task(self.log.checkpointer.run())
        self._watch_tasks = [asyncio.create_task(watch.run()) for watch in (self._reference, self._alarms, self._mcfs)]
        _logger.info("signer started: authority %s, key %s", self.signers.authority, public_key.key_id)

    async def stop(self, stopping: Stopping) -> None:
        """Let documents on their way arrive, within the grace period, then let go of everything."""
        await stopping.let_go(the_background_tasks=ended(*self._watch_tasks, self._recovery_task))
        try:
            async with asyncio.timeout(stopping.grace_left()):
                await self.sealing.drain()
        except TimeoutError:
            _logger.warning("stopped while documents were on their way: recovery finishes them at the next start")
        await stopping.let_go(the_checkpoints=ended(self._checkpoint_task))
        self.device_of.close()
        await stopping.let_go(the_ledger=self.writer.close(), the_DGI=self._client.aclose())
        await stopping.let_go(
            the_lock=self.lock.release(), the_registry=self.registry.close(), the_use_of_keys=self._usage.close()
        )
        await stopping.let_go(the_clients_connections=self.tenants.close(), the_database=self.pool.close())
        self.signers.close()

    def restart_sync(self, outlet_id: str) -> None:
        """Ask an outlet's devices now, whatever failed before; what is due of it is told by its rows."""
        self.breakers.close_all(outlet_id)
        self._mcfs.ask_soon(outlet_id)
        self._recovery.look_now()

    async def measure(self) -> None:
        """Refresh the gauges that are read when Prometheus asks."""
        metrics.QUEUE_DOCUMENTS.set(len(self._queue))
        metrics.QUEUE_LIMIT.set(self._queue.limit)
        metrics.SIGNING_PROCESSES.set(self.signers.alive)
        gauges.show_log(self.log.checkpointer.state())
        await gauges.ask_database(self.pool)

    async def _refuse_other_schema(self) -> None:
        try:
            async with self.pool.connection() as connection:
                cursor = await connection.execute("SELECT count(*) FROM signer.migration")
                row = await cursor.fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege) as error:
            raise MigrationError("the database is not migrated; run: bonopay-signer migrate") from error
        refuse_other_version(row[0] if row else 0)


def _witness(settings: Settings, pool: AsyncConnectionPool) -> Witness | None:
    """None unless both of a witness's files are configured. Raises SecretFileError, KeyFileError."""
    if settings.witness_key_file is None and settings.witness_logs_file is None:
        return None
    if settings.witness_logs_file is None:
        raise KeyFileError("BONOPAY_SIGNER_WITNESS_LOGS_FILE is not set: a witness knows the logs that it watches")
    return Witness(pool, CosigningKey.parse(settings.witness_key_text()), read_logs(settings.witness_logs_file))

"""The background task that asks each physical MCF for its link to the DGI (C2h): what it has not sent yet, and when it
last reached the DGI. What it told is a row of ``signer.mcf_state``, so that nothing is asked while a client waits.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta, timezone

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from bonopay_signer.dgi.device import DeviceError
from bonopay_signer.dgi.journal import JournalUnavailable
from bonopay_signer.dgi.mcf.commands import LinkStatus
from bonopay_signer.sealing.devices import Devices
from bonopay_signer.tenants.rows import Outlet, devices_of_shard, find_outlet

_logger = logging.getLogger(__name__)
_KINSHASA = timezone(timedelta(hours=1))
_OUTAGES = (psycopg.Error, PoolTimeout, JournalUnavailable)
_OF_SHARD = """
SELECT FROM signer.outlet o JOIN signer.merchant m ON m.nif = o.merchant_nif WHERE o.id = %s AND m.shard = %s
"""
_ANSWERED = """
INSERT INTO signer.mcf_state (outlet_id, merchant_nif, nim, answered_at, backlog, last_contact)
VALUES (%(outlet)s, %(nif)s, %(nim)s, now(), %(backlog)s, %(contact)s)
ON CONFLICT (outlet_id, nim) DO UPDATE
   SET answered_at = now(), silent_since = NULL, backlog = EXCLUDED.backlog,
       last_contact = COALESCE(EXCLUDED.last_contact, mcf_state.last_contact)
"""
_SILENT = """
INSERT INTO signer.mcf_state (outlet_id, merchant_nif, nim, silent_since)
VALUES (%(outlet)s, %(nif)s, %(nim)s, now())
ON CONFLICT (outlet_id, nim) DO UPDATE SET silent_since = COALESCE(mcf_state.silent_since, now())
"""


class McfWatch:
    """Asks every ``interval`` seconds, each MCF at its own port."""

    def __init__(self, pool: AsyncConnectionPool, devices: Devices, shard: int, interval: float) -> None:
        self._pool = pool
        self._devices = devices
        self._shard = shard
        self._interval = interval
        self._asked_for: dict[str, asyncio.Task[None]] = {}  # by outlet

    async def run(self) -> None:
        """For ever, until cancelled. Nothing that fails here stops the loop: it is logged and tried again."""
        try:
            while True:
                await self._ask_all()
                await asyncio.sleep(self._interval)
        finally:
            for task in self._asked_for.values():
                task.cancel()

    def ask_soon(self, outlet_id: str) -> None:
        """Ask one outlet's MCF now, besides the rounds; nothing when it has none, is another shard's, or when this was
        said before and is under way.

        The signers of all shards hear of a restart, and each would open the port of that name of its own machine.
        """
        if outlet_id not in self._asked_for:
            task = self._asked_for[outlet_id] = asyncio.create_task(self._ask(outlet_id))
            task.add_done_callback(lambda _task: self._asked_for.pop(outlet_id))

    async def _ask_all(self) -> None:
        try:
            async with self._pool.connection() as connection:
                outlets = list(await devices_of_shard(connection, self._shard))
        except _OUTAGES as error:
            _logger.warning("the MCFs wait: %s", error)
            return
        await asyncio.gather(*map(self._ask, outlets))

    async def _ask(self, outlet_id: str) -> None:
        try:
            async with self._pool.connection() as connection:
                ours = await connection.execute(_OF_SHARD, [outlet_id, self._shard])
                outlet = await find_outlet(connection, outlet_id) if ours.rowcount else None
            nim = next((mcf for mcf in outlet.devices if mcf is not None), None) if outlet else None
            if outlet is not None and nim is not None and outlet.revoked_at is None:
                await self._ask_mcf(outlet, nim)
        except _OUTAGES as error:
            _logger.warning("the MCF of %s waits: %s", outlet_id, error)
        except Exception:
            _logger.exception("asking the MCF of %s failed and will be tried again", outlet_id)

    async def _ask_mcf(self, outlet: Outlet, nim: str) -> None:
        values: dict[str, object] = {"outlet": outlet.id, "nif": outlet.merchant_nif, "nim": nim}
        try:
            status = await self._devices.mcf(outlet, nim).link_status()
        except DeviceError as error:
            _logger.info("the MCF %s of %s does not tell of its link to the DGI: %s", nim, outlet.id, error)
            statement = _SILENT
        else:
            statement = _ANSWERED
            values |= {"backlog": status.backlog, "contact": _last_contact(status, nim)}
        async with self._pool.connection() as connection:
            await connection.execute(statement, values)


def _last_contact(status: LinkStatus, nim: str) -> datetime | None:
    """C2h.DT, which is Kinshasa's time; None when the device never reached the DGI, or its time cannot be read."""
    if not status.last_contact:
        return None
    try:
        return datetime.strptime(status.last_contact, "%Y%m%d%H%M%S").replace(tzinfo=_KINSHASA).astimezone(UTC)
    except ValueError:
        _logger.warning("the MCF %s tells its last contact with the DGI as %r", nim, status.last_contact[:40])
        return None

"""Clears what an attempt left behind at the DGI before its number is used again."""

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from psycopg_pool import AsyncConnectionPool

from bonopay_signer.dgi.device import Device, DeviceError
from bonopay_signer.sealing import submissions
from bonopay_signer.sealing.devices import DeviceOf
from bonopay_signer.sealing.settlement import cancel_quietly
from bonopay_signer.sealing.submissions import State, StateConflict, Submission
from bonopay_signer.tenants.rows import Outlet
from bonopay_signer.tenants.secrets import SecretsError

_logger = logging.getLogger(__name__)
# A pending request expires after about 2 minutes by itself; a quarter more for clocks that disagree.
EXPIRY = timedelta(seconds=150)
_OPEN = (State.RESERVED, State.PREPARED)


class Tidying:
    """To be called within the outlet's turn: no document of the outlet is between reserve and seal then."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def tidy(self, outlet: Outlet, mcf: str | None, device_of: DeviceOf) -> None:
        """Give up interrupted attempts and cancel what this device still holds of them. Raises DeviceError,
        SecretsError.

        A reserved or prepared row was never sealed: sealing moves the row in the same commit. What cannot be cancelled
        stops blocking when it has expired at the DGI, also when the device is not to be had any more: an MCF that was
        replaced at its port, an e-MCF whose token does not decrypt. What another device holds does not block this one:
        nothing of it is ever confirmed.
        """
        async with self._pool.connection() as connection:
            for row in await submissions.of_outlet(connection, outlet.id, _OPEN):
                with suppress(StateConflict):  # its commit came through after all
                    await submissions.given_up(connection, row.id, "interrupted before the seal", True, row.uid)
            left = await submissions.of_outlet(connection, outlet.id, (State.CANCELLING,))
            sealed = await submissions.of_outlet(connection, outlet.id, (State.CONFIRMING, State.UNKNOWN))
        rows = [row for row in left if row.mcf == mcf]
        if rows:
            try:
                await self._cancel(device_of(outlet, mcf), rows, {row.uid for row in sealed if row.uid})
            except (DeviceError, SecretsError):
                if any(datetime.now(UTC) - row.updated_at < EXPIRY for row in rows):
                    raise
                _logger.warning("the DGI was not asked about %d abandoned requests: they have expired", len(rows))
            await self._released(rows)

    async def _cancel(self, device: Device, rows: list[Submission], in_use: set[str]) -> None:
        pending = (await device.status()).pending_uids - in_use
        named = {row.uid: row.fiscal_number for row in rows if row.uid}
        # An attempt whose answer was lost left a uid that nobody knows: whatever else is pending is that.
        doomed = pending if any(row.uid is None for row in rows) else pending & set(named)
        for uid in sorted(doomed):
            await device_cancel(device, named.get(uid), uid)

    async def _released(self, rows: list[Submission]) -> None:
        async with self._pool.connection() as connection:
            for row in rows:
                await submissions.released(connection, row.id)


async def device_cancel(device: Device, fiscal_number: str | None, uid: str) -> None:
    """Cancel, accepting that the uid is gone already. Raises Unreachable or UnknownOutcome."""
    if not await cancel_quietly(device, fiscal_number, uid):
        raise DeviceError(f"uid {uid} was not cancelled")

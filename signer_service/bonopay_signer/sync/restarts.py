"""How often a merchant's key may start the sending of an outlet again: no oftener than it helps.

A restart voids what keeps a silent DGI from being asked all the time, writes an event for ever, and waits on a
connection that sealing needs too. One key must not take these from all.
"""

import asyncio
import time
from collections.abc import Callable

from psycopg_pool import AsyncConnectionPool

from bonopay_signer.sealing import submissions

PAUSE = 30.0
"""Seconds from one restart of an outlet to the next."""


class Restarts:
    """``ask``: called with the outlet whose rows were made due. The clock gives seconds and never goes back."""

    def __init__(
        self, pool: AsyncConnectionPool, ask: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = pool
        self._ask = ask
        self._clock = clock
        self._begun: dict[str, float] = {}  # of the outlets of the last PAUSE
        self._turn = asyncio.Lock()  # however many outlets are restarted, one connection of the pool

    async def restart(self, outlet_id: str, by: str) -> int | None:
        """How many documents wait; None, and nothing is done, within ``PAUSE`` of the last time. One that fails does
        not count. Raises what the pool and psycopg raise."""
        now = self._clock()
        self._begun = {outlet: begun for outlet, begun in self._begun.items() if now - begun < PAUSE}
        if outlet_id in self._begun:
            return None
        self._begun[outlet_id] = now
        try:
            async with self._turn, self._pool.connection() as connection:
                documents = await submissions.restarted(connection, outlet_id, by)
        except BaseException:
            self._begun.pop(outlet_id, None)
            raise
        self._ask(outlet_id)
        return documents

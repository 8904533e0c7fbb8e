"""From the signal to the end of the process, in bounded time, whatever hangs.

::

    asked ── the grace: connections, documents on their way ──▶ LETTING_GO: connections, threads, the token ──▶ ended
      └──────────────────────────────────── grace + FORCED, at the latest ─────────────────────────────────────▶ forced

To be ended by force is as good as a crash, which every step of a sale survives: what was answered is durable, and
recovery finishes the rest at the next start.
"""

import asyncio
import faulthandler
import logging
import time
from collections.abc import Coroutine
from typing import Any

LETTING_GO, FORCED = 4.0, 8.0
"""Seconds after the grace: how long everything may take to be let go of, and when the process ends in any case."""
_AT_LEAST = 0.2
"""What took its time leaves the others so much."""
_logger = logging.getLogger(__name__)


class Stopping:
    """``grace``: seconds for what is on its way to arrive, from the moment in which the process is asked to stop."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._asked_at: float | None = None

    def asked(self) -> None:
        """From now on the time runs, also for what blocks the event loop or the interpreter itself: ended by force, the
        process leaves what each of its threads was at in the log, and the exit code 1."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            faulthandler.dump_traceback_later(self._grace + FORCED, exit=True)

    def grace_left(self) -> float:
        """Seconds."""
        return max(0.0, self._left(self._grace))

    async def let_go(self, **steps: Coroutine[Any, Any, None]) -> None:
        """Wait for steps, by what they let go of, as long as there is time; what fails or hangs stops no other."""
        names = {asyncio.ensure_future(step): name.replace("_", " ") for name, step in steps.items()}
        done, hanging = await asyncio.wait(names, timeout=max(_AT_LEAST, self._left(self._grace + LETTING_GO)))
        for task in hanging:
            task.cancel()
            _logger.warning("stopped without waiting for %s any longer", names[task])
        for task in done:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                _logger.warning("%s: not let go of in order: %s", names[task], error, exc_info=error)

    def _left(self, seconds: float) -> float:
        elapsed = 0.0 if self._asked_at is None else time.monotonic() - self._asked_at
        return seconds - elapsed

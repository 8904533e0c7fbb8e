"""The signing processes that are alive, and who waits for a free one."""

import asyncio
from collections import deque
from collections.abc import Callable

from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.hsm.process import SigningProcess

Choice = Callable[[deque[SigningProcess]], SigningProcess]


class Crew:
    """``timeout``: seconds that a request waits for a free process. ``trouble``: why none is alive."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.alive: set[SigningProcess] = set()
        self._idle: deque[SigningProcess] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.trouble = HsmUnavailable("the signing processes are not started")

    def enlist(self, process: SigningProcess) -> None:
        """One more that can sign."""
        self.alive.add(process)
        self.release(process)

    def release(self, process: SigningProcess) -> None:
        """It is free again, unless it was dismissed."""
        if process in self.alive:
            self._idle.append(process)
            self._announce_change()

    def dismiss(self, process: SigningProcess) -> None:
        self.alive.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        self._announce_change()

    async def take(self, choose: Choice = deque.pop) -> SigningProcess:
        """A free process, waiting for one as long as any lives: the one that worked last, whose caches are warm.

        Raises HsmUnavailable.
        """
        process = self.take_idle(choose)
        if process is not None:
            return process
        try:
            async with asyncio.timeout(self._timeout):
                while (process := self.take_idle(choose)) is None:
                    if not self.alive:
                        raise self.why()
                    await self._wait_for_change()
        except TimeoutError as error:
            raise HsmUnavailable(f"no signing process was free within {self._timeout:g} s") from error
        return process

    def take_idle(self, choose: Choice = deque.pop) -> SigningProcess | None:
        while self._idle:
            process = choose(self._idle)
            if process.is_open:
                return process
        return None

    async def take_this(self, process: SigningProcess) -> bool:
        """Wait until this very process is free. False when it ended before; each of its requests has its deadline."""
        while process in self.alive:
            if process in self._idle:
                self._idle.remove(process)
                return process.is_open
            await self._wait_for_change()
        return False

    def why(self) -> HsmUnavailable:
        """The trouble, to be raised."""
        return type(self.trouble)(str(self.trouble))

    async def _wait_for_change(self) -> None:
        change = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        await change

    def _announce_change(self) -> None:
        while self._waiting:
            change = self._waiting.popleft()
            if not change.done():
                change.set_result(None)

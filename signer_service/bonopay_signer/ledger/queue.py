"""What waits for the writer: bounded, and fair between outlets, so that a flood of one merchant delays only itself."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bonopay_signer import logs
from bonopay_signer.ledger.batch import Draft
from bonopay_signer.ledger.entries import Entry
from bonopay_signer.ledger.errors import LedgerUnavailable


class QueueFull(Exception):
    """More waits for this outlet, or for all of them, than may wait: try again in a while."""


@dataclass(eq=False)
class Waiting:
    """Drafts of one outlet that are appended together or not at all, and who waits for their entries."""

    drafts: Sequence[Draft]
    done: asyncio.Future[list[Entry]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    entries: list[Entry] = field(default_factory=list)
    abandoned: bool = False
    delay: Exception | None = None  # why it could not be written so far
    request_id: str | None = field(default_factory=logs.request_id.get)
    arrived: float = field(default_factory=time.perf_counter)

    @property
    def outlet_id(self) -> str:
        return self.drafts[0].outlet_id

    def succeed(self) -> None:
        """Answer with ``entries``."""
        if not self.done.done():
            self.done.set_result(self.entries)

    def abandon(self) -> None:
        """Nobody waits any longer."""
        self.abandoned = True
        self.fail(self.delay or LedgerUnavailable("the ledger is not written at the moment"))

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # retrieved: who waited for it may be gone


class FairQueue:
    """Takes one of every waiting outlet in turn, then the second of every outlet, until the batch is full."""

    def __init__(self, per_outlet: int, total: int) -> None:
        self._per_outlet = per_outlet
        self._total = total
        self._lines: OrderedDict[str, deque[Waiting]] = OrderedDict()
        self._size = 0
        self._wanted = 1
        self._awaited = asyncio.Event()

    def __len__(self) -> int:
        return self._size

    @property
    def limit(self) -> int:
        """How many may wait in all."""
        return self._total

    def put(self, waiting: Waiting) -> None:
        """Raises QueueFull."""
        line = self._lines.get(waiting.outlet_id)
        if self._size >= self._total or (line is not None and len(line) >= self._per_outlet):
            raise QueueFull(f"{self._size} documents wait")
        self._lines.setdefault(waiting.outlet_id, deque()).append(waiting)
        self._added()

    def put_back(self, batch: Sequence[Waiting]) -> None:
        """Return what was taken to where it stood, before everything that came since; never refused."""
        for waiting in reversed(batch):
            self._lines.setdefault(waiting.outlet_id, deque()).appendleft(waiting)
            self._added()

    async def holds(self, count: int) -> None:
        """Until ``count`` documents wait, or ``wake`` is called."""
        if self._size < count:
            self._wanted = count
            self._awaited.clear()
            await self._awaited.wait()

    def wake(self) -> None:
        """Let go who waits in ``holds``: something else than the queue has changed."""
        self._awaited.set()

    def take(self, limit: int) -> list[Waiting]:
        """What goes next, of at most ``limit`` drafts in all (but at least one), oldest first within an outlet."""
        taken: list[Waiting] = []
        room = limit
        while self._lines and room > 0:
            outlet_id, line = self._lines.popitem(last=False)
            waiting = line.popleft()
            if line:
                self._lines[outlet_id] = line  # to the end: the others come first
            self._size -= 1
            taken.append(waiting)
            room -= len(waiting.drafts)
        return taken

    def take_all(self) -> list[Waiting]:
        return self.take(max(1, sum(len(waiting.drafts) for line in self._lines.values() for waiting in line)))

    def _added(self) -> None:
        self._size += 1
        if self._size >= self._wanted:
            self._awaited.set()

"""Where the sealing core touches the world, and what can go wrong there.

Every effect of a simulated process (a database statement, a write to the head store, a signature, a call of the DGI)
passes through `Effects`, by name. A plan says where a fault strikes: the process dies just before or after the
effect, the effect fails without or despite having happened, or the process stands still until others have taken over.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from datetime import timedelta
from enum import Enum
from typing import NamedTuple

import psycopg


class Fault(Enum):
    CRASH_BEFORE = "dies before"
    CRASH_AFTER = "dies after"
    CRASH_HALFWAY = "dies in the middle of"  # of a write: a part of it is there
    ERROR_BEFORE = "gets an error, and nothing happened, at"
    ERROR_AFTER = "gets an error, although it happened, at"
    LATE = "gets an error, and it arrives after a successor has begun, at"
    STALL_BEFORE = "stands still before"
    STALL_AFTER = "stands still after"


CRASHES = frozenset({Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.CRASH_HALFWAY})
BEFORE = frozenset({Fault.CRASH_BEFORE, Fault.ERROR_BEFORE, Fault.LATE, Fault.STALL_BEFORE})


class Crash(BaseException):
    """The process is no more: nothing of it catches this, and nothing that it still runs has any effect."""


class Point(NamedTuple):
    """The ``nth`` time (from 1) that an effect of this name comes."""

    name: str
    nth: int


class Plan:
    """What is to go wrong, over the life of all processes of a world: each fault strikes once."""

    def __init__(self, faults: dict[Point, Fault] | None = None) -> None:
        self._faults = dict(faults or {})
        self._countdown: tuple[int, Fault] | None = None
        self._counts: Counter[str] = Counter()
        self.seen: list[Point] = []
        self.struck: list[tuple[Point, Fault]] = []

    def arm(self, effects: int, fault: Fault) -> None:
        """Strike at one of the next effects: 1 is the very next."""
        self._countdown = (effects, fault)

    def disarm(self) -> None:
        self._countdown = None

    def next(self, name: str) -> Fault | None:
        """Count an effect; the fault that strikes at it."""
        self._counts[name] += 1
        point = Point(name, self._counts[name])
        self.seen.append(point)
        fault = self._faults.pop(point, None) or self._counted_down()
        if fault is not None:
            self.struck.append((point, fault))
        return fault

    def _counted_down(self) -> Fault | None:
        if self._countdown is None:
            return None
        effects, fault = self._countdown
        self._countdown = (effects - 1, fault) if effects > 1 else None
        return fault if effects == 1 else None


class Late(NamedTuple):
    """A statement that the network still holds."""

    query: object
    parameters: object


class Effects:
    """The effects of one process: passes them on, or strikes as its plan says."""

    def __init__(self, plan: Plan, loop: asyncio.AbstractEventLoop) -> None:
        self._plan = plan
        self._loop = loop
        self._counting = threading.Lock()
        self.is_down = False
        self.over = asyncio.Event()
        self.stalled = asyncio.Event()
        self.resume = asyncio.Event()
        self.tasks: set[asyncio.Task] = set()
        self.connections: list[psycopg.AsyncConnection] = []
        self.late: list[Late] = []
        self.deliver: Callable[[Late], Awaitable[None]] | None = None
        self.threads = ThreadPoolExecutor(max_workers=2)
        self.clock_offset = timedelta(0)

    def begin(self, name: str) -> Fault | None:
        """The fault to act on once the effect's nature is known. Raises Crash."""
        if self.is_down:
            raise Crash(name)
        with self._counting:
            fault = self._plan.next(name)
        if fault is Fault.CRASH_BEFORE:
            self.die(name)
        return fault

    def end(self, name: str, fault: Fault | None) -> None:
        """Raises Crash."""
        if fault in CRASHES:
            self.die(name)
        if self.is_down:
            raise Crash(name)

    def die(self, name: str) -> None:
        self.is_down = True
        self._loop.call_soon_threadsafe(self.over.set)
        raise Crash(name)

    async def another_generation_began(self) -> None:
        """The moment at which what was held back does the most harm."""
        token = current.set(None)
        try:
            while self.late and self.deliver is not None:
                await self.deliver(self.late.pop())
        finally:
            current.reset(token)

    async def stall(self) -> None:
        """Until the world lets the process go on; Crash if it was killed meanwhile."""
        self.stalled.set()
        await self.resume.wait()
        if self.is_down:
            raise Crash("killed while it stood still")


current: ContextVar[Effects | None] = ContextVar("effects", default=None)
"""The process that the running code belongs to; None: the world itself."""


class ThreadsOfProcesses(ThreadPoolExecutor):
    """A loop's default executor that gives each process its own threads, so that they end with it."""

    def submit(self, function, /, *arguments, **options):
        effects = current.get()
        return (
            effects.threads.submit(function, *arguments, **options)
            if effects
            else super().submit(function, *arguments, **options)
        )


def owning_tasks(loop: asyncio.AbstractEventLoop, coroutine, **options) -> asyncio.Task:
    """A task factory: tasks belong to the process that starts them, and end with it."""
    task = asyncio.Task(coroutine, loop=loop, **options)
    context = options.get("context")
    owner = current.get() if context is None else context.get(current)
    if owner is not None:
        owner.tasks.add(task)
        task.add_done_callback(owner.tasks.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at: a crash is no news
    return task

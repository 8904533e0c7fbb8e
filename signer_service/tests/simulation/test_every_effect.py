"""A fault at every effect of every way that a document takes, one after the other: nothing is lost, nothing doubled.

A process that dies after an effect has not begun the next: so "after" covers whatever lies between every two effects.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator

import pytest

from .faults import Fault, Plan, Point
from .invariants import Violated
from .stage import Stage
from .world import World

Story = Callable[[World], Awaitable[None]]


async def start(world: World) -> None:
    """A signer starts, for the first time, and again on what it left."""
    await world.boot()
    await world.kill()
    await world.boot()


async def deferred(world: World) -> None:
    """Two sales, one after the other."""
    await world.send(world.new("D"))
    await world.send(world.new("D"))


async def batch(world: World) -> None:
    """One sale, and three at once; one of them is sent twice."""
    await world.send(world.new("E"))
    twice = world.new("D")
    await world.send_together([world.new("D"), twice, world.new("E"), twice])


async def credit(world: World) -> None:
    """Two tills credit the same sale."""
    sale = world.new("D")
    await world.send(sale)
    await world.send_together([world.credit_of(sale, "D"), world.credit_of(sale, "E")])


async def stream(world: World) -> None:
    """Five at once, in batches of two that are prepared ahead: two tills credit the same sale in two of them."""
    sale = world.new("D")
    await world.send(sale)
    credits = [world.credit_of(sale, "D"), world.credit_of(sale, "E")]
    await world.send_together([world.new("D"), credits[0], credits[1], world.new("E"), world.new("D")])


async def inline(world: World) -> None:
    """A sale that the DGI certifies at once."""
    await world.send(world.new("I"))


async def settlement(world: World) -> None:
    """A sale that was sealed first and is brought to the DGI later."""
    await world.send(world.new("D"))
    await world.settle()


STORIES = {story.__name__: story for story in (start, deferred, batch, credit, stream, inline, settlement)}
ONLY_READS = re.compile(r"SELECT (?!append|ensure_month|pg_try)|sign$|connect$|DGI (status|fate)$|SET ")


async def play(world: World, story: Story) -> list[Point]:
    """The points of the story itself, without starts (but for ``start``) and what concludes it."""
    if story is not start:
        await world.boot()
    before = len(world.plan.seen)
    await story(world)
    points = world.plan.seen[before:]
    await world.conclude()
    return points


def kinds_of(point: Point, of_a_start: bool = False) -> Iterator[tuple[Fault, bool]]:
    """What to try at a point, and whether the power fails with the process.

    What only reads leaves nothing behind: to die after it is to die after the write before it.
    """
    yield Fault.ERROR_BEFORE, False
    if ONLY_READS.match(point.name):
        return
    if not of_a_start:  # whatever fails then, it is started again
        yield Fault.ERROR_AFTER, False
    yield Fault.CRASH_AFTER, True
    if "shard." in point.name:  # a file
        yield Fault.CRASH_AFTER, False
    if point.name.startswith("write"):
        yield Fault.CRASH_HALFWAY, False
    if point.name == "SELECT append":
        yield Fault.LATE, False


async def survive(stage: Stage, story: Story, at_once: int = 6) -> None:
    """Play the story once for every point and fault, some worlds at a time. Raises Violated."""
    points = await play(World(stage), story)
    assert len(points) == len(set(points)) >= 9
    missed = []
    turn = asyncio.Semaphore(at_once)

    async def one(point: Point, fault: Fault, power: bool) -> None:
        async with turn:
            world = World(stage, Plan({point: fault}), power)
            try:
                await play(world, story)
            except Violated as violation:
                raise Violated(f"a signer that {fault.value} {point}: {violation}") from violation
            if not world.plan.struck:
                missed.append(point)

    async with asyncio.TaskGroup() as group:
        for point in points:
            for fault, power in kinds_of(point, story is start):
                group.create_task(one(point, fault, power))
    # A few points depend on which of two tasks comes first.
    assert len(missed) <= len(points) // 10, missed


@pytest.mark.parametrize("name", STORIES)
def test_a_fault_at_every_effect(stage: Stage, name: str) -> None:
    stage.run(survive(stage, STORIES[name]))

"""A process that stood still at any effect goes on after a successor has taken over: it can do no harm."""

import asyncio

import pytest

from .faults import Fault, Plan, Point
from .invariants import Violated
from .stage import Stage
from .test_every_effect import ONLY_READS, play
from .world import World

LETTERS = {"deferred": "D", "inline": "I"}
NOT_ASYNCHRONOUS = ("write", "fsync", "fdatasync", "rename", "connect")


async def points_of(world: World, letter: str) -> list[Point]:
    async def story(world: World) -> None:
        await world.send(world.new(letter))

    points = await play(world, story)
    return [p for p in points if not p.name.startswith(NOT_ASYNCHRONOUS) and not ONLY_READS.match(p.name)]


async def stand_still_and_go_on(world: World, letter: str) -> None:
    await world.boot()
    stalled = world.process
    document = world.new(letter)
    client = asyncio.create_task(world.send_once(document))
    standing = asyncio.create_task(stalled.effects.stalled.wait())
    await asyncio.wait([client, standing], return_when=asyncio.FIRST_COMPLETED)
    standing.cancel()
    assert stalled.effects.stalled.is_set()
    predecessor = await world.take_over()
    await world.send(world.new(letter))
    predecessor.effects.resume.set()
    await client
    await predecessor.kill()
    await world.conclude()


@pytest.mark.parametrize("mode", LETTERS)
def test_a_successor_takes_over_at_every_effect(stage: Stage, mode: str) -> None:
    points = stage.run(points_of(World(stage), LETTERS[mode]))
    for point in points:
        for fault in (Fault.STALL_BEFORE, Fault.STALL_AFTER):
            world = World(stage, Plan({point: fault}), patience=1.0)
            try:
                stage.run(stand_still_and_go_on(world, LETTERS[mode]))
            except Violated as violation:
                raise AssertionError(f"a signer that {fault.value} {point}: {violation}") from violation

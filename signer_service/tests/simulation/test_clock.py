"""A clock that goes backwards: never an entry dated before the one that it follows."""

from datetime import timedelta

import pytest

from .stage import Stage
from .world import World


async def seal_seize_and_correct(world: World, letter: str) -> None:
    await world.send(world.new(letter))
    (before,) = world.answers.values()
    world.set_clock(timedelta(seconds=-1))
    slewed = world.new(letter)
    await world.send(slewed)
    assert world.answers[slewed].sealed_at >= before.sealed_at
    world.set_clock(timedelta(hours=-1))
    refused = world.new(letter)
    assert not await world.send_once(refused)
    await world.kill()
    await world.boot()  # the clock is as wrong as before, and what was sealed is read from the database
    assert not await world.send_once(refused)
    world.check_ledger()
    world.set_clock(timedelta(0))
    await world.send(refused)
    await world.conclude()


@pytest.mark.parametrize("letter", ["D", "I"])
def test_a_clock_that_goes_backwards(stage: Stage, letter: str) -> None:
    stage.run(seal_seize_and_correct(World(stage, patience=0.3), letter))

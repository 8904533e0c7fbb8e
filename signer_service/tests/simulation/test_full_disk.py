"""While the head store cannot be written, nobody is told that anything was sealed, whichever way they ask."""

import asyncio

import pytest

from bonopay_signer.ledger import headstore

from .stage import Stage
from .world import World


async def fill_and_free(world: World, letter: str) -> None:
    await world.send(world.new(letter))
    world.disk.is_full = True
    document = world.new(letter)
    for _ in range(2):
        assert not await world.send_once(document)  # `send_once` finds an answer that came too early
    assert not any(await asyncio.gather(world.send_once(document), world.send_once(world.new(letter))))
    world.disk.is_full = False
    await world.send(document)
    await world.conclude()


@pytest.mark.parametrize("journal", [2048, 100], ids=["the journal", "a new snapshot each time"])
@pytest.mark.parametrize("letter", ["D", "I"])
def test_nothing_is_answered_while_the_head_store_cannot_be_written(
    stage: Stage, letter: str, journal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headstore, "JOURNAL_SIZE", journal)
    stage.run(fill_and_free(World(stage, patience=0.3), letter))


async def fill_kill_and_free(world: World) -> None:
    """A start on a full disk, too, seals nothing; and the entry that was caught up with late is answered later."""
    await world.send(world.new("D"))
    world.disk.is_full = True
    document = world.new("D")
    assert not await world.send_once(document)
    await world.kill()
    world.disk.is_full = False
    await world.send(document)
    await world.conclude()


def test_a_crash_while_the_disk_is_full(stage: Stage) -> None:
    stage.run(fill_kill_and_free(World(stage, patience=0.3)))

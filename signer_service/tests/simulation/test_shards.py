"""Several signers on one database: each writes for its own shard's outlets, and finishes only what they left open."""

import asyncio

from .stage import Stage
from .world import World


async def two_shards(one: World, other: World) -> None:
    await asyncio.gather(one.boot(), other.boot())
    await one.send(one.new("D"))
    await other.settle()
    assert one.dgi.requests == other.dgi.requests == {}  # the sale still waits for its own signer
    await asyncio.gather(one.conclude(), other.conclude())
    assert len(one.dgi.certified()) == 1


def test_a_signer_leaves_the_outlets_of_another_shard_alone(stage: Stage) -> None:
    stage.run(two_shards(World(stage), World(stage)))

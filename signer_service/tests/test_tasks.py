"""Background tasks are ended, also those that lose the word that they are to end."""

import asyncio
from contextlib import suppress

import pytest

from bonopay_signer import tasks


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_AGAIN", 0.01)


async def _for_ever() -> None:
    while True:
        await asyncio.sleep(3600)


async def _losing(cancellations: int) -> None:
    """As psycopg's pool does when a connection comes at the moment of the cancellation."""
    for _ in range(cancellations):
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
    await _for_ever()


@pytest.mark.parametrize("lost", [0, 1, 3])
async def test_task_that_loses_cancellations_is_cancelled_again(lost: int) -> None:
    others = [asyncio.create_task(_losing(lost)), asyncio.create_task(_for_ever())]
    await asyncio.sleep(0)  # they begin
    async with asyncio.timeout(5):
        await tasks.ended(*others, None)
    assert all(task.cancelled() for task in others)


async def test_task_that_ended_by_itself_keeps_its_result() -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    await task
    await tasks.ended(task)
    await tasks.ended()
    assert not task.cancelled()

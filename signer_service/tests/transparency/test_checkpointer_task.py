"""The log's background task: when it signs, what it shows of its troubles, and that it can be stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bonopay_signer.api import gauges
from bonopay_signer.metrics import REGISTRY
from bonopay_signer.transparency import checkpointer as module
from bonopay_signer.transparency.checkpointer import Checkpointer
from bonopay_signer.transparency.store import LogStore

from .logs import AUTHORITY, Ledger, SoftwareSigner


@asynccontextmanager
async def running(checkpointer: Checkpointer) -> AsyncIterator[None]:
    task = asyncio.create_task(checkpointer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition, timeout: float = 10.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


async def test_task_publishes_when_the_writer_wakes_it_and_not_twice_within_an_interval(
    ledger: Ledger, signer: SoftwareSigner, store: LogStore
) -> None:
    checkpointer = Checkpointer(store, signer, AUTHORITY, 0, interval=3.0)
    async with running(checkpointer):
        await asyncio.sleep(0.3)
        for expected in (1, 1, 1):
            ledger.grow(1)
            checkpointer.wake()
            await until(lambda expected=expected: len(signer.signed) == expected, 1.0)
            await asyncio.sleep(0.2)
        await until(lambda: len(signer.signed) == 2, 5.0)
    assert signer.signed[-1].split("\n")[1] == "3"


async def test_task_finds_entries_without_being_woken(ledger: Ledger, signer: SoftwareSigner, store: LogStore) -> None:
    async with running(Checkpointer(store, signer, AUTHORITY, 0, interval=0.1)):
        await asyncio.sleep(0.3)
        ledger.grow(2)
        await until(lambda: signer.signed)


@pytest.mark.parametrize("steps", range(4))
async def test_stop_that_comes_with_news_is_not_lost(store: LogStore, signer: SoftwareSigner, steps: int) -> None:
    """At whichever step of the loop after the writer woke the task: one cancellation ends it."""
    checkpointer = Checkpointer(store, signer, AUTHORITY, 0, interval=60)
    task = asyncio.create_task(checkpointer.run())
    await until(lambda: checkpointer._log is not None)
    await asyncio.sleep(0.3)  # it has looked, and waits
    checkpointer.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


async def test_alarm_shows_until_what_was_changed_is_right_again(
    ledger: Ledger, signer: SoftwareSigner, store: LogStore
) -> None:
    checkpointer = Checkpointer(store, signer, AUTHORITY, 0, interval=0.05)
    ledger.grow(700)
    async with running(checkpointer):
        await until(lambda: checkpointer.state().size == 700)
        assert checkpointer.state().healthy and not checkpointer.state().alarm
        (hash_,) = ledger.rows("SELECT entry_hash FROM signer.entry WHERE position = 5")[0]
        ledger.tamper("UPDATE signer.entry SET entry_hash = sha256('x') WHERE position = 5")
        await until(lambda: checkpointer.state().alarm)
        state = checkpointer.state()
        assert not state.healthy and "tile 0 of level 0" in state.reason
        gauges.show_log(state)
        assert REGISTRY.get_sample_value("bonopay_signer_log_alarm") == 1
        ledger.grow(1)
        signed = len(signer.signed)
        await asyncio.sleep(0.5)
        assert len(signer.signed) == signed
        ledger.tamper("UPDATE signer.entry SET entry_hash = %s WHERE position = 5", hash_)
        await until(lambda: checkpointer.state().size == 701)
        assert checkpointer.state().healthy
        gauges.show_log(checkpointer.state())
        assert REGISTRY.get_sample_value("bonopay_signer_log_alarm") == 0


async def test_state_turns_unhealthy_when_nothing_is_signed_for_too_long(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, monkeypatch
) -> None:
    now = module.time.monotonic()
    ledger.grow(1)
    signer.is_away = True
    assert not await checkpointer._try()
    assert checkpointer.state().healthy and "the token is away" in checkpointer.state().reason
    monkeypatch.setattr(module.time, "monotonic", lambda: now + 7)
    assert not checkpointer.state().healthy
    assert not checkpointer.state().alarm
    signer.is_away = False
    assert await checkpointer._try()
    assert checkpointer.state().healthy and checkpointer.state().reason == ""


async def test_ledger_that_never_stands_still_is_healthy_while_the_log_keeps_up(
    ledger: Ledger, signer: SoftwareSigner, store: LogStore, monkeypatch
) -> None:
    """Each look finds a batch that the head store does not remember yet; the log is one batch behind and not late."""
    remembered, start, later = [0], module.time.monotonic(), [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: start + later[0])
    checkpointer = Checkpointer(store, signer, AUTHORITY, 0, remembered=lambda: remembered[0])
    for _ in range(4):
        ledger.grow(2)
        await checkpointer.advance()
        assert checkpointer.state().healthy and checkpointer.state().backlog == 2
        remembered[0], later[0] = remembered[0] + 2, later[0] + 4.0
    later[0] += 4.0
    await checkpointer.advance()
    ledger.grow(2)
    await checkpointer.advance()
    later[0] += 7.0
    await checkpointer.advance()
    assert not checkpointer.state().healthy


async def test_defect_shows_in_the_state_and_does_not_end_the_task(
    ledger: Ledger, signer: SoftwareSigner, store: LogStore, monkeypatch
) -> None:
    checkpointer = Checkpointer(store, signer, AUTHORITY, 0, interval=0.05)
    monkeypatch.setattr(Checkpointer, "_origin", lambda *_: 1 // 0)
    ledger.grow(1)
    async with running(checkpointer):
        await until(lambda: checkpointer.state().reason == "integer division or modulo by zero")

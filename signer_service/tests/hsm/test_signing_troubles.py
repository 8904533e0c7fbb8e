"""Signing processes that crash, hang or err: found, told in time, and replaced."""

import asyncio
import os
import shutil
import signal
import time

import pytest

from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.errors import HsmUnavailable

from .conftest import MakeSigners
from .material import SoftHsm, checkpoint, entries
from .signing import pids, runs, signs_again, signs_truly, until


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
async def test_a_process_that_crashes_is_replaced(hsm: SoftHsm, make_signers: MakeSigners, number: int) -> None:
    signers = make_signers(hsm)
    key = await signers.start()
    before = set(pids(signers))
    os.kill(min(before), number)
    await until(lambda: signers.alive == 1, "the crash is noticed")
    assert await signers.sign(entries(key.key_id, 20)), "the other process goes on"
    await until(lambda: signers.alive == 2, "a new process")
    assert len(set(pids(signers)) - before) == 1
    assert await signs_truly(signers, key, entries(key.key_id, 50))


@pytest.mark.parametrize("trouble", ["crash", "hang"])
async def test_a_crash_or_a_hang_in_the_token_is_told_in_time_and_survived(
    hsm: SoftHsm, make_signers: MakeSigners, trouble: str
) -> None:
    signers = make_signers(hsm, trouble, processes=1, timeout=1.0)
    key = await signers.start()
    [pid] = pids(signers)
    assert await signers.sign(entries(key.key_id, 1))
    started = time.monotonic()
    with pytest.raises(HsmUnavailable):
        await signers.sign(entries(key.key_id, 1))
    assert time.monotonic() - started < 3
    await signs_again(signers)
    assert pids(signers) != [pid] and not runs(pid)


async def test_a_stopped_process_is_killed_and_the_others_go_on(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(hsm, timeout=1.0)
    key = await signers.start()
    stopped = pids(signers)[0]
    os.kill(stopped, signal.SIGSTOP)
    with pytest.raises(HsmUnavailable, match="did not answer within 1 s"):
        await signers.sign(entries(key.key_id, 50))
    assert await signers.sign(entries(key.key_id, 1))
    await until(lambda: signers.alive == 2, "a new process")
    assert not runs(stopped)


async def test_while_no_process_lives_a_call_fails_at_once(own_hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(own_hsm)
    key = await signers.start()
    elsewhere = own_hsm.objects.with_name("elsewhere")
    own_hsm.objects.rename(elsewhere)
    for pid in pids(signers):
        os.kill(pid, signal.SIGKILL)
    await until(lambda: signers.alive == 0, "both are gone")
    started = time.monotonic()
    for call in (signers.sign(entries(key.key_id, 1)), signers.sign_checkpoint(checkpoint()), signers.check()):
        with pytest.raises(HsmUnavailable):
            await call
    assert time.monotonic() - started < 0.5
    await asyncio.sleep(0.5)
    assert signers.alive == 0
    shutil.rmtree(own_hsm.objects, ignore_errors=True)
    elsewhere.rename(own_hsm.objects)
    await signs_again(signers)


@pytest.mark.parametrize("trouble", ["err", "swap"])
async def test_a_token_that_errs_is_found_within_the_sampling_interval(
    hsm: SoftHsm, make_signers: MakeSigners, trouble: str
) -> None:
    signers = make_signers(hsm, trouble, processes=1)
    key = await signers.start()
    assert await signs_truly(signers, key, entries(key.key_id, 10))
    started = time.monotonic()
    with pytest.raises(HsmUnavailable, match="does not verify"):
        while time.monotonic() - started < 5:
            await signers.sign(entries(key.key_id, 10))
    assert time.monotonic() - started < 0.5


async def test_the_first_signature_of_every_process_is_verified(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(hsm, processes=1)
    key = await signers.start()
    checked: list[bytes] = []
    real = PublicKey.verifies

    def verifies(self: PublicKey, signature: bytes, digest: bytes) -> bool:
        checked.append(signature)
        return real(self, signature, digest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PublicKey, "verifies", verifies)
        first = await signers.sign(entries(key.key_id, 4))
        assert checked == first[:1]
        await signers.sign_checkpoint(checkpoint())
        assert len(checked) == 2, "every checkpoint is verified"


async def test_a_slow_token_does_not_stop_the_service(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(hsm, "slow", processes=1)
    key = await signers.start()
    signing = asyncio.create_task(signers.sign(entries(key.key_id, 12)))
    pauses, last = [], time.monotonic()
    while not signing.done():
        await asyncio.sleep(0.005)
        pauses.append(time.monotonic() - last)
        last = time.monotonic()
    assert len(await signing) == 12
    assert len(pauses) > 20 and max(pauses) < 0.3


async def test_waiting_for_a_free_process_has_a_deadline_too(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(hsm, "slow", processes=1, timeout=0.9)
    key = await signers.start()
    long = asyncio.create_task(signers.sign(entries(key.key_id, 16)))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(signers.sign(entries(key.key_id, 8))) for _ in range(2)]
    assert len(await long) == 16
    results = await asyncio.gather(*others, return_exceptions=True)
    assert any(
        isinstance(result, HsmUnavailable) and "no signing process was free" in str(result) for result in results
    )

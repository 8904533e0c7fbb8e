"""The signing processes: what they sign verifies, whichever token is behind them, and nobody else reaches them."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bonopay_signer.fiscal.statement import entry_preimage
from bonopay_signer.hsm import wire
from bonopay_signer.hsm.ecdsa import signature_to_der
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.hsm.statements import NotSignable

from ..support.processes import python_environment
from .conftest import MakeSigners
from .material import AUTHORITY, FOLDER, SoftHsm, checkpoint, entries, run_script
from .signing import all_verify, openssl_verifies, pids, runs, signs_truly

# --- What is signed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 4, 5, 64, 301])
async def test_signatures_come_in_the_order_of_the_batch(hsm: SoftHsm, make_signers: MakeSigners, size: int) -> None:
    signers = make_signers(hsm, processes=3)
    key = await signers.start()
    batch = entries(key.key_id, size)
    assert await signs_truly(signers, key, batch)


async def test_signatures_of_parallel_callers_are_not_mixed_up(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(hsm)
    key = await signers.start()
    sizes = [random.choice((1, 1, 3, 20, 90)) for _ in range(40)]
    batches = [entries(key.key_id, size, f"KIN{number:03}") for number, size in enumerate(sizes)]
    signed = await asyncio.gather(*map(signers.sign, batches))
    assert all(all_verify(key, batch, signatures) for batch, signatures in zip(batches, signed, strict=True))


async def test_a_caller_that_gives_up_does_not_get_the_next_one_its_signatures(
    hsm: SoftHsm, make_signers: MakeSigners
) -> None:
    signers = make_signers(hsm, "slow", processes=1)
    key = await signers.start()
    given_up = asyncio.create_task(signers.sign(entries(key.key_id, 3, "KIN001")))
    await asyncio.sleep(0.05)
    given_up.cancel()
    batch = entries(key.key_id, 3, "KIN002")
    assert await signs_truly(signers, key, batch)


async def test_openssl_verifies_an_entry_and_a_checkpoint(
    hsm: SoftHsm, make_signers: MakeSigners, tmp_path: Path
) -> None:
    signers = make_signers(hsm, processes=1)
    key = await signers.start()
    [(text, previous)] = batch = entries(key.key_id, 1)
    [signature] = await signers.sign(batch)
    assert openssl_verifies(tmp_path, key, signature_to_der(signature), entry_preimage(previous, text))
    note = checkpoint()
    assert openssl_verifies(tmp_path, key, await signers.sign_checkpoint(note), note)
    assert not openssl_verifies(tmp_path, key, signature_to_der(signature), note)


async def test_a_statement_that_may_not_be_signed_spoils_its_batch_and_nothing_else(
    hsm: SoftHsm, make_signers: MakeSigners
) -> None:
    signers = make_signers(hsm)
    key = await signers.start()
    batch = entries(key.key_id, 40)
    for foreign in (entries("f" * 16, 1), [(batch[0][0].replace(AUTHORITY.encode(), b"BONO-XX-DEMO"), bytes(32))]):
        with pytest.raises(NotSignable):
            await signers.sign(batch + foreign)
    with pytest.raises(NotSignable):
        await signers.sign_checkpoint(checkpoint("bonopay.somebody-else/0/1"))
    assert await signs_truly(signers, key, batch)
    assert signers.alive == 2


async def test_a_request_beyond_the_limit_is_refused_and_ends_no_process(
    hsm: SoftHsm, make_signers: MakeSigners
) -> None:
    signers = make_signers(hsm, processes=1)
    key = await signers.start()
    with pytest.raises(ValueError, match="at most"):
        await signers.sign([(bytes(wire.MAX_FRAME), bytes(32))])
    assert await signers.sign(entries(key.key_id, 1)) and signers.alive == 1


def test_four_threads_on_a_module_loaded_without_p11_kit_do_not_crash(hsm: SoftHsm) -> None:
    signed, verified = map(int, hsm.run("sign_with_own_threads.py", "4", "1000").split())
    assert signed == verified == 4000


def test_several_processes_that_start_at_once_all_sign(hsm: SoftHsm) -> None:
    arguments = [hsm.address.module, hsm.address.label, hsm.address.parameters or "", str(hsm.pin_file), hsm.key_label]
    assert run_script("start_signers.py", hsm.environment, *arguments, "3").stdout.split()[-1] == "signed"


# --- Secrets and signals ----------------------------------------------------------------------------------------------


async def test_pin_and_settings_are_neither_in_the_arguments_nor_in_the_environment(
    hsm: SoftHsm, make_signers: MakeSigners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BONOPAY_SIGNER_DATABASE_URL", "postgresql://somebody:secret@nowhere/db")
    monkeypatch.setenv("PGPASSWORD", "secret")
    signers = make_signers(hsm, processes=1)
    await signers.start()
    [pid] = pids(signers)
    shown = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    assert b"hsm.worker" in shown
    for secret in (hsm.pin, "postgresql://", "PGPASSWORD"):
        assert secret.encode() not in shown
    assert hsm.pin not in repr(signers) + repr(wire.Open(hsm.address, hsm.pin, AUTHORITY, [hsm.key_label]))


async def test_signals_of_the_terminal_do_not_end_a_signing_process(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(hsm, processes=1)
    key = await signers.start()
    [pid] = pids(signers)
    assert os.getsid(pid) == pid
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert await signers.sign(entries(key.key_id, 1))
    assert pids(signers) == [pid]


@pytest.mark.parametrize("stopped", [False, True], ids=["idle", "hanging"])
def test_signing_processes_end_with_a_service_that_is_killed(hsm: SoftHsm, stopped: bool) -> None:
    arguments = [hsm.address.module, hsm.address.label, hsm.address.parameters or "", str(hsm.pin_file), hsm.key_label]
    command = [sys.executable, str(FOLDER / "start_signers.py"), *arguments]
    with subprocess.Popen(command, env=python_environment(hsm.environment), stdout=subprocess.PIPE) as parent:
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        if stopped:
            os.kill(children[0], signal.SIGSTOP)
        parent.kill()
    deadline = time.monotonic() + 10
    while any(runs(pid) for pid in children):
        assert time.monotonic() < deadline, "a signing process outlived its service"
        time.sleep(0.02)


async def test_closing_ends_the_processes_even_one_that_hangs(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(hsm)
    key = await signers.start()
    ended = pids(signers)
    os.kill(ended[0], signal.SIGSTOP)
    signers.close()
    assert not any(map(runs, ended))
    with pytest.raises(HsmUnavailable, match="stopped"):
        await signers.sign(entries(key.key_id, 1))

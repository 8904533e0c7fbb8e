"""The signing processes: what they sign verifies, whichever token is behind them, and their troubles stay theirs."""

import asyncio
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bonopay_signer.fiscal.statement import entry_hash, entry_preimage
from bonopay_signer.hsm import wire
from bonopay_signer.hsm.ecdsa import PublicKey, signature_to_der
from bonopay_signer.hsm.errors import HsmUnavailable, KeyMissing, PinRefused
from bonopay_signer.hsm.signers import Signers
from bonopay_signer.hsm.statements import NotSignable, rotation_digest

from ..support.processes import python_environment
from .conftest import MakeSigners
from .material import AUTHORITY, FOLDER, SoftHsm, checkpoint, entries, rotation, run_script

Pair = tuple[bytes, bytes]


def all_verify(key: PublicKey, batch: list[Pair], signatures: list[bytes]) -> bool:
    pairs = zip(batch, signatures, strict=True)
    return all(key.verifies(signature, entry_hash(previous, text)) for (text, previous), signature in pairs)


async def signs_truly(signers: Signers, key: PublicKey, batch: list[Pair]) -> bool:
    return all_verify(key, batch, await signers.sign(batch))


async def until(condition, what: str, timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout:g} s"
        await asyncio.sleep(0.01)


async def signs_again(signers: Signers, within: float = 20.0) -> None:
    """Callers try again, as they are told to, until the signers sign."""
    deadline = time.monotonic() + within
    while True:
        try:
            assert await signers.sign(entries(signers.key_id, 1))
            return
        except HsmUnavailable:
            assert time.monotonic() < deadline, f"no signature within {within:g} s"
            await asyncio.sleep(0.02)


def pids(signers: Signers) -> list[int]:
    return [process.pid for process in signers._alive]


def openssl_verifies(folder: Path, key: PublicKey, signature_der: bytes, message: bytes) -> bool:
    for name, content in {"key.pem": key.pem.encode(), "signature": signature_der, "message": message}.items():
        (folder / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "message"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


# --- What is signed --------------------------------------------------------------------------------------------------


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


# --- Secrets and signals ---------------------------------------------------------------------------------------------


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
    while any(_runs(pid) for pid in children):
        assert time.monotonic() < deadline, "a signing process outlived its service"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_closing_ends_the_processes_even_one_that_hangs(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(hsm)
    key = await signers.start()
    ended = pids(signers)
    os.kill(ended[0], signal.SIGSTOP)
    signers.close()
    assert not any(map(_runs, ended))
    with pytest.raises(HsmUnavailable, match="stopped"):
        await signers.sign(entries(key.key_id, 1))


# --- Failing, hanging and erring -------------------------------------------------------------------------------------


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
    assert pids(signers) != [pid] and not _runs(pid)


async def test_a_stopped_process_is_killed_and_the_others_go_on(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    signers = make_signers(hsm, timeout=1.0)
    key = await signers.start()
    stopped = pids(signers)[0]
    os.kill(stopped, signal.SIGSTOP)
    with pytest.raises(HsmUnavailable, match="did not answer within 1 s"):
        await signers.sign(entries(key.key_id, 50))
    assert await signers.sign(entries(key.key_id, 1))
    await until(lambda: signers.alive == 2, "a new process")
    assert not _runs(stopped)


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


# --- PIN and keys ----------------------------------------------------------------------------------------------------


async def test_a_wrong_pin_is_given_to_the_token_once_by_all_processes_together(
    own_hsm: SoftHsm, make_signers: MakeSigners, tmp_path: Path
) -> None:
    logins = tmp_path / "logins"
    signers = make_signers(own_hsm, "count", str(logins), pin="wrong-pin-1234", processes=3)
    for _ in range(3):
        with pytest.raises(PinRefused) as refusal:
            await signers.start()
        assert "wrong-pin-1234" not in str(refusal.value)
    with pytest.raises(PinRefused):
        await signers.check()
    assert logins.read_text() == "."


async def test_a_pin_that_became_wrong_is_given_once_and_then_no_process_is_started(
    own_hsm: SoftHsm, make_signers: MakeSigners, tmp_path: Path
) -> None:
    logins = tmp_path / "logins"
    signers = make_signers(own_hsm, "count", str(logins), processes=3)
    await signers.start()
    assert logins.read_text() == "..."
    signers._pin = "wrong-pin-1234"
    for pid in pids(signers):
        os.kill(pid, signal.SIGKILL)
    await until(lambda: logins.read_text() == "....", "one more attempt")
    await asyncio.sleep(1.5)
    assert logins.read_text() == "...."
    with pytest.raises(PinRefused):
        await signers.check()


async def test_another_key_under_the_same_label_is_not_used(
    own_hsm: SoftHsm, make_signers: MakeSigners, tmp_path: Path
) -> None:
    other = type(own_hsm)(tmp_path / "other")
    signers = make_signers(own_hsm, processes=1)
    await signers.start()
    shutil.rmtree(own_hsm.objects)
    shutil.copytree(other.objects, own_hsm.objects)
    signers._pin = other.pin
    os.kill(pids(signers)[0], signal.SIGKILL)
    await until(lambda: "another key" in str(signers._why()), "the new process sees the foreign key")
    with pytest.raises(KeyMissing, match="another key"):
        await signers.check()


async def test_token_is_found_by_serial_number_and_by_slot(hsm: SoftHsm, make_signers: MakeSigners) -> None:
    serial, slot = hsm.run("describe_token.py").splitlines()
    for changes in ({"label": None, "serial": serial, "slot": int(slot)}, {"slot": int(slot)}):
        address = type(hsm.address)(**{"module": hsm.address.module, "parameters": hsm.address.parameters} | changes)
        assert await make_signers(hsm, token=address, processes=1).start()
    wrong = type(hsm.address)(hsm.address.module, label="nowhere", parameters=hsm.address.parameters)
    with pytest.raises(HsmUnavailable, match="no token with label 'nowhere'"):
        await make_signers(hsm, token=wrong).start()


async def test_a_key_or_module_that_is_not_there_is_told_with_the_way_out(
    hsm: SoftHsm, make_signers: MakeSigners
) -> None:
    with pytest.raises(KeyMissing, match="bonopay-signer key create"):
        await make_signers(hsm, key_labels=["nothing"]).start()
    with pytest.raises(HsmUnavailable, match="BONOPAY_SIGNER_PKCS11_MODULE"):
        await make_signers(hsm, token=type(hsm.address)("libnowhere.so")).start()


def test_a_token_without_raw_ecdsa_is_refused_by_the_mechanism_s_name() -> None:
    script = (
        "from types import SimpleNamespace as N; from pkcs11 import Mechanism; from bonopay_signer.hsm import keys\n"
        "token = N(label='rsa-only', slot=N(get_mechanisms=lambda: {Mechanism.RSA_PKCS, Mechanism.ECDSA_SHA256}))\n"
        "keys.require_raw_ecdsa(token)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=python_environment({}), capture_output=True, text=True, check=False)
    assert "TokenUnfit" in done.stderr and "CKM_ECDSA" in done.stderr


# --- Rotation --------------------------------------------------------------------------------------------------------


async def test_old_and_new_key_sign_side_by_side_and_the_new_one_proves_possession(
    own_hsm: SoftHsm, make_signers: MakeSigners
) -> None:
    signers = make_signers(own_hsm)
    old = await signers.start()
    label, new_id = own_hsm.run("make_next_key.py").split()
    assert label == "bonopay-seal-2"
    with pytest.raises(NotSignable):
        await signers.prove_possession(rotation(old.key_id, new_id))
    new = await signers.add_key(label)
    assert new.key_id == new_id != old.key_id and signers.public_key == old
    proof = rotation(old.key_id, new.key_id)
    assert new.verifies(await signers.prove_possession(proof), rotation_digest(proof, AUTHORITY))
    for key in (old, new):
        assert await signs_truly(signers, key, entries(key.key_id, 30))
    os.kill(pids(signers)[0], signal.SIGKILL)
    await until(lambda: signers.alive == 1, "the crash is noticed")
    await until(lambda: signers.alive == 2, "a new process")
    mixed = entries(old.key_id, 20) + entries(new.key_id, 20)
    signed = await signers.sign(mixed)
    assert all_verify(old, mixed[:20], signed[:20]) and all_verify(new, mixed[20:], signed[20:])


async def test_after_a_rotation_the_old_key_signs_no_more_and_is_still_on_the_token(
    own_hsm: SoftHsm, make_signers: MakeSigners
) -> None:
    signers = make_signers(own_hsm)
    old = await signers.start()
    label, _ = own_hsm.run("make_next_key.py").split()
    new = await signers.add_key(label)
    with pytest.raises(NotSignable, match="active"):
        await signers.drop_key(old.key_id)
    signers.activate(new.key_id)
    await signers.drop_key(old.key_id)
    assert signers.public_key == new and list(signers.keys) == [new]
    for _ in range(4):
        with pytest.raises(NotSignable, match="another key"):
            await signers.sign(entries(old.key_id, 12))
    note = checkpoint()
    der = await signers.sign_checkpoint(note)
    digest = hashlib.sha256(note).digest()
    assert new.verifies(_raw(der), digest) and not old.verifies(_raw(der), digest)
    assert await make_signers(own_hsm, processes=1).start() == old
    assert own_hsm.run("make_next_key.py").split()[0] == "bonopay-seal-3"


async def test_a_key_that_is_not_on_the_token_is_not_added_and_ends_nothing(
    hsm: SoftHsm, make_signers: MakeSigners
) -> None:
    signers = make_signers(hsm)
    key = await signers.start()
    with pytest.raises(KeyMissing):
        await signers.add_key("bonopay-seal-9")
    assert signers.alive == 2 and await signers.sign(entries(key.key_id, 30))


def _raw(der: bytes) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(der))


def test_four_threads_on_a_module_loaded_without_p11_kit_do_not_crash(hsm: SoftHsm) -> None:
    signed, verified = map(int, hsm.run("sign_with_own_threads.py", "4", "3").split())
    assert signed == verified > 500


def test_several_processes_that_start_at_once_all_sign(hsm: SoftHsm) -> None:
    arguments = [hsm.address.module, hsm.address.label, hsm.address.parameters or "", str(hsm.pin_file), hsm.key_label]
    assert run_script("start_signers.py", hsm.environment, *arguments, "3").stdout.split()[-1] == "signed"

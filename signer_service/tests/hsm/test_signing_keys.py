"""Which keys the signing processes hold, and what they do with the PIN."""

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bonopay_signer.hsm.errors import HsmUnavailable, KeyMissing, PinRefused
from bonopay_signer.hsm.statements import NotSignable, rotation_digest

from ..support.processes import python_environment
from .conftest import MakeSigners
from .material import AUTHORITY, SoftHsm, checkpoint, entries, rotation
from .signing import all_verify, pids, signs_truly, until

# --- PIN and keys -----------------------------------------------------------------------------------------------------


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
    await until(lambda: "another key" in str(signers._crew.why()), "the new process sees the foreign key")
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


# --- Rotation ---------------------------------------------------------------------------------------------------------


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

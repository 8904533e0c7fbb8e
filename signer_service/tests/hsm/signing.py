"""What tests of the signing processes ask of them again and again."""

import asyncio
import subprocess
import time
from pathlib import Path

from bonopay_signer.fiscal.statement import entry_hash
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.hsm.signers import Signers

from .material import entries

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
    return [process.pid for process in signers._crew.alive]


def openssl_verifies(folder: Path, key: PublicKey, signature_der: bytes, message: bytes) -> bool:
    for name, content in {"key.pem": key.pem.encode(), "signature": signature_der, "message": message}.items():
        (folder / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "message"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False

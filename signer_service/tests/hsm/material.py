"""Statements, checkpoints and rotations to sign, and tokens of two makers to sign them with."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from msgspec.structs import replace

from bonopay_signer.fiscal.statement import Statement
from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.statements import Rotation

from ..support.processes import python_environment
from ..support.tokens import Token

FOLDER = Path(__file__).parent
AUTHORITY = "BONO-CD-DEMO"
NSS_LIBRARY = "libsoftokn3.so"
SOFTHSM_LIBRARY = "libp11-kit.so.0"
_TYPICAL = Statement(
    v=1,
    kind="invoice",
    authority=AUTHORITY,
    epoch=1,
    merchant_nif="A1234567B",
    outlet_id="KIN001",
    index=1,
    fiscal_number="BONO-KIN001-01-000000001",
    document_type="FV",
    sealed_at="2026-11-21T08:30:00.123Z",
    total="104400.00",
    tax="14400.00",
    currency="CDF",
    payload_hash="ab" * 32,
    key_id="0" * 16,
)


def statement(key_id: str, index: int = 1, **changes: object) -> bytes:
    return replace(_TYPICAL, key_id=key_id, index=index, **changes).encode()


def entries(key_id: str, count: int, outlet_id: str = "KIN001") -> list[tuple[bytes, bytes]]:
    """Statements that all differ, with previous hashes that all differ."""
    return [
        (statement(key_id, index, outlet_id=outlet_id), hashlib.sha256(f"{outlet_id}{index}".encode()).digest())
        for index in range(1, count + 1)
    ]


def checkpoint(origin: str = "bonopay.bono-cd-demo/0/1", size: str = "7", root: bytes = b"\x07" * 32) -> bytes:
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def rotation(old_key_id: str, new_key_id: str, **changes: object) -> Rotation:
    typical = Rotation(AUTHORITY, "KIN001", 12, "cd" * 32, old_key_id, new_key_id)
    return replace(typical, **changes)


def run_script(name: str, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script of its own process: PKCS#11 state is the process's, and a crash must not be the test run's."""
    return subprocess.run(
        [sys.executable, str(FOLDER / name), *arguments],
        env=python_environment(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class SoftHsm:
    """SoftHSM 2, through p11-kit."""

    name = "softhsm"

    def __init__(self, folder: Path) -> None:
        token = Token(folder)
        self.objects = token.objects
        self.pin = token.pin
        self.pin_file = token.pin_file
        self.key_label = Token.KEY_LABEL
        self.address = TokenAddress(SOFTHSM_LIBRARY, label=Token.LABEL)
        self.environment = {"SOFTHSM2_CONF": str(token.configuration)}

    def run(self, script: str, *arguments: str) -> str:
        """A script that gets the token as JSON in its first argument; its output."""
        token = {
            "module": self.address.module,
            "label": self.address.label,
            "parameters": self.address.parameters,
            "pin": self.pin,
            "key_label": self.key_label,
        }
        done = run_script(script, self.environment, json.dumps(token), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Nss(SoftHsm):
    """NSS softokn, loaded directly: another maker's module, with parameters and without C_InitToken."""

    name = "nss"

    def __init__(self, folder: Path) -> None:
        self.objects = folder / "database"
        self.objects.mkdir(parents=True)
        self.pin = "nss-pin-0123456789"
        self.pin_file = folder / "pin"
        self.pin_file.touch(0o600)
        self.pin_file.write_text(self.pin)
        self.key_label = "bonopay-seal"
        names = "cryptoTokenDescription='bonopay-crypto' dbTokenDescription='bonopay-nss'"
        parameters = f"configDir='sql:{self.objects}' {names} flags=passwordRequired"
        self.address = TokenAddress(NSS_LIBRARY, label="bonopay-nss", parameters=parameters)
        self.environment: dict[str, str] = {}
        self.run("make_nss_token.py")

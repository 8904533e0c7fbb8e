"""Keys in files: a witness's own Ed25519 key, and the verifier keys of the logs that it watches.

::

    key file   PRIVATE+KEY+<name>+<key id>+<base64(0x04 ‖ 32-byte seed)>      one line, for its owner's eyes only
    log file   <verifier key> per line, C2SP signed-note; the key's name is the origin of its log; # begins a comment

A log that changes its key has a line for each; another line of the same name is one more key of the same log.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bonopay_signer.transparency.notes import (
    COSIGNATURE,
    CosignatureVerifier,
    NoteMalformed,
    Signature,
    Verifier,
    cosign,
    decode_base64,
    parse_verifier_key,
)

_PREFIX = "PRIVATE+KEY+"
_SEED_SIZE = 32
_ORIGIN_LIMIT = 255


class KeyFileError(Exception):
    """A file of keys cannot be used. Never quotes a private key."""


class CosigningKey:
    """The Ed25519 key with which a witness cosigns, under the witness's name."""

    def __init__(self, name: str, seed: bytes) -> None:
        """Raises NoteMalformed for a name that a note cannot hold."""
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = CosignatureVerifier(name, self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> "CosigningKey":
        return cls(name, os.urandom(_SEED_SIZE))

    @classmethod
    def parse(cls, text: str) -> "CosigningKey":
        """Raises KeyFileError."""
        name, key_id, encoded = [*text.removeprefix(_PREFIX).split("+", 2), "", ""][:3]
        try:
            blob = decode_base64(encoded)
            if not text.startswith(_PREFIX) or len(blob) != 1 + _SEED_SIZE or blob[0] != COSIGNATURE:
                raise NoteMalformed("not a cosigning key")
            key = cls(name, blob[1:])
        except NoteMalformed:
            # Not chained: the cause may show a part of the key.
            raise KeyFileError("the witness's key file does not hold a cosigning key") from None
        if key.verifier.key_id.hex() != key_id:
            raise KeyFileError("the witness's key file is damaged: the key id is not that of the key")
        return key

    def encode(self) -> str:
        """The line of a key file."""
        verifier = self.verifier
        encoded = base64.b64encode(bytes([COSIGNATURE]) + self._seed).decode()
        return f"{_PREFIX}{verifier.name}+{verifier.key_id.hex()}+{encoded}"

    def cosign(self, text: str, timestamp: int) -> Signature:
        """cosignature/v1 over a checkpoint's text, at POSIX seconds ``timestamp``."""
        return cosign(self._key, self.verifier.name, text, timestamp)


def parse_logs(text: str) -> dict[str, list[Verifier]]:
    """The keys of each log by its origin. Raises KeyFileError, which names the line."""
    logs: dict[str, list[Verifier]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if entry:
            key = _log_key(entry, number)
            logs.setdefault(key.name, []).append(key)
    if not logs:
        raise KeyFileError("the file of logs to witness names none")
    return logs


def _log_key(entry: str, number: int) -> Verifier:
    try:
        key = parse_verifier_key(entry)
    except NoteMalformed as error:
        raise KeyFileError(f"line {number} of the file of logs to witness: {error}") from error
    if isinstance(key, CosignatureVerifier):
        raise KeyFileError(f"line {number} of the file of logs to witness: the key of a witness, not of a log")
    if len(key.name.encode()) > _ORIGIN_LIMIT:
        raise KeyFileError(f"line {number} of the file of logs to witness: an origin is at most {_ORIGIN_LIMIT} bytes")
    return key


def read_logs(path: Path) -> Mapping[str, list[Verifier]]:
    """Raises KeyFileError."""
    try:
        return parse_logs(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"the file of logs to witness {path} cannot be read ({type(error).__name__})") from error

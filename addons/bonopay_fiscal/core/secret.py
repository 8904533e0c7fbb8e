"""Secrets at rest: AES-256-GCM, the key in a file of its own that no database dump contains."""

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "1"


class SecretError(Exception):
    """A secret cannot be encrypted or read back.

    :ivar code: ``secret_key_unusable`` (the key file) or ``secret_unreadable`` (the stored value)
    """

    def __init__(self, code: str, detail: str):
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def load_key(path: Path, create: bool = False) -> bytes:
    """The 32-byte key in ``path`` (base64).

    :param create: write a new key, readable by its owner only, when there is no file yet
    :raises SecretError: ``secret_key_unusable``
    """
    try:
        if create and not path.exists():
            _create_key(path)
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, binascii.Error) as error:
        raise SecretError("secret_key_unusable", f"{path}: {error.__class__.__name__}") from error
    if len(key) != _KEY_BYTES:
        raise SecretError("secret_key_unusable", f"{path}: {len(key)} bytes instead of {_KEY_BYTES}")
    return key


def _create_key(path: Path) -> None:
    """Create the key file whole or not at all; when two workers race, the first one's key stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(base64.b64encode(AESGCM.generate_key(_KEY_BYTES * 8)))
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()


def encrypt(key: bytes, secret: str, purpose: str) -> str:
    """Ciphertext of ``secret``, bound to ``purpose``: it cannot be moved to another owner.

    >>> key = bytes(32)
    >>> decrypt(key, encrypt(key, "s3cret", "company/1"), "company/1")
    's3cret'
    """
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, secret.encode(), purpose.encode())
    return f"{_VERSION}:{base64.b64encode(nonce + sealed).decode()}"


def decrypt(key: bytes, ciphertext: str, purpose: str) -> str:
    """The secret behind ``ciphertext``.

    :raises SecretError: ``secret_unreadable``: other key, other purpose, or damaged
    """
    try:
        version, _, body = ciphertext.partition(":")
        raw = base64.b64decode(body, validate=True)
        if version != _VERSION:
            raise SecretError("secret_unreadable", "unknown version")
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], purpose.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise SecretError("secret_unreadable", error.__class__.__name__) from error

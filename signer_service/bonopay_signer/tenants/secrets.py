"""Encryption at rest of the DGI's tokens: AES-256-GCM under a key from a file, never from the database.

::

    ciphertext = "BPS1" ‖ key id (8 bytes: SHA-256(key)[:8]) ‖ nonce (12)
               ‖ AES-256-GCM(token, AAD = purpose ‖ outlet id)

The file holds one key of 64 hexadecimal digits per line: the first encrypts, all decrypt. To rotate, put a new line
on top.
"""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MAGIC = b"BPS1"
_PURPOSE = b"bonopay/dgi-token/1\n"
_KEY_SIZE, _KEY_ID_SIZE, _NONCE_SIZE = 32, 8, 12
_HEADER_SIZE = len(_MAGIC) + _KEY_ID_SIZE + _NONCE_SIZE


class SecretsError(Exception):
    """The key file is not usable, or a stored secret does not decrypt under its keys for this outlet."""


class SecretBox:
    def __init__(self, keys: list[bytes]) -> None:
        if not keys or any(len(key) != _KEY_SIZE for key in keys):
            raise SecretsError("the secrets key file must hold keys of 64 hexadecimal digits, one per line")
        self._keys = {hashlib.sha256(key).digest()[:_KEY_ID_SIZE]: AESGCM(key) for key in keys}

    def __repr__(self) -> str:
        return f"SecretBox({len(self._keys)} keys)"

    @classmethod
    def from_text(cls, text: str) -> "SecretBox":
        """The box of a key file's text. Raises SecretsError."""
        try:
            keys = [bytes.fromhex(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise SecretsError("the secrets key file must hold keys of 64 hexadecimal digits, one per line") from error
        return cls(keys)

    def encrypt(self, outlet_id: str, token: str) -> bytes:
        """The ciphertext of a token, readable for this outlet only."""
        key_id, cipher = next(iter(self._keys.items()))
        header = _MAGIC + key_id + os.urandom(_NONCE_SIZE)
        return header + cipher.encrypt(header[-_NONCE_SIZE:], token.encode(), _associated(outlet_id))

    def decrypt(self, outlet_id: str, ciphertext: bytes) -> str:
        """The token. Raises SecretsError: unknown key, altered bytes, or another outlet's ciphertext."""
        header, body = ciphertext[:_HEADER_SIZE], ciphertext[_HEADER_SIZE:]
        cipher = self._keys.get(header[len(_MAGIC) : len(_MAGIC) + _KEY_ID_SIZE])
        if header[: len(_MAGIC)] != _MAGIC or cipher is None:
            raise SecretsError(f"the DGI token of {outlet_id} is encrypted under a key that is not in the key file")
        try:
            return cipher.decrypt(header[-_NONCE_SIZE:], body, _associated(outlet_id)).decode()
        except InvalidTag as error:
            raise SecretsError(f"the stored DGI token of {outlet_id} was altered, or is another outlet's") from error


def new_key() -> str:
    """A fresh line for a key file."""
    return os.urandom(_KEY_SIZE).hex()


def _associated(outlet_id: str) -> bytes:
    return _PURPOSE + outlet_id.encode()

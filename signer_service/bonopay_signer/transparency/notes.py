"""Signed notes (C2SP signed-note) and the keys that sign them. Pure, no I/O.

::

    note = text ‖ "\\n" ‖ one or more of:  "— " ‖ key name ‖ " " ‖ base64(key id, 4 bytes ‖ signature) ‖ "\\n"

The parser takes one spelling only and is bounded; nothing that it returns is trusted until ``verified`` says so.
"""

import base64
import binascii
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

ED25519, ECDSA, COSIGNATURE = 0x01, 0x02, 0x04
NOTE_LIMIT = 128 * 1024
SIGNATURE_LIMIT = 64
_KEY_ID_SIZE = 4
_TIMESTAMP_SIZE = 8
_LATEST = 2**63 - 1
_DASH = "\u2014 "


class NoteMalformed(Exception):
    """Not a signed note, a checkpoint or a verifier key of C2SP."""


class NoteUntrusted(Exception):
    """No known key signed the note, or the signature of a known key does not verify."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. ``value`` is what the key's signature type says it is."""

    name: str
    key_id: bytes
    value: bytes

    def line(self) -> str:
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """``text`` ends with a newline and is what the signatures are over."""

    text: str
    signatures: tuple[Signature, ...]

    def encode(self) -> str:
        return self.text + "\n" + "".join(signature.line() for signature in self.signatures)


class Verifier(ABC):
    """A public key with the name under which it signs notes."""

    signature_type: ClassVar[int]

    def __init__(self, name: str, public_key: bytes) -> None:
        """Raises NoteMalformed for a name or key that is none."""
        if not is_key_name(name):
            raise NoteMalformed(f"{name!r} cannot be the name of a key")
        self.name = name
        self.public_key = public_key
        try:
            self._load(public_key)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise NoteMalformed(f"the key of {name} cannot be read: {error}") from error

    @abstractmethod
    def _load(self, public_key: bytes) -> None:
        """Read the key from its bytes. Raises ValueError or UnsupportedAlgorithm."""

    @cached_property
    def key_id(self) -> bytes:
        prefix = self.name.encode() + b"\n" + bytes([self.signature_type])
        return hashlib.sha256(prefix + self.public_key).digest()[:_KEY_ID_SIZE]

    @property
    def verifier_key(self) -> str:
        """``<name>+<key id>+<base64(type ‖ key)>``: how the key is handed to others."""
        encoded = base64.b64encode(bytes([self.signature_type]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def is_signer_of(self, signature: Signature) -> bool:
        return signature.name == self.name and signature.key_id == self.key_id

    @abstractmethod
    def verifies(self, text: str, value: bytes) -> bool: ...


class _Ed25519Key(Verifier):
    def _load(self, public_key: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    def _holds(self, message: bytes, signature: bytes) -> bool:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Ed25519Verifier(_Ed25519Key):
    """Type 0x01: 64 bytes over the text (RFC 8032)."""

    signature_type = ED25519

    def verifies(self, text: str, value: bytes) -> bool:
        return self._holds(text.encode(), value)


class CosignatureVerifier(_Ed25519Key):
    """Type 0x04, C2SP tlog-cosignature v1: time (8 bytes, POSIX seconds) ‖ 64 bytes of Ed25519."""

    signature_type = COSIGNATURE

    def verifies(self, text: str, value: bytes) -> bool:
        timestamp = cosigned_at(value)
        return timestamp is not None and self._holds(_cosigned(text, timestamp), value[_TIMESTAMP_SIZE:])


class EcdsaVerifier(Verifier):
    """Type 0x02: DER ECDSA P-256 over SHA-256 of the text; the public key is its DER SubjectPublicKeyInfo."""

    signature_type = ECDSA

    def _load(self, public_key: bytes) -> None:
        key = load_der_public_key(public_key)
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("not a P-256 public key")
        self._key = key

    @cached_property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.public_key).digest()[:_KEY_ID_SIZE]

    def verifies(self, text: str, value: bytes) -> bool:
        try:
            self._key.verify(value, text.encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


_VERIFIERS: dict[int, type[Verifier]] = {
    kind.signature_type: kind for kind in (Ed25519Verifier, EcdsaVerifier, CosignatureVerifier)
}


def parse_verifier_key(text: str) -> Verifier:
    """The key of a verifier-key string, of any of the three types. Raises NoteMalformed."""
    name, key_id, encoded = [*text.split("+", 2), "", ""][:3]
    blob = decode_base64(encoded)
    kind = _VERIFIERS.get(blob[0]) if blob else None
    if kind is None:
        raise NoteMalformed("not a verifier key of Ed25519 (01), ECDSA P-256 (02) or cosignatures (04)")
    verifier = kind(name, blob[1:])
    if verifier.key_id.hex() != key_id:
        raise NoteMalformed(f"the key id of {name} is not that of its key")
    return verifier


def parse_note(data: bytes) -> SignedNote:
    """A signed note of at most 128 KiB and 64 signatures. Raises NoteMalformed."""
    if len(data) > NOTE_LIMIT:
        raise NoteMalformed(f"a note is at most {NOTE_LIMIT} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise NoteMalformed("a note is UTF-8") from error
    if any(character < " " and character != "\n" for character in whole):
        raise NoteMalformed("a note holds no control characters")
    text, separator, block = whole.rpartition("\n\n")
    if not separator or not text or not block.endswith("\n"):
        raise NoteMalformed("a note is a text, an empty line and signature lines")
    return SignedNote(text + "\n", parse_signatures(block))


def parse_signatures(block: str) -> tuple[Signature, ...]:
    """Signature lines, each ending with a newline. Raises NoteMalformed."""
    *lines, rest = block.split("\n")
    if rest or not lines or len(lines) > SIGNATURE_LIMIT:
        raise NoteMalformed(f"a note has 1 to {SIGNATURE_LIMIT} signature lines")
    return tuple(_parse_line(line) for line in lines)


def _parse_line(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    blob = decode_base64(encoded)
    if not line.startswith(_DASH) or not is_key_name(name) or len(blob) <= _KEY_ID_SIZE:
        raise NoteMalformed("a signature line is an em dash, a key name and a base64 signature")
    return Signature(name, blob[:_KEY_ID_SIZE], blob[_KEY_ID_SIZE:])


def verified(note: SignedNote, verifiers: Sequence[Verifier]) -> list[tuple[Verifier, Signature]]:
    """The signatures of known keys, each verified; those of unknown keys are passed over.

    Raises NoteUntrusted when there is none, or when one of a known key does not verify: such a note is not to be used
    at all (C2SP signed-note, Signatures).
    """
    found = [
        (verifier, signature)
        for signature in note.signatures
        for verifier in verifiers
        if verifier.is_signer_of(signature)
    ]
    if not found:
        raise NoteUntrusted("no known key signed this note")
    for verifier, signature in found:
        if not verifier.verifies(note.text, signature.value):
            raise NoteUntrusted(f"the signature of {verifier.name} does not verify")
    return found


def cosign(key: Ed25519PrivateKey, name: str, text: str, timestamp: int) -> Signature:
    """A witness's cosignature/v1 over a checkpoint's text, at POSIX seconds ``timestamp``."""
    key_id = CosignatureVerifier(name, key.public_key().public_bytes_raw()).key_id
    value = timestamp.to_bytes(_TIMESTAMP_SIZE, "big") + key.sign(_cosigned(text, timestamp))
    return Signature(name, key_id, value)


def cosigned_at(value: bytes) -> int | None:
    """The POSIX seconds that a cosignature states, None when it is of no valid form."""
    timestamp = int.from_bytes(value[:_TIMESTAMP_SIZE], "big")
    return timestamp if len(value) == _TIMESTAMP_SIZE + 64 and timestamp <= _LATEST else None


def _cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def is_key_name(name: str) -> bool:
    """Not empty, without spaces of any alphabet, plus signs or control characters."""
    return bool(name) and not any(character in "+" or character <= " " or character.isspace() for character in name)


def decode_base64(text: str) -> bytes:
    """Standard base64 in its one canonical spelling. Raises NoteMalformed."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteMalformed("not base64") from error
    if base64.b64encode(data).decode() != text:
        raise NoteMalformed("not canonical base64")
    return data

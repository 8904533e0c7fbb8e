"""The messages between the service and its signing processes: 4 bytes of length, big-endian, then MessagePack."""

from typing import Literal

import msgspec
from msgspec import Struct

from bonopay_signer.hsm.address import TokenAddress
from bonopay_signer.hsm.statements import Rotation

LENGTH_SIZE = 4
MAX_FRAME = 4 * 1024 * 1024

Trouble = Literal["unavailable", "key_missing", "unfit", "pin_refused", "not_signable"]

LOST: tuple[Trouble, ...] = ("unavailable", "unfit", "pin_refused")
"""The troubles after which a signing process ends: it has no token any more."""


class Open(Struct, frozen=True, tag=True, array_like=True, forbid_unknown_fields=True):
    """The first message, once: log in at `token`, find the keys of `key_labels`, sign for `authority` from now on."""

    token: TokenAddress
    pin: str
    authority: str
    key_labels: list[str]

    def __repr__(self) -> str:
        return f"Open({self.token.name}, {self.authority!r}, {self.key_labels!r})"


class AddKey(Struct, frozen=True, tag=True, array_like=True, forbid_unknown_fields=True):
    """Sign statements that name the key of this label too."""

    label: str


class DropKey(Struct, frozen=True, tag=True, array_like=True, forbid_unknown_fields=True):
    """Sign nothing any more with this key. It stays on the token."""

    key_id: str


class SignEntries(Struct, frozen=True, tag=True, array_like=True, forbid_unknown_fields=True):
    """Pairs of canonical statement and previous hash (32 bytes)."""

    entries: list[tuple[bytes, bytes]]


class SignCheckpoint(Struct, frozen=True, tag=True, array_like=True, forbid_unknown_fields=True):
    key_id: str
    text: bytes


class ProvePossession(Struct, frozen=True, tag=True, array_like=True, forbid_unknown_fields=True):
    rotation: Rotation


class Check(Struct, frozen=True, tag=True, array_like=True, forbid_unknown_fields=True):
    """Does the token answer?"""


Request = Open | AddKey | DropKey | SignEntries | SignCheckpoint | ProvePossession | Check


class Opened(Struct, frozen=True, tag=True, array_like=True):
    """The DER SubjectPublicKeyInfo of each key asked for, in order."""

    keys: list[bytes]


class Signed(Struct, frozen=True, tag=True, array_like=True):
    """64 bytes ``r‖s`` each, in order."""

    signatures: list[bytes]


class Fine(Struct, frozen=True, tag=True, array_like=True):
    """Done; there is nothing to tell."""


class Failed(Struct, frozen=True, tag=True, array_like=True):
    """Nothing was signed. After a trouble of LOST the process ends."""

    trouble: Trouble
    words: str


Reply = Opened | Signed | Fine | Failed

_encoder = msgspec.msgpack.Encoder()
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode


def framed(message: Request | Reply) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_SIZE, "big") + body

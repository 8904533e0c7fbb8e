"""What may be signed, and the one digest of each. The signing process knows no other way to a digest.

================  ====================================================================================================
statement         preimage, whose SHA-256 is signed
================  ====================================================================================================
entry             ``"bonopay/entry/1\\n" ‖ previous_hash ‖ SHA-256(statement)`` (docs/contracts.md §3)
key rotation      ``"bonopay/key-rotation/1\\n" ‖ SHA-256(RFC 8785 bytes of Rotation)``
checkpoint        the note text itself, ``"bonopay.<authority>/<shard>/<log epoch>\\n<size>\\n<root hash>\\n"``
                  (C2SP tlog-checkpoint, signed-note)
self test         ``"bonopay/self-test/1\\n" ‖ 32 random bytes of the process's own`` (hsm.keys)
================  ====================================================================================================

Domains are separate: no preimage of one kind is one of another. The first three with a slash differ within the words
after ``bonopay/``, which end with a line feed that none of the words contains. A checkpoint differs from all of them in
its eighth byte, ``.`` against ``/``; its text is checked, not taken on trust, so nobody can hand in another first line.
A signature of one kind could be passed off as one of another only with a collision of SHA-256. And since every preimage
holds a hash that is computed here, or is parsed to the last byte, nobody can choose the digest that gets signed.
"""

import base64
import binascii
import hashlib
import re
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.forms import Authority, KeyId, OutletId, Sha256Hex
from bonopay_signer.fiscal.statement import Statement, entry_hash

ROTATION_DOMAIN = b"bonopay/key-rotation/1\n"
_NUMBER = r"(0|[1-9][0-9]{0,18})"
_CHECKPOINT = re.compile(rf"bonopay\.([a-z0-9-]{{3,24}})/{_NUMBER}/{_NUMBER}\n{_NUMBER}\n([A-Za-z0-9+/]{{43}}=)\n")
_EMPTY_TREE = hashlib.sha256().digest()
_MAX_SIZE = 2**63 - 1

_statement_decoder = msgspec.json.Decoder(Statement)


class NotSignable(ValueError):
    """Not a statement that this authority's keys sign."""


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    """Where in an outlet's chain which key follows which: what the new key signs to prove that it is there."""

    authority: Authority
    outlet_id: OutletId
    index: Annotated[int, Meta(ge=1, le=canonical.MAX_INTEGER)]
    previous_hash: Sha256Hex
    old_key_id: KeyId
    new_key_id: KeyId


def entry_to_sign(statement: bytes, previous_hash: bytes, authority: str) -> tuple[str, bytes]:
    """The key id that the canonical ``statement`` names, and the entry's hash. Raises NotSignable."""
    try:
        decoded = _statement_decoder.decode(statement)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotSignable(f"not a statement: {error}") from None
    if canonical.encode(decoded) != statement:
        raise NotSignable("the statement is not in its canonical form")
    if decoded.authority != authority:
        raise NotSignable("the statement names another authority")
    try:
        return decoded.key_id, entry_hash(previous_hash, statement)
    except ValueError as error:
        raise NotSignable(str(error)) from None


def checkpoint_digest(text: bytes, authority: str) -> bytes:
    """SHA-256 of a checkpoint's note text (C2SP tlog-checkpoint, no extension lines). Raises NotSignable.

    The origin must be of this ``authority``'s logs, the size a decimal without leading zeros, the root hash 32 bytes.
    """
    match = _CHECKPOINT.fullmatch(text.decode("ascii", "replace"))
    if match is None:
        raise NotSignable("not a checkpoint: three lines, origin, size and root hash")
    owner, _shard, _epoch, size, root = match.groups()
    if owner != authority.lower():
        raise NotSignable("the checkpoint's origin is a log of another authority")
    if int(size) > _MAX_SIZE:
        raise NotSignable("the checkpoint's size is no tree's")
    if base64.b64encode(hash_ := _root_hash(root)).decode() != root:
        raise NotSignable("the root hash is not in canonical base64")
    if size == "0" and hash_ != _EMPTY_TREE:
        raise NotSignable("the root hash is not the empty tree's")
    return hashlib.sha256(text).digest()


def rotation_digest(rotation: Rotation, authority: str) -> bytes:
    """What the new key signs to prove possession. Raises NotSignable."""
    try:
        msgspec.convert(msgspec.to_builtins(rotation), Rotation)  # a Struct made in code is not checked
    except msgspec.ValidationError as error:
        raise NotSignable(f"not a rotation: {error}") from None
    if rotation.authority != authority:
        raise NotSignable("the rotation names another authority")
    if rotation.old_key_id == rotation.new_key_id:
        raise NotSignable("a key does not follow itself")
    return hashlib.sha256(ROTATION_DOMAIN + hashlib.sha256(canonical.encode(rotation)).digest()).digest()


def _root_hash(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise NotSignable(f"the root hash is not base64: {error}") from None

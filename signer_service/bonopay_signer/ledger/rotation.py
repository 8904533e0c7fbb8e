"""The entry after which another key signs an outlet's chain: its payload, and whether it holds. Pure.

The old key signs the entry like every other, and says by it which key comes next. The new key signs the place of the
entry in the chain and both key ids (hsm.statements.Rotation): it shows that somebody holds it. The first entry of a
chain may be signed by any published key; from then on another key is good only after such an entry.
"""

import base64
import binascii
import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.forms import KeyId
from bonopay_signer.fiscal.statement import Statement
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.statements import NotSignable, Rotation, rotation_digest
from bonopay_signer.ledger.entries import KEY_ROTATION


class RotationInvalid(ValueError):
    """The entry does not hand its chain over to the new key."""


class KeyRotation(Struct, frozen=True, forbid_unknown_fields=True):
    """The payload of a ``key_rotation`` entry.

    `new_public_key` is base64 of the DER SubjectPublicKeyInfo; `new_key_signature` the new key's 64 bytes ``r‖s`` over
    the digest of hsm.statements.Rotation, base64url without padding.
    """

    schema: Literal["bonopay.key_rotation/1"]
    old_key_id: KeyId
    new_key_id: KeyId
    new_public_key: Annotated[str, Meta(max_length=200)]
    new_key_signature: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{85}[AQgw]$(?!\n)")]

    @property
    def new_key(self) -> PublicKey:
        """Raises RotationInvalid when the payload holds no P-256 key of its own `new_key_id`."""
        try:
            key = PublicKey(base64.b64decode(self.new_public_key, validate=True))
        except (ValueError, binascii.Error) as error:
            raise RotationInvalid(f"the payload holds no P-256 key: {error}") from None
        if key.key_id != self.new_key_id or base64.b64encode(key.der).decode() != self.new_public_key:
            raise RotationInvalid("the payload's new_public_key is not the key of its new_key_id")
        return key

    @property
    def signature(self) -> bytes:
        """64 bytes: the form leaves no stray bits at the end, so one signature has one spelling."""
        return base64.urlsafe_b64decode(self.new_key_signature + "==")


_decoder = msgspec.json.Decoder(KeyRotation)


def rotation_payload(old_key: PublicKey, new_key: PublicKey, new_key_signature: bytes) -> bytes:
    """The canonical payload; ``new_key_signature`` is the 64 bytes of Signers.prove_possession."""
    return canonical.encode(
        KeyRotation(
            schema="bonopay.key_rotation/1",
            old_key_id=old_key.key_id,
            new_key_id=new_key.key_id,
            new_public_key=base64.b64encode(new_key.der).decode(),
            new_key_signature=base64.urlsafe_b64encode(new_key_signature).rstrip(b"=").decode(),
        )
    )


def read_rotation(payload: bytes) -> KeyRotation:
    """Raises RotationInvalid for what is no canonical payload of a rotation."""
    try:
        rotation = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RotationInvalid(f"the payload is no key rotation: {error}") from None
    if canonical.encode(rotation) != payload:
        raise RotationInvalid("the payload's bytes are not canonical")
    return rotation


def verify_rotation(
    statement: Statement, previous_hash: bytes, payload: bytes, old_key: PublicKey, new_key: PublicKey
) -> None:
    """Whether the entry hands its chain from ``old_key``, the one in force before it, over to ``new_key``.

    The old key's own signature over the entry is checked as of every other entry, and not here. Raises RotationInvalid.
    """
    rotation = read_rotation(payload)
    _refuse_other_statement(statement, payload)
    if not statement.key_id == rotation.old_key_id == old_key.key_id:
        raise RotationInvalid(f"the entry does not follow the key in force, {old_key.key_id}")
    if rotation.new_key != new_key:
        raise RotationInvalid(f"the payload's new key is not the published key {new_key.key_id}")
    place = rotation_at(statement.authority, statement.outlet_id, statement.index, previous_hash, old_key, new_key)
    try:
        digest = rotation_digest(place, statement.authority)
    except NotSignable as error:
        raise RotationInvalid(str(error)) from None
    if not new_key.verifies(rotation.signature, digest):
        raise RotationInvalid("the new key's proof of possession does not verify at this place of the chain")


def rotation_at(
    authority: str, outlet_id: str, index: int, previous_hash: bytes, old_key: PublicKey, new_key: PublicKey
) -> Rotation:
    """What the new key signs for the entry at ``index`` that follows ``previous_hash`` (32 bytes)."""
    return Rotation(authority, outlet_id, index, previous_hash.hex(), old_key.key_id, new_key.key_id)


def _refuse_other_statement(statement: Statement, payload: bytes) -> None:
    if statement.kind != KEY_ROTATION or statement.fiscal_number or statement.document_type:
        raise RotationInvalid("the statement is not that of a key rotation")
    if (statement.total, statement.tax, statement.currency) != ("0.00", "0.00", "CDF"):
        raise RotationInvalid("a key rotation has no amounts")
    if statement.payload_hash != hashlib.sha256(payload).hexdigest():
        raise RotationInvalid("the payload is not the one that the statement names")

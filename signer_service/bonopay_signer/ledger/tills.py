"""What an outlet's chain tells of its tills: the payloads of three kinds of entries. Pure."""

import base64
import binascii
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.forms import DocumentId, KeyId, Sha256Hex, Time
from bonopay_signer.fiscal.ticket import Counter, Terminal
from bonopay_signer.hsm.ecdsa import PublicKey

CREDENTIAL, OFFLINE_GAP, TILL_CLONED = "credential", "offline_gap", "till_cloned"
LONGEST = timedelta(hours=72)
"""How long a credential holds at most: a till that is gone ends by itself."""


class Credential(Struct, frozen=True, forbid_unknown_fields=True):
    """A key is admitted: `key_id` may sign tickets of `terminal` with these counters, at this time.

    `public_key` is base64 of the DER SubjectPublicKeyInfo; whoever has the chain has all keys of its tills.
    """

    schema: Literal["bonopay.credential/1"]
    device_id: DocumentId
    terminal: Terminal
    key_id: KeyId
    public_key: Annotated[str, Meta(max_length=200)]
    counter_from: Counter
    counter_to: Counter
    not_before: Time
    not_after: Time

    @property
    def key(self) -> PublicKey:
        """Raises ValueError when the payload holds no P-256 key of its own `key_id`."""
        key = public_key(self.public_key)
        if key.key_id != self.key_id:
            raise ValueError("public_key is not the key of key_id")
        return key


class OfflineGap(Struct, frozen=True, forbid_unknown_fields=True):
    """Tickets with these counters were signed and never arrived: the one after them names another hash than the one
    before them. What they were is not known; that they were is."""

    schema: Literal["bonopay.offline_gap/1"]
    device_id: DocumentId
    terminal: Terminal
    key_id: KeyId
    counter_from: Counter
    counter_to: Counter
    hash_before: Sha256Hex
    hash_after: Sha256Hex


class TillCloned(Struct, frozen=True, forbid_unknown_fields=True):
    """One key signed two tickets that cannot both follow the one before: it is used at two places, or was copied.

    `hashes` are the two tickets', in ascending order. Their counters are the same, or follow each other.
    """

    schema: Literal["bonopay.till_cloned/1"]
    device_id: DocumentId
    terminal: Terminal
    key_id: KeyId
    counter: Counter
    hashes: tuple[Sha256Hex, Sha256Hex]


PAYLOADS = {CREDENTIAL: Credential, OFFLINE_GAP: OfflineGap, TILL_CLONED: TillCloned}
Payload = TypeVar("Payload", Credential, OfflineGap, TillCloned)


def read(payload: bytes, kind: type[Payload]) -> Payload:
    """Raises ValueError for what is no canonical payload of that kind, or contradicts itself."""
    try:
        value = msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"the payload is no {kind.__name__}: {error}") from None
    if canonical.encode(value) != payload:
        raise ValueError("the payload's bytes are not canonical")
    _refuse_contradiction(value)
    return value


def _refuse_contradiction(value: Credential | OfflineGap | TillCloned) -> None:
    if isinstance(value, TillCloned):
        if value.hashes[0] >= value.hashes[1]:
            raise ValueError("the two hashes are not two, in ascending order")
        return
    if value.counter_from > value.counter_to:
        raise ValueError("the counters end before they begin")
    if isinstance(value, Credential):
        _ = value.key
        lifetime = datetime.fromisoformat(value.not_after) - datetime.fromisoformat(value.not_before)
        if not timedelta(0) < lifetime <= LONGEST:
            raise ValueError("it ends before it begins, or holds for longer than 72 hours")


def public_key(text: str) -> PublicKey:
    """A P-256 key from base64 of its DER SubjectPublicKeyInfo, in its one spelling. Raises ValueError."""
    try:
        key = PublicKey(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"no P-256 key: {error}") from None
    if base64.b64encode(key.der).decode() != text:
        raise ValueError("no P-256 key in its one spelling")
    return key

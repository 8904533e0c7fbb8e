"""What is signed, and how the entries of an outlet's chain are hashed (docs/contracts.md §3).

::

    entry_hash = SHA-256( "bonopay/entry/1\\n" ‖ previous_hash ‖ SHA-256(statement) )
    signature  = ECDSA P-256 over entry_hash, 64 bytes r‖s

The chain binds hashes, not signatures, so that a batch of entries can be signed in parallel once it is numbered.

Entries that belong to no document (a new epoch, a change of key) have an empty number and type, and sums of zero.
"""

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from . import canonical
from .forms import Authority, KeyId, MerchantNif, Money, OutletId, Sha256Hex, TimeMs

HASH_LENGTH = 32
ENTRY_DOMAIN = b"bonopay/entry/1\n"
ZERO_HASH = bytes(HASH_LENGTH)
"""The previous hash of an outlet's first entry: the head of a chain that has none yet."""

KINDS_OF_DOCUMENTS = frozenset({"invoice", "dgi_certified", "dgi_rejected"})
KINDS_WITHOUT_DOCUMENT = frozenset({"epoch_opened", "key_rotation", "credential", "offline_gap", "till_cloned"})

Kind = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$(?!\n)")]
# Both are empty where the entry concerns no document: a new epoch, another key.
NumberOrEmpty = Annotated[str, Meta(pattern=r"^(?:BONO-[A-Z0-9]{3,12}-(?!00)[0-9]{2}-(?!0{9})[0-9]{9})?$(?!\n)")]
DocumentType = Annotated[str, Meta(pattern=r"^[A-Z0-9]{0,8}$(?!\n)")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")]
Epoch = Annotated[int, Meta(ge=1, le=99)]
Index = Annotated[int, Meta(ge=1, le=canonical.MAX_INTEGER)]


class Statement(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of an outlet's chain, of any kind; `total` and `tax` in `currency`, `sealed_at` in UTC.

    `fiscal_number` and `document_type` are both empty for an entry without a document, `total` and `tax` then zero.
    """

    v: Literal[1]
    kind: Kind
    authority: Authority
    epoch: Epoch
    merchant_nif: MerchantNif
    outlet_id: OutletId
    index: Index
    fiscal_number: NumberOrEmpty
    document_type: DocumentType
    sealed_at: TimeMs
    total: Money
    tax: Money
    currency: Currency
    payload_hash: Sha256Hex
    key_id: KeyId

    def encode(self) -> bytes:
        """Return the RFC 8785 bytes: what is hashed and stored. ValueError if a member is not of its form."""
        return canonical.encode(validated(self))


def validated(statement: Statement) -> Statement:
    """Return `statement` itself; ValueError when a member is not of its form (a Struct made in code is not checked)."""
    try:
        msgspec.convert(msgspec.to_builtins(statement), Statement)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a valid statement: {error}") from error
    _refuse_half_a_document(statement)
    return statement


def _refuse_half_a_document(statement: Statement) -> None:
    """Number and type go together, and with the kind; what has neither has no amounts."""
    has_number = bool(statement.fiscal_number)
    if has_number != bool(statement.document_type):
        raise ValueError("not a valid statement: fiscal_number and document_type are both given or both empty")
    if statement.kind in (KINDS_WITHOUT_DOCUMENT if has_number else KINDS_OF_DOCUMENTS):
        raise ValueError(f"not a valid statement: fiscal_number {statement.fiscal_number!r} of kind {statement.kind}")
    if not has_number and (statement.total, statement.tax) != ("0.00", "0.00"):
        raise ValueError("not a valid statement: amounts without a document")


def entry_preimage(previous_hash: bytes, statement: bytes) -> bytes:
    """Return the 80 bytes whose SHA-256 is the entry's hash, and which `openssl dgst -sha256 -verify` takes."""
    if len(previous_hash) != HASH_LENGTH:
        raise ValueError(f"a previous hash is {HASH_LENGTH} bytes, not {len(previous_hash)}")
    return ENTRY_DOMAIN + previous_hash + hashlib.sha256(statement).digest()


def entry_hash(previous_hash: bytes, statement: bytes) -> bytes:
    """Return the 32 bytes that are signed and that the next entry names as its previous hash."""
    return hashlib.sha256(entry_preimage(previous_hash, statement)).digest()

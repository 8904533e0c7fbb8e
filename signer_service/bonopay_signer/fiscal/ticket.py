"""A provisional ticket: what a till signs of a sale that is not sealed yet, and how its tickets are chained.

::

    ticket_hash = SHA-256( "bonopay/ticket/1\\n" ‖ previous_hash ‖ SHA-256(statement) )
    signature   = ECDSA P-256 of the till's own key over ticket_hash, 64 bytes r‖s

The same shape as an entry of the ledger, in a domain of its own: neither can be passed off as the other. A ticket is no
invoice (arrêté 033 art. 7 g: what was sold without a network is normalised within 48 hours); it shows that this till
said this of that sale, and which of its tickets came before.

The QR is ``<PUBLIC URL>/P/<base32>``; its bytes, spelt as in `octets`:

===================  ======================================================================================
version              1 byte, 0x01
document type        code: 1 FV, 2 FT, 3 FA, 4 EV, 5 ET, 6 EA
authority            text
merchant NIF         text
outlet id            text
terminal             text
counter              varint
issued at            varint, seconds since 1970-01-01T00:00:00Z
total, tax           varints, centimes
document id          16 bytes
payload hash         32 bytes
key id               8 bytes
credential id        varint
previous hash        32 bytes
signature            64 bytes, r‖s
===================  ======================================================================================
"""

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from . import canonical, octets
from .forms import Authority, DocumentId, KeyId, MerchantNif, Money, OutletId, Sha256Hex, Time
from .security import SIGNATURE_LENGTH
from .statement import HASH_LENGTH

TICKET_DOMAIN = b"bonopay/ticket/1\n"
PATH = "/P/"
_DOCUMENT_TYPES = ("FV", "FT", "FA", "EV", "ET", "EA")
_KEY_ID_LENGTH, _UUID_LENGTH = 8, 16
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)

Terminal = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,8}$(?!\n)", examples=["T1"])]
Counter = Annotated[int, Meta(ge=1, le=canonical.MAX_INTEGER)]


class Ticket(Struct, frozen=True, forbid_unknown_fields=True):
    """What a till signs. `issued_at` is the till's clock, which nobody vouches for; `credential_id` the index of the
    entry in its outlet's chain by which the signer admitted the key."""

    v: Literal[1]
    kind: Literal["provisional"]
    authority: Authority
    merchant_nif: MerchantNif
    outlet_id: OutletId
    terminal: Terminal
    counter: Counter
    document_id: DocumentId
    document_type: Literal["FV", "FT", "FA", "EV", "ET", "EA"]
    issued_at: Time
    total: Money
    tax: Money
    currency: Literal["CDF"]
    payload_hash: Sha256Hex
    key_id: KeyId
    credential_id: Counter

    @property
    def number(self) -> str:
        """As it is printed: ``P-KIN001-T1-000123``."""
        return f"P-{self.outlet_id}-{self.terminal}-{self.counter:06d}"

    def encode(self) -> bytes:
        """The RFC 8785 bytes. ValueError if a member is not of its form."""
        return canonical.encode(validated(self))


class TicketQr(NamedTuple):
    """What its QR carries: enough to recompute the ticket's hash and verify it without a network."""

    ticket: Ticket
    previous_hash: bytes
    signature: bytes


def validated(ticket: Ticket) -> Ticket:
    """Return `ticket` itself; ValueError when a member is not of its form."""
    try:
        msgspec.convert(msgspec.to_builtins(ticket), Ticket)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a valid ticket: {error}") from error
    return ticket


def ticket_hash(previous_hash: bytes, statement: bytes) -> bytes:
    """Return the 32 bytes that are signed and that the till's next ticket names as its previous hash."""
    octets.refuse_length("previous hash", previous_hash, HASH_LENGTH)
    return hashlib.sha256(TICKET_DOMAIN + previous_hash + hashlib.sha256(statement).digest()).digest()


def encode_qr(public_url: str, ticket: Ticket, previous_hash: bytes, signature: bytes) -> str:
    """Return the text of the QR. Raises ValueError when something has no place in it."""
    octets.refuse_length("previous hash", previous_hash, HASH_LENGTH)
    octets.refuse_length("signature", signature, SIGNATURE_LENGTH)
    return (
        octets.public_address(public_url) + PATH + octets.base32(_to_bytes(validated(ticket), previous_hash, signature))
    )


def decode_qr(text: str) -> TicketQr:
    """Return the content of a scanned text; ValueError unless `encode_qr` would have spelt it exactly so."""
    return from_base32(octets.behind(PATH, text))


def from_base32(blob: str) -> TicketQr:
    """Return the content of the part behind ``/P/``; ValueError as in `decode_qr`."""
    reader = octets.Reader(octets.from_base32(blob))
    if reader.take(1) != b"\x01":
        raise ValueError("QR version is not known")
    ticket = Ticket(
        v=1,
        kind="provisional",
        document_type=reader.code(_DOCUMENT_TYPES),  # type: ignore[arg-type]  # validated below
        authority=reader.text(),
        merchant_nif=reader.text(),
        outlet_id=reader.text(),
        terminal=reader.text(),
        counter=reader.varint(),
        issued_at=_time(reader.varint()),
        total=octets.money(reader.varint()),
        tax=octets.money(reader.varint()),
        currency="CDF",
        document_id=str(uuid.UUID(bytes=reader.take(_UUID_LENGTH))),
        payload_hash=reader.take(HASH_LENGTH).hex(),
        key_id=reader.take(_KEY_ID_LENGTH).hex(),
        credential_id=reader.varint(),
    )
    content = TicketQr(validated(ticket), reader.take(HASH_LENGTH), reader.take(SIGNATURE_LENGTH))
    reader.refuse_rest()
    return content


def _to_bytes(ticket: Ticket, previous_hash: bytes, signature: bytes) -> bytes:
    return b"".join(
        (
            b"\x01",
            octets.code(_DOCUMENT_TYPES, ticket.document_type),
            octets.text(ticket.authority),
            octets.text(ticket.merchant_nif),
            octets.text(ticket.outlet_id),
            octets.text(ticket.terminal),
            octets.varint(ticket.counter),
            octets.varint(int((datetime.fromisoformat(ticket.issued_at) - _EPOCH_START).total_seconds())),
            octets.varint(octets.centimes(ticket.total)),
            octets.varint(octets.centimes(ticket.tax)),
            uuid.UUID(ticket.document_id).bytes,
            bytes.fromhex(ticket.payload_hash),
            bytes.fromhex(ticket.key_id),
            octets.varint(ticket.credential_id),
            previous_hash,
            signature,
        )
    )


def _time(seconds: int) -> str:
    try:
        return (_EPOCH_START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError as error:
        raise ValueError("QR content: a time is beyond the calendar") from error

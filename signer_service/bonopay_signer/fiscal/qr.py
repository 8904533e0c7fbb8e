"""The QR's content: `<PUBLIC URL>/V/<base32>`, upper case (docs/contracts.md §4).

The text stays within QR's alphanumeric alphabet, 5.5 bits a character. The bytes, in this order:

===================  ======================================================================================
version              1 byte, 0x01 (it is the statement's `v` too)
kind                 code: 1 `invoice`, 2 `dgi_certified`, 3 `dgi_rejected`
document type        code: 1 FV, 2 FT, 3 FA, 4 EV, 5 ET, 6 EA
currency             code: 1 CDF
authority            text
merchant NIF         text
outlet id            text
epoch                varint
index                varint
sequence             varint, the sequence of the fiscal number, when the number is the one that outlet id, epoch and
                     sequence give; otherwise 0, then the fiscal number as text
sealed at            varint, milliseconds since 1970-01-01T00:00:00Z
total, tax           varints, centimes
payload hash         32 bytes
key id               8 bytes
previous hash        32 bytes
signature            64 bytes, r‖s
===================  ======================================================================================

Numbers, texts and codes are spelt as in `octets`. Every reader refuses another spelling of the same content and bytes
left over: one content, one QR.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from . import numbering, octets
from .security import SIGNATURE_LENGTH
from .statement import HASH_LENGTH, Statement, validated

VERSION = 1
PATH = "/V/"

_KINDS = ("invoice", "dgi_certified", "dgi_rejected")
_DOCUMENT_TYPES = ("FV", "FT", "FA", "EV", "ET", "EA")
_CURRENCIES = ("CDF",)
_KEY_ID_LENGTH = 8
_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class QrContent(NamedTuple):
    """What a QR carries: enough to recompute the entry's hash and verify its signature without a network."""

    statement: Statement
    previous_hash: bytes
    signature: bytes


def encode(public_url: str, statement: Statement, previous_hash: bytes, signature: bytes) -> str:
    """Return the text of the QR.

    `public_url` is the service's public address, without query. Raises ValueError when it leaves QR's alphanumeric
    alphabet, when the statement is not valid or has no document, or when a hash or signature is not of its length.
    """
    return encode_valid(public_url, validated(statement), previous_hash, signature)


def encode_valid(public_url: str, statement: Statement, previous_hash: bytes, signature: bytes) -> str:
    """The same for a statement that is known to be valid: one that was decoded, or that the token has signed."""
    content = QrContent(statement, previous_hash, signature)
    return octets.public_address(public_url) + PATH + octets.base32(_to_bytes(content))


def decode(text: str) -> QrContent:
    """Return the content of a scanned text; ValueError unless `encode` would have spelt it exactly so."""
    return from_base32(octets.behind(PATH, text))


def to_base32(content: QrContent) -> str:
    """Return the part of the QR behind `/V/`."""
    validated(content.statement)
    return octets.base32(_to_bytes(content))


def from_base32(blob: str) -> QrContent:
    """Return the content of the part behind `/V/`; ValueError unless `to_base32` would have spelt it exactly so."""
    return _from_bytes(octets.from_base32(blob))


def _to_bytes(content: QrContent) -> bytes:
    statement = content.statement
    octets.refuse_length("previous hash", content.previous_hash, HASH_LENGTH)
    octets.refuse_length("signature", content.signature, SIGNATURE_LENGTH)
    return b"".join(
        (
            bytes([VERSION]),
            octets.code(_KINDS, statement.kind),
            octets.code(_DOCUMENT_TYPES, statement.document_type),
            octets.code(_CURRENCIES, statement.currency),
            octets.text(statement.authority),
            octets.text(statement.merchant_nif),
            octets.text(statement.outlet_id),
            octets.varint(statement.epoch),
            octets.varint(statement.index),
            _fiscal_number(statement),
            octets.varint(_milliseconds(statement.sealed_at)),
            octets.varint(octets.centimes(statement.total)),
            octets.varint(octets.centimes(statement.tax)),
            bytes.fromhex(statement.payload_hash),
            bytes.fromhex(statement.key_id),
            content.previous_hash,
            content.signature,
        )
    )


def _from_bytes(data: bytes) -> QrContent:
    reader = octets.Reader(data)
    version = reader.take(1)[0]
    if version != VERSION:
        raise ValueError(f"QR version {version} is not known")
    kind, document_type, currency = (reader.code(table) for table in (_KINDS, _DOCUMENT_TYPES, _CURRENCIES))
    authority, merchant_nif, outlet_id = reader.text(), reader.text(), reader.text()
    epoch = reader.varint()
    statement = Statement(
        v=VERSION,
        kind=kind,
        authority=authority,
        epoch=epoch,
        merchant_nif=merchant_nif,
        outlet_id=outlet_id,
        index=reader.varint(),
        fiscal_number=_read_number(reader, outlet_id, epoch),
        document_type=document_type,
        sealed_at=_time(reader.varint()),
        total=octets.money(reader.varint()),
        tax=octets.money(reader.varint()),
        currency=currency,
        payload_hash=reader.take(HASH_LENGTH).hex(),
        key_id=reader.take(_KEY_ID_LENGTH).hex(),
    )
    content = QrContent(validated(statement), reader.take(HASH_LENGTH), reader.take(SIGNATURE_LENGTH))
    reader.refuse_rest()
    return content


def _read_number(reader: octets.Reader, outlet_id: str, epoch: int) -> str:
    sequence = reader.varint()
    if sequence:
        return numbering.fiscal_number(outlet_id, epoch, sequence)
    number = reader.text()
    if _is_derivable(number, outlet_id, epoch):
        raise ValueError(f"QR content: {number!r} is spelt out although it follows from outlet and epoch")
    return number


def _is_derivable(number: str, outlet_id: str, epoch: int) -> bool:
    return numbering.parse_fiscal_number(number)[:2] == (outlet_id, epoch)


def _fiscal_number(statement: Statement) -> bytes:
    if _is_derivable(statement.fiscal_number, statement.outlet_id, statement.epoch):
        return octets.varint(numbering.parse_fiscal_number(statement.fiscal_number).sequence)
    return octets.varint(0) + octets.text(statement.fiscal_number)


def _milliseconds(time: str) -> int:
    return (datetime.fromisoformat(time) - _EPOCH_START) // _MILLISECOND


def _time(milliseconds: int) -> str:
    try:
        time = _EPOCH_START + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise ValueError("QR content: a time is beyond the calendar") from error
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"

"""The QR's content: `<PUBLIC URL>/V/<base32>`, upper case (docs/contracts.md §4).

The text stays within QR's alphanumeric alphabet, 5.5 bits a character. Base 32 is RFC 4648's, without padding; the
unused bits of its last character are zero. The bytes, in this order:

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

*varint*: base 128, least significant group first, high bit set on every byte but the last, no superfluous zero group,
at most 9 bytes. *text*: 1 byte of length, then ASCII. *code*: 1 byte of the list above, or 0 and a text that the list
does not have. Every reader refuses another spelling of the same content and bytes left over: one content, one QR.
"""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from . import numbering
from .security import SIGNATURE_LENGTH
from .statement import HASH_LENGTH, Statement, validated

VERSION = 1
PATH = "/V/"

_KINDS = ("invoice", "dgi_certified", "dgi_rejected")
_DOCUMENT_TYPES = ("FV", "FT", "FA", "EV", "ET", "EA")
_CURRENCIES = ("CDF",)
_KEY_ID_LENGTH = 8
_MAX_VARINT_BYTES = 9
_PUBLIC_URL = re.compile(r"HTTPS?://[0-9A-Z$%*+\-./:]+")
_BLOB = re.compile(r"[A-Z2-7]+")
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
    url = public_url.upper().rstrip("/")
    if not _PUBLIC_URL.fullmatch(url):
        raise ValueError(f"{public_url!r} is not an http(s) address within QR's alphanumeric alphabet")
    return url + PATH + _base32(_to_bytes(QrContent(statement, previous_hash, signature)))


def decode(text: str) -> QrContent:
    """Return the content of a scanned text; ValueError unless `encode` would have spelt it exactly so."""
    url, separator, blob = text.rpartition(PATH)
    if not separator or not _PUBLIC_URL.fullmatch(url) or url.endswith("/"):
        raise ValueError("not a verification QR: an upper-case http(s) address with /V/ is expected")
    return from_base32(blob)


def to_base32(content: QrContent) -> str:
    """Return the part of the QR behind `/V/`."""
    validated(content.statement)
    return _base32(_to_bytes(content))


def from_base32(blob: str) -> QrContent:
    """Return the content of the part behind `/V/`; ValueError unless `to_base32` would have spelt it exactly so."""
    if not _BLOB.fullmatch(blob):
        raise ValueError("base 32: only A–Z and 2–7, without padding")
    try:
        data = base64.b32decode(blob + "=" * (-len(blob) % 8))
    except binascii.Error as error:
        raise ValueError(f"base 32: {error}") from error
    if _base32(data) != blob:
        raise ValueError("base 32: the unused bits of the last character are not zero")
    return _from_bytes(data)


def _base32(data: bytes) -> str:
    return base64.b32encode(data).rstrip(b"=").decode("ascii")


def _to_bytes(content: QrContent) -> bytes:
    statement = content.statement
    _refuse_length("previous hash", content.previous_hash, HASH_LENGTH)
    _refuse_length("signature", content.signature, SIGNATURE_LENGTH)
    return b"".join(
        (
            bytes([VERSION]),
            _code(_KINDS, statement.kind),
            _code(_DOCUMENT_TYPES, statement.document_type),
            _code(_CURRENCIES, statement.currency),
            _text(statement.authority),
            _text(statement.merchant_nif),
            _text(statement.outlet_id),
            _varint(statement.epoch),
            _varint(statement.index),
            _fiscal_number(statement),
            _varint(_milliseconds(statement.sealed_at)),
            _varint(_centimes(statement.total)),
            _varint(_centimes(statement.tax)),
            bytes.fromhex(statement.payload_hash),
            bytes.fromhex(statement.key_id),
            content.previous_hash,
            content.signature,
        )
    )


def _from_bytes(data: bytes) -> QrContent:
    reader = _Reader(data)
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
        fiscal_number=reader.fiscal_number(outlet_id, epoch),
        document_type=document_type,
        sealed_at=_time(reader.varint()),
        total=_money(reader.varint()),
        tax=_money(reader.varint()),
        currency=currency,
        payload_hash=reader.take(HASH_LENGTH).hex(),
        key_id=reader.take(_KEY_ID_LENGTH).hex(),
    )
    content = QrContent(validated(statement), reader.take(HASH_LENGTH), reader.take(SIGNATURE_LENGTH))
    reader.refuse_rest()
    return content


class _Reader:
    """Takes fields off the front of the bytes; ValueError when they are cut short or spelt another way."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, length: int) -> bytes:
        start, self._position = self._position, self._position + length
        if self._position > len(self._data):
            raise ValueError("QR content is cut short")
        return self._data[start : self._position]

    def varint(self) -> int:
        value = 0
        for position in range(_MAX_VARINT_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                if byte == 0 and position:
                    raise ValueError("QR content: a number is longer than it needs to be")
                return value
        raise ValueError("QR content: a number is too long")

    def text(self) -> str:
        try:
            return self.take(self.take(1)[0]).decode("ascii")
        except UnicodeDecodeError as error:
            raise ValueError("QR content: a text is not ASCII") from error

    def code(self, table: tuple[str, ...]) -> str:
        number = self.take(1)[0]
        if number > len(table):
            raise ValueError(f"QR content: code {number} is not known")
        if number:
            return table[number - 1]
        value = self.text()
        if value in table:
            raise ValueError(f"QR content: {value!r} is spelt out although it has a code")
        return value

    def fiscal_number(self, outlet_id: str, epoch: int) -> str:
        sequence = self.varint()
        if sequence:
            return numbering.fiscal_number(outlet_id, epoch, sequence)
        number = self.text()
        if _is_derivable(number, outlet_id, epoch):
            raise ValueError(f"QR content: {number!r} is spelt out although it follows from outlet and epoch")
        return number

    def refuse_rest(self) -> None:
        if self._position != len(self._data):
            raise ValueError("QR content: bytes are left over")


def _refuse_length(name: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise ValueError(f"a {name} is {length} bytes, not {len(value)}")


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode("ascii")


def _code(table: tuple[str, ...], value: str) -> bytes:
    return bytes([table.index(value) + 1]) if value in table else b"\x00" + _text(value)


def _is_derivable(number: str, outlet_id: str, epoch: int) -> bool:
    return numbering.parse_fiscal_number(number)[:2] == (outlet_id, epoch)


def _fiscal_number(statement: Statement) -> bytes:
    if _is_derivable(statement.fiscal_number, statement.outlet_id, statement.epoch):
        return _varint(numbering.parse_fiscal_number(statement.fiscal_number).sequence)
    return _varint(0) + _text(statement.fiscal_number)


def _milliseconds(time: str) -> int:
    return (datetime.fromisoformat(time) - _EPOCH_START) // _MILLISECOND


def _time(milliseconds: int) -> str:
    try:
        time = _EPOCH_START + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise ValueError("QR content: a time is beyond the calendar") from error
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def _centimes(money: str) -> int:
    return int(money.replace(".", ""))


def _money(centimes: int) -> str:
    return f"{centimes // 100}.{centimes % 100:02d}"

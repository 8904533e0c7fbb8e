"""How numbers, texts and codes are spelt in the octets of a QR (docs/contracts.md §4): one value, one spelling.

*varint*: base 128, least significant group first, high bit set on every byte but the last, no superfluous zero group,
at most 9 bytes. *text*: 1 byte of length, then ASCII. *code*: 1 byte of a list, or 0 and a text that the list does not
have. Base 32 is RFC 4648's, without padding; the unused bits of its last character are zero.
"""

import base64
import binascii
import re

_MAX_VARINT_BYTES = 9
_BASE32 = re.compile(r"[A-Z2-7]+")
_PUBLIC_URL = re.compile(r"HTTPS?://[0-9A-Z$%*+\-./:]+")


def public_address(public_url: str) -> str:
    """A service's address as a QR spells it. Raises ValueError outside of QR's alphanumeric alphabet."""
    url = public_url.upper().rstrip("/")
    if not _PUBLIC_URL.fullmatch(url):
        raise ValueError(f"{public_url!r} is not an http(s) address within QR's alphanumeric alphabet")
    return url


def behind(path: str, text: str) -> str:
    """What a scanned text holds behind the address and ``path``; ValueError for another text."""
    url, separator, blob = text.rpartition(path)
    if not separator or not _PUBLIC_URL.fullmatch(url) or url.endswith("/"):
        raise ValueError(f"not a verification QR: an upper-case http(s) address with {path} is expected")
    return blob


def base32(data: bytes) -> str:
    return base64.b32encode(data).rstrip(b"=").decode("ascii")


def from_base32(blob: str) -> bytes:
    """ValueError unless :func:`base32` would have spelt it exactly so."""
    if not _BASE32.fullmatch(blob):
        raise ValueError("base 32: only A–Z and 2–7, without padding")
    try:
        data = base64.b32decode(blob + "=" * (-len(blob) % 8))
    except binascii.Error as error:
        raise ValueError(f"base 32: {error}") from error
    if base32(data) != blob:
        raise ValueError("base 32: the unused bits of the last character are not zero")
    return data


def varint(number: int) -> bytes:
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode("ascii")


def code(table: tuple[str, ...], value: str) -> bytes:
    return bytes([table.index(value) + 1]) if value in table else b"\x00" + text(value)


def centimes(money: str) -> int:
    return int(money.replace(".", ""))


def money(centimes: int) -> str:
    return f"{centimes // 100}.{centimes % 100:02d}"


def refuse_length(name: str, value: bytes, length: int) -> None:
    """Raises ValueError."""
    if len(value) != length:
        raise ValueError(f"a {name} is {length} bytes, not {len(value)}")


class Reader:
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

    def refuse_rest(self) -> None:
        if self._position != len(self._data):
            raise ValueError("QR content: bytes are left over")

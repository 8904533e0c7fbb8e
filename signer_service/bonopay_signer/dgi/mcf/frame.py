"""Frames of the MCF's serial protocol, as bytes and back; pure.

To the device: ``SOH LEN SEQ CMD DATA AMB BCC×4 ETX``; from it the data is followed by ``BRK STA×6``. LEN counts the
bytes LEN…AMB and adds 20h; BCC is the 16-bit sum of the same bytes, a nibble to a byte, each plus 30h, highest first.
Since LEN is one byte, a request carries 219 bytes of data at most, and an answer 212.

A change of any one byte of a frame is always found: each byte is either fixed or counted in the sum.
"""

import re
from dataclasses import dataclass

SOH, ETX, BRK, AMB, NAK, SYN = 0x01, 0x03, 0x04, 0x05, 0x15, 0x16
FIRST_SEQUENCE, LAST_SEQUENCE = 0x20, 0xFF
STATUS_LENGTH = 6
_OFFSET, _NIBBLE = 0x20, 0x30
_FIXED = 4  # LEN, SEQ, CMD and AMB
_AROUND = 6  # SOH before what LEN counts, BCC and ETX after it
MAX_REQUEST_DATA = 0xFF - _OFFSET - _FIXED
MAX_ANSWER_DATA = MAX_REQUEST_DATA - STATUS_LENGTH - 1
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n")  # tab and line feed separate the parts of an item

_ESCAPES = {"&": "^amp;", ",": "^x2c;", "<": "^lt;", ">": "^gt;", "\r": "^x0d;", "\n": "^x0a;"}
_UNESCAPES = {spelt: plain for plain, spelt in _ESCAPES.items()}
_ESCAPED = re.compile("|".join(map(re.escape, _UNESCAPES)))


class FrameError(Exception):
    """Bytes that are no frame, or a frame that cannot be made."""


class TooLong(FrameError):
    """More data than LEN can count."""


class ControlByte(FrameError):
    """A control byte within data, or within the device's status."""


class BadStart(FrameError):
    """No SOH at the start."""


class BadLength(FrameError):
    """LEN does not fit the bytes that are there."""


class BadSequence(FrameError):
    """SEQ or CMD below 20h."""


class BadCheck(FrameError):
    """BCC is not the sum of the bytes."""


class BadEnd(FrameError):
    """No AMB before BCC, or no ETX at the end."""


class BadStatus(FrameError):
    """An answer without its status bytes."""


class BadText(FrameError):
    """Text that the escapes cannot carry, or data that is not UTF-8."""


@dataclass(frozen=True, slots=True)
class Frame:
    """``data`` as on the line, escapes and all; ``status`` is the device's six bytes, None in a request."""

    sequence: int
    command: int
    data: bytes
    status: bytes | None = None


def encode(frame: Frame) -> bytes:
    """The bytes of a frame. Raises TooLong, ControlByte, BadSequence or BadStatus."""
    _check_parts(frame)
    status = b"" if frame.status is None else bytes([BRK]) + frame.status
    length = _FIXED + len(frame.data) + len(status)
    if length + _OFFSET > 0xFF:
        limit = MAX_REQUEST_DATA if frame.status is None else MAX_ANSWER_DATA
        raise TooLong(f"{len(frame.data)} bytes of data, at most {limit} fit")
    counted = bytes([length + _OFFSET, frame.sequence, frame.command]) + frame.data + status + bytes([AMB])
    return bytes([SOH]) + counted + _check_bytes(counted) + bytes([ETX])


def decode(raw: bytes) -> Frame:
    """The frame that ``raw`` is, whole and nothing else. Raises a FrameError that names what is wrong."""
    if not raw or raw[0] != SOH:
        raise BadStart("no SOH at the start")
    if len(raw) < _FIXED + _AROUND or len(raw) != whole_length(raw):
        raise BadLength(f"{len(raw)} bytes, which LEN does not tell")
    counted, check = raw[1:-5], raw[-5:-1]
    if raw[-1] != ETX or counted[-1] != AMB:
        raise BadEnd("AMB or ETX is not in its place")
    if check != _check_bytes(counted):
        raise BadCheck("BCC is not the sum of the bytes")
    data, status = _without_status(counted[3:-1])
    frame = Frame(counted[1], counted[2], data, status)
    _check_parts(frame)
    return frame


def decode_answer(raw: bytes) -> Frame:
    """Like ``decode``, for what comes from the device. Raises BadStatus when the status bytes are missing."""
    frame = decode(raw)
    if frame.status is None:
        raise BadStatus("an answer without status bytes")
    return frame


def whole_length(start: bytes) -> int:
    """How many bytes the frame has that begins with these, SOH and LEN at least. Raises BadLength."""
    length = start[1] - _OFFSET
    if length < _FIXED:
        raise BadLength(f"LEN is {start[1]:02X}h")
    return length + _AROUND


def next_sequence(sequence: int) -> int:
    return FIRST_SEQUENCE if sequence == LAST_SEQUENCE else sequence + 1


def escape(text: str) -> str:
    """Text as it stands in data. Raises BadText for text that would be read back as something else."""
    if _ESCAPED.search(text):
        raise BadText(f"{text!r} holds what the MCF takes for an escape")
    return "".join(_ESCAPES.get(character, character) for character in text)


def unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: _UNESCAPES[match[0]], text)


def as_text(data: bytes) -> str:
    """Raises BadText."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadText("the data is not UTF-8") from error


def _check_parts(frame: Frame) -> None:
    if not (_OFFSET <= frame.sequence <= 0xFF and _OFFSET <= frame.command <= 0xFF):
        raise BadSequence(f"SEQ {frame.sequence:02X}h, CMD {frame.command:02X}h")
    if not _CONTROLS.isdisjoint(frame.data):
        raise ControlByte("a control byte in the data")
    if frame.status is None:
        return
    if len(frame.status) != STATUS_LENGTH:
        raise BadStatus(f"{len(frame.status)} status bytes")
    if min(frame.status) < _OFFSET:
        raise ControlByte("a control byte in the status")


def _without_status(body: bytes) -> tuple[bytes, bytes | None]:
    at = len(body) - STATUS_LENGTH - 1
    if at >= 0 and body[at] == BRK:
        return body[:at], body[at + 1 :]
    return body, None


def _check_bytes(counted: bytes) -> bytes:
    total = sum(counted) & 0xFFFF
    return bytes(_NIBBLE + (total >> shift & 0xF) for shift in (12, 8, 4, 0))

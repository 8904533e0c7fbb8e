"""The serial protocol as the device sees it: requests in, answers out.

Request `01 LEN SEQ CMD DATA 05 BCC×4 03`, answer `01 LEN SEQ CMD DATA 04 STA×6 05 BCC×4 03`. LEN is the number of bytes
from itself to 05, plus 20h. BCC is the sum of these bytes, 16 bits in four nibbles plus 30h.
"""

from dataclasses import dataclass

REFUSED_FRAME = b"\x15"
BUSY = b"\x16"
QUIET_STATUS = b"\x80" * 6
LONGEST_ANSWER = 0xFF - 0x20 - 4 - 7
ESCAPED = (("^x2c;", ","), ("^lt;", "<"), ("^gt;", ">"), ("^x0d;", "\r"), ("^x0a;", "\n"), ("^amp;", "&"))


class AnswerTooLong(Exception):
    """The length byte cannot count the answer."""


@dataclass(frozen=True, slots=True)
class Request:
    sequence: int
    command: int
    data: bytes


class Inbox:
    """Gathers the bytes that arrive. `None` in the results stands for a frame that must be asked for again."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, arrived: bytes) -> list[Request | None]:
        self._bytes += arrived
        found: list[Request | None] = []
        while (size := self._frame_size()) is not None and len(self._bytes) >= size:
            found.append(_parse(bytes(self._bytes[:size])))
            del self._bytes[:size]
        return found

    def give_up(self) -> bool:
        """Drop a frame that did not go on. Whether there was one."""
        begun = bool(self._bytes)
        self._bytes.clear()
        return begun

    def _frame_size(self) -> int | None:
        start = self._bytes.find(b"\x01")
        del self._bytes[: start if start >= 0 else len(self._bytes)]
        if len(self._bytes) < 2:
            return None
        return max(self._bytes[1] - 0x20, 4) + 6


def _parse(frame: bytes) -> Request | None:
    counted, check, end = frame[1:-5], frame[-5:-1], frame[-1]
    sound = counted[0] - 0x20 == len(counted) and counted[-1] == 5 and end == 3 and check == checksum(counted)
    if not sound or counted[1] < 0x20:
        return None
    return Request(counted[1], counted[2], counted[3:-1])


def answer(request: Request, data: bytes, status: bytes = QUIET_STATUS) -> bytes:
    """Raises AnswerTooLong."""
    if len(data) > LONGEST_ANSWER:
        raise AnswerTooLong(f"{len(data)} bytes")
    counted = bytes([len(data) + 0x20 + 4 + 7, request.sequence, request.command]) + data + b"\x04" + status + b"\x05"
    return b"\x01" + counted + checksum(counted) + b"\x03"


def checksum(counted: bytes) -> bytes:
    return bytes(0x30 + int(digit, 16) for digit in f"{sum(counted) % 0x10000:04x}")


def unescaped(text: str) -> str:
    """In one pass, so that `^amp;lt;` stays what it says."""
    plain, rest = "", text
    while rest:
        spelt, character = next((pair for pair in ESCAPED if rest.startswith(pair[0])), (rest[0], rest[0]))
        plain, rest = plain + character, rest[len(spelt) :]
    return plain


def escaped(text: str) -> str:
    by_character = {character: spelt for spelt, character in ESCAPED}
    return "".join(by_character.get(character, character) for character in text)

"""The serial line by itself: what may come back instead of an answer, and what that says about the request."""

import asyncio
import errno
import fcntl
import os
import termios
import time
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bonopay_signer.dgi.mcf import link as link_module
from bonopay_signer.dgi.mcf.frame import Frame, encode
from bonopay_signer.dgi.mcf.link import Link, LinkSettings, NotReceived, NoUsableAnswer

STATUS = b"\x80" * 6
FIRST = encode(Frame(0x20, 0xC1, b""))
_TIOCGEXCL = 0x80045440  # ioctl_tty(2); the module termios has no name for it


class Record:
    """The journal's place: the bytes of each sending and of all that came back on it."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, bytes]] = []

    async def sent(self, raw: bytes) -> None:
        self.rows.append(("sent", raw))

    async def received(self, raw: bytes) -> None:
        self.rows.append(("received", raw))

    async def failed(self, raw: bytes, error: str) -> None:
        self.rows.append((error, raw))


class Line:
    """The device's end of a pseudo-terminal; replies to each request with the next of its pieces, one by one."""

    def __init__(self) -> None:
        self.device, self._other = os.openpty()
        tty.setraw(self._other)
        os.set_blocking(self.device, False)
        self.path = os.ttyname(self._other)
        self.replies: list[list[bytes]] = []
        self.heard: list[bytes] = []

    async def play(self) -> None:
        while True:
            await asyncio.sleep(0.002)
            try:
                self.heard.append(os.read(self.device, 4096))
            except BlockingIOError:
                continue
            for piece in self.replies.pop(0) if self.replies else []:
                os.write(self.device, piece)
                await asyncio.sleep(0.005)

    def close(self) -> None:
        os.close(self.device)
        os.close(self._other)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    playing = asyncio.create_task(line.play())
    yield line
    playing.cancel()
    line.close()


def _answer(sequence: int = 0x20, command: int = 0xC1, data: bytes = b"ok") -> bytes:
    return encode(Frame(sequence, command, data, STATUS))


def _asking(line: Line) -> tuple[Callable[[], Awaitable[Frame]], Record, Link]:
    link = Link(LinkSettings(line.path, answer_timeout=0.15, busy_timeout=0.5, resends=2))
    record = Record()
    return lambda: link.exchange(0xC1, b"", record), record, link


async def test_an_answer_may_come_in_any_pieces(line: Line) -> None:
    ask, record, _ = _asking(line)
    line.replies = [[b"\x16", *(bytes([byte]) for byte in _answer())]]
    assert (await ask()).data == b"ok"
    assert record.rows == [("sent", FIRST), ("received", b"\x16" + _answer())]


async def test_the_same_frame_is_sent_again_as_often_as_it_is_asked_for(line: Line) -> None:
    ask, record, _ = _asking(line)
    line.replies = [[b"\x15"], [b"\x15"], [_answer()]]
    assert (await ask()).data == b"ok"
    assert line.heard == [FIRST] * 3
    line.heard.clear()
    line.replies = [[b"\x15"]] * 3
    with pytest.raises(NotReceived):
        await ask()
    assert len(line.heard) == 3
    assert record.rows[-1] == ("received", b"\x15")


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"\x00"],
        [b"\x15", b"\x15"],
        [b"\x15", b"\x7f"],
        [b"\x7f\x15"],
        [_answer()[:-3]],
        [_answer()[:-1] + b"\x04"],
        [_answer(0x21)],
        [_answer(command=0xC2)],
        [_answer() + b"\x15"],
        [encode(Frame(0x20, 0xC1, b"ok"))],
        [b"\x01\x00"],
    ],
    ids=repr,
)
async def test_what_is_no_answer_may_hide_an_effect_and_is_never_followed_by_a_resend(
    line: Line, pieces: list[bytes]
) -> None:
    ask, record, _ = _asking(line)
    line.replies = [pieces]
    with pytest.raises(NoUsableAnswer):
        await ask()
    assert line.heard == [FIRST]
    assert record.rows[-1][1] == b"".join(pieces)[: len(record.rows[-1][1])]
    line.replies = [[_answer(0x21)]]
    assert (await ask()).data == b"ok", "the line is in order again"


async def test_an_answer_to_an_earlier_request_is_passed_over(line: Line) -> None:
    ask, record, _ = _asking(line)
    line.replies = [[_answer(0x1F + 0x40), _answer()]]
    assert (await ask()).data == b"ok"
    assert record.rows[-1] == ("received", _answer(0x5F) + _answer())


async def test_an_answer_that_came_while_this_process_was_kept_from_looking_is_no_silence(line: Line) -> None:
    """A busy machine: the time is over before anything is read, and the answer has long been there."""
    ask, record, _ = _asking(line)
    line.replies = [[]]
    asking = asyncio.create_task(ask())
    while not line.heard:
        await asyncio.sleep(0.001)
    os.write(line.device, _answer())
    time.sleep(0.3)  # the loop stands still
    assert (await asking).data == b"ok"
    assert record.rows[-1] == ("received", _answer())


async def test_a_late_answer_is_kept_with_the_next_exchange(line: Line) -> None:
    ask, record, _ = _asking(line)
    with pytest.raises(NoUsableAnswer, match="silence"):
        await ask()
    os.write(line.device, _answer(data=b"late"))
    line.replies = [[_answer(0x21)]]
    assert (await ask()).data == b"ok"
    assert record.rows[-1] == ("received", _answer(data=b"late") + _answer(0x21))


async def test_busy_is_waited_for_and_not_forever(line: Line) -> None:
    ask, _, _ = _asking(line)
    line.replies = [[b"\x16"] * 60 + [_answer()]]
    assert (await ask()).data == b"ok", "longer than silence would be borne"
    line.replies = [[b"\x16"] * 400]
    with pytest.raises(NoUsableAnswer):
        await ask()


async def test_a_line_that_is_never_quiet_is_not_written_to(line: Line) -> None:
    ask, _, link = _asking(line)
    line.replies = [[b"\x00"]]
    with pytest.raises(NoUsableAnswer):
        await ask()
    line.heard.clear()

    async def babble() -> None:
        while True:
            os.write(line.device, b"\x00" * 1000)
            await asyncio.sleep(0.001)

    babbling = asyncio.create_task(babble())
    try:
        with pytest.raises(NotReceived, match="never quiet"):
            await ask()
    finally:
        babbling.cancel()
    assert line.heard == []
    link.close()


async def test_the_port_is_raw_8n1_at_the_speed_that_is_set(line: Line) -> None:
    link = Link(LinkSettings(line.path, speed=9600, answer_timeout=0.15))
    line.replies = [[_answer()]]
    await link.exchange(0xC1, b"", Record())
    modes = termios.tcgetattr(line._other)
    assert modes[4] == modes[5] == termios.B9600
    assert modes[2] & termios.CSIZE == termios.CS8
    assert not modes[2] & (termios.PARENB | termios.CSTOPB | termios.CRTSCTS)
    assert not modes[3] & (termios.ECHO | termios.ICANON)
    link.close()


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, termios.CS8),
        ({"data_bits": 7, "parity": "even"}, termios.CS7 | termios.PARENB),
        ({"parity": "odd", "stop_bits": 2}, termios.CS8 | termios.PARENB | termios.PARODD | termios.CSTOPB),
    ],
)
async def test_the_port_gets_the_character_that_is_configured(
    line: Line, settings: dict, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pseudo-terminal forgets it, so what is asked of the driver is looked at."""
    asked: list[int] = []
    original = termios.tcsetattr

    def spy(descriptor: int, when: int, modes: list) -> None:
        asked.append(modes[2])
        original(descriptor, when, modes)

    monkeypatch.setattr(termios, "tcsetattr", spy)
    link = Link(LinkSettings(line.path, answer_timeout=0.15, **settings))
    line.replies = [[_answer()]]
    await link.exchange(0xC1, b"", Record())
    character = termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB
    assert asked[-1] & character == wanted
    link.close()


async def test_another_port_is_used_from_the_next_exchange_on_and_never_within_one(line: Line) -> None:
    ask, record, link = _asking(line)
    link.configure(LinkSettings(line.path, answer_timeout=30))
    asking = asyncio.create_task(ask())
    while not line.heard:
        await asyncio.sleep(0.002)
    link.configure(LinkSettings("/dev/absent", answer_timeout=0.15))
    os.write(line.device, _answer())
    assert (await asking).data == b"ok", "what was begun at the old port ends there"
    with pytest.raises(NotReceived, match="/dev/absent"):
        await ask()
    assert len(line.heard) == 1 and record.rows[-1][1] == b""


async def test_port_of_another_program_is_not_written_to_and_is_taken_once_it_lets_go(line: Line) -> None:
    """Otherwise each would read the other's answers."""
    ask, _, link = _asking(line)
    line.replies = [[_answer()], [_answer(0x21)]]
    await ask()
    other, record, _ = _asking(line)
    with pytest.raises(NotReceived, match=f"{line.path} cannot be used: .* another program holds it"):
        await other()
    assert len(line.heard) == 1 and record.rows[-1][1] == b""
    link.close()
    assert (await other()).command == 0xC1


async def test_port_is_not_opened_by_others_meanwhile(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel refuses everybody but root, who is told by the flag."""
    monkeypatch.setattr(link_module, "_PSEUDO_TERMINALS", ())  # as a serial line
    ask, _, link = _asking(line)
    line.replies = [[_answer()]]
    await ask()
    try:
        descriptor = os.open(line.path, os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        assert error.errno == errno.EBUSY
    else:
        flag = fcntl.ioctl(descriptor, _TIOCGEXCL, b"\0\0\0\0")
        os.close(descriptor)
        assert any(flag)
    link.close()


async def test_a_port_that_is_not_there_was_not_written_to(tmp_path: Path) -> None:
    record = Record()
    with pytest.raises(NotReceived):
        await Link(LinkSettings(str(tmp_path / "absent"))).exchange(0xC1, b"", record)
    assert [kind for kind, _ in record.rows][0] == "sent" and record.rows[1][1] == b""

"""The serial line to an MCF: one request and its answer at a time.

What came back tells what may have happened, so failures are told apart:

- ``NotReceived``: the port cannot be opened or written to, or is another program's, or the device asked for the frame
  again each time (NAK).
- ``NoUsableAnswer``: silence, or bytes that are no answer to this request. The device may have executed it.

A NAK is believed only when it comes alone: among other bytes it may be noise in place of an answer, and sending an
executed command again is what must not happen.
"""

import asyncio
import errno
import fcntl
import os
import termios
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from bonopay_signer.dgi.mcf import frame
from bonopay_signer.dgi.mcf.frame import Frame, FrameError

_QUIET = 0.02  # seconds without a byte after which nothing more belongs to what came before
_MAX_LEFTOVERS = 64 * 1024
_PSEUDO_TERMINALS = range(136, 144)  # majors, of Linux's devices.txt
_CHARACTERS = {7: termios.CS7, 8: termios.CS8}
_PARITIES = {"none": 0, "even": termios.PARENB, "odd": termios.PARENB | termios.PARODD}


class LinkError(Exception):
    """No answer to a request."""


class NotReceived(LinkError):
    """The device did not get the request."""


class NoUsableAnswer(LinkError):
    """The device may have got the request, and executed it."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """``answer_timeout`` is for silence, ``busy_timeout`` for a device that says it is busy (SYN); seconds.

    The port's own settings are configurable (SFE §1.23): ``data_bits`` 7 or 8, ``parity`` none, even or odd.
    """

    path: str
    speed: int = 115200
    data_bits: int = 8
    parity: str = "none"
    stop_bits: int = 1
    answer_timeout: float = 2.0
    busy_timeout: float = 30.0
    resends: int = 3


class Recorder(Protocol):
    """Keeps the bytes of each sending, before it, and all that came back."""

    async def sent(self, raw: bytes) -> None: ...

    async def received(self, raw: bytes) -> None: ...

    async def failed(self, raw: bytes, error: str) -> None: ...


class Link:
    def __init__(self, settings: LinkSettings) -> None:
        _speed(settings.speed)
        self._settings = settings
        self._sequence = frame.LAST_SEQUENCE
        self._descriptor: int | None = None
        self._in_order = False  # whether nothing of an earlier exchange can still arrive
        self._turn = asyncio.Lock()
        self._to_be_closed = False

    @property
    def path(self) -> str:
        return self._settings.path

    async def exchange(self, command: int, data: bytes, recorder: Recorder) -> Frame:
        """The answer to a command. Raises NotReceived, NoUsableAnswer, or FrameError for data that fits no frame."""
        async with self._turn:
            try:
                return await self._exchange(command, data, recorder)
            finally:
                if self._to_be_closed:
                    self.close()

    async def _exchange(self, command: int, data: bytes, recorder: Recorder) -> Frame:
        self._sequence = frame.next_sequence(self._sequence)
        request = Frame(self._sequence, command, data)
        raw = frame.encode(request)
        for _ in range(self._settings.resends + 1):
            answer = await self._send_once(request, raw, recorder)
            if answer is not None:
                return answer
        raise NotReceived(f"the MCF asked for {command:02X}h again {self._settings.resends + 1} times")

    def configure(self, settings: LinkSettings) -> None:
        """Other settings from the next exchange on. Raises ValueError for a speed that no port has."""
        if settings != self._settings:
            _speed(settings.speed)
            self._settings = settings
            self.let_go()

    def let_go(self) -> None:
        """Close the port, after the exchange that is under way; the next exchange opens it again."""
        if self._turn.locked():
            self._to_be_closed = True
        else:
            self.close()

    def close(self) -> None:
        self._to_be_closed = False
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._in_order = False

    async def _send_once(self, request: Frame, raw: bytes, recorder: Recorder) -> Frame | None:
        """None when the device asks for it again."""
        await recorder.sent(raw)
        reception = _Reception(request)
        try:
            await self._write(raw, reception)
            answer = await self._receive(reception)
            self._in_order = True
        except (LinkError, FrameError) as error:
            await recorder.failed(bytes(reception.raw), f"{type(error).__name__}: {error}")
            if isinstance(error, FrameError):
                raise NoUsableAnswer(f"{type(error).__name__}: {error}") from error
            raise
        await recorder.received(bytes(reception.raw))
        return answer

    async def _write(self, raw: bytes, reception: "_Reception") -> None:
        """Raises NotReceived: what was not written to its last byte is no frame, and executed by nobody."""
        try:
            descriptor = self._open()
            if not self._in_order:
                await self._let_leftovers_pass(descriptor, reception)
            self._in_order = False
            rest = memoryview(raw)
            async with asyncio.timeout(self._settings.answer_timeout):
                while rest:
                    async with _ready(descriptor, writing=True) as ready:
                        await ready.wait()
                    rest = rest[os.write(descriptor, rest) :]
        except (OSError, termios.error) as error:  # TimeoutError is an OSError
            self.close()
            raise NotReceived(f"the port {self.path} cannot be used: {error or type(error).__name__}") from error

    def _open(self) -> int:
        if self._descriptor is None:
            descriptor = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                _take_alone(descriptor)
                _configure(descriptor, self._settings)
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        return self._descriptor

    async def _let_leftovers_pass(self, descriptor: int, reception: "_Reception") -> None:
        """A late answer to an earlier request must not be read as the answer to this one; it is kept, though."""
        while chunk := await _read(descriptor, _QUIET):
            reception.raw += chunk
            if len(reception.raw) > _MAX_LEFTOVERS:
                raise OSError("the line is never quiet")

    async def _receive(self, reception: "_Reception") -> Frame | None:
        loop, settings = asyncio.get_running_loop(), self._settings
        started = loop.time()
        deadline = started + settings.answer_timeout
        while not reception.finished:
            left = min(deadline, started + settings.busy_timeout) - loop.time()
            chunk = await self._chunk(left)
            if not chunk:
                raise NoUsableAnswer(reception.silence())
            reception.feed(chunk)
            deadline = loop.time() + settings.answer_timeout
        if reception.answer is None:
            reception.feed(await self._chunk(_QUIET))
        return reception.answer

    async def _chunk(self, timeout: float) -> bytes:
        assert self._descriptor is not None
        if timeout <= 0:
            return b""
        try:
            return await _read(self._descriptor, timeout)
        except OSError as error:
            self.close()
            raise NoUsableAnswer(f"the port {self.path} failed while the answer was awaited: {error}") from error


class _Reception:
    """What comes back on one request, byte for byte, and what it means so far."""

    def __init__(self, request: Frame) -> None:
        self.raw = bytearray()
        self.answer: Frame | None = None
        self.finished = False
        self._request = request
        self._partial = bytearray()
        self._stale = 0

    def feed(self, chunk: bytes) -> None:
        """Raises FrameError, or NoUsableAnswer for an answer to another command."""
        self.raw += chunk
        for byte in chunk:
            if self.finished:
                raise NoUsableAnswer("bytes after the answer")
            self._take(byte)

    def silence(self) -> str:
        if self._partial:
            return "the answer broke off"
        return "only answers to earlier requests (SEQ)" if self._stale else "silence"

    def _take(self, byte: int) -> None:
        if self._partial:
            self._partial.append(byte)
            if len(self._partial) > 1 and len(self._partial) == frame.whole_length(self._partial):
                self._judge(frame.decode_answer(bytes(self._partial)))
                self._partial.clear()
        elif byte == frame.SOH:
            self._partial.append(byte)
        elif byte == frame.NAK:
            self.finished = True
        elif byte != frame.SYN:
            raise frame.BadStart(f"{byte:02X}h is no start of an answer")

    def _judge(self, answer: Frame) -> None:
        if answer.sequence != self._request.sequence:
            self._stale += 1
        elif answer.command != self._request.command:
            raise NoUsableAnswer(f"an answer to {answer.command:02X}h instead of {self._request.command:02X}h")
        else:
            self.answer, self.finished = answer, True


def _speed(bits_per_second: int) -> int:
    constant = getattr(termios, f"B{bits_per_second}", None)
    if not bits_per_second or constant is None:
        raise ValueError(f"{bits_per_second} bit/s is no speed of a serial port")
    return constant


def _take_alone(descriptor: int) -> None:
    """Two programs at one line read each other's answers. Raises OSError when another one holds the port.

    The lock keeps out what locks too (another signer, whoever it runs as), TIOCEXCL what opens the port later and is
    not root. A pseudo-terminal keeps TIOCEXCL over the death of the program that set it: there the lock has to do.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(errno.EBUSY, "another program holds it") from error
    if os.major(os.fstat(descriptor).st_rdev) not in _PSEUDO_TERMINALS:
        fcntl.ioctl(descriptor, termios.TIOCEXCL)


def _configure(descriptor: int, settings: LinkSettings) -> None:
    """Raw, without flow control; modem lines ignored."""
    tty.setraw(descriptor)
    modes = termios.tcgetattr(descriptor)
    modes[0] &= ~(termios.IXON | termios.IXOFF)
    modes[2] &= ~(termios.PARENB | termios.PARODD | termios.CSTOPB | termios.CSIZE | termios.CRTSCTS)
    modes[2] |= termios.CREAD | termios.CLOCAL | _CHARACTERS[settings.data_bits] | _PARITIES[settings.parity]
    if settings.stop_bits == 2:
        modes[2] |= termios.CSTOPB
    modes[4] = modes[5] = _speed(settings.speed)
    termios.tcsetattr(descriptor, termios.TCSANOW, modes)
    termios.tcflush(descriptor, termios.TCIOFLUSH)


async def _read(descriptor: int, timeout: float) -> bytes:
    """What is there within ``timeout`` seconds; empty when nothing is. Raises OSError when the port is gone."""
    with suppress(TimeoutError):  # what came meanwhile was in time: this process may have been kept from looking
        async with asyncio.timeout(timeout), _ready(descriptor, writing=False) as ready:
            await ready.wait()
    try:
        chunk = os.read(descriptor, 4096)
    except BlockingIOError:
        return b""
    if not chunk:
        raise OSError("the port was hung up")
    return chunk


@asynccontextmanager
async def _ready(descriptor: int, writing: bool) -> AsyncIterator[asyncio.Event]:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
    add(descriptor, ready.set)
    try:
        yield ready
    finally:
        remove(descriptor)

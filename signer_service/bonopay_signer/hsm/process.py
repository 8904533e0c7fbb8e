"""One signing process as its keeper sees it: a socket, one request at a time, a deadline for each, and its end."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from bonopay_signer.hsm import wire
from bonopay_signer.hsm.errors import HsmUnavailable, KeyMissing, PinRefused, TokenUnfit
from bonopay_signer.hsm.statements import NotSignable

_logger = logging.getLogger(__name__)
COMMAND = (sys.executable, "-P", "-m", "bonopay_signer.hsm.worker")
_PACKAGE_FOLDER = str(Path(__file__).resolve().parents[2])
_ERRORS: dict[wire.Trouble, type[HsmUnavailable]] = {
    "unavailable": HsmUnavailable,
    "key_missing": KeyMissing,
    "unfit": TokenUnfit,
    "pin_refused": PinRefused,
}
_REAPING_INTERVAL, _REAPING_PATIENCE = 0.005, 5.0
_KILLED = 0.5  # seconds in which a killed process is gone, unless the kernel holds it
R = TypeVar("R", wire.Opened, wire.Signed, wire.Fine)


class SigningProcess(asyncio.Protocol):
    """A child that signs. ``on_idle`` is called with it after every reply, so that the next request can go to it."""

    def __init__(self, on_idle: Callable[["SigningProcess"], None]) -> None:
        self._on_idle = on_idle
        self._loop = asyncio.get_running_loop()
        self._popen: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._reply: asyncio.Future[wire.Reply] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._timeout = 0.0
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self.checked_at: float | None = None
        """When a signature of this process was last verified, in the loop's time; None before the first."""

    @property
    def pid(self) -> int:
        return self._popen.pid if self._popen else 0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def start(self, command: Sequence[str]) -> None:
        """Start the child, in a session of its own, with neither our settings nor our open files. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._popen = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=2,  # what a vendor's module prints belongs to the log
                env=_environment(),
                start_new_session=True,
            )
        ours.setblocking(False)
        self._socket = ours
        self._transport, _ = await self._loop.create_unix_connection(lambda: self, sock=ours)

    async def call(self, request: wire.Request, kind: type[R], timeout: float) -> R:
        """The reply to a request; one at a time, the caller sees to that.

        Raises NotSignable, KeyMissing; HsmUnavailable or another of its subclasses, and then the process is gone.
        """
        if not self.is_open:
            raise HsmUnavailable("the signing process has ended")
        frame = wire.framed(request)
        if len(frame) > wire.MAX_FRAME:
            self._on_idle(self)
            raise ValueError(f"a request is at most {wire.MAX_FRAME} bytes, not {len(frame)}")
        reply = self._reply = self._loop.create_future()
        self._timeout = timeout
        self._deadline = self._loop.call_later(timeout, self._expire)
        self._transport.write(frame)
        return _of_kind(await reply, kind)

    def expel(self, words: str) -> None:
        """End the process at once: it hangs, errs or talks nonsense. Who waits for it gets HsmUnavailable."""
        if self._popen is not None and self._popen.poll() is None:
            self._popen.kill()
        self._fail(HsmUnavailable(words))
        if self._transport is not None:
            self._transport.abort()

    def hang_up(self) -> None:
        """Close the line, upon which the process logs out and ends."""
        self._fail(HsmUnavailable("the signing processes are stopped"))
        if self.is_open:
            self._socket.shutdown(socket.SHUT_RDWR)  # the transport closes only when the loop runs on
            self._transport.abort()

    def wait(self, timeout: float) -> None:
        """Until it has ended; killed when that takes longer than ``timeout`` seconds."""
        if self._popen is None:
            return
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            _logger.warning("signing process %d does not end by itself and is killed", self.pid)
            self._popen.kill()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(_KILLED)

    async def reap(self) -> int | None:
        """The exit code of a process that is gone or about to; None when even SIGKILL does not end it in time."""
        if self._popen is None:
            return None
        for _ in range(int(_REAPING_PATIENCE / _REAPING_INTERVAL)):
            if self._popen.poll() is not None:
                break
            await asyncio.sleep(_REAPING_INTERVAL)
        return self._popen.returncode

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) < wire.LENGTH_SIZE:
            return
        missing = int.from_bytes(self._received[: wire.LENGTH_SIZE], "big") + wire.LENGTH_SIZE - len(self._received)
        if 0 < missing <= wire.MAX_FRAME:
            return
        frame, self._received = self._received, bytearray()
        try:
            if missing:
                raise msgspec.ValidationError("not one frame per request")
            reply = wire.decode_reply(memoryview(frame)[wire.LENGTH_SIZE :])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.expel(f"the signing process talks nonsense: {error}")
            return
        self._deliver(reply)

    def connection_lost(self, _error: Exception | None) -> None:
        self._fail(HsmUnavailable("the signing process has ended"))
        if not self.gone.done():
            self.gone.set_result(None)

    def _deliver(self, reply: wire.Reply) -> None:
        waiting = self._take_waiting()
        if waiting is not None and not waiting.done():  # done: the caller was cancelled
            waiting.set_result(reply)
        if not (isinstance(reply, wire.Failed) and reply.trouble in wire.LOST):
            self._on_idle(self)

    def _fail(self, error: HsmUnavailable) -> None:
        waiting = self._take_waiting()
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def _take_waiting(self) -> asyncio.Future[wire.Reply] | None:
        waiting, self._reply = self._reply, None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        return waiting

    def _expire(self) -> None:
        self.expel(f"the token did not answer within {self._timeout:g} s")


def _of_kind(reply: wire.Reply, kind: type[R]) -> R:
    if isinstance(reply, wire.Failed):
        if reply.trouble == "not_signable":
            raise NotSignable(reply.words)
        raise _ERRORS[reply.trouble](reply.words)
    if not isinstance(reply, kind):
        raise HsmUnavailable(f"the signing process answered {type(reply).__name__}")
    return reply


def _environment() -> dict[str, str]:
    """Ours without the settings of the service and its database: the child needs none of them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BONOPAY_", "PG"))}
    path = [_PACKAGE_FOLDER, *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(path)}

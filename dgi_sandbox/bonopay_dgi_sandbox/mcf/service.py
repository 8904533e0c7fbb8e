"""The device on its line: a pseudo-terminal, frames in, answers out, and the faults of the line."""

import os
import selectors
import time
import tty
from pathlib import Path

from .machine import Machine
from .memory import Memory
from .wire import BUSY, REFUSED_FRAME, AnswerTooLong, Inbox, Request, answer

BROKEN_OFF_SECONDS = 0.2
PIECE_SECONDS = 0.002  # a serial line is no pipe: what is sent piece by piece arrives so
GARBAGE = [b"\x15", b"\x7f\x00\xfe\x06"]  # begins like a request to send the frame again
NO_ROOM = b"E:107,R\xc3\xa9ponse trop longue"


class Service:
    def __init__(self, machine: Machine, memory: Memory) -> None:
        self._machine = machine
        self._memory = memory
        self._inbox = Inbox()

    def serve(self, line: int) -> None:
        """Until the process ends. `line` is the device's end of the pseudo-terminal."""
        selector = selectors.DefaultSelector()
        selector.register(line, selectors.EVENT_READ)
        while True:
            if selector.select(BROKEN_OFF_SECONDS):
                for request in self._inbox.add(os.read(line, 4096)):
                    self._answer(line, request)
            elif self._inbox.give_up():
                os.write(line, REFUSED_FRAME)

    def _answer(self, line: int, request: Request | None) -> None:
        for piece in [REFUSED_FRAME] if request is None else self.reply(request):
            os.write(line, piece)
            time.sleep(PIECE_SECONDS)

    def reply(self, request: Request) -> list[bytes]:
        """What is sent back on one request, faults included."""
        busy = []
        fault = self._memory.take_fault(request.command)
        while fault == "syn":
            busy.append(BUSY)
            fault = self._memory.take_fault(request.command)
        return busy + self._reply_with(fault, request)

    def _reply_with(self, fault: str | None, request: Request) -> list[bytes]:
        if fault == "nak":
            return [REFUSED_FRAME]
        if fault == "power_cut_before":
            self._machine.cut_power()
        if fault is not None and fault.endswith("_before"):
            return GARBAGE if fault == "garbage_before" else []
        told = self._frame(request)
        if fault == "power_cut_after":
            self._machine.cut_power()
        if fault == "bad_bcc":
            return [told[:-2] + bytes([told[-2] ^ 1]) + told[-1:]]
        return {None: [told], "garbage_after": GARBAGE}.get(fault, [])

    def _frame(self, request: Request) -> bytes:
        data = self._machine.execute(request.command, request.data)
        try:
            return answer(request, data)
        except AnswerTooLong:
            return answer(request, NO_ROOM)


def open_line(link: Path) -> int:
    """The device's end of a new pseudo-terminal; `link` then points to the other. A stale link is replaced."""
    device, other = os.openpty()
    tty.setraw(other)
    beside = link.with_name(f"{link.name}.{os.getpid()}")
    beside.symlink_to(os.ttyname(other))
    beside.replace(link)
    return device  # `other` stays open: otherwise each client that leaves would hang the line up

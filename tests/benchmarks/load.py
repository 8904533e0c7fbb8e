"""HTTP load over keep-alive connections from one thread, cheap enough to share two cores with what it measures.

Every request that was sent is waited for, so that answers can be counted against what the server has stored: a
generator that drops its connections at the end of a slice could not do that.
"""

import re
import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

HOST = "127.0.0.1"
PATIENCE = 30.0  # seconds without any byte from the server
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)")
_CHUNK = 1 << 16


class LoadFailed(Exception):
    """The server closed a connection, or fell silent."""


@dataclass
class Load:
    """What a slice of load gave: seconds, latencies in seconds, and every answer, head and body."""

    seconds: float
    in_time: int = 0
    latencies: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers that came before the slice ended; those that were awaited after it do not count."""
        return self.in_time / self.seconds

    def statuses(self) -> dict[int, int]:
        counts: dict[int, int] = {}
        for answer in self.answers:
            status = int(answer[9:12])
            counts[status] = counts.get(status, 0) + 1
        return counts


class _Line:
    """One connection, with one request under way."""

    __slots__ = ("sent_at", "_buffer", "_requests", "socket")

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection((HOST, port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._buffer = b""
        self.sent_at = 0.0

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, sent_at: float) -> None:
        self.sent_at = sent_at
        self.socket.sendall(next(self._requests))

    def receive(self) -> bytes | None:
        """The answer, once it is whole."""
        data = self.socket.recv(_CHUNK)
        if not data:
            raise LoadFailed("the server closed a connection")
        if self._buffer:
            data = self._buffer + data
        head = data.find(b"\r\n\r\n")
        length = _LENGTH.search(data)
        if head < 0 or (length is not None and len(data) < head + 4 + int(length[1])):
            self._buffer = data
            return None
        self._buffer = b""
        return data


def closed_loop(port: int, connections: int, requests: Sequence[Iterator[bytes]], seconds: float) -> Load:
    """Each connection sends its next request as soon as it has its answer; connection i takes ``requests[i % n]``.

    Raises LoadFailed.
    """
    lines = [_Line(port, requests[number % len(requests)]) for number in range(connections)]
    load = Load(seconds)
    poll = select.epoll()
    by_number = {line.fileno(): line for line in lines}
    for line in lines:
        poll.register(line.fileno(), select.EPOLLIN)
    try:
        _drive(poll, by_number, load)
    finally:
        poll.close()
        for line in lines:
            line.socket.close()
    return load


def _drive(poll: select.epoll, lines: dict[int, _Line], load: Load) -> None:
    clock = time.perf_counter
    deadline = clock() + load.seconds
    for line in lines.values():
        line.send(clock())
    busy = len(lines)
    while busy:
        events = poll.poll(PATIENCE)
        if not events:
            raise LoadFailed(f"no answer within {PATIENCE:g} s")
        for number, _ in events:
            line = lines[number]
            answer = line.receive()
            if answer is None:
                continue
            now = clock()
            load.latencies.append(now - line.sent_at)
            load.answers.append(answer)
            if now < deadline:
                load.in_time += 1
                line.send(now)
            else:
                busy -= 1


def open_loop(port: int, connections: int, requests: Sequence[Iterator[bytes]], rate: float, seconds: float) -> Load:
    """Requests at fixed instants, ``rate`` per second, whatever the answers do.

    A latency counts from the instant at which the request was due, so that a stall of the server is not hidden by a
    generator that waits for it. Raises LoadFailed.
    """
    lines = [_Line(port, requests[number % len(requests)]) for number in range(connections)]
    load = Load(seconds)
    free, busy = deque(lines), set()
    clock = time.perf_counter
    started = clock()
    due, total = 0, int(rate * seconds)
    try:
        while due < total or busy:
            while due < total and free and started + due / rate <= clock():
                line = free.popleft()
                line.send(started + due / rate)
                busy.add(line)
                due += 1
            waiting = max(0.0, started + due / rate - clock()) if due < total and free else PATIENCE
            # select() waits with microseconds, epoll_wait() only with milliseconds.
            readable, _, _ = select.select(list(busy), [], [], waiting)
            if not readable and waiting == PATIENCE:
                raise LoadFailed(f"no answer within {PATIENCE:g} s")
            for line in readable:
                _take(line, load, free, busy, clock())
    finally:
        for line in lines:
            line.socket.close()
    return load


def _take(line: _Line, load: Load, free: deque[_Line], busy: set[_Line], now: float) -> None:
    answer = line.receive()
    if answer is not None:
        load.latencies.append(now - line.sent_at)
        load.answers.append(answer)
        load.in_time += 1
        busy.discard(line)
        free.append(line)

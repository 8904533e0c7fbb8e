"""A DGI that answers whatever bytes a test gives it, at whatever pace."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def with_length(body: bytes, *headers: bytes) -> bytes:
    extra = b"".join(header + b"\r\n" for header in headers)
    return OK + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Garbage:
    """Sends ``answer`` to every request; ``drip`` sends one byte of it per so many seconds."""

    def __init__(self, answer: bytes | Iterator[bytes], drip: float = 0) -> None:
        self._answer, self._drip = answer, drip
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self.sent = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/edef"

    def close(self) -> None:
        self._stopped.set()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while not self._stopped.is_set():
                connection, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            for piece in self._pieces():
                connection.sendall(piece)
                self.sent += len(piece)
                if self._stopped.wait(self._drip):
                    return
            connection.shutdown(socket.SHUT_WR)
            time.sleep(0.2)

    def _pieces(self) -> Iterator[bytes]:
        if not isinstance(self._answer, bytes):
            yield from self._answer
        elif self._drip:
            head, separator, body = self._answer.partition(b"\r\n\r\n")
            yield head + separator
            yield from (body[place : place + 1] for place in range(len(body)))
        else:
            yield self._answer

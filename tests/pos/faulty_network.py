"""The network between a till and its server, with the faults of a bad one, on demand.

A proxy that passes HTTP and websockets on. What goes wrong is told by rule:

============  =========================================================================================================
`refuse`      the connection is closed before anything is passed on: the server never hears of it
`lose`        the server gets the request and answers; the answer never arrives
`status`      a gateway answers instead (502 when its server is away, 303 to the login when a session ended)
`delay`       the answer arrives late
============  =========================================================================================================

`cut()` takes everything away, open websockets too, while the browser goes on believing that it is online. What is not
the network's business, `when()` does: it answers requests that the test itself has the page make, cut or not.
"""

import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

CHUNK = 65536
HEAD_LIMIT = 65536


@dataclass
class Fault:
    """What happens to requests whose `METHOD path` matches; `times` counts down, None is for ever."""

    pattern: re.Pattern[str]
    kind: str
    times: int | None = None
    status: int = 502
    location: str = ""
    seconds: float = 0.0
    body: str = "<html><body>This is the gateway, not the server.</body></html>"
    content_type: str = "text/html"
    met: int = 0


@dataclass
class Message:
    """Head and body of a request or an answer, as they came."""

    first_line: str
    headers: dict[str, str]
    head: bytes
    body: bytes = b""

    @property
    def wants_websocket(self) -> bool:
        return self.headers.get("upgrade", "").lower() == "websocket"


@dataclass
class FaultyNetwork:
    """Between `url`, where the till goes, and the server's port. Close it at the end.

    `requests`: (`METHOD path`, body) of all that the till asked while the network was not cut, in order.
    """

    target_port: int
    requests: list[tuple[str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._faults: list[Fault] = []
        self._actions: dict[str, Callable[[], None]] = {}
        self._is_cut = False
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # --- faults

    def fault(self, pattern: str, kind: str, **members) -> Fault:
        fault = Fault(re.compile(pattern), kind, **members)
        with self._lock:
            self._faults.append(fault)
        return fault

    def when(self, line: str, action: Callable[[], None]) -> None:
        """Call `action` when `METHOD path` is asked, which gets no answer."""
        self._actions[line] = action

    def asked(self, pattern: str) -> list[bytes]:
        """The bodies of the requests whose `METHOD path` matches."""
        with self._lock:
            return [body for line, body in self.requests if re.search(pattern, line)]

    def calm(self) -> None:
        with self._lock:
            self._faults.clear()
            self._is_cut = False

    def cut(self) -> None:
        """Nothing passes any more, and what was open is broken."""
        with self._lock:
            self._is_cut = True
            broken = list(self._open)
        for connection in broken:
            _close(connection)

    def close(self) -> None:
        self.cut()
        _close(self._listener)

    def _fault_of(self, line: str, body: bytes) -> Fault | None:
        with self._lock:
            self.requests.append((line, body))
            for fault in self._faults:
                if fault.times != 0 and fault.pattern.search(line):
                    fault.met += 1
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None

    # --- traffic

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            with self._lock:
                self._open.add(client)
            while self._exchange(client):
                pass
        except OSError:
            pass  # either side went away, which is what this proxy is about
        finally:
            with self._lock:
                self._open.discard(client)
            _close(client)

    def _exchange(self, client: socket.socket) -> bool:
        """One request and its answer; whether another may follow on the connection."""
        request = _read(client)
        if request is None:
            return False
        method, path, _version = request.first_line.split(" ", 2)
        if action := self._actions.get(f"{method} {path}"):
            action()
            return False
        if self._is_cut:
            return False
        fault = self._fault_of(f"{method} {path}", request.body)
        if fault and fault.kind == "refuse":
            return False
        if fault and fault.kind == "status":
            client.sendall(_gateway_answer(fault))
            return False
        with socket.create_connection(("127.0.0.1", self.target_port)) as server:
            server.sendall(request.head + request.body)
            if request.wants_websocket:
                self._tunnel(client, server)
                return False
            answer = _read(server, answer_to=method)
        return self._passed_on(client, answer, fault)

    def _passed_on(self, client: socket.socket, answer: Message | None, fault: Fault | None) -> bool:
        if answer is None or (fault and fault.kind == "lose"):
            return False
        if fault and fault.kind == "delay":
            time.sleep(fault.seconds)
        client.sendall(answer.head + answer.body)
        return answer.headers.get("connection", "").lower() != "close" and _has_length(answer)

    def _tunnel(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._open.add(server)
        back = threading.Thread(target=_pump, args=[server, client], daemon=True)
        back.start()
        _pump(client, server)
        back.join()
        with self._lock:
            self._open.discard(server)


def _read(source: socket.socket, answer_to: str | None = None) -> Message | None:
    """A whole request, or the answer to a request of that method; None when the other side has no more to say."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = source.recv(CHUNK)
        if not more or len(data) > HEAD_LIMIT:
            return None
        data += more
    head, _separator, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    message = Message(lines[0], headers, head + b"\r\n\r\n", body)
    has_none = answer_to == "HEAD" or (answer_to and lines[0].split(" ")[1] in ("204", "304"))
    if not has_none:
        message.body = _body(source, message, answer_to is not None)
    return message


def _body(source: socket.socket, message: Message, is_answer: bool) -> bytes:
    body = message.body
    if "chunked" in message.headers.get("transfer-encoding", "").lower():
        while not body.endswith(b"0\r\n\r\n"):
            body += _more(source)
    elif "content-length" in message.headers:
        while len(body) < int(message.headers["content-length"]):
            body += _more(source)
    elif is_answer:
        while more := source.recv(CHUNK):
            body += more
    return body


def _more(source: socket.socket) -> bytes:
    more = source.recv(CHUNK)
    if not more:
        raise ConnectionError("cut short")
    return more


def _has_length(answer: Message) -> bool:
    return "content-length" in answer.headers or "transfer-encoding" in answer.headers


def _gateway_answer(fault: Fault) -> bytes:
    body = fault.body.encode()
    lines = [f"HTTP/1.1 {fault.status} Fault", f"Content-Type: {fault.content_type}", f"Content-Length: {len(body)}"]
    lines += [f"Location: {fault.location}"] if fault.location else []
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()

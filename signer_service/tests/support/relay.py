"""A relay between the signer and the sandbox that stops the world at a named step, or spoils it.

``hold("confirm", "before")`` lets the request arrive and waits; ``"after"`` lets the sandbox answer and waits before
passing that on. In between a test does what it wants: kill the signer, look at the ledger.
"""

import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .plain import plain_client

_STEPS = (
    (re.compile(r"POST .*/api/invoice"), "prepare"),
    (re.compile(r"PUT .*/confirm"), "confirm"),
    (re.compile(r"PUT .*/cancel"), "cancel"),
    (re.compile(r"GET .*/api/invoice"), "status"),
    (re.compile(r"GET .*/api/invoice/[^/]+"), "details"),
    (re.compile(r"GET .*/api/info/[^/]+"), "tables"),
)
Change = Callable[[dict], dict]


class Hold:
    """A step that is stopped: ``reached`` is set when a request is there, ``release`` lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._go = threading.Event()

    def release(self) -> None:
        self._go.set()

    def _stop_here(self) -> None:
        self.reached.set()
        self._go.wait(60)


class Relay:
    def __init__(self, target: str) -> None:
        self._target = target
        self._client = plain_client(timeout=30)
        self._holds: dict[tuple[str, str], Hold] = {}
        self._drops: Counter[tuple[str, str]] = Counter()
        self._changes: dict[str, Change] = {}
        self._gateway_errors: dict[str, list[int]] = {}
        self.seen: list[tuple[str, bytes]] = []
        self.prepared: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/edef"

    def hold(self, step: str, moment: str) -> Hold:
        """Stop the next request of that step, once."""
        hold = self._holds[step, moment] = Hold()
        return hold

    def drop(self, step: str, moment: str, times: int = 1) -> None:
        """Close the connection before the sandbox sees the request, or instead of passing on its answer."""
        self._drops[step, moment] += times

    def change(self, step: str, change: Change) -> None:
        """Answer something else from now on."""
        self._changes[step] = change

    def fail_on_the_way(self, step: str, *statuses: int) -> None:
        """Answer the next requests of that step as a gateway would, with these statuses; the sandbox sees nothing."""
        self._gateway_errors[step] = list(statuses)

    def steps(self) -> list[str]:
        return [step for step, _ in self.seen]

    def calm(self) -> None:
        """No more disturbance."""
        for hold in self._holds.values():
            hold.release()
        self._holds.clear()
        self._drops.clear()
        self._changes.clear()
        self._gateway_errors.clear()

    def close(self) -> None:
        self.calm()
        # Wakes the thread that waits for connections; by itself it looks twice a second whether it is to end.
        self._server.socket.shutdown(socket.SHUT_RDWR)
        self._server.shutdown()
        self._server.server_close()

    def _disturbed(self, step: str, moment: str) -> bool:
        hold = self._holds.pop((step, moment), None)
        if hold is not None:
            hold._stop_here()
        if self._drops[step, moment] > 0:
            self._drops[step, moment] -= 1
            return True
        return False

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes] | None:
        step = _step(method, path)
        self.seen.append((step, body))
        if self._disturbed(step, "before"):
            return None
        if self._gateway_errors.get(step):
            return self._gateway_errors[step].pop(0), b'{"title": "refused by the gateway"}'
        kept = {name: value for name, value in headers.items() if name.lower() in ("authorization", "content-type")}
        answer = self._client.request(method, self._target + path, headers=kept, content=body)
        content = answer.content
        if step == "prepare" and answer.json().get("uid"):
            self.prepared.append((json.loads(body)["rn"], answer.json()["uid"]))
        if step in self._changes and answer.status_code == 200:
            content = json.dumps(self._changes[step](answer.json())).encode()
        return None if self._disturbed(step, "after") else (answer.status_code, content)

    def _handler(relay) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _relay(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = relay._forward(self.command, self.path, dict(self.headers), body)
                if answer is None:
                    self.close_connection = True
                    return
                try:
                    self.send_response(answer[0])
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer[1])))
                    self.end_headers()
                    self.wfile.write(answer[1])
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the signer was killed meanwhile

            do_GET = do_POST = do_PUT = _relay  # noqa: N815

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


def _step(method: str, path: str) -> str:
    line = f"{method} {path}"
    return next(step for pattern, step in _STEPS if pattern.fullmatch(line))

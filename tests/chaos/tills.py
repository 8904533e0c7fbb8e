"""The load: tills that send a document until it is answered, as a true client does, and keep every answer."""

import http.client
import json
import random
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from launcher.config import HOST
from tests.benchmarks.outlets import Outlet
from tests.chaos.checker import Answer
from tests.chaos.stack import new_document_id

TIMEOUT = 3.0  # seconds that a till waits for an answer before it sends the document again
AWAY = (OSError, http.client.HTTPException)
RETRYABLE = (429, 503)
SEALED = (200, 201)


def canonical(payload: Mapping[str, Any]) -> bytes:
    """RFC 8785 for payloads of ASCII keys without floats: sorted, without spaces, text as it is."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Address:
    """One signer as a till reaches it: a connection that is kept while it works."""

    def __init__(self, port: int, key: str, timeout: float = TIMEOUT) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers, body. Raises one of AWAY."""
        try:
            self._connection.request("POST", "/api/v1/invoices", body, self._headers)
            response = self._connection.getresponse()
            return response.status, response.headers, response.read()
        except AWAY:
            self._connection.close()
            raise

    def post_and_leave(self, body: bytes) -> None:
        """Send it and hang up without waiting, as an impatient cashier does. Raises one of AWAY."""
        try:
            self._connection.request("POST", "/api/v1/invoices", body, self._headers)
        finally:
            self._connection.close()


@dataclass
class Book:
    """What a till has learnt. ``faults`` are answers that no server may give, however badly it is treated."""

    answers: list[Answer] = field(default_factory=list)
    replays: int = 0
    retries: int = 0
    waits: dict[int, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def write(self, payload: bytes, answer: bytes) -> Answer:
        body = json.loads(answer)
        body.pop("dgi")
        entry = Answer(payload, body)
        self.answers.append(entry)
        return entry


class Till(threading.Thread):
    """Seals one sale after another at its outlet. Now and then it hangs up too early, or sends an old sale again."""

    def __init__(self, name: str, outlet: Outlet, ports: Sequence[int], key: str, seed: str, pause: float) -> None:
        super().__init__(name=name, daemon=True)
        self.book = Book()
        self._outlet = outlet
        self._addresses = deque(Address(port, key) for port in ports)
        self._random = random.Random(seed)
        self._pause = pause
        self._ended = threading.Event()

    def end(self) -> None:
        """No new sale; the one under way is still brought to its answer."""
        self._ended.set()

    def run(self) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            self._seal(self._sale(number))
            if self.book.answers and self._random.random() < 0.05:
                self._send_again(self._random.choice(self.book.answers))
            self._ended.wait(self._random.uniform(0, 2 * self._pause))

    def _sale(self, number: int) -> bytes:
        payload = self._outlet.payload(new_document_id())
        return canonical({**payload, "reference_number": f"{self.name}/{number:06d}"})

    def _seal(self, payload: bytes) -> None:
        if self._random.random() < 0.05:
            self._leave_early(payload)
        attempt = 0
        while True:
            status, answer = self._attempt(payload)
            if status in SEALED:
                self.book.write(payload, answer)
                return
            if status not in RETRYABLE and status:
                self.book.faults.append(f"{self.name}: {status} {answer[:300]!r} for a good document")
                return
            attempt += 1
            self.book.retries += 1
            self.book.waits[status] = self.book.waits.get(status, 0) + 1
            time.sleep(self._random.uniform(0.02, min(0.5, 0.05 * attempt)))

    def _attempt(self, payload: bytes) -> tuple[int, bytes]:
        """Status 0 when nobody answered. Whoever does not seal is left for the next address."""
        try:
            status, _, answer = self._addresses[0].post(payload)
        except AWAY:
            status, answer = 0, b""
        if status not in SEALED:
            self._addresses.rotate(1)
        return status, answer

    def _leave_early(self, payload: bytes) -> None:
        try:
            self._addresses[0].post_and_leave(payload)
        except AWAY:
            pass  # nobody is there: then nothing was left behind either

    def _send_again(self, known: Answer) -> None:
        """The same document gets the same answer, under load and at any time."""
        try:
            status, headers, answer = self._addresses[0].post(known.payload)
        except AWAY:
            return
        if status in RETRYABLE:
            return
        fault = replay_fault(known, status, headers, answer)
        if fault:
            self.book.faults.append(f"{self.name}: {fault}")
        self.book.replays += 1


def replay_fault(known: Answer, status: int, headers: Mapping[str, str], answer: bytes) -> str | None:
    """What is wrong with the answer to a document that was answered before."""
    number = known.body["fiscal_number"]
    if status != 200:
        return f"{number} sent again was answered {status} {answer[:300]!r}"
    if headers.get("Idempotent-Replayed") != "true":
        return f"{number} sent again was not marked as replayed"
    body = json.loads(answer)
    body.pop("dgi")
    if body != known.body:
        return f"{number} sent again was answered with other content"
    return None

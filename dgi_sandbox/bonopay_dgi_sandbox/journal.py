"""Keeps every exchange, byte for byte, before the answer leaves; drops the connection when a fault asks it."""

import asyncio
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .faults import Clock
from .store import Exchange, Store

EXCHANGE = "dgi_sandbox.exchange"
TRANSPORT = "dgi_sandbox.transport"
MAX_BODY = 1 << 20


class Journal:
    """ASGI middleware; the handlers find the exchange in `scope[EXCHANGE]` and complete it."""

    def __init__(self, app: ASGIApp, store: Store, clock: Clock) -> None:
        self.app = app
        self.store = store
        self.clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received_at = self.clock.now().timestamp()
        body = await _read_body(receive)
        if body is None:
            return
        exchange = Exchange(received_at, scope["method"], scope["path"], body[:MAX_BODY])
        scope[EXCHANGE] = exchange
        answer = _Answer()
        app = self.app if len(body) <= MAX_BODY else JSONResponse({"title": "Payload Too Large"}, status_code=413)
        await app(scope, _replay(body), answer)
        answer.complete(exchange)
        exchange.answered_at = self.clock.now().timestamp()
        await run_in_threadpool(self._record, exchange)
        if exchange.dropped:
            await _drop_connection(scope, receive)
            return
        for message in answer.messages:
            await send(message)

    def _record(self, exchange: Exchange) -> None:
        with self.store.transaction() as transaction:
            transaction.record(exchange)


class _Answer:
    """Holds back the messages of an answer."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    def complete(self, exchange: Exchange) -> None:
        exchange.status = self.messages[0]["status"]
        exchange.response = b"".join(message.get("body", b"") for message in self.messages[1:])


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, or its first MAX_BODY + 1 bytes or so when it is longer; None when the client has left."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if len(body) <= MAX_BODY:
            body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


def _replay(body: bytes) -> Receive:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _drop_connection(scope: Scope, receive: Receive) -> None:
    """Closes the socket without a byte of answer, and waits until the server has seen it."""
    transport: asyncio.Transport = scope[TRANSPORT]
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass

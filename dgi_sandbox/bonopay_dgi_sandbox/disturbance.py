"""Where the injected faults strike: before a call is worked on, or after, when its answer is on its way."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import RefusalError
from .faults import Clock, Faults, FaultSet, first_to_take
from .journal import EXCHANGE
from .steps import CONFIRM, PREPARE, step_of
from .store import Exchange
from .tokens import TokenError, Tokens, token_of
from .wire import encode

REPLY_LOST = frozenset({"drop_confirm_reply", "drop_after", "lose_reply_percent"})
REQUEST_LOST = frozenset({"drop_confirm_before_commit", "drop_before", "lose_request_percent"})
TITLES = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


@dataclass(frozen=True, slots=True)
class Disturbance:
    """ASGI middleware."""

    app: ASGIApp
    faults: Faults
    clock: Clock
    tokens: Tokens
    refusal_status: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.faults.quiet:
            await self.app(scope, receive, send)
            return
        exchange: Exchange = scope[EXCHANGE]
        step = step_of(scope["method"], scope["path"])
        exchange.nim = self._caller(scope)
        sets = self.faults.matching(exchange.nim, step)
        await asyncio.sleep(sum(one.delay() for one in sets))
        struck = self._strike_first(sets, exchange, step)
        if struck is not None:
            await struck(scope, receive, send)
            return
        await self._work(sets, step, scope, receive, send)

    async def _work(self, sets: list[FaultSet], step: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[EXCHANGE]
        status = 0

        async def spy(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self.app(scope, receive, spy)
        done = exchange.error_code is None and status < 400
        fault = _lost_reply(sets, step, done)
        if fault:
            exchange.fault, exchange.dropped = fault, True

    def _caller(self, scope: Scope) -> str | None:
        try:
            return self.tokens.read(token_of(Headers(scope=scope).get("authorization", "")))[0].nim
        except TokenError:
            return None

    def _strike_first(self, sets: list[FaultSet], exchange: Exchange, step: str | None) -> Response | None:
        """The answer in place of the e-MCF's own, if a fault strikes. A stranger only meets the faults of the line."""
        struck = next(self._of_the_line(sets, exchange.nim), None)
        if struck is None and exchange.nim:
            struck = next(self._of_the_dialogue(sets, exchange, step), None)
        if struck is None:
            return None
        exchange.fault, answer = struck
        exchange.dropped = answer is None
        return answer or Response(status_code=503)

    def _of_the_line(self, sets: list[FaultSet], nim: str | None) -> Iterator[tuple[str, Response | None]]:
        now = self.clock.now(nim).timestamp()
        for one in sets:
            if now < one.outage_until:
                yield "outage_s", None if one.outage_answer == "cut" else _failure(503)
        if first_to_take(sets, "fail_next"):
            yield "fail_next", _failure(503)
        found = first_to_take(sets, "status_next")
        if found:
            yield "status_next", _failure(found.status)
        if first_to_take(sets, "drop_before"):
            yield "drop_before", None
        if any(one.strikes(one.lose_request_percent) for one in sets):
            yield "lose_request_percent", None

    def _of_the_dialogue(
        self, sets: list[FaultSet], exchange: Exchange, step: str | None
    ) -> Iterator[tuple[str, Response | None]]:
        if first_to_take(sets, "expired_token"):
            challenge = {"WWW-Authenticate": 'Bearer error="expired_token"'}
            yield "expired_token", PlainTextResponse("expired_token", 401, headers=challenge)
        if step == CONFIRM and first_to_take(sets, "drop_confirm_before_commit"):
            yield "drop_confirm_before_commit", None
        found = first_to_take(sets, "refuse_next")
        if found:
            yield "refuse_next", self._refusal(exchange, found.code)
        if step == PREPARE and first_to_take(sets, "duplicate_rn"):
            yield "duplicate_rn", self._refusal(exchange, "rn_duplicate")

    def _refusal(self, exchange: Exchange, name: str) -> Response:
        refusal = RefusalError(name)
        exchange.error_code, exchange.error_desc = refusal.code, refusal.description
        return Response(encode(refusal.answer()), self.refusal_status, media_type="application/json")


def _lost_reply(sets: list[FaultSet], step: str | None, done: bool) -> str | None:
    """Counted losses wait for a call that succeeded; those by chance strike any."""
    if done and step == CONFIRM and first_to_take(sets, "drop_confirm_reply"):
        return "drop_confirm_reply"
    if done and first_to_take(sets, "drop_after"):
        return "drop_after"
    return "lose_reply_percent" if any(one.strikes(one.lose_reply_percent) for one in sets) else None


def _failure(status: int) -> Response:
    return JSONResponse({"title": TITLES.get(status, "Failure"), "status": status}, status_code=status)

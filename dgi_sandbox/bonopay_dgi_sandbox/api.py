"""The e-MCF's HTTP interface, mounted under `/edef`."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .accounts import Outlet
from .device import Device
from .disturbance import Disturbance
from .errors import RefusalError
from .journal import EXCHANGE, Journal
from .store import Exchange
from .tables import LISTS
from .tokens import TokenError, Tokens, refuse_expired, token_of
from .wire import encode

log = logging.getLogger(__name__)

ACTIONS = frozenset({"confirm", "cancel"})


@dataclass(frozen=True, slots=True)
class Options:
    """`error_status`: HTTP status of a refusal; `get_uid`: whether GET /api/invoice/{uid} exists."""

    error_status: int = 200
    get_uid: bool = True


class ExactJSON(Response):
    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)


@dataclass(frozen=True, slots=True)
class Api:
    device: Device
    tokens: Tokens
    options: Options

    def app(self) -> Starlette:
        routes = [
            Route("/api/invoice", self.status, methods=["GET"]),
            Route("/api/invoice/", self.status, methods=["GET"]),
            Route("/api/invoice", self.submit, methods=["POST"]),
            Route("/api/invoice/", self.submit, methods=["POST"]),
            Route("/api/invoice/{uid}/{action}", self.finalise, methods=["PUT"]),
            Route("/api/info/status", self.info, methods=["GET"]),
            Route("/api/info/{table}", self.table, methods=["GET"]),
        ]
        if self.options.get_uid:
            routes.append(Route("/api/invoice/{uid}", self.details, methods=["GET"]))
        middleware = [
            Middleware(Journal, store=self.device.store, clock=self.device.clock),
            Middleware(
                Disturbance,
                faults=self.device.faults,
                clock=self.device.clock,
                tokens=self.tokens,
                refusal_status=self.options.error_status,
            ),
        ]
        return Starlette(routes=routes, middleware=middleware)

    async def status(self, request: Request) -> Response:
        outlet, expiry = self._authenticate(request)
        return await self._answer(request, self.device.status, outlet, expiry)

    async def info(self, request: Request) -> Response:
        outlet, expiry = self._authenticate(request)
        return await self._answer(request, self.device.info, outlet, expiry)

    async def table(self, request: Request) -> Response:
        outlet, _ = self._authenticate(request)
        name = request.path_params["table"]
        if name == "taxGroups":
            return ExactJSON({group.lower(): rate for group, rate in self.device.rates(outlet).items()})
        if name == "currencyRates":
            return ExactJSON(self.device.currency_rates(outlet))
        if name not in LISTS:
            raise HTTPException(404)
        return ExactJSON(self.device.tables.lists[name])

    async def submit(self, request: Request) -> Response:
        outlet, _ = self._authenticate(request)
        body = await request.body()
        if not body.strip():
            return _empty_body()
        return await self._answer(request, self.device.submit, outlet, body)

    async def details(self, request: Request) -> Response:
        outlet, _ = self._authenticate(request)
        return await self._answer(request, self.device.details, outlet, request.path_params["uid"])

    async def finalise(self, request: Request) -> Response:
        outlet, _ = self._authenticate(request)
        action = request.path_params["action"].lower()
        if action not in ACTIONS:
            raise HTTPException(404)
        if action == "cancel":
            return await self._answer(request, self.device.cancel, outlet, request.path_params["uid"])
        return await self._confirm(request, outlet)

    async def _confirm(self, request: Request, outlet: Outlet) -> Response:
        body = await request.body()
        if not body.strip():
            return _empty_body()
        return await self._answer(request, self.device.confirm, outlet, request.path_params["uid"], body)

    async def _answer(self, request: Request, work: Callable[..., Mapping[str, Any]], *arguments: Any) -> Response:
        """Runs `work` beside the event loop; a refusal, or our own failure (99), becomes the answer."""
        try:
            return ExactJSON(await run_in_threadpool(work, *arguments))
        except RefusalError as refusal:
            return self._refuse(request, refusal)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return self._refuse(request, RefusalError("processing"))

    def _refuse(self, request: Request, refusal: RefusalError) -> Response:
        exchange = _exchange(request)
        exchange.error_code, exchange.error_desc = refusal.code, refusal.description
        status = 400 if refusal.row.name == "unreadable" else self.options.error_status
        return ExactJSON(refusal.answer(), status_code=status)

    def _authenticate(self, request: Request) -> tuple[Outlet, float]:
        """Raises HTTPException(401)."""
        try:
            token = token_of(request.headers.get("authorization", ""))
            outlet, expiry = self.tokens.read(token)
            _exchange(request).nim = outlet.nim
            refuse_expired(expiry, self.device.clock.now(outlet.nim))
        except TokenError as error:
            challenge = {"WWW-Authenticate": f'Bearer error="{error}"'}
            raise HTTPException(401, detail=str(error), headers=challenge) from error
        return outlet, expiry


def _exchange(request: Request) -> Exchange:
    exchange: Exchange = request.scope[EXCHANGE]
    return exchange


def _empty_body() -> Response:
    return JSONResponse({"title": "Bad Request", "status": 400, "detail": "corps absent"}, status_code=400)

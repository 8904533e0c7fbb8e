"""What a test may ask behind the scenes: the exchanges, a reset, faults. All need the admin token."""

import base64
import hmac
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .accounts import Accounts
from .checklist import report
from .errors import RefusalError
from .fault_values import plan
from .faults import Clock, Faults, from_timestamp
from .profiles import load_profiles
from .store import Store
from .tokens import TokenError, token_of
from .wire import decode

PAGE = 100
MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Admin:
    store: Store
    accounts: Accounts
    faults: Faults
    clock: Clock
    token: str

    def routes(self) -> list[Route]:
        return [
            Route("/exchanges", self.exchanges, methods=["GET"]),
            Route("/reset", self.reset, methods=["POST"]),
            Route("/checklist", self.checklist, methods=["GET"]),
            Route("/faults", self.show_faults, methods=["GET"]),
            Route("/faults", self.set_faults, methods=["POST"]),
            Route("/profile", self.show_profiles, methods=["GET"]),
            Route("/profile", self.set_profile, methods=["POST"]),
        ]

    async def exchanges(self, request: Request) -> Response:
        """`?nim=&after=&limit=`: exchanges in order of their ids, from the first after `after`."""
        self._authorise(request)
        query = request.query_params
        try:
            after, limit = int(query.get("after", 0)), int(query.get("limit", PAGE))
        except ValueError as error:
            raise HTTPException(400, "after and limit are whole numbers") from error
        if not 1 <= limit <= MAX_PAGE:
            raise HTTPException(400, f"limit is between 1 and {MAX_PAGE}")
        rows = await run_in_threadpool(self._exchanges, query.get("nim") or None, after, limit)
        return JSONResponse([_exchange(row) for row in rows])

    def _exchanges(self, nim: str | None, after: int, limit: int) -> list[sqlite3.Row]:
        with self.store.transaction() as transaction:
            return transaction.exchanges(nim, after, limit)

    async def reset(self, request: Request) -> Response:
        """Forgets invoices, counters, exchanges, the checklist's ticks and the faults; tokens stay."""
        self._authorise(request)
        await run_in_threadpool(self._erase)
        self.faults.clear()
        return JSONResponse({"reset": True})

    def _erase(self) -> None:
        with self.store.transaction() as transaction:
            transaction.erase()

    async def checklist(self, request: Request) -> Response:
        """`?nim=`: where one e-MCF stands on its way to production."""
        self._authorise(request)
        nim = request.query_params.get("nim")
        if nim not in self.accounts.by_nim:
            raise HTTPException(400, f"unknown NIM: {nim}")
        return JSONResponse((await run_in_threadpool(report, self.store, nim)).as_dict())

    async def show_faults(self, request: Request) -> Response:
        self._authorise(request)
        return JSONResponse(self.faults.as_dict(self.clock))

    async def set_faults(self, request: Request) -> Response:
        """Changes the given faults and answers them all."""
        self._authorise(request)
        return await self._changing_faults(request, lambda changes: self.faults.change(changes, self.clock))

    async def show_profiles(self, request: Request) -> Response:
        self._authorise(request)
        return JSONResponse([{"name": one.name, "title": one.title} for one in load_profiles().values()])

    async def set_profile(self, request: Request) -> Response:
        """`{name, nim?, seed?}`: its faults in place of those of the NIM, or, without a NIM, in place of all."""
        self._authorise(request)
        return await self._changing_faults(request, self._set_profile)

    def _set_profile(self, asked: dict[str, Any]) -> None:
        profile = load_profiles().get(str(asked.get("name")))
        if profile is None or not asked.keys() <= {"name", "nim", "seed"}:
            raise ValueError(f"name: one of {', '.join(load_profiles())} is expected, beside it nim and seed")
        limits = {name: asked[name] for name in ("nim", "seed") if name in asked}
        plan({**profile.faults, **limits})
        self.faults.clear(asked.get("nim"))
        self.faults.change({**profile.faults, **limits}, self.clock)

    async def _changing_faults(self, request: Request, change: Callable[[dict[str, Any]], None]) -> Response:
        try:
            asked = decode(await request.body())
            self._known(asked.get("nim"))
            change(asked)
        except (RefusalError, ValueError) as error:
            raise HTTPException(400, str(error)) from error
        return JSONResponse(self.faults.as_dict(self.clock))

    def _known(self, nim: Any) -> None:
        if nim is not None and str(nim) not in self.accounts.by_nim:
            raise ValueError(f"unknown NIM: {nim}")

    def _authorise(self, request: Request) -> None:
        try:
            given = token_of(request.headers.get("authorization", ""))
        except TokenError as error:
            raise HTTPException(401, str(error)) from error
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise HTTPException(401, "invalid_token")


def _exchange(row: sqlite3.Row) -> dict[str, Any]:
    plain = ("id", "nim", "method", "path", "status", "error_code", "error_desc", "fault")
    return {
        **{name: row[name] for name in plain},
        "received_at": from_timestamp(row["received_at"]).isoformat(),
        "answered_at": from_timestamp(row["answered_at"]).isoformat(),
        **_body("request", row["request"]),
        **_body("response", row["response"]),
    }


def _body(name: str, body: bytes) -> dict[str, str]:
    """The exact bytes, and the same as text for the eye."""
    return {name: body.decode("utf-8", errors="replace"), f"{name}_base64": base64.b64encode(body).decode()}

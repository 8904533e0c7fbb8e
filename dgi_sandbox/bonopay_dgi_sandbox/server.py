"""Puts the parts together and serves them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .accounts import load_accounts
from .admin import Admin
from .api import Api, Options
from .device import Device
from .faults import Clock, Faults
from .journal import TRANSPORT
from .page import Page
from .store import Store
from .tables import load_tables
from .tokens import Tokens, kept_secret


@dataclass(frozen=True, slots=True)
class Settings:
    database: Path
    accounts: Path
    tokens_dir: Path
    token_lifetime: timedelta = timedelta(days=365)
    pending_seconds: int = 120
    options: Options = field(default_factory=Options)


def beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


def build(settings: Settings, faults: Faults, clock: Clock) -> Starlette:
    """Opens the database, writes the token files and answers the application. Raises AccountsError."""
    accounts = load_accounts(settings.accounts)
    settings.database.parent.mkdir(parents=True, exist_ok=True)
    store = Store(settings.database)
    tokens = Tokens(kept_secret(beside(settings.database, ".jwt-secret")), accounts)
    tokens.write_files(settings.tokens_dir, clock.now(), settings.token_lifetime)
    device = Device(store, load_tables(), accounts, clock, faults, settings.pending_seconds)
    admin = Admin(store, accounts, faults, clock, kept_secret(beside(settings.database, ".admin-token")))
    routes = [
        Route("/", Page(device).show, methods=["GET"]),
        Mount("/edef", app=Api(device, tokens, settings.options).app()),
        Mount("/admin", routes=admin.routes()),
    ]

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    return Starlette(routes=routes, lifespan=closing)


class DroppableProtocol(H11Protocol):
    """HTTP/1.1 whose requests carry their transport, so that a fault may cut the line."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        served: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = transport
            await served(scope, receive, send)

        self.app = with_transport


def serve(app: Starlette, host: str, port: int) -> None:
    uvicorn.run(app, host=host, port=port, http=DroppableProtocol, access_log=False, server_header=False)

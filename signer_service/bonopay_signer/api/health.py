"""``/health``: the process lives. ``/ready``: it can seal."""

from collections.abc import Awaitable, Callable

import psycopg
from msgspec import Struct
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bonopay_signer import __version__
from bonopay_signer.api.bodies import json_response
from bonopay_signer.api.service import Service
from bonopay_signer.db.instance import LockLost
from bonopay_signer.fiscal.fingerprint import CORE_VERSION, fingerprint
from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.ledger.batch import ClockBehind
from bonopay_signer.ledger.errors import LedgerUnavailable
from bonopay_signer.ledger.rollback import LedgerBehind


class Core(Struct, frozen=True):
    """The fiscal core: its version and the fingerprint of its bytes."""

    version: str
    fingerprint: str


class Health(Struct, frozen=True):
    status: str
    version: str
    authority: str
    fiscal_core: Core


class Readiness(Struct, frozen=True):
    """``checks``: database, hsm, ledger."""

    ready: bool
    checks: dict[str, bool]


async def health(request: Request) -> Response:
    core = Core(CORE_VERSION, fingerprint())
    return json_response(Health("ok", __version__, request.app.state.service.settings.authority, core))


async def ready(request: Request) -> Response:
    service: Service = request.app.state.service
    checks = {
        "database": await _holds(lambda: _ask_database(service)),
        "hsm": await _holds(service.signers.check),
        "ledger": await _holds(lambda: _ask_ledger(service)),
    }
    holds = all(checks.values())
    return json_response(Readiness(holds, checks), 200 if holds else 503)


async def _ask_database(service: Service) -> None:
    async with service.pool.connection() as connection:
        await connection.execute("SELECT index FROM signer.outlet_head LIMIT 1")


async def _ask_ledger(service: Service) -> None:
    service.writer.check()
    await service.lock.check()


async def _holds(check: Callable[[], Awaitable[None]]) -> bool:
    try:
        await check()
    except (psycopg.Error, PoolTimeout, HsmUnavailable, LockLost, LedgerUnavailable, LedgerBehind, ClockBehind):
        return False
    return True


ROUTES = [Route("/health", health, methods=["GET"]), Route("/ready", ready, methods=["GET"])]

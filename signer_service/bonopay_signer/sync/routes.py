"""``GET /api/v1/sync/status``: how each outlet stands with the DGI, and what has to be done; and the operations of this
capability."""

from datetime import UTC, datetime
from typing import Literal

import psycopg
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer.api import parameters
from bonopay_signer.api.bodies import json_response
from bonopay_signer.api.operations import OUTLET_ID, Answer, Operation
from bonopay_signer.api.pages import Page
from bonopay_signer.api.service import Service
from bonopay_signer.reference.told import fiscal_today
from bonopay_signer.sealing.breakers import Breakers, breaker_of
from bonopay_signer.sync import facts, restart
from bonopay_signer.sync.alarms import PENDING_LIMIT, REGULARISATION, Alarm, alarms_of
from bonopay_signer.sync.facts import REJECTED_DAYS, Facts, OutletRow
from bonopay_signer.tenants.apikeys import ApiKey
from bonopay_signer.tenants.rows import MAIN

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 500
_OUTLETS = """
SELECT id FROM signer.outlet
 WHERE merchant_nif = %(nif)s AND id > %(after)s AND (%(only)s::text[] IS NULL OR id = ANY(%(only)s))
 ORDER BY id LIMIT %(limit)s
"""


class OldestWaiting(Struct, frozen=True):
    """``deadline``: 48 hours after the seal; ``age_seconds`` counts from the seal."""

    fiscal_number: str
    sealed_at: datetime
    age_seconds: int
    deadline: datetime


class PendingUids(Struct, frozen=True):
    """Requests that the e-MCF may hold unfinished, of ``limit`` that it takes."""

    count: int
    limit: int


class Rejected(Struct, frozen=True):
    count: int
    days: int


class Contact(Struct, frozen=True):
    """``silent_since``: the first request without an answer after the last one that had one; null while it answers."""

    answered_at: datetime | None
    silent_since: datetime | None


class DeviceState(Struct, frozen=True):
    """``in_use``: the next document is given to it. ``backlog``: documents in an MCF that the DGI has not got yet;
    ``last_dgi_contact``: of an MCF; both null for an e-MCF, and while an MCF has not told them."""

    kind: Literal["emcf", "mcf"]
    role: Literal["main", "spare"]
    nim: str | None
    in_use: bool
    breaker: Literal["closed", "open", "half_open"]
    answered_at: datetime | None
    silent_since: datetime | None
    backlog: int | None
    last_dgi_contact: datetime | None


class SyncStatus(Struct, frozen=True):
    """``counts``: documents under way by their state; ``token_expires_at``: null when the token does not say."""

    outlet_id: str
    mode: Literal["inline", "deferred"]
    closed: bool
    counts: dict[str, int]
    oldest_waiting: OldestWaiting | None
    pending: PendingUids
    rejected: Rejected
    token_expires_at: datetime | None
    contact: Contact
    devices: list[DeviceState]
    alarms: list[Alarm]


class SyncPage(Struct, frozen=True):
    at: datetime
    outlets: list[SyncStatus]
    next_cursor: str | None


async def read_sync_status(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    values = parameters.read(request, _FORMS)
    outlet_id = values.get("outlet_id")
    if outlet_id is not None:
        await service.access.outlet_to_see(key, outlet_id)
    page = Page.of(service.cursors, values, ["sync", key.merchant_nif, outlet_id], DEFAULT_LIMIT)
    now = datetime.now(UTC)
    async with service.tenants.connection(key.merchant_nif) as connection:
        ids, following = page.cut(await _outlet_ids(connection, key, outlet_id, page), lambda row: [row])
        found = await facts.of_outlets(connection, service.box, ids, fiscal_today(now))
    return json_response(SyncPage(now, [_status(outlet, now, service.breakers) for outlet in found], following))


async def _outlet_ids(connection: psycopg.AsyncConnection, key: ApiKey, outlet_id: str | None, page: Page) -> list[str]:
    only = key.outlets if outlet_id is None else [outlet_id]
    after = str(page.after[0]) if page.after else ""
    values = {"nif": key.merchant_nif, "after": after, "only": only, "limit": page.limit + 1}
    return [row[0] for row in await (await connection.execute(_OUTLETS, values)).fetchall()]


def _status(outlet: Facts, now: datetime, breakers: Breakers) -> SyncStatus:
    row = outlet.row
    oldest = None
    if row.oldest_number is not None and row.oldest_at is not None:
        age = int((now - row.oldest_at).total_seconds())
        oldest = OldestWaiting(row.oldest_number, row.oldest_at, age, row.oldest_at + REGULARISATION)
    return SyncStatus(
        outlet_id=row.outlet_id,
        mode=row.mode,
        closed=row.is_closed,
        counts=row.counts,
        oldest_waiting=oldest,
        pending=PendingUids(row.pending_uids, PENDING_LIMIT),
        rejected=Rejected(row.rejected, REJECTED_DAYS),
        token_expires_at=outlet.token.expires_at,
        contact=Contact(row.answered_at, row.silent_since),
        devices=_devices(row, breakers),
        alarms=alarms_of(outlet, now),
    )


def _devices(row: OutletRow, breakers: Breakers) -> list[DeviceState]:
    """The main device first."""
    names: list[str | None] = [None]
    if row.mcf_nim is not None:
        names.insert(0 if row.mcf_role == MAIN else 1, row.mcf_nim)
    states = [breakers.state(breaker_of(row.outlet_id, mcf)) for mcf in names]
    used = next((rank for rank, state in enumerate(states) if state != "open"), 0)
    found = []
    for rank, (mcf, state) in enumerate(zip(names, states, strict=True)):
        role: Literal["main", "spare"] = "spare" if rank else "main"
        if mcf is None:
            told = (row.answered_at, row.silent_since, None, None)
            found.append(DeviceState("emcf", role, row.nim, rank == used, state, *told))
        else:
            told = (row.mcf_answered_at, row.mcf_silent_since, row.mcf_backlog, row.mcf_last_contact)
            found.append(DeviceState("mcf", role, mcf, rank == used, state, *told))
    return found


_FORMS = (
    parameters.text("outlet_id", "[A-Z0-9]{3,12}", "KIN001", "This outlet alone.", examples=OUTLET_ID["examples"]),
    parameters.limit(LARGEST_LIMIT, DEFAULT_LIMIT),
    parameters.CURSOR,
)

OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/sync/status",
        read_sync_status,
        "readSyncStatus",
        "sync",
        "How each outlet stands with the DGI, with its alarms",
        (Answer(200, "A page by outlet id; `next_cursor` is null on the last one", SyncPage),),
        ("parameter_invalid", "not_found"),
        tuple(form.parameter for form in _FORMS),
        secured=True,
    ),
    *restart.OPERATIONS,
)

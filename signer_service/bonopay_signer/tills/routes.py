"""Enrolling tills, renewing and revoking them, and taking their tickets."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer import metrics
from bonopay_signer.api.bodies import BODY_LIMIT, json_response, read_body
from bonopay_signer.api.operations import OUTLET_ID, Answer, Body, Operation, in_path
from bonopay_signer.api.problems import Problem
from bonopay_signer.api.service import Service
from bonopay_signer.fiscal.forms import DocumentId, OutletId
from bonopay_signer.fiscal.security import auth_code
from bonopay_signer.fiscal.ticket import Terminal
from bonopay_signer.ledger.tills import Credential, public_key
from bonopay_signer.tenants.apikeys import ApiKey
from bonopay_signer.tenants.rows import Outlet
from bonopay_signer.tills import store
from bonopay_signer.tills.admission import Admitted, TillConflict
from bonopay_signer.tills.reconciliation import SentTicket, TicketResult

MOST_TICKETS = 100
TICKETS_BODY_LIMIT = 8 * BODY_LIMIT
_TILL_ID = {"type": "string", "format": "uuid", "examples": ["0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11"]}


class NewTill(Struct, frozen=True, forbid_unknown_fields=True):
    """``public_key`` is base64 of a P-256 key's DER SubjectPublicKeyInfo; the private half never leaves the browser."""

    device_id: DocumentId
    outlet_id: OutletId
    terminal: Terminal
    public_key: Annotated[str, Meta(max_length=200)]


class TicketBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """``complete``: the till has no other ticket that it did not send; what is missing before these is lost."""

    tickets: Annotated[list[SentTicket], Meta(max_length=MOST_TICKETS)]
    complete: bool = False


class TillView(Struct, frozen=True):
    """``counter``: of the last ticket that nothing is missing before. Times are UTC."""

    device_id: str
    outlet_id: str
    terminal: str
    key_id: str
    state: Literal["active", "cloned", "revoked"]
    counter: int
    head_hash: str
    credential_id: int | None
    not_after: str | None
    enrolled_at: str
    seen_at: str
    revoked_at: str | None


class Tills(Struct, frozen=True):
    tills: list[TillView]


class CredentialView(Struct, frozen=True):
    """What a till signs under. ``credential_id`` is the index of the entry in its outlet's chain, ``signature`` the
    entry's, in base64url."""

    credential_id: int
    authority: str
    merchant_nif: str
    outlet_id: str
    public_url: str
    content: Credential
    signature: str


class Reconciliation(Struct, frozen=True):
    """``missing``: first and last counter of what did not come yet, below the largest counter that did."""

    results: list[TicketResult]
    till: TillView
    missing: list[tuple[int, int]]


async def enrol_till(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    new = await _body(request, NewTill, BODY_LIMIT)
    outlet = await service.access.outlet_to_send(key, new.outlet_id)
    _refuse_other_terminal(key, new.terminal)
    _refuse_closed(outlet, new.terminal)
    try:
        public = public_key(new.public_key)
    except ValueError as error:
        raise Problem("payload_malformed", f"public_key: {error}") from error
    try:
        admitted = await service.admission.enrol(outlet, UUID(new.device_id), new.terminal, public)
    except TillConflict as conflict:
        raise Problem("till_conflict", str(conflict)) from conflict
    return json_response(_credential(service, admitted), 201 if admitted.is_new else 200)


async def renew_credential(request: Request) -> Response:
    service, _key, till, outlet = await _till(request)
    _refuse_closed(outlet, till.terminal)
    try:
        return json_response(_credential(service, await service.admission.renew(till)), 201)
    except TillConflict as conflict:
        raise Problem("till_conflict", str(conflict)) from conflict


async def revoke_till(request: Request) -> Response:
    service, _key, till, _outlet = await _till(request)
    async with service.pool.connection() as connection:
        await store.revoke(connection, till.device_id)
        return json_response(_view(await store.till(connection, till.device_id) or till))


async def list_tills(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    outlet = await service.access.outlet_to_see(key, request.path_params["outlet_id"])
    async with service.tenants.connection(key.merchant_nif) as connection:
        tills = await store.tills_of(connection, outlet.id)
    return json_response(Tills([_view(till) for till in tills]))


async def take_tickets(request: Request) -> Response:
    service, key, till, _outlet = await _till(request)
    batch = await _body(request, TicketBatch, TICKETS_BODY_LIMIT)
    service.access.charge(key, max(0, len(batch.tickets) - 1))
    taken = await service.reconciliation.take(till.device_id, batch.tickets, batch.complete)
    for result in taken.results:
        metrics.TICKETS.labels(result.result).inc()
    return json_response(Reconciliation(taken.results, _view(taken.till), taken.missing))


async def _till(request: Request) -> tuple[Service, ApiKey, store.Till, Outlet]:
    """The till of the path, where the key may seal. Unknown and foreign ones look the same."""
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    try:
        device_id = UUID(request.path_params["device_id"])
    except ValueError as error:
        raise Problem("not_found") from error
    async with service.tenants.connection(key.merchant_nif) as connection:
        till = await store.till(connection, device_id)
    if till is None:
        raise Problem("not_found")
    outlet = await service.access.outlet_to_send(key, till.outlet_id)
    _refuse_other_terminal(key, till.terminal)
    return service, key, till, outlet


def _refuse_other_terminal(key: ApiKey, terminal: str) -> None:
    if not key.covers_terminal(terminal):
        raise Problem("forbidden", "the key is for other terminals")


def _refuse_closed(outlet: Outlet, terminal: str) -> None:
    """Nobody is admitted where nothing would be sealed."""
    if outlet.revoked_at is not None:
        raise Problem("forbidden", f"outlet {outlet.id} is closed")
    if not outlet.admits_terminal(terminal):
        raise Problem("forbidden", f"terminal {terminal} is not, or no longer, registered at outlet {outlet.id}")


async def _body(request: Request, schema: type, limit: int):
    body = await read_body(request, limit)
    try:
        return msgspec.json.decode(body, type=schema)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("payload_malformed", str(error)) from error


def _credential(service: Service, admitted: Admitted) -> CredentialView:
    till, entry = admitted.till, admitted.entry
    return CredentialView(
        entry.index,
        service.settings.authority,
        till.merchant_nif,
        till.outlet_id,
        service.settings.public_url,
        admitted.credential,
        auth_code(entry.signature),
    )


def _view(till: store.Till) -> TillView:
    return TillView(
        str(till.device_id),
        till.outlet_id,
        till.terminal,
        till.key_id,
        till.state,
        till.counter,
        bytes(till.head_hash).hex(),
        till.credential,
        *(_spelt(moment) for moment in (till.not_after, till.enrolled_at, till.seen_at, till.revoked_at)),
    )


def _spelt(moment: datetime | None) -> str | None:
    return moment and moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_SEALS = ("hsm_unavailable", "overloaded", "clock_behind", "ledger_behind", "ledger_unavailable")
_DEVICE = in_path("device_id", _TILL_ID)


def _operation(
    method: str, path: str, endpoint, name: str, summary: str, answers: Sequence[Answer], **members
) -> Operation:
    return Operation(method, path, endpoint, name, "tills", summary, tuple(answers), secured=True, **members)


OPERATIONS = (
    _operation(
        "POST",
        "/api/v1/tills",
        enrol_till,
        "enrolTill",
        "Admit a till's key, which a manager has approved",
        (Answer(201, "Admitted", CredentialView), Answer(200, "The same till, admitted anew", CredentialView)),
        problems=("payload_malformed", "too_large", "forbidden", "not_found", "till_conflict", *_SEALS),
        body=Body(NewTill, "The till"),
    ),
    _operation(
        "POST",
        "/api/v1/tills/{device_id}/credential",
        renew_credential,
        "renewCredential",
        "Admit the key for another while",
        (Answer(201, "Admitted anew", CredentialView),),
        problems=("forbidden", "not_found", "till_conflict", *_SEALS),
        parameters=(_DEVICE,),
    ),
    _operation(
        "POST",
        "/api/v1/tills/{device_id}/revoke",
        revoke_till,
        "revokeTill",
        "Admit the key no more, for good; the tickets that it signed are still taken",
        (Answer(200, "Revoked", TillView),),
        problems=("forbidden", "not_found", "ledger_unavailable"),
        parameters=(_DEVICE,),
    ),
    _operation(
        "POST",
        "/api/v1/tills/{device_id}/tickets",
        take_tickets,
        "takeTickets",
        "Keep provisional tickets, in any order; gaps and clones are told in the outlet's chain",
        (Answer(200, "What came of each, and where the till's chain stands", Reconciliation),),
        problems=("payload_malformed", "too_large", "forbidden", "not_found", *_SEALS),
        parameters=(_DEVICE,),
        body=Body(TicketBatch, f"At most {MOST_TICKETS} tickets"),
    ),
    _operation(
        "GET",
        "/api/v1/outlets/{outlet_id}/tills",
        list_tills,
        "listTills",
        "All tills that the outlet ever had",
        (Answer(200, "The tills", Tills),),
        problems=("not_found", "ledger_unavailable"),
        parameters=(in_path("outlet_id", OUTLET_ID),),
    ),
)

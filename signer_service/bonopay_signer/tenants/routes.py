"""``GET /api/v1/outlets/{outlet_id}``: what "Test connection" shows."""

from typing import Literal

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bonopay_signer.api.bodies import json_response
from bonopay_signer.dgi.device import Device, DeviceError
from bonopay_signer.ledger import reader
from bonopay_signer.sealing import submissions
from bonopay_signer.tenants.rows import Outlet


class DgiState(Struct, frozen=True):
    """``waiting`` and ``unknown`` count sealed invoices without the DGI's verdict."""

    mode: Literal["inline", "deferred"]
    state: Literal["ready", "not_operational", "unreachable"]
    detail: str | None
    token_valid_until: str | None
    waiting: int
    unknown: int


class HeadPosition(Struct, frozen=True):
    epoch: int
    index: int
    entry_hash: str


class OutletView(Struct, frozen=True):
    outlet_id: str
    name: str
    address: str
    merchant_name: str
    nif: str
    isf: str
    nim: str
    dgi: DgiState
    head: HeadPosition


async def read_outlet(request: Request) -> Response:
    service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    outlet = await service.access.outlet_to_see(key, request.path_params["outlet_id"])
    async with service.pool.connection() as connection:
        head = await reader.read_head(connection, outlet.id)
        waiting = await submissions.counts(connection, outlet.id)
    if head is None:
        raise LookupError(f"outlet {outlet.id} has no chain")
    view = OutletView(
        outlet_id=outlet.id,
        name=outlet.name,
        address=outlet.address,
        merchant_name=outlet.merchant_name,
        nif=outlet.merchant_nif,
        isf=outlet.isf,
        nim=outlet.nim,
        dgi=await _dgi_state(service.device_of(outlet), outlet, waiting),
        head=HeadPosition(head.epoch, head.index, head.entry_hash.hex()),
    )
    return json_response(view)


async def _dgi_state(device: Device, outlet: Outlet, counts: dict[str, int]) -> DgiState:
    mode, nim, nif = outlet.dgi_mode, outlet.nim, outlet.merchant_nif
    waiting, unknown = counts.get("queued", 0) + counts.get("confirming", 0), counts.get("unknown", 0)
    try:
        status = await device.status()
    except DeviceError as error:
        return DgiState(mode, "unreachable", str(error), None, waiting, unknown)
    detail = None
    if (status.nim and status.nim != nim) or (status.nif and status.nif != nif):
        detail = f"the token belongs to NIM {status.nim} of NIF {status.nif}"
    ready = status.operational and detail is None
    state: Literal["ready", "not_operational"] = "ready" if ready else "not_operational"
    return DgiState(mode, state, detail, status.token_valid_until, waiting, unknown)


ROUTES = [Route("/api/v1/outlets/{outlet_id}", read_outlet, methods=["GET"])]

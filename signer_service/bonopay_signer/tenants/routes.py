"""``GET /api/v1/outlets``: what a key covers. ``GET /api/v1/outlets/{outlet_id}``: what "Test connection" shows."""

from typing import Literal

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer.api import parameters
from bonopay_signer.api.bodies import json_response
from bonopay_signer.api.operations import OUTLET_ID, Answer, Operation, in_path
from bonopay_signer.api.pages import Page
from bonopay_signer.api.service import Service
from bonopay_signer.dgi.device import DeviceError
from bonopay_signer.ledger import reader
from bonopay_signer.sealing import submissions
from bonopay_signer.sealing.devices import DeviceOf
from bonopay_signer.tenants.rows import Outlet, outlets_after

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 500


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


class Port(Struct, frozen=True):
    """A serial port's settings (SFE §1.23); ``baud_rate`` in bits a second."""

    path: str
    baud_rate: int
    data_bits: Literal[7, 8]
    parity: Literal["none", "even", "odd"]
    stop_bits: Literal[1, 2]


class DeviceView(Struct, frozen=True):
    """A device of the outlet; ``port``: of an MCF, null for an e-MCF."""

    kind: Literal["emcf", "mcf"]
    role: Literal["main", "spare"]
    nim: str
    port: Port | None


class OutletView(Struct, frozen=True):
    outlet_id: str
    name: str
    address: str
    merchant_name: str
    nif: str
    isf: str
    nim: str
    devices: list[DeviceView]
    dgi: DgiState
    head: HeadPosition


class OutletSummary(Struct, frozen=True):
    """An outlet without its state at the DGI, which costs a request to it."""

    outlet_id: str
    name: str
    address: str
    nif: str
    isf: str
    nim: str
    dgi_mode: Literal["inline", "deferred"]


class OutletPage(Struct, frozen=True):
    outlets: list[OutletSummary]
    next_cursor: str | None


async def list_outlets(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    values = parameters.read(request, _LIST)
    page = Page.of(service.cursors, values, ["outlets", key.merchant_nif], DEFAULT_LIMIT)
    after = str(page.after[0]) if page.after else ""
    async with service.tenants.connection(key.merchant_nif) as connection:
        rows = await outlets_after(connection, key.merchant_nif, key.outlets, after, page.limit + 1)
    outlets, following = page.cut(rows, lambda outlet: [outlet.id])
    return json_response(OutletPage([_summary(outlet) for outlet in outlets], following))


def _summary(outlet: Outlet) -> OutletSummary:
    return OutletSummary(
        outlet.id, outlet.name, outlet.address, outlet.merchant_nif, outlet.isf, outlet.nim, outlet.dgi_mode
    )


async def read_outlet(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    outlet = await service.access.outlet_to_see(key, request.path_params["outlet_id"])
    async with service.tenants.connection(key.merchant_nif) as connection:
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
        devices=_devices(outlet),
        dgi=await _dgi_state(service.device_of, outlet, waiting),
        head=HeadPosition(head.epoch, head.index, head.entry_hash.hex()),
    )
    return json_response(view)


def _devices(outlet: Outlet) -> list[DeviceView]:
    """The main device first."""
    views = []
    for rank, nim in enumerate(outlet.devices):
        role: Literal["main", "spare"] = "spare" if rank else "main"
        if nim is None:
            views.append(DeviceView("emcf", role, outlet.nim, None))
        else:
            mcf = outlet.mcf(nim)
            views.append(DeviceView("mcf", role, nim, Port(*mcf[2:])))
    return views


async def _dgi_state(device_of: DeviceOf, outlet: Outlet, counts: dict[str, int]) -> DgiState:
    """Of the main device."""
    mode, nif, main = outlet.dgi_mode, outlet.merchant_nif, outlet.devices[0]
    nim = outlet.nim_of(main)
    waiting, unknown = counts.get("queued", 0) + counts.get("confirming", 0), counts.get("unknown", 0)
    try:
        status = await device_of(outlet, main).status()
    except DeviceError as error:
        return DgiState(mode, "unreachable", str(error), None, waiting, unknown)
    detail = None
    if (status.nim and status.nim != nim) or (status.nif and status.nif != nif):
        belongs = "the token belongs to" if main is None else "at the port is"
        detail = f"{belongs} NIM {status.nim} of NIF {status.nif}"
    ready = status.operational and detail is None
    state: Literal["ready", "not_operational"] = "ready" if ready else "not_operational"
    return DgiState(mode, state, detail, status.token_valid_until, waiting, unknown)


_LIST = (parameters.limit(LARGEST_LIMIT, DEFAULT_LIMIT), parameters.CURSOR)

OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/outlets",
        list_outlets,
        "listOutlets",
        "outlets",
        "The outlets that the key covers, by their ids",
        (Answer(200, "A page; `next_cursor` is null on the last one", OutletPage),),
        ("parameter_invalid",),
        tuple(form.parameter for form in _LIST),
        secured=True,
    ),
    Operation(
        "GET",
        "/api/v1/outlets/{outlet_id}",
        read_outlet,
        "readOutlet",
        "outlets",
        "An outlet, its DGI device and its head",
        (Answer(200, "The outlet", OutletView),),
        ("not_found", "dgi_unreachable"),
        (in_path("outlet_id", OUTLET_ID),),
        secured=True,
    ),
)

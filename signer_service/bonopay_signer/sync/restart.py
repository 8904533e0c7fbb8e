"""The sending of an outlet's documents, started again by somebody who mended something (SFE §1.6.2).

``POST /api/v1/outlets/{outlet_id}/sync/restart``, and ``bonopay-signer outlet restart-sync``, of which the service
hears through PostgreSQL (tenants/listener.py).
"""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer.api.bodies import json_response
from bonopay_signer.api.operations import OUTLET_ID, Answer, Operation, in_path
from bonopay_signer.api.service import Service
from bonopay_signer.sealing import submissions
from bonopay_signer.sync.restarts import PAUSE


class Restarted(Struct, frozen=True):
    """``documents``: how many wait for the DGI."""

    outlet_id: str
    documents: int


async def restart_sync(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    outlet = await service.access.outlet_to_send(key, request.path_params["outlet_id"])
    documents = await service.restarts.restart(outlet.id, f"API key {key.prefix}")
    if documents is None:
        async with service.tenants.connection(outlet.merchant_nif) as connection:
            documents = sum((await submissions.counts(connection, outlet.id)).values())
    return json_response(Restarted(outlet.id, documents), 202)


OPERATIONS = (
    Operation(
        "POST",
        "/api/v1/outlets/{outlet_id}/sync/restart",
        restart_sync,
        "restartSync",
        "sync",
        "Send what waits now, whatever failed before",
        (Answer(202, f"What waits is due now, or was made due less than {PAUSE:g} seconds ago", Restarted),),
        ("not_found", "forbidden"),
        (in_path("outlet_id", OUTLET_ID),),
        secured=True,
    ),
)

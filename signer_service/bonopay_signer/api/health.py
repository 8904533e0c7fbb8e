"""``/health``: the process lives. ``/ready``: it can seal."""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer import __version__
from bonopay_signer.api.bodies import json_response
from bonopay_signer.api.catalogue import RETRY_AFTER
from bonopay_signer.api.operations import Answer, Operation, required_header
from bonopay_signer.api.readiness import Readiness
from bonopay_signer.fiscal.fingerprint import CORE_VERSION, fingerprint


class Core(Struct, frozen=True):
    """The fiscal core: its version and the fingerprint of its bytes."""

    version: str
    fingerprint: str


class Health(Struct, frozen=True):
    status: str
    version: str
    authority: str
    fiscal_core: Core


async def health(request: Request) -> Response:
    core = Core(CORE_VERSION, fingerprint())
    return json_response(Health("ok", __version__, request.app.state.service.settings.authority, core))


async def ready(request: Request) -> Response:
    readiness = await request.app.state.service.readiness.ask()
    if readiness.ready:
        return json_response(readiness)
    return json_response(readiness, 503, {"Retry-After": str(RETRY_AFTER[503])})


OPERATIONS = (
    Operation(
        "GET",
        "/health",
        health,
        "health",
        "operation",
        "The process lives",
        (Answer(200, "Version and fiscal core; nothing else is asked", Health),),
    ),
    Operation(
        "GET",
        "/ready",
        ready,
        "ready",
        "operation",
        "Whether the service can seal now",
        (
            Answer(200, "It can", Readiness),
            Answer(
                503,
                "It cannot; `reasons` says why",
                Readiness,
                headers={"Retry-After": required_header({"type": "integer"}, "Seconds")},
            ),
        ),
    ),
)

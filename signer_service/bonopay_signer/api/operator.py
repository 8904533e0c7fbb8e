"""For the operator's own machines: ``/metrics``, with ``/health`` and ``/ready``.

On an address of its own, because a reverse proxy makes every client of the public one look like the machine itself.
Who may read is decided by where it listens (loopback, or a management network), and no secret has to be kept.
"""

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bonopay_signer import metrics
from bonopay_signer.api import health
from bonopay_signer.api.middleware import RequestLog
from bonopay_signer.api.problems import HANDLERS
from bonopay_signer.api.service import Service


async def read_metrics(request: Request) -> Response:
    await request.app.state.service.measure()
    return Response(generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


def make_operator_app(service: Service) -> ASGIApp:
    routes = [operation.route for operation in health.OPERATIONS]
    app = Starlette(routes=[*routes, Route("/metrics", read_metrics, methods=["GET"])], exception_handlers=HANDLERS)
    app.state.service = service
    return RequestLog(app)


def by_port(public: ASGIApp, port: int, operator: ASGIApp) -> ASGIApp:
    """Requests that arrived on ``port`` go to ``operator``, all others to ``public``."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (operator if scope["server"][1] == port else public)(scope, receive, send)

    return app

"""The application: the operations of all capabilities, problems, request log.

::

    RequestLog ─▶ HotPath ─▶ the operations marked hot
                     └─────▶ Starlette: everything else
"""

from collections.abc import Mapping, Sequence

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bonopay_signer.api import health, openapi
from bonopay_signer.api.middleware import RequestLog
from bonopay_signer.api.operations import Operation
from bonopay_signer.api.problems import EXPECTED, HANDLERS, Problem, answer_to, problem_response
from bonopay_signer.api.service import Service
from bonopay_signer.events import routes as events
from bonopay_signer.reference import routes as reference
from bonopay_signer.sealing import routes as sealing
from bonopay_signer.sync import routes as sync
from bonopay_signer.tenants import routes as tenants
from bonopay_signer.tills import routes as tills
from bonopay_signer.tills import verification as tickets
from bonopay_signer.transparency import description as transparency
from bonopay_signer.verification import routes as verification

OPERATIONS: Sequence[Operation] = (
    *sealing.OPERATIONS,
    *tenants.OPERATIONS,
    *reference.OPERATIONS,
    *tills.OPERATIONS,
    *sync.OPERATIONS,
    *events.OPERATIONS,
    *verification.OPERATIONS,
    *tickets.OPERATIONS,
    *transparency.OPERATIONS,
    *health.OPERATIONS,
    openapi.OPERATION,
)
"""Every operation of the API."""


def make_app(service: Service) -> ASGIApp:
    """The application of a started service."""
    routes = [operation.route for operation in OPERATIONS]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    app.state.service = service
    app.state.description = msgspec.json.encode(openapi.document(OPERATIONS))
    hot = {operation.path: (operation, route) for operation, route in zip(OPERATIONS, routes, strict=True)
           if operation.hot}  # fmt: skip
    return RequestLog(HotPath(app, hot))


class HotPath:
    """Serves the hot operations by a look-up of their path: half the cost of routing and its layers of middleware."""

    def __init__(self, app: Starlette, hot: Mapping[str, tuple[Operation, Route]]) -> None:
        self._app = app
        self._hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._hot.get(scope["path"]) if scope["type"] == "http" else None
        if found is None or found[0].method != scope["method"]:
            await self._app(scope, receive, send)
            return
        operation, scope["route"] = found
        scope["app"] = self._app
        request = Request(scope, receive)
        try:
            response = await operation.endpoint(request)
        except EXPECTED as error:
            response = answer_to(request, error)
        except Exception:
            await problem_response(Problem("internal_error"))(scope, receive, send)
            raise  # to the request's log, as Starlette does
        await response(scope, receive, send)

"""The application: routes of all capabilities, problems, request log."""

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from bonopay_signer.api import health, openapi
from bonopay_signer.api.middleware import RequestLog
from bonopay_signer.api.problems import HANDLERS
from bonopay_signer.api.service import Service
from bonopay_signer.sealing import routes as sealing
from bonopay_signer.tenants import routes as tenants
from bonopay_signer.transparency import routes as transparency
from bonopay_signer.verification import routes as verification


def make_app(service: Service) -> ASGIApp:
    """The application of a started service."""
    routes: list[Route] = [
        *sealing.ROUTES,
        *tenants.ROUTES,
        *verification.ROUTES,
        *transparency.ROUTES,
        *health.ROUTES,
        Route("/openapi.json", openapi.describe, methods=["GET"]),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    app.state.service = service
    return RequestLog(app)

"""A request id on every answer, and one log line per request: route template, never a path, a query or a header.

The outermost layer, so that the answer to a defect and its traceback carry the request id too.
"""

import random
import re
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bonopay_signer import logs

PROBLEM = "bonopay.problem"
"""Member of the scope: the code of the problem that was answered, for the log."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_logger = structlog.get_logger("bonopay_signer.http")


class RequestLog:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                present = {name for name, _ in headers}
                added = [header for header in _SECURITY_HEADERS if header[0] not in present]
                message["headers"] = [*headers, *added, (b"x-request-id", request_id)]
            await send(message)

        # The server runs every request in a context of its own: what is set here ends with it.
        logs.request_id.set(request_id.decode())
        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            # Starlette has answered 500 and raises on for the server's log, which would not know the request.
            _logger.exception("defect")
        finally:
            route = getattr(scope.get("route"), "path", "(no route)")
            elapsed = (time.perf_counter() - started) * 1000
            logs.request_line(scope["method"], route, status, scope.get(PROBLEM), elapsed)


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value
    return b"%032x" % random.getrandbits(128)  # a name, not a secret

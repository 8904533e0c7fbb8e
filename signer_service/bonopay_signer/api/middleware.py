"""A request id on every answer, and one log line per request: route template, never a query or a header.

The outermost layer, so that the answer to a defect and its traceback carry the request id too.
"""

import re
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
                present = {name for name, _ in message["headers"]}
                added = [(name, value) for name, value in _SECURITY_HEADERS if name not in present]
                message["headers"] = [*message["headers"], *added, (b"x-request-id", request_id)]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            # Starlette has answered 500 and raises on for the server's log, which would not know the request.
            _logger.exception("defect")
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "(no route)")
            elapsed = round((time.perf_counter() - started) * 1000, 1)
            _logger.info("request", method=scope["method"], route=path, status=status, ms=elapsed)
            structlog.contextvars.unbind_contextvars("request_id")


def _request_id(scope: Scope) -> bytes:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex.encode()

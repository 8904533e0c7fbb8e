"""Reading a bounded body, writing msgspec values."""

from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bonopay_signer.api.problems import Problem

BODY_LIMIT = 1024 * 1024


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The whole body.

    Raises Problem ``too_large`` above ``limit`` bytes, as soon as that is known, and ``payload_malformed`` when the
    client leaves before its end.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise Problem("too_large")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise Problem("too_large")
    except ClientDisconnect as error:
        raise Problem("payload_malformed", "the client left before the end of the body") from error
    return bytes(body)


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")

"""The expiry that a DGI token states of itself."""

import base64
import json
from datetime import UTC, datetime


def expiry_of(token: str) -> datetime | None:
    """``exp`` of a JWT (RFC 7519 §4.1.4), None when it is none or states none.

    Its signature is the DGI's own affair, so it is not checked: a wrong date costs a warning, nothing else.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        seconds = claims.get("exp") if isinstance(claims, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            return None
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, RecursionError, OverflowError, OSError):
        return None

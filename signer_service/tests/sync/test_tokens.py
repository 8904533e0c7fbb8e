"""The expiry that a token states; whatever else it holds, nothing fails."""

import base64
import json
from datetime import UTC, datetime

import pytest

from bonopay_signer.dgi.tokens import expiry_of

END = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def jwt(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2ln"


@pytest.mark.parametrize("claims", [{"exp": END.timestamp()}, {"exp": int(END.timestamp()), "nim": "é" * 3}])
def test_expiry_is_read(claims: object) -> None:
    assert expiry_of(jwt(claims)) == END


NO_EXPIRY = ({}, [], "x", {"exp": None}, {"exp": True}, {"exp": "1"}, {"exp": 1e300}, {"exp": float("nan")})


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.é.c", "..", *map(jwt, NO_EXPIRY), jwt({"exp": 10**30})])
def test_token_that_states_none_has_none(token: str) -> None:
    assert expiry_of(token) is None

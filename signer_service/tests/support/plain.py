"""HTTP clients for the tests' own servers, which speak no TLS."""

import ssl
from typing import Any

import httpx

_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ONE_EACH = httpx.Limits(max_keepalive_connections=0)  # a connection for each request, as ``httpx.get`` makes it


def plain_client(**options: Any) -> httpx.Client:
    """Trusts no certificate authority: httpx reads them anew for each client, which takes 50 ms of processor time."""
    return httpx.Client(verify=_NO_AUTHORITIES, **options)

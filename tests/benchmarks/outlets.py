"""Outlets that load comes from: each known to the signer and with an e-MCF of its own at the DGI sandbox."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from launcher.config import HOST
from launcher.instance import DEMO_MERCHANT
from launcher.sandbox import Sandbox
from launcher.signer import Signer
from tests.signer_api import demo_payload

MODES = ("deferred", "inline")


@dataclass(frozen=True)
class Outlet:
    """An outlet of the demo merchant."""

    id: str
    nim: str

    def payload(self, document_id: str) -> dict[str, Any]:
        """A sale of this outlet."""
        return {**demo_payload(), "outlet_id": self.id, "document_id": document_id}


def new_outlets(count: int) -> list[Outlet]:
    return [Outlet(f"KIN{number:03d}", f"CD01{number:06d}-1") for number in range(1, count + 1)]


def open_accounts(sandbox: Sandbox, known: list[Outlet]) -> None:
    """Give every outlet its e-MCF, before the sandbox is started."""
    sandbox.prepare([{**DEMO_MERCHANT, "outlet": outlet.id, "nim": outlet.nim} for outlet in known])


def register(signer: Signer, sandbox: Sandbox, known: list[Outlet], mode: str, dgi_url: str) -> None:
    """Merchant, outlets and an API key in the signer's registry; ``mode`` is one of MODES."""
    signer.run("merchant", "add", "--nif", DEMO_MERCHANT["nif"], "--name", DEMO_MERCHANT["name"])
    for outlet in known:
        signer.run(
            *("outlet", "add", "--id", outlet.id, "--merchant", DEMO_MERCHANT["nif"]),
            *("--name", DEMO_MERCHANT["outlet_name"], "--address", DEMO_MERCHANT["address"]),
            *("--nim", outlet.nim, "--isf", DEMO_MERCHANT["isf"], "--dgi-mode", mode),
            *("--dgi-url", dgi_url, "--dgi-token-file", str(sandbox.token_file(outlet.nim))),
        )
    signer.run("apikey", "create", "--merchant", DEMO_MERCHANT["nif"], "--output", str(signer.api_key_file))


def sale_requests(port: int, key: str, outlet: Outlet, count: int) -> Iterator[bytes]:
    """HTTP requests for so many different sales of an outlet, made before the first is asked for."""
    mark = "00000000-0000-4000-8000-000000000000"
    body = json.dumps(outlet.payload(mark), separators=(",", ":"), ensure_ascii=False).encode()
    before, after = body.split(mark.encode())
    head = (
        f"POST /api/v1/invoices HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    return iter([head + before + document_id + after for document_id in _document_ids(count)])


def _document_ids(count: int) -> Iterator[bytes]:
    """Random UUIDs, version 4; quicker than the uuid module."""
    digits = os.urandom(16 * count).hex().encode()
    for start in range(0, 32 * count, 32):
        one = digits[start : start + 32]
        yield b"%b-%b-4%b-8%b-%b" % (one[:8], one[8:12], one[13:16], one[17:20], one[20:])

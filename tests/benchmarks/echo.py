"""The service's HTTP without its database and token: `python -m tests.benchmarks.echo PORT`.

Same server, middleware, parsing, rules, canonical form and answer as the service; what a seal would be is one entry
that was made beforehand. Runs in the signer's own environment. Nothing of this is reachable in the service itself.
"""

import asyncio
import sys
from dataclasses import replace

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer import logs
from bonopay_signer.api.app import HotPath
from bonopay_signer.api.bodies import json_response, read_body
from bonopay_signer.api.connections import BoundedHttp
from bonopay_signer.api.middleware import RequestLog
from bonopay_signer.api.operations import Answer, Operation
from bonopay_signer.api.server import tune
from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.fiscal.rules import check
from bonopay_signer.ledger.batch import Planner, signed_entries
from bonopay_signer.ledger.entries import Entry, Head, now_ms
from bonopay_signer.sealing.answer import DgiAnswer, sealed_answer
from bonopay_signer.sealing.drafts import invoice_draft
from tests.benchmarks.outlets import HOST, Outlet, new_outlets
from tests.benchmarks.parts import drafts_of

PATH = "/api/v1/invoices"
PUBLIC_URL = f"http://{HOST}:17480"


def _entry(outlet: Outlet) -> Entry:
    """An entry like every other, but for its signature."""
    draft = next(drafts_of(outlet))
    head = Head(outlet.id, draft.merchant_nif, 1, 0, bytes(32), 0, now_ms())
    planner = Planner({outlet.id: head}, head.sealed_at, "BONO-CD-DEMO", "0" * 16)
    planner.add([draft])
    return signed_entries(planner.plan(), [bytes(range(64))], 0, 0, PUBLIC_URL)[0]


class Echo:
    def __init__(self) -> None:
        [outlet] = new_outlets(1)
        self._entry = _entry(outlet)
        self._dgi = DgiAnswer("deferred", "pending", None, outlet.nim, "", None, None, None, None)

    async def post(self, request: Request) -> Response:
        invoice = parse(await read_body(request))
        draft = invoice_draft(invoice, canonical.encode(invoice))
        if check(invoice):
            raise ValueError("the load is not a valid sale")
        entry = replace(self._entry, document_id=draft.document_id, payload=draft.payload)
        vars(entry)["statement_values"] = self._entry.statement_values  # as of an entry that was planned just now
        return json_response(sealed_answer(entry, self._dgi), 201, {"Location": f"{PATH}/{entry.fiscal_number}"})


def main(port: int) -> None:
    logs.configure("WARNING")
    operation = Operation("POST", PATH, Echo().post, "echo", "invoices", "Echo", (Answer(201, "Echoed"),))
    hot = {PATH: (operation, operation.route)}
    config = uvicorn.Config(
        RequestLog(HotPath(Starlette(), hot)),
        host=HOST,
        port=port,
        http=BoundedHttp,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
    )
    tune()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main(int(sys.argv[1]))

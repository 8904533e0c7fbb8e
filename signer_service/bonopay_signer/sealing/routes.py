"""``POST /api/v1/invoices`` and ``GET /api/v1/invoices/{fiscal_number}``."""

from typing import Any

from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bonopay_signer.api.bodies import json_response, read_body
from bonopay_signer.api.problems import Problem
from bonopay_signer.fiscal.parsing import parse
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.fiscal.statement import Statement
from bonopay_signer.ledger import reader
from bonopay_signer.sealing.answer import SealedInvoice, pending, sealed_answer, sealed_invoice
from bonopay_signer.sealing.replay import Outcome
from bonopay_signer.tenants.apikeys import READ
from bonopay_signer.tenants.rows import DEFERRED, Outlet

REPLAYED = "Idempotent-Replayed"


class InvoiceRecord(SealedInvoice, frozen=True):
    """A sealed invoice with what was sealed."""

    payload: Invoice
    statement: Statement


async def seal_invoice(request: Request) -> Response:
    service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    invoice = parse(await read_body(request))
    outlet = await service.access.outlet_to_seal(key, invoice)
    outcome = await service.sealing.seal(invoice, outlet)
    answer = await _answer(service.pool, outcome, outlet)
    if outcome.replayed:
        return json_response(answer, 200, {REPLAYED: "true"})
    return json_response(answer, 201, {"Location": f"/api/v1/invoices/{answer.fiscal_number}"})


async def _answer(pool: AsyncConnectionPool, outcome: Outcome, outlet: Outlet) -> SealedInvoice:
    if outlet.dgi_mode == DEFERRED and not outcome.replayed:
        return sealed_answer(outcome.entry, pending(outlet))
    async with pool.connection() as connection:
        return await sealed_invoice(connection, outcome.entry)


async def read_invoice(request: Request) -> Response:
    service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    if READ not in key.operations:
        raise Problem("forbidden")
    async with service.pool.connection() as connection:
        entry = await reader.invoice_by_number(connection, request.path_params["fiscal_number"])
        if entry is None or not key.covers(entry.merchant_nif, entry.outlet_id, READ):
            raise Problem("not_found")
        answer = await sealed_invoice(connection, entry)
    return json_response(_record(answer, entry.payload_fields, entry.statement_fields))


def _record(answer: SealedInvoice, payload: dict[str, Any], statement: dict[str, Any]) -> dict[str, Any]:
    members = {name: getattr(answer, name) for name in answer.__struct_fields__}
    return members | {"payload": payload, "statement": statement}


ROUTES = [
    Route("/api/v1/invoices", seal_invoice, methods=["POST"]),
    Route("/api/v1/invoices/{fiscal_number}", read_invoice, methods=["GET"]),
]

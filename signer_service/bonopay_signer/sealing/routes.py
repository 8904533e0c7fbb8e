"""Sealing and reading invoices: ``/api/v1/invoices`` and what is under it."""

from typing import Any

import psycopg
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer.api import parameters
from bonopay_signer.api.bodies import BODY_LIMIT, json_response, read_body
from bonopay_signer.api.operations import FISCAL_NUMBER, Answer, Body, Operation, in_path, required_header
from bonopay_signer.api.pages import Page
from bonopay_signer.api.problems import Problem
from bonopay_signer.api.service import Service
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.fiscal.statement import Statement
from bonopay_signer.ledger import reader
from bonopay_signer.sealing import batch_route, listing
from bonopay_signer.sealing.answer import SealedInvoice, sealed_invoice
from bonopay_signer.sealing.listing import Filters, InvoicePage
from bonopay_signer.sealing.submit import admit, seal
from bonopay_signer.tenants.apikeys import READ, ApiKey
from bonopay_signer.tenants.rows import find_outlet

REPLAYED = "Idempotent-Replayed"
DEFAULT_LIMIT, LARGEST_LIMIT = 50, 200


class InvoiceRecord(SealedInvoice, frozen=True):
    """A sealed invoice with what was sealed."""

    payload: Invoice
    statement: Statement


async def seal_invoice(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    answer, replayed = await seal(service, await admit(service, key, await read_body(request)))
    if replayed:
        return json_response(answer, 200, {REPLAYED: "true"})
    return json_response(answer, 201, {"Location": f"/api/v1/invoices/{answer.fiscal_number}"})


async def read_invoice(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await _reader(request, service)
    async with service.tenants.connection(key.merchant_nif) as connection:
        entry = await reader.invoice_by_number(connection, request.path_params["fiscal_number"])
        if entry is None or not key.covers(entry.merchant_nif, entry.outlet_id, READ):
            raise Problem("not_found")
        service.writer.require_released(entry)
        answer = await sealed_invoice(connection, entry)
    return json_response(_record(answer, entry.payload_fields, entry.statement_fields))


async def list_invoices(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await _reader(request, service)
    values = parameters.read(request, _LIST)
    _refuse_empty_range(values)
    filters = Filters.of(key, values)
    page = Page.of(service.cursors, values, ["invoices", *filters.scope()], DEFAULT_LIMIT)
    async with service.tenants.connection(key.merchant_nif) as connection:
        if filters.outlet_id is not None:
            await _refuse_outlet(connection, key, filters.outlet_id)
        return json_response(await listing.page_of_invoices(connection, filters, page, service.writer.is_released))


async def _refuse_outlet(connection: psycopg.AsyncConnection, key: ApiKey, outlet_id: str) -> None:
    """Unknown and foreign outlets look the same: the connection sees neither."""
    if not key.covers(key.merchant_nif, outlet_id, READ) or await find_outlet(connection, outlet_id) is None:
        raise Problem("forbidden")


def _refuse_empty_range(values: dict[str, Any]) -> None:
    first, end = values.get("issued_from"), values.get("issued_to")
    if first is not None and end is not None and end <= first:
        parameters.refuse([parameters.fault("issued_to", "range", f"> {first}", end)])


async def _reader(request: Request, service: Service) -> ApiKey:
    key = await service.access.authenticate(request.headers.get("authorization"))
    if READ not in key.operations:
        raise Problem("forbidden")
    return key


def _record(answer: SealedInvoice, payload: dict[str, Any], statement: dict[str, Any]) -> dict[str, Any]:
    members = {name: getattr(answer, name) for name in answer.__struct_fields__}
    return members | {"payload": payload, "statement": statement}


_LIST = (
    parameters.text("outlet_id", "[A-Z0-9]{3,12}", "KIN001", "Of this outlet; the key must cover it."),
    parameters.choice("type", listing.TYPES, "Of this invoice type."),
    parameters.moment("issued_from", "Issued at this time or later."),
    parameters.moment("issued_to", "Issued before this time."),
    parameters.choice("dgi_status", listing.STATUSES, "As the DGI's verdict stands now."),
    parameters.text(
        "document_id",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11",
        "The document with this id.",
    ),
    parameters.limit(LARGEST_LIMIT, DEFAULT_LIMIT),
    parameters.CURSOR,
)
_SEAL_PROBLEMS = (
    "payload_malformed",
    "forbidden",
    "document_conflict",
    "too_large",
    "payload_invalid",
    "dgi_refused",
    "dgi_totals_differ",
    "dgi_unreachable",
    "hsm_unavailable",
    "overloaded",
    "clock_behind",
    "ledger_behind",
)

OPERATIONS = (
    Operation(
        "POST",
        "/api/v1/invoices",
        seal_invoice,
        "sealInvoice",
        "invoices",
        "Seal an invoice",
        (
            Answer(201, "Sealed now", SealedInvoice, headers={"Location": required_header({"type": "string"})}),
            Answer(
                200,
                "Sealed before; the same answer",
                SealedInvoice,
                headers={REPLAYED: required_header({"type": "string", "const": "true"})},
            ),
        ),
        _SEAL_PROBLEMS,
        body=Body(Invoice, f"At most {BODY_LIMIT} bytes."),
        secured=True,
        hot=True,
        description="Idempotent by `document_id`, for ever. Send the same document again after any 503 or silence.",
    ),
    batch_route.OPERATION,
    Operation(
        "GET",
        "/api/v1/invoices",
        list_invoices,
        "listInvoices",
        "invoices",
        "Sealed invoices, the latest issued first",
        (Answer(200, "A page; `next_cursor` is null on the last one", InvoicePage),),
        ("parameter_invalid", "forbidden"),
        tuple(form.parameter for form in _LIST),
        secured=True,
        description="All filters apply together. Invoices that are sealed between two pages move nothing.",
    ),
    Operation(
        "GET",
        "/api/v1/invoices/{fiscal_number}",
        read_invoice,
        "readInvoice",
        "invoices",
        "Read a sealed invoice",
        (Answer(200, "The invoice, with its payload and statement", InvoiceRecord),),
        ("forbidden", "not_found"),
        (in_path("fiscal_number", FISCAL_NUMBER),),
        secured=True,
    ),
)

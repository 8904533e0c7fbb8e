"""``POST /api/v1/invoices/batch``: up to 100 documents in one request, each with its own result.

Every item is what ``POST /api/v1/invoices`` would have made of it: authorised, idempotent and refused by itself. They
are handed to the writer's queue together, so that a batch of one request becomes a batch of the ledger.
"""

import asyncio
from typing import Annotated

import msgspec
import structlog
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer.api.bodies import BODY_LIMIT, json_response, read_body
from bonopay_signer.api.operations import Answer, Body, Operation
from bonopay_signer.api.problems import Problem, ProblemDetails, details_of
from bonopay_signer.api.service import Service
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.sealing.answer import SealedInvoice
from bonopay_signer.sealing.submit import Admitted, admit, seal
from bonopay_signer.tenants.apikeys import ApiKey

MAX_ITEMS = 100
BATCH_BODY_LIMIT = 8 * BODY_LIMIT
_logger = structlog.get_logger(__name__)


class InvoiceBatch(Struct, frozen=True):
    """What a client sends, as it is published; items are read one by one, so that a bad one spoils no other."""

    invoices: Annotated[list[Invoice], Meta(min_length=1, max_length=MAX_ITEMS)]


class BatchItem(Struct, frozen=True, omit_defaults=True):
    """``status``: 201 sealed now, 200 sealed before (``invoice``), or that of ``problem``."""

    status: int
    invoice: SealedInvoice | UnsetType = UNSET
    problem: ProblemDetails | UnsetType = UNSET


class BatchResult(Struct, frozen=True):
    """One result for each invoice, in their order."""

    results: list[BatchItem]


class _Items(Struct, frozen=True, forbid_unknown_fields=True):
    invoices: list[msgspec.Raw]


async def seal_batch(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    items = _items(await read_body(request, BATCH_BODY_LIMIT))
    if len(items) > 1:
        service.access.charge(key, len(items) - 1)
    # All are admitted before the first is sealed: so they reach the writer's queue together, and in their order.
    admitted = await asyncio.gather(*(_admitted(service, key, item) for item in items))
    return json_response(BatchResult(await asyncio.gather(*(_result(service, item) for item in admitted))))


def _items(body: bytes) -> list[bytes]:
    """Raises Problem ``payload_malformed`` unless the body is an object with 1 to 100 invoices."""
    try:
        items = [bytes(item) for item in msgspec.json.decode(body, type=_Items).invoices]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("payload_malformed", f'expected {{"invoices": [1 to {MAX_ITEMS} invoices]}}: {error}') from error
    if _quotes(body) - sum(map(_quotes, items)) != 2:
        raise Problem("payload_malformed", 'the member "invoices" is given more than once')
    if not 1 <= len(items) <= MAX_ITEMS:
        raise Problem("payload_malformed", f"a batch holds 1 to {MAX_ITEMS} invoices, not {len(items)}")
    return items


def _quotes(text: bytes) -> int:
    """Quotes that begin or end a string. The decoder takes the last of two members of one name, and drops the other."""
    return text.replace(rb"\\", b"").replace(rb"\"", b"").count(b'"')


async def _admitted(service: Service, key: ApiKey, data: bytes) -> Admitted | Problem:
    try:
        if len(data) > BODY_LIMIT:
            raise Problem("too_large")
        return await admit(service, key, data)
    except Problem as problem:
        return problem
    except Exception:
        return _defect()


async def _result(service: Service, item: Admitted | Problem) -> BatchItem:
    try:
        if isinstance(item, Problem):
            raise item
        answer, replayed = await seal(service, item)
    except Problem as problem:
        return _refused(problem)
    except Exception:
        return _refused(_defect())
    return BatchItem(200 if replayed else 201, invoice=answer)


def _defect() -> Problem:
    """A defect that one document meets is told of that document: the others were sealed and must be answered."""
    _logger.exception("defect")
    return Problem("internal_error")


def _refused(problem: Problem) -> BatchItem:
    details = details_of(problem)
    return BatchItem(details.status, problem=details)


OPERATION = Operation(
    "POST",
    "/api/v1/invoices/batch",
    seal_batch,
    "sealInvoices",
    "invoices",
    "Seal up to 100 invoices",
    (Answer(200, "A result for each invoice, in their order; read each one's `status`", BatchResult),),
    ("payload_malformed", "too_large"),
    body=Body(
        InvoiceBatch,
        f"At most {MAX_ITEMS} invoices, {BATCH_BODY_LIMIT} bytes in all and {BODY_LIMIT} each. A credit note does not "
        "belong into one batch with its original.",
    ),
    secured=True,
    hot=True,
    description="Every invoice is treated as `sealInvoice` would: idempotent by its `document_id`, and refused without "
    "any effect on the others. After a 503 or silence send the same batch again.",
)

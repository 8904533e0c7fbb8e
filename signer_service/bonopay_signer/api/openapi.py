"""``/openapi.json``: OpenAPI 3.1, its schemas taken from the types that the routes really use."""

import functools
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer import __version__
from bonopay_signer.api.bodies import BODY_LIMIT
from bonopay_signer.api.catalogue import PROBLEMS
from bonopay_signer.api.health import Health, Readiness
from bonopay_signer.api.problems import MEDIA_TYPE, ProblemDetails
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.sealing.answer import SealedInvoice
from bonopay_signer.sealing.routes import REPLAYED, InvoiceRecord
from bonopay_signer.tenants.routes import OutletView
from bonopay_signer.transparency import description as transparency
from bonopay_signer.verification.checks import Verification
from bonopay_signer.verification.routes import FiscalKeys

_TYPES = (
    Invoice,
    SealedInvoice,
    InvoiceRecord,
    OutletView,
    Verification,
    FiscalKeys,
    Health,
    Readiness,
    ProblemDetails,
    *transparency.TYPES,
)
_ALWAYS = ("internal_error",)
_NUMBER = {
    "type": "string",
    "pattern": "^BONO-[A-Z0-9]{3,12}-[0-9]{2}-[0-9]{9}$",
    "examples": ["BONO-KIN001-01-000000001"],
}
_OUTLET = {"type": "string", "pattern": "^[A-Z0-9]{3,12}$", "examples": ["KIN001"]}
_BASE32 = {"type": "string", "pattern": "^[A-Z2-7]+$", "maxLength": 2000}
_CODE = {"type": "string", "maxLength": 40, "examples": ["7K3M-9QXD-R2TA"]}
_RETRY_AFTER = {"schema": {"type": "integer"}, "required": True, "description": "Seconds"}
_LIMIT = {"schema": {"type": "string"}, "required": True, "description": "draft-ietf-httpapi-ratelimit-headers"}
_LANGUAGE = {"type": "string", "enum": ["fr", "en"]}


async def describe(_request: Request) -> Response:
    return Response(_encoded(), media_type="application/json", headers={"Cache-Control": "public, max-age=300"})


@functools.cache
def _encoded() -> bytes:
    return msgspec.json.encode(document())


def document() -> dict[str, Any]:
    """The whole description."""
    _, components = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bono Pay signer",
            "version": __version__,
            "description": "Seals invoices, has them certified by the DGI, and lets anybody verify them.",
        },
        "paths": _paths(),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "API key: bp_<prefix>_<secret>"}
            },
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/api/v1/invoices": {"post": _seal()},
        "/api/v1/invoices/{fiscal_number}": {"get": _read_invoice()},
        "/api/v1/outlets/{outlet_id}": {"get": _read_outlet()},
        "/api/v1/verify/{fiscal_number}": {"get": _verify_number()},
        "/api/v1/verify/qr/{base32}": {"get": _verify_qr()},
        "/verify": {"get": _page("Form to type number and short code", [_query("number", {"type": "string"}), *_PAGE])},
        "/verify/{fiscal_number}": {"get": _page("Result for people", [_path("fiscal_number", _NUMBER), *_PAGE])},
        "/V/{base32}": {"get": _page("Result of a scanned QR for people", [_path("base32", _BASE32), _PAGE[1]])},
        "/.well-known/fiscal-keys.json": {
            "get": _get("Every key that ever sealed", "verification", FiscalKeys, [], ("ledger_unavailable",))
        },
        **transparency.paths(),
        "/health": {"get": _get("The process lives", "operation", Health, [], ())},
        "/ready": {"get": _ready()},
        "/openapi.json": {"get": _openapi()},
    }


def _seal() -> dict[str, Any]:
    replayed = {REPLAYED: {"schema": {"type": "string", "const": "true"}, "required": True}}
    codes = (
        "payload_malformed",
        "unauthorized",
        "forbidden",
        "rate_limited",
        "document_conflict",
        "too_large",
        "payload_invalid",
        "dgi_refused",
        "dgi_totals_differ",
        "dgi_unreachable",
        "hsm_unavailable",
        "ledger_unavailable",
    )
    return {
        "summary": "Seal an invoice",
        "description": "Idempotent by `document_id`, for ever. Send the same document again after any 503 or silence.",
        "operationId": "sealInvoice",
        "tags": ["invoices"],
        "security": [{"key": []}],
        "requestBody": {
            "required": True,
            "description": f"At most {BODY_LIMIT} bytes.",
            "content": {"application/json": {"schema": _reference(Invoice)}},
        },
        "responses": {
            "201": _answer("Sealed now", SealedInvoice),
            "200": _answer("Sealed before; the same answer", SealedInvoice) | {"headers": replayed},
            **_problems(codes),
        },
    }


def _read_invoice() -> dict[str, Any]:
    codes = ("unauthorized", "rate_limited", "forbidden", "not_found", "ledger_unavailable")
    operation = _get("Read a sealed invoice", "invoices", InvoiceRecord, [_path("fiscal_number", _NUMBER)], codes)
    return operation | {"security": [{"key": []}]}


def _read_outlet() -> dict[str, Any]:
    codes = ("unauthorized", "rate_limited", "not_found", "ledger_unavailable", "dgi_unreachable")
    operation = _get(
        "An outlet, its DGI device and its head", "outlets", OutletView, [_path("outlet_id", _OUTLET)], codes
    )
    return operation | {"security": [{"key": []}]}


def _verify_number() -> dict[str, Any]:
    parameters = [_path("fiscal_number", _NUMBER), _query("code", _CODE)]
    return _get("Verify by number and short code", "verification", Verification, parameters, ("ledger_unavailable",))


def _verify_qr() -> dict[str, Any]:
    parameters = [_path("base32", _BASE32)]
    return _get("Verify by the content of the QR", "verification", Verification, parameters, ("ledger_unavailable",))


def _ready() -> dict[str, Any]:
    operation = _get("Whether the service can seal", "operation", Readiness, [], ())
    operation["responses"]["503"] = _answer("It cannot seal now", Readiness)
    return operation


def _openapi() -> dict[str, Any]:
    answer = {"description": "This description", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"summary": "This description", "tags": ["operation"], "responses": {"200": answer, **_problems(_ALWAYS)}}


def _page(summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    html = {"content": {"text/html": {"schema": {"type": "string"}}}}
    responses = {
        "200": {"description": "A page", **html},
        "303": {"description": "To the result", "headers": {"Location": {"schema": {"type": "string"}}}},
        "404": {"description": "A page: no such invoice", **html},
        **_problems((*_ALWAYS, "ledger_unavailable")),
    }
    return {"summary": summary, "tags": ["verification"], "parameters": parameters, "responses": responses}


def _get(
    summary: str, tag: str, kind: type, parameters: list[dict[str, Any]], codes: tuple[str, ...]
) -> dict[str, Any]:
    responses = {"200": _answer(summary, kind), **_problems((*codes, *_ALWAYS))}
    return {"summary": summary, "tags": [tag], "parameters": parameters, "responses": responses}


def _answer(description: str, kind: type) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _reference(kind)}}}


def _problems(codes: tuple[str, ...]) -> dict[str, Any]:
    """The problem answers by status; several codes may share one."""
    by_status: dict[str, list[str]] = {}
    for code in dict.fromkeys((*codes, *_ALWAYS)):
        by_status.setdefault(str(PROBLEMS[code].status), []).append(code)
    return {status: _problem(status, names) for status, names in by_status.items()}


def _problem(status: str, codes: list[str]) -> dict[str, Any]:
    lines = [f"`{code}`: {PROBLEMS[code].en}" for code in codes]
    schema = {"allOf": [_reference(ProblemDetails), {"properties": {"code": {"enum": codes}}}]}
    answer: dict[str, Any] = {"description": "\n\n".join(lines), "content": {MEDIA_TYPE: {"schema": schema}}}
    if status == "503":
        answer["headers"] = {"Retry-After": _RETRY_AFTER}
    if status == "429":
        answer["headers"] = {"Retry-After": _RETRY_AFTER, "RateLimit-Policy": _LIMIT, "RateLimit": _LIMIT}
    return answer


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


_PAGE = [_query("code", _CODE), _query("lang", _LANGUAGE)]

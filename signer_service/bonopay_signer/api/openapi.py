"""``/openapi.json``: OpenAPI 3.1, rendered from the operations that are really served and the types they really use."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer import __version__
from bonopay_signer.api.catalogue import PROBLEMS, RETRY_AFTER
from bonopay_signer.api.operations import Answer, Body, Operation, Parameter, required_header
from bonopay_signer.api.problems import MEDIA_TYPE, ProblemDetails

_CONVERTER = re.compile(r"(?<=\w):\w+(?=\})")  # Starlette's, of a path parameter
_ALWAYS = ("internal_error",)
_WITH_A_KEY = ("unauthorized", "rate_limited", "ledger_unavailable")
_REQUEST_ID = {"$ref": "#/components/headers/RequestId"}


async def describe(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(request.app.state.description, media_type="application/json", headers=headers)


OPERATION = Operation(
    "GET", "/openapi.json", describe, "describe", "operation", "This description",
    (Answer(200, "OpenAPI 3.1", {"type": "object"}),),
)  # fmt: skip


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole description."""
    _, components = msgspec.json.schema_components(_types(operations), ref_template="#/components/schemas/{name}")
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(_CONVERTER.sub("", operation.path), {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Bono Pay signer",
            "version": __version__,
            "description": "Seals invoices, has them certified by the DGI, and lets anybody verify them.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": {
                "RequestId": required_header(
                    {"type": "string"}, "That of the request when it has 8 to 64 of [A-Za-z0-9._-], else a new one."
                )
            },
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "API key: bp_<prefix>_<secret>"}
            },
        },
    }


def _types(operations: Iterable[Operation]) -> tuple[type, ...]:
    """The types of all bodies, each once."""
    bodies = [operation.body.schema for operation in operations if operation.body]
    bodies += [answer.schema for operation in operations for answer in operation.answers]
    return tuple(dict.fromkeys([ProblemDetails, *(schema for schema in bodies if isinstance(schema, type))]))


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": {str(answer.status): _answer(answer) for answer in operation.answers},
    }
    for status, answer in _problems(operation):
        if status in described["responses"]:  # a body of its own and problems under one status: /ready, 404 pages
            described["responses"][status]["content"] |= answer["content"]
            described["responses"][status]["headers"] |= answer["headers"]
        else:
            described["responses"][status] = answer
    if operation.description:
        described["description"] = operation.description
    if operation.parameters:
        described["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.body:
        described["requestBody"] = _body(operation.body)
    if operation.secured:
        described["security"] = [{"key": []}]
    return described


def _body(body: Body) -> dict[str, Any]:
    described = {"required": True, "content": {body.media_type: {"schema": _schema(body.schema)}}}
    return described | ({"description": body.description} if body.description else {})


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": answer.description,
        "headers": {"X-Request-Id": _REQUEST_ID, **answer.headers},
    }
    if answer.schema is not None:
        described["content"] = {answer.media_type: {"schema": _schema(answer.schema)}}
    return described


def _problems(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """The problem answers by status; several codes may share one."""
    secured = _WITH_A_KEY if operation.secured else ()
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*operation.problems, *secured, *_ALWAYS)):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    for status in sorted(by_status):
        yield str(status), _problem(status, by_status[status])


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    lines = [f"`{code}`: {PROBLEMS[code].en}" for code in codes]
    schema = {"allOf": [_reference(ProblemDetails), {"properties": {"code": {"enum": codes}}}]}
    headers: dict[str, Any] = {"X-Request-Id": _REQUEST_ID}
    if status in (429, *RETRY_AFTER):
        headers["Retry-After"] = required_header({"type": "integer"}, "Seconds")
    if status == 429:
        headers |= dict.fromkeys(
            ("RateLimit-Policy", "RateLimit"),
            required_header({"type": "string"}, "draft-ietf-httpapi-ratelimit-headers"),
        )
    if status == 401:
        headers["WWW-Authenticate"] = required_header({"type": "string", "const": "Bearer"})
    return {"description": "\n\n".join(lines), "headers": headers, "content": {MEDIA_TYPE: {"schema": schema}}}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "schema": parameter.schema,
    }
    return described | ({"description": parameter.description} if parameter.description else {})


def _schema(schema: type | Mapping[str, Any]) -> Mapping[str, Any]:
    return _reference(schema) if isinstance(schema, type) else schema


def _reference(kind: type) -> Mapping[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}

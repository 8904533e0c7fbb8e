"""The public routes: verification for programs and people, and the keys."""

from typing import Literal
from urllib.parse import urlencode

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bonopay_signer.api.bodies import json_response
from bonopay_signer.api.operations import (
    FISCAL_NUMBER,
    HTML,
    Answer,
    Endpoint,
    Operation,
    Parameter,
    in_path,
    in_query,
    required_header,
)
from bonopay_signer.fiscal.numbering import parse_fiscal_number
from bonopay_signer.ledger import reader
from bonopay_signer.verification.checks import NOT_FOUND, Verification, verify_number, verify_qr
from bonopay_signer.verification.html import CONTENT_SECURITY_POLICY, LANGUAGES
from bonopay_signer.verification.pages import form_page, result_page


class PublishedKey(Struct, frozen=True):
    """A JWK (RFC 7517) with its PEM.

    ``status``: ``active`` for the key that seals now, ``retired`` for those before it, ``next`` for one that is
    published ahead of its rotation.
    """

    kid: str
    kty: str
    crv: str
    x: str
    y: str
    pem: str
    status: Literal["active", "retired", "next"]
    created_at: str


class FiscalKeys(Struct, frozen=True):
    authority: str
    keys: list[PublishedKey]


async def verify_number_json(request: Request) -> Response:
    return json_response(await _by_number(request, request.path_params["fiscal_number"]))


async def verify_qr_json(request: Request) -> Response:
    return json_response(await _by_qr(request))


async def verify_form(request: Request) -> Response:
    number = request.query_params.get("number", "").strip().upper()
    code = request.query_params.get("code", "").strip()
    if number and code:
        return _to_result(request, number, code)
    return _html(form_page(_language(request), number, "/verify"), 200)


def _to_result(request: Request, number: str, code: str) -> Response:
    """To the number's own page; what is no fiscal number stays here, so that it never becomes part of an address."""
    try:
        parse_fiscal_number(number)
    except ValueError:
        return _result(request, NOT_FOUND, {"number": number, "code": code})
    return RedirectResponse(f"/verify/{number}?{urlencode({'code': code, 'lang': _language(request)})}", 303)


async def verify_number_page(request: Request) -> Response:
    number, code = request.path_params["fiscal_number"], request.query_params.get("code", "")
    if not code:
        return _html(form_page(_language(request), number, "/verify"), 200)
    return _result(request, await _by_number(request, number), {"code": code})


async def verify_qr_page(request: Request) -> Response:
    return _result(request, await _by_qr(request), {})


async def fiscal_keys(request: Request) -> Response:
    service = request.app.state.service
    async with service.pool.connection() as connection:
        keys = await reader.signing_keys(connection)
    order = [key.key_id for key, _ in keys]
    active = order.index(service.signers.key_id) if service.signers.key_id in order else len(order)
    published = [
        PublishedKey(**key.jwk(), pem=key.pem, status=_status(place, active), created_at=created_at)
        for place, (key, created_at) in enumerate(keys)
    ]
    answer = FiscalKeys(service.settings.authority, published)
    return json_response(answer, headers={"Cache-Control": "public, max-age=300"})


def _status(place: int, active: int) -> Literal["active", "retired", "next"]:
    """Keys are published in the order of their use."""
    if place == active:
        return "active"
    return "retired" if place < active else "next"


async def _by_number(request: Request, number: str) -> Verification:
    async with request.app.state.service.pool.connection() as connection:
        return await verify_number(connection, number, request.query_params.get("code", ""))


async def _by_qr(request: Request) -> Verification:
    async with request.app.state.service.pool.connection() as connection:
        return await verify_qr(connection, request.path_params["base32"])


def _result(request: Request, verification: Verification, query: dict[str, str]) -> Response:
    page = result_page(_language(request), verification, request.scope["path"], query)
    return _html(page, 404 if verification.result == "not_found" else 200)


def _language(request: Request) -> str:
    language = request.query_params.get("lang", LANGUAGES[0])
    return language if language in LANGUAGES else LANGUAGES[0]


def _html(page: str, status: int) -> Response:
    return HTMLResponse(page, status, {"Content-Security-Policy": CONTENT_SECURITY_POLICY})


_BASE32 = in_path("base32", {"type": "string", "pattern": "^[A-Z2-7]+$", "maxLength": 2000})
_NUMBER = in_path("fiscal_number", FISCAL_NUMBER)
_CODE = in_query("code", {"type": "string", "maxLength": 40, "examples": ["7K3M-9QXD-R2TA"]}, "The short code.")
_LANGUAGE = in_query("lang", {"type": "string", "enum": list(LANGUAGES)})


def _page(path: str, endpoint: Endpoint, name: str, summary: str, *parameters: Parameter) -> Operation:
    html = {"type": "string"}
    answers = [Answer(200, "A page", html, HTML), Answer(404, "A page: no such invoice", html, HTML)]
    if endpoint is verify_form:
        answers.append(Answer(303, "To the result", headers={"Location": required_header({"type": "string"})}))
    problems = ("ledger_unavailable",)
    return Operation("GET", path, endpoint, name, "verification", summary, tuple(answers), problems, parameters)


def _check(path: str, endpoint: Endpoint, name: str, summary: str, *parameters: Parameter) -> Operation:
    answers = (Answer(200, "What was found", Verification),)
    problems = ("ledger_unavailable",)
    return Operation("GET", path, endpoint, name, "verification", summary, answers, problems, parameters)


OPERATIONS = (
    _check("/api/v1/verify/qr/{base32}", verify_qr_json, "verifyQr", "Verify by the content of the QR", _BASE32),
    _check(
        "/api/v1/verify/{fiscal_number}",
        verify_number_json,
        "verifyNumber",
        "Verify by number and short code",
        _NUMBER,
        _CODE,
    ),
    _page(
        "/verify",
        verify_form,
        "verifyForm",
        "Form to type number and short code",
        in_query("number", {"type": "string"}),
        _CODE,
        _LANGUAGE,
    ),
    _page("/verify/{fiscal_number}", verify_number_page, "verifyPage", "Result for people", _NUMBER, _CODE, _LANGUAGE),
    _page("/V/{base32}", verify_qr_page, "verifyQrPage", "Result of a scanned QR for people", _BASE32, _LANGUAGE),
    Operation(
        "GET",
        "/.well-known/fiscal-keys.json",
        fiscal_keys,
        "fiscalKeys",
        "verification",
        "Every key that ever sealed",
        (Answer(200, "The keys, as JWK (RFC 7517) and PEM", FiscalKeys),),
        ("ledger_unavailable", "hsm_unavailable"),
    ),
)

"""The public routes: a provisional ticket for programs and people, and the keys of tills."""

from typing import Literal

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bonopay_signer.api.bodies import json_response
from bonopay_signer.api.operations import HTML, OUTLET_ID, Answer, Operation, in_path, in_query
from bonopay_signer.tills import store
from bonopay_signer.tills.checks import TicketCheck, check
from bonopay_signer.tills.pages import ticket_page
from bonopay_signer.verification.html import CONTENT_SECURITY_POLICY, LANGUAGES


class TillKey(Struct, frozen=True):
    """A JWK (RFC 7517) with what it may sign for."""

    kid: str
    kty: str
    crv: str
    x: str
    y: str
    outlet_id: str
    terminal: str
    state: Literal["active", "cloned", "revoked"]


class TillKeys(Struct, frozen=True):
    authority: str
    keys: list[TillKey]


async def check_json(request: Request) -> Response:
    return json_response(await _checked(request))


async def check_page(request: Request) -> Response:
    found = await _checked(request)
    language = request.query_params.get("lang", LANGUAGES[0])
    page = ticket_page(language if language in LANGUAGES else LANGUAGES[0], found, request.scope["path"])
    status = 404 if found.result == "not_found" else 200
    return HTMLResponse(page, status, {"Content-Security-Policy": CONTENT_SECURITY_POLICY})


async def _checked(request: Request) -> TicketCheck:
    service = request.app.state.service
    async with service.pool.connection() as connection:
        return await check(connection, request.path_params["base32"], service.settings.authority)


async def till_keys(request: Request) -> Response:
    service = request.app.state.service
    async with service.pool.connection() as connection:
        tills = await store.tills_of(connection, request.path_params["outlet_id"])
    keys = [
        TillKey(**till.key.jwk(), outlet_id=till.outlet_id, terminal=till.terminal, state=till.state) for till in tills
    ]
    answer = TillKeys(service.settings.authority, keys)
    return json_response(answer, headers={"Cache-Control": "public, max-age=300"})


_BASE32 = in_path("base32", {"type": "string", "pattern": "^[A-Z2-7]+$", "maxLength": 2000})
_LANGUAGE = in_query("lang", {"type": "string", "enum": list(LANGUAGES)})
_PAGE = {"type": "string"}

OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/verify/ticket/{base32}",
        check_json,
        "verifyTicket",
        "verification",
        "Verify a provisional ticket by the content of its QR",
        (Answer(200, "What was found", TicketCheck),),
        ("ledger_unavailable",),
        (_BASE32,),
    ),
    Operation(
        "GET",
        "/P/{base32}",
        check_page,
        "verifyTicketPage",
        "verification",
        "Result of a scanned provisional ticket for people",
        (Answer(200, "A page", _PAGE, HTML), Answer(404, "A page: no such ticket", _PAGE, HTML)),
        ("ledger_unavailable",),
        (_BASE32, _LANGUAGE),
    ),
    Operation(
        "GET",
        "/.well-known/till-keys/{outlet_id}",
        till_keys,
        "tillKeys",
        "verification",
        "Every key that ever signed provisional tickets of an outlet",
        (Answer(200, "The keys, as JWK (RFC 7517)", TillKeys),),
        ("ledger_unavailable",),
        (in_path("outlet_id", OUTLET_ID),),
    ),
)

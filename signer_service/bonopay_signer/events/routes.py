"""``GET /api/v1/events``: what happened between a merchant and the DGI, to be followed by number."""

import re
from datetime import datetime
from typing import Any

import psycopg
from msgspec import Struct
from psycopg.rows import class_row
from starlette.requests import Request
from starlette.responses import Response

from bonopay_signer.api import parameters
from bonopay_signer.api.bodies import json_response
from bonopay_signer.api.operations import OUTLET_ID, Answer, Operation
from bonopay_signer.api.pages import Page
from bonopay_signer.api.parameters import Form
from bonopay_signer.api.service import Service
from bonopay_signer.sync.alarms import Level
from bonopay_signer.tenants.apikeys import ApiKey

DEFAULT_LIMIT, LARGEST_LIMIT = 100, 500
# It names the merchant although row-level security does: so the index is used.
_EVENTS = """
SELECT number, at, outlet_id, kind, code, level, detail FROM signer.dgi_event
 WHERE merchant_nif = %(nif)s AND number > %(after)s
   AND (%(outlets)s::text[] IS NULL OR outlet_id = ANY(%(outlets)s))
   AND (%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(code)s::text IS NULL OR code = %(code)s)
 ORDER BY number LIMIT %(limit)s
"""


class Event(Struct, frozen=True):
    """``outlet_id``: null for what concerns all of the merchant's e-MCFs at an address. ``level``: of an alarm that
    begins or changes, and of what somebody should look at. What ``detail`` holds depends on the kind."""

    number: int
    at: datetime
    outlet_id: str | None
    kind: str
    code: str
    level: Level | None
    detail: dict[str, Any]


class EventPage(Struct, frozen=True):
    events: list[Event]
    next_cursor: str | None


async def list_events(request: Request) -> Response:
    service: Service = request.app.state.service
    key = await service.access.authenticate(request.headers.get("authorization"))
    values = parameters.read(request, _FORMS)
    outlet_id = values.get("outlet_id")
    if outlet_id is not None:
        await service.access.outlet_to_see(key, outlet_id)
    filters = [values.get(name) for name in ("outlet_id", "kind", "code", "after")]
    page = Page.of(service.cursors, values, ["events", key.merchant_nif, *filters], DEFAULT_LIMIT)
    async with service.tenants.connection(key.merchant_nif) as connection:
        events, following = page.cut(await _read(connection, key, values, page), lambda event: [event.number])
    return json_response(EventPage(list(events), following))


async def _read(connection: psycopg.AsyncConnection, key: ApiKey, values: dict[str, Any], page: Page) -> list[Event]:
    """What concerns no single outlet is for a key that covers the whole merchant."""
    outlet_id = values.get("outlet_id")
    asked = {
        "nif": key.merchant_nif,
        "outlets": key.outlets if outlet_id is None else [outlet_id],
        "kind": values.get("kind"),
        "code": values.get("code"),
        "after": page.after[0] if page.after else values.get("after", 0),
        "limit": page.limit + 1,
    }
    async with connection.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(_EVENTS, asked)
        return await cursor.fetchall()


def _number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", value, re.ASCII):
        raise ValueError(value)
    return int(value)


_FORMS = (
    parameters.text("outlet_id", "[A-Z0-9]{3,12}", "KIN001", "This outlet alone.", examples=OUTLET_ID["examples"]),
    parameters.text("kind", "[a-z]{1,32}[.][a-z_]{1,32}", "alarm.began", "This kind alone.", examples=["alarm.began"]),
    parameters.text("code", "[A-Za-z0-9_]{1,64}", "dgi_silent", "This code alone.", examples=["dgi_silent"]),
    Form(
        "after",
        {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
        f"0 – {10**18 - 1}",
        _number,
        "Those of a higher number alone: the last one that the client has.",
    ),
    parameters.limit(LARGEST_LIMIT, DEFAULT_LIMIT),
    parameters.CURSOR,
)

OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/events",
        list_events,
        "listEvents",
        "events",
        "What happened between the merchant and the DGI",
        (Answer(200, "A page by ascending number; `next_cursor` is null on the last one", EventPage),),
        ("parameter_invalid", "not_found"),
        tuple(form.parameter for form in _FORMS),
        secured=True,
        description="To follow: ask with the highest number that was read as `after`. No event comes later under a "
        "smaller number.",
    ),
)

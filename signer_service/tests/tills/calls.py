"""What a till's Odoo asks of the signer."""

import json
from datetime import UTC, datetime, timedelta

from ..support.stand import Stand
from .browser import BrowserTill


def post(stand: Stand, path: str, body: object = None, key: str | None = None):
    headers = {"Authorization": f"Bearer {key or stand.key}", "Content-Type": "application/json"}
    return stand.http.post(path, content=b"" if body is None else json.dumps(body).encode(), headers=headers)


def send(stand: Stand, till: BrowserTill, *tickets: dict, complete: bool = False, key: str | None = None):
    body = {"tickets": list(tickets), "complete": complete}
    return post(stand, f"/api/v1/tills/{till.device_id}/tickets", body, key)


def bring(stand: Stand, till: BrowserTill, *tickets: dict, complete: bool = False) -> dict:
    answer = send(stand, till, *tickets, complete=complete)
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(stand: Stand, till: BrowserTill, kind: str) -> list[dict]:
    rows = stand.rows("SELECT payload FROM signer.entry WHERE kind = %s ORDER BY position", kind)
    payloads = [json.loads(bytes(payload)) for (payload,) in rows]
    return [payload for payload in payloads if payload["device_id"] == till.device_id]


def results(taken: dict) -> list[str]:
    return [result["result"] for result in taken["results"]]


def remarks(taken: dict) -> list[list[str]]:
    return [result["remarks"] for result in taken["results"]]


def now(**later: int) -> str:
    return (datetime.now(UTC) + timedelta(**later)).strftime("%Y-%m-%dT%H:%M:%SZ")

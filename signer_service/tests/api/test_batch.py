"""``POST /api/v1/invoices/batch``: every item for itself."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from bonopay_signer.sealing.batch_route import BATCH_BODY_LIMIT, MAX_ITEMS

from ..support.sandbox import OTHER_SELLER
from ..support.stand import Stand, document, number_of


def _send(stand: Stand, invoices: list[Any], key: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key or stand.key}"}
    return stand.http.post("/api/v1/invoices/batch", json={"invoices": invoices}, headers=headers)


def _results(stand: Stand, invoices: list[Any], key: str | None = None) -> list[dict[str, Any]]:
    response = _send(stand, invoices, key)
    assert response.status_code == 200, response.text
    results = response.json()["results"]
    assert len(results) == len(invoices)
    return results


def test_items_are_answered_in_their_order_and_numbered_in_it(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    documents = [document(outlet) for _ in range(20)]
    results = _results(stand, documents)
    assert [result["status"] for result in results] == [201] * 20
    assert [result["invoice"]["document_id"] for result in results] == [d["document_id"] for d in documents]
    assert [result["invoice"]["fiscal_number"] for result in results] == [number_of(outlet, n) for n in range(1, 21)]


def test_item_is_answered_as_alone(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = document(outlet)
    (result,) = _results(stand, [payload])
    assert result["status"] == 201 and result["invoice"]["dgi"]["status"] == "certified"
    alone = stand.post(payload)
    assert alone.status_code == 200 and alone.json() == result["invoice"]


def test_fault_of_an_item_spoils_no_other(stand: Stand) -> None:
    outlet, foreign = stand.outlet(mode="deferred"), stand.outlet(nif=OTHER_SELLER)
    sealed = document(outlet)
    assert stand.post(sealed).status_code == 201
    changed = {**sealed, "reference_number": "INV/CHANGED"}
    wrong = document(outlet)
    wrong["totals"] = {**wrong["totals"], "total": "1.00"}
    good = [document(outlet), document(outlet)]
    items = [
        good[0],
        {"schema": "nonsense"},
        None,
        wrong,
        document(foreign),
        changed,
        sealed,
        "x" * (1024 * 1024),
        good[1],
    ]
    results = _results(stand, items)
    assert [result["status"] for result in results] == [201, 400, 400, 422, 403, 409, 200, 413, 201]
    codes = [result["problem"]["code"] if "problem" in result else None for result in results]
    assert codes == [
        None,
        "payload_malformed",
        "payload_malformed",
        "payload_invalid",
        "forbidden",
        "document_conflict",
        None,
        "too_large",
        None,
    ]
    assert results[3]["problem"]["findings"] and len(results[5]["problem"]["stored_hash"]) == 64
    assert all(("invoice" in result) != ("problem" in result) for result in results)
    assert len([kind for _, kind, _ in stand.entries(outlet) if kind == "invoice"]) == 3


def test_batch_sent_again_seals_nothing_again(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    documents = [document(outlet) for _ in range(8)]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: _results(stand, documents), range(4)))
    numbers = {tuple(result["invoice"]["fiscal_number"] for result in results) for results in answers}
    assert len(numbers) == 1
    statuses = [[results[i]["status"] for results in answers] for i in range(8)]
    assert all(sorted(of_one) == [200, 200, 200, 201] for of_one in statuses), statuses
    invoices = [number for _, kind, number in stand.entries(outlet) if kind == "invoice"]
    assert len(invoices) == 8


def test_same_document_twice_in_one_batch_is_sealed_once(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    payload = document(outlet)
    other = {**payload, "reference_number": "INV/OTHER"}
    results = _results(stand, [payload, payload, other])
    assert sorted(result["status"] for result in results[:2]) == [200, 201]
    assert results[0]["invoice"]["fiscal_number"] == results[1]["invoice"]["fiscal_number"]
    assert results[2]["status"] == 409 and results[2]["problem"]["stored_hash"] == results[0]["invoice"]["payload_hash"]


def test_batch_of_a_request_is_a_batch_of_the_ledger(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    _results(stand, [document(outlet) for _ in range(50)])
    ((moments,),) = stand.rows(
        "SELECT count(DISTINCT sealed_at) FROM signer.entry WHERE outlet_id = %s AND kind = 'invoice'", outlet.id
    )
    assert moments <= 25, "written together, not one by one"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"invoices": []}',
        b'{"invoices": {}}',
        b'{"invoices": [1',
        b'{"invoices": [{}], "more": 1}',
        b'{"invoices": [{"a": "\\\\\\""}], "invoices": [{}]}',
        b'{"invoices": [{}], "\\u0069nvoices": [{}]}',
        b'{"invoices": [\xff]}',
        b'{"invoices": [' + b"[" * 100_000,
        b'{"invoices": [' + b",".join([b"{}"] * (MAX_ITEMS + 1)) + b"]}",
    ],
    ids=[
        "empty",
        "array",
        "none",
        "no-item",
        "object",
        "cut",
        "unknown",
        "twice",
        "twice-escaped",
        "utf-8",
        "deep",
        "too-many",
    ],
)
def test_what_is_no_batch_is_refused_whole(stand: Stand, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {stand.key}"}
    response = stand.http.post("/api/v1/invoices/batch", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "payload_malformed"), response.text


def test_body_above_the_limit_is_refused_whole(stand: Stand) -> None:
    headers = {"Authorization": f"Bearer {stand.key}"}
    body = json.dumps({"invoices": ["x" * (BATCH_BODY_LIMIT + 1)]}).encode()
    response = stand.http.post("/api/v1/invoices/batch", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_batch_needs_a_key_that_seals(stand: Stand) -> None:
    outlet = stand.outlet(mode="deferred")
    assert _send(stand, [document(outlet)], key="bp_abcdefghijkl_x").status_code == 401
    (result,) = _results(stand, [document(outlet)], key=stand.api_key(operations=("read",)))
    assert result["status"] == 403 and result["problem"]["code"] == "forbidden"
    assert stand.entries(outlet) == []

"""Tickets that their till should not have sent, and codes that it did not print."""

import base64
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from ..support.sandbox import OTHER_SELLER
from ..support.stand import AUTHORITY, Stand, document
from .browser import LARGEST, ORDER, BrowserTill, canonical, der, mirrored, octets_of, spelt
from .calls import bring, now, post, remarks, results, send, told


@pytest.mark.parametrize("member", ["authority", "merchant_nif", "outlet_id", "terminal", "key_id"])
def test_ticket_that_names_somebody_else_is_refused_although_the_till_signed_it(
    stand: Stand, till: BrowserTill, member: str
) -> None:
    other = {"authority": "BONO-CD-OTHER", "merchant_nif": OTHER_SELLER, "outlet_id": "OTHER1", "terminal": "ZZ"}
    value = {**other, "key_id": "0123456789abcdef"}[member]
    taken = bring(stand, till, till.sell(**{member: value}))
    assert results(taken) == ["refused"] and member in taken["results"][0]["detail"]


def test_ticket_of_another_till_of_the_outlet_is_refused(stand: Stand, till: BrowserTill) -> None:
    other = BrowserTill(till.outlet, f"{till.terminal}B", AUTHORITY)
    assert post(stand, "/api/v1/tills", other.enrolment).status_code == 201
    assert results(bring(stand, till, other.sell())) == ["refused"]
    assert (
        stand.rows("SELECT FROM signer.till_ticket WHERE device_id = ANY(%s)", [till.device_id, other.device_id]) == []
    )


@pytest.mark.parametrize(
    "change",
    [
        der,
        lambda signature: signature + "==",
        lambda signature: signature[:-1],
        lambda signature: signature.replace(signature[0], "+", 1),
        lambda signature: base64.b64encode(octets_of(signature)).decode(),
        lambda signature: octets_of(signature).hex(),
        lambda signature: signature[:-1] + chr(ord(signature[-1]) + 1),
        lambda _signature: "",
    ],
    ids=["DER", "padded", "short", "base64", "padded base64", "hex", "stray bits", "empty"],
)
def test_signature_in_another_spelling_is_refused_with_its_place(
    stand: Stand, till: BrowserTill, change: Callable[[str], str]
) -> None:
    good, bad = till.sell(), till.sell()
    refused = send(stand, till, good, {**bad, "signature": change(bad["signature"])})
    assert (refused.status_code, refused.json()["code"]) == (400, "payload_malformed"), refused.text
    assert "$.tickets[1].signature" in refused.json()["detail"]


@pytest.mark.parametrize(("r", "s"), [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, ORDER), (2**256 - 1, 2**256 - 1), (1, 1)])
def test_signature_that_holds_for_no_key_is_refused(stand: Stand, till: BrowserTill, r: int, s: int) -> None:
    """CVE-2022-21449 and its like: zeros and whole turns of the group are no signature."""
    forged = till.sell() | {"signature": spelt(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}
    assert results(bring(stand, till, forged)) == ["refused"]


def test_either_of_the_two_signatures_of_a_ticket_is_the_same_ticket(stand: Stand, till: BrowserTill) -> None:
    """A browser makes the low s or the high one. A ticket's hash leaves its signature out: no copy can be made so."""
    ticket = till.sell()
    twin = ticket | {"signature": mirrored(ticket["signature"])}
    assert results(bring(stand, till, twin)) == ["accepted"]
    taken = bring(stand, till, ticket)
    assert (results(taken), taken["till"]["state"]) == (["known"], "active")
    for form in (ticket, twin):
        found = stand.http.get(f"/api/v1/verify/ticket/{till.qr(form)}").json()
        assert found["result"] == "genuine" and found["received"]


def test_signature_of_a_ledger_entry_signs_no_ticket(stand: Stand, till: BrowserTill) -> None:
    """The two domains: the same bytes under the other name have another hash."""
    ticket = till.sell()
    digest = hashlib.sha256(canonical(ticket["statement"])).digest()
    octets = b"bonopay/entry/1\n" + bytes.fromhex(ticket["previous_hash"]) + digest
    forged = ticket | {"signature": spelt(till.raw(octets))}
    assert results(bring(stand, till, forged)) == ["refused"]


def test_two_tickets_of_one_counter_in_one_batch_are_both_kept_and_told(stand: Stand, till: BrowserTill) -> None:
    mine, theirs = till.copy().sell(), till.sell()
    taken = bring(stand, till, mine, theirs)
    assert (results(taken), taken["till"]["state"]) == (["accepted", "accepted"], "cloned")
    (clone,) = told(stand, till, "till_cloned")
    assert clone["hashes"] == sorted([till.hash(mine), till.hash(theirs)])


def test_chain_that_forks_is_told_at_every_fork_and_goes_on(stand: Stand, till: BrowserTill) -> None:
    first = till.sell()
    copy = till.copy()
    branches = [[one.sell() for _ in range(3)] for one in (till, copy)]
    taken = bring(stand, till, *branches[1], first, *branches[0], complete=True)
    assert set(results(taken)) == {"accepted"} and taken["till"]["state"] == "cloned"
    clones = told(stand, till, "till_cloned")
    assert [clone["counter"] for clone in clones] == [2, 3, 4]
    bring(stand, till, *branches[0], *branches[1], complete=True)
    assert told(stand, till, "till_cloned") == clones and told(stand, till, "offline_gap") == []
    assert stand.verify(till.outlet).returncode == 0


def test_ticket_twice_in_one_batch_is_kept_once(stand: Stand, till: BrowserTill) -> None:
    ticket = till.sell()
    taken = bring(stand, till, ticket, ticket)
    assert (results(taken), taken["till"]["counter"]) == (["accepted", "known"], 1)


def test_two_tickets_of_one_sale_are_remarked(stand: Stand, till: BrowserTill) -> None:
    """One invoice would stand for both: who holds the other ticket has none."""
    one = till.sell(issued_at=now())
    two = till.sell(one["statement"]["document_id"], issued_at=now())
    assert remarks(bring(stand, till, one)) == [[]]
    assert remarks(bring(stand, till, one, two)) == [["signed_twice"]] * 2
    for ticket in (one, two):
        assert stand.http.get(f"/api/v1/verify/ticket/{till.qr(ticket)}").json()["remarks"] == ["signed_twice"]


def test_identical_batches_at_once_are_kept_exactly_once(stand: Stand, till: BrowserTill) -> None:
    sold = [till.sell() for _ in range(40)]
    sent = [sold[:20] + sold[25:], list(reversed(sold[:20] + sold[25:]))] * 4
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda batch: send(stand, till, *batch, complete=True), sent))
    assert {answer.status_code for answer in answers} == {200}, [answer.text[:200] for answer in answers]
    accepted = [one["hash"] for answer in answers for one in answer.json()["results"] if one["result"] == "accepted"]
    assert sorted(accepted) == sorted(till.hash(ticket) for ticket in sold[:20] + sold[25:])
    assert [(gap["counter_from"], gap["counter_to"]) for gap in told(stand, till, "offline_gap")] == [(21, 25)]
    assert told(stand, till, "till_cloned") == []
    assert bring(stand, till)["till"]["head_hash"] == till.head


def test_body_beyond_its_limits_is_refused_whole(stand: Stand, till: BrowserTill) -> None:
    path = f"/api/v1/tills/{till.device_id}/tickets"
    thousand = [till.sell() for _ in range(1000)]
    refused = send(stand, till, *thousand)
    assert (refused.status_code, refused.json()["code"]) == (400, "payload_malformed")
    giant = post(stand, path, {"tickets": [], "more": "x" * (8 * 1024 * 1024)})
    assert (giant.status_code, giant.json()["code"]) == (413, "too_large")
    giant = post(stand, "/api/v1/tills", till.enrolment | {"public_key": "A" * (1024 * 1024)})
    assert (giant.status_code, giant.json()["code"]) == (413, "too_large")
    assert stand.rows("SELECT FROM signer.till_ticket WHERE device_id = %s", till.device_id) == []
    for start in range(0, 1000, 100):
        taken = bring(stand, till, *thousand[start : start + 100], complete=start == 900)
    assert (taken["till"]["counter"], taken["till"]["head_hash"]) == (1000, till.head)


def test_payload_of_any_depth_is_no_defect(stand: Stand, till: BrowserTill) -> None:
    """What can be read may be too deep to be judged: only near the limit of recursion, which is not known here."""
    body = json.dumps({"tickets": [till.sell() | {"payload": {"x": "@"}}]})
    headers = {"Authorization": f"Bearer {stand.key}"}
    found = set()
    for depth in (100, 400, *range(860, 1000), 5000, 100_000):
        nested = body.replace('"@"', "[" * depth + "]" * depth)
        answer = stand.http.post(f"/api/v1/tills/{till.device_id}/tickets", content=nested, headers=headers)
        assert answer.status_code in (200, 400), f"{depth}: {answer.text}"
        found |= {result["detail"] for result in answer.json().get("results", [])}
    assert found >= {"the payload is nested too deeply", "payload_hash is not that of the payload"}


@pytest.mark.parametrize("value", ["1e400", "1e2", "NaN", "9" * 400, '"\\ud800"', '"\\u0000"', '"é"', "-0"])
def test_payload_without_a_canonical_form_is_no_defect(stand: Stand, till: BrowserTill, value: str) -> None:
    body = json.dumps({"tickets": [till.sell() | {"payload": {"x": "@"}}]}).replace('"@"', value)
    headers = {"Authorization": f"Bearer {stand.key}"}
    answer = stand.http.post(f"/api/v1/tills/{till.device_id}/tickets", content=body, headers=headers)
    assert answer.status_code in (200, 400), answer.text
    assert answer.status_code == 400 or results(answer.json()) == ["refused"]


def test_payload_of_odd_texts_is_kept_as_it_was_signed(stand: Stand, till: BrowserTill) -> None:
    payload = {
        "x": 'é 😀 \u2028 \u0000 \x7f " \\ \b\f\n\r\t \uffff',
        "n": LARGEST,
        "m": -LARGEST,
        "e": {},
        "l": [],
        "z": None,
    }
    sold = till.sell(payload=payload)
    assert results(bring(stand, till, sold)) == ["accepted"]
    ((kept,),) = stand.rows("SELECT payload FROM signer.till_ticket WHERE device_id = %s", till.device_id)
    assert json.loads(bytes(kept)) == payload


# --- the QR


def test_ticket_whose_sale_is_sealed_otherwise_says_so(stand: Stand, till: BrowserTill) -> None:
    payload = document(till.outlet)
    sums = {"total": payload["totals"]["total"], "tax": payload["totals"]["tax"]}
    right = till.sell(payload["document_id"], issued_at=now(), **sums)
    rounded = till.sell(payload["document_id"], issued_at=now(), **{**sums, "tax": "14400.01"})
    wrong = till.sell(payload["document_id"], issued_at=now(), **{**sums, "total": "1.00"})
    other = till.sell(payload["document_id"], issued_at=now(), document_type="FT", **sums)
    number = stand.sealed_as(payload)["fiscal_number"]
    for ticket, differs in ((right, False), (rounded, False), (wrong, True), (other, True)):
        found = stand.http.get(f"/api/v1/verify/ticket/{till.qr(ticket)}").json()
        assert (found["sealed_as"], found["differs"], found["deadline"]) == (number, differs, None)
        assert found["sealed_total"] == sums["total"]


@pytest.mark.parametrize("member", ["total", "tax", "counter", "issued_at", "document_id", "outlet_id", "terminal"])
def test_qr_that_was_changed_is_forged(stand: Stand, till: BrowserTill, member: str) -> None:
    ticket = till.sell()
    other = {
        **{"total": "1.00", "tax": "0.00", "counter": 7, "issued_at": "2026-11-21T08:30:01Z"},
        **{"document_id": "0b9f4b0e-6f0e-4f3c-9d7b-0f6a1d4f7c11", "outlet_id": "OTHER1", "terminal": "ZZ"},
    }
    assert stand.http.get(f"/api/v1/verify/ticket/{till.qr(ticket)}").json()["result"] == "genuine"
    changed = till.qr(ticket, **{member: other[member]})
    found = stand.http.get(f"/api/v1/verify/ticket/{changed}").json()
    assert found["result"] == "forged" and found["seller"] is None and found["total"] is None


def test_qr_of_an_authority_that_this_signer_is_not_is_forged(stand: Stand, till: BrowserTill) -> None:
    ticket = till.sell(authority="BONO-CD-OTHER")
    assert stand.http.get(f"/api/v1/verify/ticket/{till.qr(ticket)}").json()["result"] == "forged"


@pytest.mark.parametrize("blob", ["", "A", "AE", "%00", "A" * 5000, "a", "0189", "AEAQ" + "7" * 300])
def test_what_is_no_ticket_is_not_found(stand: Stand, blob: str) -> None:
    assert stand.http.get(f"/P/{blob}").status_code == 404
    answer = stand.http.get(f"/api/v1/verify/ticket/{blob}")
    assert answer.status_code == 404 or answer.json()["result"] == "not_found"

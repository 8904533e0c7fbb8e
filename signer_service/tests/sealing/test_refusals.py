"""What is refused is not sealed, says why, and hands its number to the next document."""

import json

import pytest

from ..fiscal.published import cases
from ..support.stand import Outlet, Stand, document, number_of


def _assert_nothing_sealed_then_next_takes_number_one(stand: Stand, outlet: Outlet) -> None:
    assert stand.entries(outlet) == []
    assert stand.sealed(outlet)["fiscal_number"] == number_of(outlet, 1)
    stand.assert_sound(outlet, 1)
    assert stand.sandbox.status(outlet.nim)["pendingRequestsCount"] == 0


def _assert_finding_is_complete(finding: dict) -> None:
    assert finding["code"] and finding["pointer"].startswith("/")
    assert set(finding["message"]) == {"fr", "en"} and all(finding["message"].values())
    assert {"expected", "actual"} <= set(finding)


def test_sfe_1_15_refusal_of_the_dgi_hands_the_number_on(stand: Stand) -> None:
    outlet = stand.outlet()
    right = stand.rows("SELECT isf FROM signer.outlet WHERE id = %s", outlet.id)[0][0]
    stand.change_outlet(outlet, isf="UNKNOWN-ISF")
    response = stand.post(document(outlet))
    assert (response.status_code, response.json()["code"]) == (422, "dgi_refused")
    assert response.json()["dgi_error"]["code"] and "isf" in response.json()["dgi_error"]["message"].lower()
    stand.change_outlet(outlet, isf=right)
    _assert_nothing_sealed_then_next_takes_number_one(stand, outlet)


def test_credit_note_without_its_original_never_reaches_the_dgi(stand: Stand) -> None:
    outlet = stand.outlet()
    credit = {
        "nature": "RAN",
        "original_fiscal_number": number_of(outlet, 7),
        "original_dgi_code": "TESTAAAAAAAAAAAAAAAAAAAA",
    }
    response = stand.post(document(outlet, invoice_type="FA", credit=credit))
    assert (response.status_code, response.json()["code"]) == (422, "payload_invalid")
    assert [finding["pointer"] for finding in response.json()["findings"]] == ["/credit/original_fiscal_number"]
    _assert_finding_is_complete(response.json()["findings"][0])
    assert not stand.states(outlet)
    _assert_nothing_sealed_then_next_takes_number_one(stand, outlet)


@pytest.mark.parametrize("member", ["total", "vtotal", "hab", "vab", "tab", "tac"])
def test_row_30_totals_of_the_dgi_that_differ_by_a_centime_are_refused(stand: Stand, member: str) -> None:
    outlet = stand.outlet()
    stand.relay.change("prepare", lambda answer: {**answer, member: answer[member] + 0.01})
    response = stand.post(document(outlet))
    body = response.json()
    assert (response.status_code, body["code"], body["retryable"]) == (422, "dgi_totals_differ", False)
    for finding in body["findings"]:
        _assert_finding_is_complete(finding)
        assert finding["expected"] != finding["actual"]
    stand.relay.calm()
    _assert_nothing_sealed_then_next_takes_number_one(stand, outlet)


def test_dgi_down_is_503_and_nothing_is_sealed(stand: Stand) -> None:
    outlet = stand.outlet(dgi_url="http://127.0.0.1:9/edef")
    response = stand.post(document(outlet))
    assert (response.status_code, response.json()["code"]) == (503, "dgi_unreachable")
    assert response.json()["retryable"] is True
    assert int(response.headers["retry-after"]) > 0
    assert stand.entries(outlet) == []
    assert stand.states(outlet) == ["released"]


def test_reply_to_prepare_that_is_lost_leaves_no_pending_request_behind(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.drop("prepare", "after")
    response = stand.post(document(outlet))
    assert (response.status_code, response.json()["code"]) == (503, "dgi_unreachable")
    assert stand.states(outlet)[0] in ("cancelling", "released")
    _assert_nothing_sealed_then_next_takes_number_one(stand, outlet)


def test_answer_without_uid_is_not_believed(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.relay.change("prepare", lambda answer: {**answer, "uid": None})
    assert stand.post(document(outlet)).status_code == 503
    stand.relay.calm()
    _assert_nothing_sealed_then_next_takes_number_one(stand, outlet)


def test_rules_of_the_law_are_answered_with_one_finding_each(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = document(outlet)
    payload["items"][0]["quantity"] = "0"
    response = stand.post(payload)
    body = response.json()
    assert (response.status_code, body["code"]) == (422, "payload_invalid")
    assert "item.quantity.zero" in {finding["code"] for finding in body["findings"]}
    for finding in body["findings"]:
        _assert_finding_is_complete(finding)
    assert stand.states(outlet) == []


def test_malformed_payload_names_each_member(stand: Stand) -> None:
    payload = document(stand.outlet())
    del payload["cashier_id"]
    payload["surprise"] = 1
    body = stand.post(payload).json()
    assert body["code"] == "payload_malformed"
    assert {finding["pointer"] for finding in body["findings"]} == {"/cashier_id", "/surprise"}
    for finding in body["findings"]:
        _assert_finding_is_complete(finding)


def test_sfe_1_27_specific_tax_beyond_the_sale_by_rounding_never_reaches_the_dgi(stand: Stand) -> None:
    """Half a centime, twice: the DGI would refuse the second credit note, and takes it without the tax."""
    outlet = stand.outlet()
    half = {"basis": "quantity", "value": "0.005", "amount": "0.01"}
    beer = cases.item("100.00", "2", specific_tax=half)
    sale = stand.sealed(outlet, items=[beer])
    credit = {"nature": "RAM", "original_fiscal_number": sale["fiscal_number"]}
    credit["original_dgi_code"] = sale["dgi"]["code"]
    one = {"invoice_type": "FA", "credit": credit, "items": [beer | {"quantity": "1"}]}
    stand.sealed(outlet, **one)
    refused = stand.post(document(outlet, **one))
    assert (refused.status_code, refused.json()["code"]) == (422, "payload_invalid"), refused.text
    assert [found["code"] for found in refused.json()["findings"]] == ["credit.item.specific_tax.exceeds"]
    stand.sealed(outlet, **one | {"items": [beer | {"quantity": "1", "specific_tax": None}]})
    stand.assert_sound(outlet, 3)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"a": NaN}'])
def test_what_is_not_the_schema_is_400_and_never_500(stand: Stand, body: bytes) -> None:
    response = stand.post(body)
    assert (response.status_code, response.json()["code"]) == (400, "payload_malformed")


@pytest.mark.parametrize("chunked", [False, True])
def test_body_above_one_mebibyte_is_refused(stand: Stand, chunked: bool) -> None:
    body = b" " * (1024 * 1024 + 1)
    content = iter([body[:600_000], body[600_000:]]) if chunked else body
    headers = {"Authorization": f"Bearer {stand.key}"}
    response = stand.http.post("/api/v1/invoices", content=content, headers=headers)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


def test_body_of_one_mebibyte_is_read(stand: Stand) -> None:
    outlet = stand.outlet()
    body = json.dumps(document(outlet)).encode()
    assert stand.post(body + b" " * (1024 * 1024 - len(body))).status_code == 201


def test_dgi_token_that_expired_is_503_without_naming_it(stand: Stand) -> None:
    outlet = stand.outlet()
    done = stand.command("outlet", "set-dgi-token", "--id", outlet.id, "--dgi-token-file", "-", stdin="expired.jwt.x")
    assert done.returncode == 0, done.stderr
    response = stand.post(document(outlet))
    assert (response.status_code, response.json()["code"]) == (503, "dgi_unreachable")
    assert "expired.jwt.x" not in response.text + stand.log()
    assert stand.entries(outlet) == []

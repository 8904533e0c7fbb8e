"""Our payload in the e-MCF's words."""

import pytest

from bonopay_signer.dgi import mapping
from bonopay_signer.dgi.device import Document
from bonopay_signer.fiscal.parsing import parse

from ..fiscal.builders import as_bytes
from ..fiscal.published import document as published

PAYLOADS = {
    vector["name"]: vector["payload"]
    for vector in published("payloads.json")["vectors"]
    if vector["payload"]["schema"] == "bonopay.invoice/1"
}


def _sent(name: str) -> dict:
    invoice = parse(as_bytes(PAYLOADS[name]))
    return mapping.decode(mapping.encode(mapping.request_body(Document("BONO-KIN001-01-000000001", "ISF", invoice))))


@pytest.mark.parametrize("name", PAYLOADS)
def test_no_amount_passes_through_a_binary_float(name: str) -> None:
    sent, payload = _sent(name), PAYLOADS[name]
    for line, item in zip(sent["items"], payload["items"], strict=True):
        assert str(line["price"]) == item["unit_price"]
        assert str(line["quantity"]) == item["quantity"]
        if item["original_unit_price"]:
            assert str(line["originalPrice"]) == item["original_unit_price"]
        if item["specific_tax"]:
            assert str(line["taxSpecificAmount"]) == item["specific_tax"]["amount"]


def test_dollars_are_sent_in_francs_with_their_currency_beside() -> None:
    payload, sent = PAYLOADS["dollars"], _sent("dollars")
    assert str(sum(payment["amount"] for payment in sent["payment"])) == payload["totals"]["total"]
    foreign = next(payment for payment in payload["payments"] if payment["currency"] == "USD")
    line = sent["payment"][payload["payments"].index(foreign)]
    assert (line["currencyCode"], str(line["currencyRate"])) == ("USD", foreign["rate"])
    assert (sent["curCode"], str(sent["curRate"])) == ("USD", payload["foreign_currency"]["rate"])


def test_credit_notes_refer_to_the_dgi_s_code_or_to_rrr() -> None:
    correction, rebate = _sent("credit-note-correction"), _sent("credit-note-rebate")
    code = PAYLOADS["credit-note-correction"]["credit"]["original_dgi_code"]
    assert (correction["reference"], correction["referenceType"]) == (code, "COR")
    assert (rebate["reference"], rebate["referenceType"]) == ("RRR", "RRR")


def test_exemption_reference_of_an_embassy_is_in_comment_line_a() -> None:
    assert _sent("embassy")["cmta"] == PAYLOADS["embassy"]["comments"]["A"]

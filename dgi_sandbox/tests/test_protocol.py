"""The published interface, asked over HTTP."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bonopay_dgi_sandbox.wire import decode

from .sandbox import ISF, NIF, NIM, SECOND_NIM, Client, Sandbox, cash, credit_note, line, sale

NOW_TOLERANCE = timedelta(seconds=30)
UTC_1 = timedelta(hours=1)


def test_sale_is_computed_then_certified(client: Client) -> None:
    pending = client.submit(sale())
    assert (pending["total"], pending["vtotal"], pending["tab"], pending["hab"]) == (29.97, 4.13, 29.97, 25.84)
    elements = client.confirm(pending)
    code, stamp = elements["codeDEFDGI"], elements["dateTime"]
    assert re.fullmatch(r"TEST[A-Z2-7]{20}", code)
    moment = datetime.fromisoformat(stamp)
    assert moment.utcoffset() == UTC_1
    assert abs(datetime.now().astimezone() - moment) < NOW_TOLERANCE
    assert elements == {
        "dateTime": stamp,
        "qrCode": f"RDCDEF01;{NIM};{code};{NIF};{moment:%Y%m%d%H%M%S}",
        "codeDEFDGI": code,
        "counters": "1/1 FV",
        "nim": NIM,
        "errorCode": None,
        "errorDesc": None,
    }


def test_amounts_leave_with_two_exact_decimals(client: Client) -> None:
    body = client.http.post("/api/invoice", json=sale()).content
    assert b'"total":29.97,' in body and b'"ts":0.00,' in body and b'"tab":29.97,' in body and b'"tb":16.00,' in body
    totals = {name: value for name, value in decode(body).items() if isinstance(value, Decimal)}
    assert len(totals) == 4 * 16 + 3
    assert {value.as_tuple().exponent for value in totals.values()} == {-2}


@pytest.mark.parametrize(
    "numbers",
    [
        {"price": 9.99, "quantity": 3},
        {"price": "9.99", "quantity": "3.000"},
        {"price": 9.99, "quantity": 3, "originalPrice": 0, "taxSpecificAmount": 0, "taxSpecificValue": ""},
        {"price": 9.99, "quantity": 3, "originalPrice": "", "taxSpecificAmount": None, "priceModification": None},
    ],
)
def test_numbers_may_come_as_text_and_optional_fields_blank(client: Client, numbers: dict[str, Any]) -> None:
    pending = client.submit(sale(items=[line(**numbers)], payment=[{"name": "ESPECES", "amount": 29.97}]))
    assert (pending["errorCode"], pending["total"]) == (None, 29.97)


def test_every_field_sent_blank_is_accepted(client: Client) -> None:
    blank = {f"cmt{letter}": "" for letter in "abcdefgh"}
    blank |= {"reference": "", "referenceType": "", "referenceDesc": "", "curCode": "", "curDate": "", "curRate": 0}
    payment = [{"name": "ESPECES", "amount": 29.97, "currencyCode": "", "currencyRate": 0}]
    buyer = {"type": "PP", "name": "PP", "nif": "", "contact": "", "address": "", "typeDesc": ""}
    assert client.submit(sale(**blank, payment=payment, client=buyer))["errorCode"] is None


def test_foreign_currency_travels_with_amounts_in_francs(client: Client) -> None:
    items = [line(price="230000", quantity="1")]
    payment = [{"name": "ESPECES", "amount": "230000", "currencyCode": "USD", "currencyRate": "2300"}]
    pending = client.submit(sale(items=items, payment=payment, curCode="USD", curRate="2300", curDate="2026-01-05"))
    assert (pending["errorCode"], pending["total"]) == (None, 230000)


@pytest.mark.parametrize(
    ("buyer", "extra"),
    [
        ({"type": "PM", "name": "Client SARL", "nif": "A9"}, {}),
        ({"type": "PC", "name": "Commerçant", "nif": "A9"}, {}),
        ({"type": "PL", "name": "Notaire", "nif": "A9"}, {}),
        ({"type": "AO", "name": "Ambassade"}, {"cmta": "Réf. Exo. : EX-2026-14"}),
    ],
    ids=["PM", "PC", "PL", "AO"],
)
def test_named_clients_are_accepted(client: Client, buyer: dict[str, str], extra: dict[str, str]) -> None:
    assert client.submit(sale(client=buyer, **extra))["errorCode"] is None


def test_before_tax_mode_with_levies_and_specific_tax(client: Client) -> None:
    items = [
        line(price="100", quantity="1", taxSpecificAmount="10"),
        line(code="T1", type="TAX", price="50", quantity="1", taxGroup="N"),
        line(code="T2", type="TAX", price="20", quantity="1", taxGroup="L"),
    ]
    pending = client.submit(sale(mode="ht", items=items, payment=[cash("197.60")]))
    found = {name: pending[name] for name in ("hab", "vab", "tab", "han", "van", "hal", "val", "ts", "total", "vtotal")}
    assert found == {
        **{"hab": 110, "vab": 17.6, "tab": 127.6, "han": 0, "van": 50, "hal": 20, "val": 0},
        **{"ts": 10, "total": 197.6, "vtotal": 67.6},
    }


@pytest.mark.parametrize("action", ["confirm", "CONFIRM", "Confirm"])
def test_confirm_in_any_case(client: Client, action: str) -> None:
    pending = client.submit(sale())
    body = {"total": "29.97", "vtotal": 4.13}
    assert client.http.put(f"/api/invoice/{pending['uid']}/{action}", json=body).json()["counters"] == "1/1 FV"


@pytest.mark.parametrize("action", ["cancel", "CANCEL"])
def test_cancel_answers_empty_elements(client: Client, action: str) -> None:
    pending = client.submit(sale())
    answer = client.http.put(f"/api/invoice/{pending['uid']}/{action}").json()
    assert (answer["qrCode"], answer["codeDEFDGI"], answer["counters"]) == ("", "", "")
    assert (answer["nim"], answer["errorCode"]) == (NIM, None)
    assert client.status()["pendingRequestsCount"] == 0
    assert client.certify(sale())["counters"] == "1/1 FV", "a cancelled invoice takes no number"


def test_unknown_action_does_not_exist(client: Client) -> None:
    pending = client.submit(sale())
    assert client.http.put(f"/api/invoice/{pending['uid']}/finish", json={}).status_code == 404
    assert client.http.post(f"/api/invoice/{pending['uid']}/confirm", json={}).status_code == 405


def test_counters_run_per_type_and_in_total(client: Client, service: Sandbox) -> None:
    code = client.certify(sale("FV-1"))["codeDEFDGI"]
    assert client.certify(sale("EV-1", type="EV"))["counters"] == "1/2 EV"
    assert client.certify(sale("FV-2"))["counters"] == "2/3 FV"
    assert client.certify(credit_note(code))["counters"] == "1/4 FA"
    assert service.client(SECOND_NIM).certify(sale("FV-3"))["counters"] == "1/1 FV"


@pytest.mark.parametrize("path", ["/api/invoice", "/api/invoice/"])
def test_status_lists_what_waits(client: Client, path: str) -> None:
    pending = client.submit(sale())
    client.certify(sale("FV-2"))
    status = client.http.get(path).json()
    assert (status["status"], status["nif"], status["nim"], status["pendingRequestsCount"]) == (True, NIF, NIM, 1)
    assert [waiting["uid"] for waiting in status["pendingRequestsList"]] == [pending["uid"]]
    for moment in (status["serverDateTime"], status["pendingRequestsList"][0]["date"]):
        assert datetime.fromisoformat(moment).utcoffset() == UTC_1
        assert abs(datetime.now().astimezone() - datetime.fromisoformat(moment)) < NOW_TOLERANCE
    assert datetime.fromisoformat(status["tokenValid"]) > datetime.now().astimezone() + timedelta(days=364)


def test_info_status_lists_the_devices_of_the_taxpayer_only(client: Client) -> None:
    info = client.http.get("/api/info/status").json()
    assert [device["nim"] for device in info["emcfList"]] == [NIM, SECOND_NIM]
    assert info["emcfList"][0]["status"] == "Actif"
    assert info["emcfList"][0]["address1"] == "12 avenue du Commerce, Kinshasa"
    assert {"nim", "status", "shopName", "address3", "contact1", "contact3"} <= info["emcfList"][1].keys()


def test_tax_groups_bear_the_rates_in_force(client: Client) -> None:
    rates = client.http.get("/api/info/taxGroups").json()
    assert {group: rate for group, rate in rates.items() if rate} == {"b": 16, "f": 16, "c": 5, "g": 5, "o": 1, "p": 1}
    assert "".join(rates) == "abcdefghijklmnop"


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ("invoiceTypes", "FV FT FA EV ET EA"),
        ("paymentTypes", "ESPECES VIREMENT CARTEBANCAIRE MOBILEMONEY CHEQUES CREDIT AUTRE"),
        ("clientTypes", "PP PM PC PL AO"),
        ("referenceTypes", "COR RAN RAM RRR"),
        ("itemTypes", "BIE SER TAX"),
    ],
)
def test_code_tables(client: Client, table: str, codes: str) -> None:
    rows = client.http.get(f"/api/info/{table}").json()
    assert [row["type"] for row in rows] == codes.split()
    assert all(row.keys() == {"type", "description"} and row["description"] for row in rows)


def test_currency_rates_are_of_today(client: Client) -> None:
    rows = client.http.get("/api/info/currencyRates").json()
    dollar = next(row for row in rows if row["type"] == "USD")
    assert dollar.keys() == {"type", "description", "date", "rate"} and dollar["rate"] > 0
    today = datetime.now().astimezone(datetime.fromisoformat(dollar["date"]).tzinfo).date()
    assert datetime.fromisoformat(dollar["date"]).date() == today


def test_unknown_table_does_not_exist(client: Client) -> None:
    assert client.http.get("/api/info/secrets").status_code == 404


def test_details_follow_the_invoice(client: Client) -> None:
    pending = client.submit(sale())
    before = client.details(pending)
    assert (before["state"], before["rn"], before["total"]) == ("pending", "FV-2026-000001", 29.97)
    assert "codeDEFDGI" not in before
    elements = client.confirm(pending)
    after = client.details(pending)
    assert after["state"] == "confirmed"
    assert {name: after[name] for name in elements} == elements


def test_details_may_be_turned_off(launch: Callable[..., Sandbox]) -> None:
    client = launch("--no-get-uid").client()
    pending = client.submit(sale())
    assert client.http.get(f"/api/invoice/{pending['uid']}").status_code == 404
    assert client.confirm(pending)["counters"] == "1/1 FV"


def test_body_beyond_the_limit_is_refused(client: Client) -> None:
    assert client.http.post("/api/invoice", content=b" " * (1 << 20) + b"{}").status_code == 413


def test_sfe_1_3_isf_is_the_one_of_the_account(client: Client) -> None:
    assert client.submit(sale(isf=ISF))["errorCode"] is None

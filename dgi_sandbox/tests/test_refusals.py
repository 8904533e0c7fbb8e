"""Every row of the error table is reached by a test that bears its name."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from bonopay_dgi_sandbox.errors import error_table

from .sandbox import NIM, OTHER_NIF, Client, Sandbox, cash, credit_note, line, sale

CODE = "TEST" + "A" * 20
Document = dict[str, Any]

REFUSED_AT_ONCE: list[tuple[str, Document]] = [
    ("invoice_type", sale(type="FX")),
    ("invoice_type", sale(type="")),
    ("reference_missing", credit_note("")),
    ("reference_length", credit_note(CODE[:-1])),
    ("reference_length", credit_note("RRR")),
    ("reference_length", credit_note(CODE, referenceType="RRR")),
    ("reference_unknown", credit_note(CODE)),
    ("payment_type", sale(payment=[{"name": "especes", "amount": "29.97"}])),
    ("no_items", sale(items=[])),
    ("no_items", sale(items=None)),
    ("tax_group", sale(items=[line(taxGroup="Q")])),
    ("tax_group", sale(items=[line(taxGroup="b")])),
    ("unreadable", sale(items=[line(price="neuf")])),
    ("unreadable", sale(items={})),
    ("unreadable", sale(client="PP")),
    ("unreadable", sale(rn=12)),
    ("seller_nif", sale(nif=OTHER_NIF)),
    ("isf", sale(isf="TST-SFE-02")),
    ("isf", sale(isf=None)),
    ("mode", sale(mode="TTC")),
    ("mode", sale(mode=None)),
    ("rn_missing", sale(rn=" ")),
    ("operator_missing", sale(operator={"id": "7"})),
    ("operator_missing", sale(operator=None)),
    ("out_of_range", sale(items=[line(price=1e15)])),
    ("out_of_range", sale(items=[line(price="999999999999.99", quantity="999999999999")])),
    ("client_type", sale(client={"name": "Client SARL"})),
    ("client_type", sale(client=None)),
    ("client_name", sale(client={"type": "PM", "nif": OTHER_NIF})),
    ("client_name", sale(client={"type": "AO"}, cmta="EX-1")),
    ("client_nif", sale(client={"type": "PM", "name": "Client SARL"})),
    ("client_nif", sale(client={"type": "PC", "name": "Commerçant"})),
    ("client_nif", sale(client={"type": "PL", "name": "Notaire"})),
    ("client_document", sale(client={"type": "AO", "name": "Ambassade"})),
    ("client_document", sale(client={"type": "AO", "name": "Ambassade"}, cmta="Réf. Exo. : ")),
    ("item_type", sale(items=[line(type="XXX")])),
    ("item_type_group", sale(items=[line(taxGroup="N")])),
    ("item_type_group", sale(items=[line(taxGroup="L", type="SER")])),
    ("item_type_group", sale(items=[line(type="TAX")])),
    ("item_name", sale(items=[line(name="")])),
    ("price_positive", sale(items=[line(price=0)])),
    ("price_positive", sale(items=[line(price="-9.99")])),
    ("price_positive", sale(items=[line(originalPrice="-1")])),
    ("price_decimals", sale(items=[line(price="9.991")])),
    ("price_decimals", sale(items=[line(originalPrice="10.001")])),
    ("quantity_positive", sale(items=[line(quantity=0)])),
    ("quantity_positive", sale(items=[line(quantity=-3)])),
    ("quantity_decimals", sale(items=[line(quantity="2.9999")])),
    ("line_zero", sale(items=[line(price="0.01", quantity="0.499")])),
    ("specific_tax", sale(items=[line(taxSpecificAmount="-1")])),
    ("specific_tax", sale(items=[line(taxSpecificAmount="1.001")])),
    ("specific_tax", sale(items=[line(type="TAX", taxGroup="N", taxSpecificAmount="1")])),
    ("payments_total", sale(payment=[cash("29.96")])),
    ("payments_total", sale(payment=[cash("29.97"), cash("0.01")])),
    ("payments_total", sale(payment=[])),
    ("payment_amount", sale(payment=[cash("30.97"), cash("-1")])),
    ("payment_amount", sale(payment=[cash("29.97"), cash("0")])),
    ("payment_amount", sale(payment=[cash("29.965"), cash("0.005")])),
    ("currency_rate", sale(curCode="USD")),
    ("currency_rate", sale(payment=[{**cash("29.97"), "currencyCode": "USD", "currencyRate": 0}])),
    ("currency_rate", sale(payment=[{**cash("29.97"), "curCode": "USD"}])),
    ("nature", credit_note(CODE, referenceType="")),
    ("nature", credit_note(CODE, referenceType="XXX")),
]


def code_of(name: str) -> str:
    return str(error_table()[name].code)


@pytest.mark.parametrize(
    ("name", "document"), REFUSED_AT_ONCE, ids=[f"{name}-{rank}" for rank, (name, _) in enumerate(REFUSED_AT_ONCE)]
)
def test_refused(client: Client, name: str, document: Document) -> None:
    answer = client.submit(document)
    assert (answer["errorCode"], "uid" in answer) == (code_of(name), False)
    assert answer["errorDesc"].startswith(error_table()[name].description)
    assert client.status()["pendingRequestsCount"] == 0


def test_too_many_pending(client: Client, service: Sandbox) -> None:
    pending = [client.submit(sale(f"FV-{rank}")) for rank in range(10)]
    assert [one["errorCode"] for one in pending] == [None] * 10
    assert client.submit(sale("FV-10"))["errorCode"] == code_of("too_many_pending")
    assert service.client("CD01000002-2").submit(sale("FV-10"))["errorCode"] is None, "the limit is per NIM"
    client.cancel(pending[0])
    assert client.submit(sale("FV-10"))["errorCode"] is None


def test_rn_duplicate(client: Client, service: Sandbox) -> None:
    client.certify(sale("FV-1"))
    assert client.submit(sale("FV-1"))["errorCode"] == code_of("rn_duplicate")
    assert service.client("CD01000002-2").submit(sale("FV-1"))["errorCode"] == code_of("rn_duplicate")


def test_rn_duplicate_does_not_reach_another_taxpayer(client: Client, service: Sandbox) -> None:
    client.certify(sale("FV-1"))
    other = service.client("CD02000001-9").submit(sale("FV-1", nif=OTHER_NIF, isf="TST-SFE-02"))
    assert other["errorCode"] is None


def test_rn_duplicate_is_not_caused_by_a_pending_or_cancelled_one(client: Client) -> None:
    first, second = client.submit(sale("FV-1")), client.submit(sale("FV-1"))
    client.cancel(first)
    assert client.confirm(second)["errorCode"] is None


def test_rn_duplicate_is_caught_at_confirmation_too(client: Client) -> None:
    first, second = client.submit(sale("FV-1")), client.submit(sale("FV-1"))
    assert client.confirm(first)["errorCode"] is None
    assert client.confirm(second)["errorCode"] == code_of("rn_duplicate")
    assert client.details(second)["state"] == "pending"


def test_uid_unknown(client: Client, service: Sandbox) -> None:
    stranger = {"uid": "00000000-0000-4000-8000-000000000000", "total": "1", "vtotal": "0"}
    cancelled, mine = client.submit(sale("FV-1")), client.submit(sale("FV-2"))
    client.cancel(cancelled)
    sibling = service.client("CD01000002-2")
    answers = [
        client.confirm(stranger),
        client.cancel(stranger),
        client.details(stranger),
        client.confirm(cancelled),
        client.cancel(cancelled),
        sibling.confirm(mine),
        sibling.cancel(mine),
        sibling.details(mine),
    ]
    assert [answer["errorCode"] for answer in answers] == [code_of("uid_unknown")] * 8


def test_uid_unknown_once_confirmed(client: Client) -> None:
    pending = client.submit(sale())
    assert client.confirm(pending)["errorCode"] is None
    assert client.confirm(pending)["errorCode"] == code_of("uid_unknown")
    assert client.cancel(pending)["errorCode"] == code_of("uid_unknown")


@pytest.mark.parametrize(
    "totals",
    [
        {"total": "29.98", "vtotal": "4.13"},
        {"total": "29.97", "vtotal": "4.14"},
        {"total": "29.97"},
        {"vtotal": "4.13"},
        {"total": None, "vtotal": None},
        {"total": "29.970000000001", "vtotal": "4.13"},
    ],
)
def test_totals_differ(client: Client, totals: dict[str, str]) -> None:
    pending = client.submit(sale())
    answer = client.http.put(f"/api/invoice/{pending['uid']}/confirm", json=totals).json()
    assert answer["errorCode"] == code_of("totals_differ")
    assert client.details(pending)["state"] == "pending"


def certified_sale(client: Client, **changes: Any) -> str:
    document = sale(items=[line(), line(code="LAIT", name="Lait", price="5")], payment=[cash("44.97")])
    return client.certify({**document, **changes})["codeDEFDGI"]


def test_credit_exceeds(client: Client) -> None:
    code = certified_sale(client)
    part = {"items": [line(quantity="2")], "payment": [cash("19.98")]}
    client.certify(credit_note(code, "FA-1", **part))
    assert client.submit(credit_note(code, "FA-2", **part))["errorCode"] == code_of("credit_exceeds")
    rest = {"items": [line(quantity="1")], "payment": [cash("9.99")]}
    client.certify(credit_note(code, "FA-2", **rest))
    assert client.submit(credit_note(code, "FA-3", **rest))["errorCode"] == code_of("credit_exceeds")


def test_credit_exceeds_within_one_note(client: Client) -> None:
    code = certified_sale(client)
    twice = credit_note(code, items=[line(quantity="2"), line(quantity="2")], payment=[cash("39.96")])
    assert client.submit(twice)["errorCode"] == code_of("credit_exceeds")


def test_credit_exceeds_by_its_specific_tax(client: Client) -> None:
    sold = {"items": [line(taxSpecificAmount="1")], "payment": [cash("31.13")]}
    code = client.certify(sale(**sold))["codeDEFDGI"]
    more = credit_note(code, items=[line(taxSpecificAmount="2")], payment=[cash("32.29")])
    assert client.submit(more)["errorCode"] == code_of("credit_exceeds")
    assert client.submit(credit_note(code, **sold))["errorCode"] is None


def test_credit_exceeds_is_caught_at_confirmation_too(client: Client) -> None:
    code = certified_sale(client)
    first, second = (client.submit(credit_note(code, f"FA-{rank}")) for rank in range(2))
    assert client.confirm(first)["errorCode"] is None
    assert client.confirm(second)["errorCode"] == code_of("credit_exceeds")


def test_reference_unknown_for_another_taxpayer(client: Client, service: Sandbox) -> None:
    code = certified_sale(client)
    foreign = credit_note(code, nif=OTHER_NIF, isf="TST-SFE-02")
    assert service.client("CD02000001-9").submit(foreign)["errorCode"] == code_of("reference_unknown")


def test_credit_note_from_another_outlet_of_the_taxpayer_is_accepted(client: Client, service: Sandbox) -> None:
    code = certified_sale(client)
    assert service.client("CD01000002-2").submit(credit_note(code))["errorCode"] is None


@pytest.mark.parametrize(
    ("sold", "credited"), [("FV", "EA"), ("FT", "EA"), ("EV", "FA"), ("ET", "FA")], ids=lambda value: value
)
def test_original_type(client: Client, sold: str, credited: str) -> None:
    code = certified_sale(client, type=sold)
    assert client.submit(credit_note(code, type=credited))["errorCode"] == code_of("original_type")


def test_original_type_of_a_credit_note_is_not_a_sale(client: Client) -> None:
    credited = client.certify(credit_note(certified_sale(client)))["codeDEFDGI"]
    assert client.submit(credit_note(credited, "FA-2"))["errorCode"] == code_of("original_type")


def test_original_item(client: Client) -> None:
    code = certified_sale(client)
    assert client.submit(credit_note(code, items=[line(code="SEL")]))["errorCode"] == code_of("original_item")


def test_original_price(client: Client) -> None:
    code = certified_sale(client)
    cheaper = credit_note(code, items=[line(price="9.98")], payment=[cash("29.94")])
    assert client.submit(cheaper)["errorCode"] == code_of("original_price")


def test_original_tax(client: Client) -> None:
    code = certified_sale(client)
    assert client.submit(credit_note(code, items=[line(taxGroup="F")]))["errorCode"] == code_of("original_tax")
    assert client.submit(credit_note(code, items=[line(type="SER")]))["errorCode"] == code_of("original_tax")


def test_original_mode(client: Client) -> None:
    code = certified_sale(client)
    before_tax = credit_note(code, mode="ht", payment=[cash("34.77")])
    assert client.submit(before_tax)["errorCode"] == code_of("original_mode")


@pytest.mark.parametrize("kind", ["FA", "EA"])
def test_sfe_1_28_rebate_refers_to_no_sale(client: Client, kind: str) -> None:
    assert client.submit(credit_note("RRR", type=kind, referenceType="RRR"))["errorCode"] is None


def test_rebate_does_not_use_up_a_sale(client: Client) -> None:
    code = certified_sale(client)
    client.certify(credit_note("RRR", "FA-1", referenceType="RRR"))
    client.certify(credit_note(code, "FA-2"))


def test_processing(client: Client, service: Sandbox) -> None:
    """A real failure of the store: the table that confirms cannot be written."""
    pending = client.submit(sale())
    with sqlite3.connect(service.database) as database:
        database.execute(
            "CREATE TRIGGER broken BEFORE UPDATE OF code ON invoice BEGIN SELECT raise(ABORT, 'disk broken'); END"
        )
    try:
        assert client.confirm(pending)["errorCode"] == code_of("processing")
    finally:
        with sqlite3.connect(service.database) as database:
            database.execute("DROP TRIGGER broken")
    assert client.details(pending)["state"] == "pending"
    assert client.confirm(pending)["counters"] == "1/1 FV"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe"])
def test_unreadable_body_is_a_bad_request(client: Client, body: bytes) -> None:
    answer = client.http.post("/api/invoice", content=body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code_of("unreadable"))


@pytest.mark.parametrize("body", [b"", b" \n"])
def test_empty_body_is_a_bad_request(client: Client, body: bytes) -> None:
    assert client.http.post("/api/invoice", content=body).status_code == 400
    pending = client.submit(sale())
    assert client.http.put(f"/api/invoice/{pending['uid']}/confirm", content=body).status_code == 400


def test_refusals_arrive_with_http_200(client: Client) -> None:
    assert client.http.post("/api/invoice", json=sale(type="FX")).status_code == 200


def test_refusals_may_arrive_as_http_errors(launch: Callable[..., Sandbox]) -> None:
    answer = launch("--error-status", "422").client().http.post("/api/invoice", json=sale(type="FX"))
    assert (answer.status_code, answer.json()["errorCode"]) == (422, code_of("invoice_type"))


def test_own_codes_are_apart_from_the_published_ones() -> None:
    rows = error_table().values()
    assert len({row.code for row in rows}) == len(rows)
    assert all(row.published == (row.code < 100) for row in rows)


def test_every_error_is_reached_by_a_test_named_after_it() -> None:
    tests = {name for name in globals() if name.startswith("test_")}
    tested = {name for name, _ in REFUSED_AT_ONCE}
    missing = [name for name in error_table() if name not in tested and f"test_{name}" not in tests]
    assert missing == []


def test_exchange_of_a_refusal_is_kept(client: Client, service: Sandbox) -> None:
    document = sale(type="FX")
    answer = client.http.post("/api/invoice", json=document)
    kept = service.exchanges(NIM)[-1]
    assert json.loads(kept["request"]) == document
    assert (kept["response"], kept["error_code"]) == (answer.text, code_of("invoice_type"))

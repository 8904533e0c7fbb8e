"""What was printed, sealed and exchanged with the DGI is one and the same, to the byte, on both sides of the line."""

import base64
import hashlib
import json
import urllib.request
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest

from launcher.demo import draft_invoice, seal_of
from launcher.instance import DEMO_MERCHANT
from launcher.signer import DATABASE
from tests import paper
from tests.conftest import Suite
from tests.signer_api import SignerApi

STEPS = ["prepare", "confirm"]


@pytest.fixture(scope="module")
def sale(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """An invoice that was posted, sealed, certified and printed: its seal, its PDF, the signer's document."""
    accountant = suite.accountant
    invoice = draft_invoice(accountant)
    accountant.call("account.move", "action_post", [invoice])
    seal = seal_of(accountant, invoice)
    assert seal["dgi_code"], seal
    yield {
        "seal": seal,
        "pdf": accountant.get(f"/report/pdf/account.report_invoice/{invoice}"),
        "folder": tmp_path_factory.mktemp("exchanged"),
        "document": SignerApi.of(suite.instance).invoice(seal["fiscal_number"]),
    }


@pytest.fixture(scope="module")
def exchanged(suite: Suite, sale: dict) -> dict[str, tuple[bytes, bytes]]:
    """Request and answer of each step, from the signer's journal."""
    query = (
        "SELECT step, direction, body FROM signer.dgi_exchange WHERE fiscal_number = %s AND step = ANY(%s) ORDER BY id"
    )
    with psycopg.connect(suite.instance.cluster.url("postgres", DATABASE)) as connection:
        rows = connection.execute(query, [sale["seal"]["fiscal_number"], STEPS]).fetchall()
    assert [(step, direction) for step, direction, _ in rows] == [
        (step, direction) for step in STEPS for direction in ("request", "answer")
    ]
    bodies = [bytes(body) for _, _, body in rows]
    return {step: (bodies[2 * place], bodies[2 * place + 1]) for place, step in enumerate(STEPS)}


def test_both_sides_kept_the_same_bytes(suite: Suite, exchanged: dict[str, tuple[bytes, bytes]]) -> None:
    sandbox = suite.instance.sandbox
    token = (sandbox.folder / "sandbox.sqlite.admin-token").read_text().strip()
    request = urllib.request.Request(
        f"{sandbox.page}admin/exchanges?limit=1000&nim={DEMO_MERCHANT['nim']}",
        headers={"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        kept = json.loads(response.read())
    theirs = {(base64.b64decode(one["request_base64"]), base64.b64decode(one["response_base64"])) for one in kept}
    for step in STEPS:
        assert exchanged[step] in theirs, step


def test_what_was_sent_is_what_was_sealed(sale: dict, exchanged: dict[str, tuple[bytes, bytes]]) -> None:
    payload, statement = sale["document"]["payload"], sale["document"]["statement"]
    sent = json.loads(exchanged["prepare"][0], parse_float=Decimal, parse_int=Decimal)
    assert (sent["rn"], sent["nif"], sent["type"]) == (
        statement["fiscal_number"],
        statement["merchant_nif"],
        statement["document_type"],
    )
    for item, sealed in zip(sent["items"], payload["items"], strict=True):
        assert (item["name"], item["taxGroup"]) == (sealed["name"], sealed["tax_group"])
        assert (item["price"], item["quantity"]) == (Decimal(sealed["unit_price"]), Decimal(sealed["quantity"]))
    totals = json.loads(exchanged["confirm"][0], parse_float=Decimal, parse_int=Decimal)
    assert totals == {"total": Decimal(statement["total"]), "vtotal": Decimal(statement["tax"])}
    told = json.loads(exchanged["prepare"][1], parse_float=Decimal, parse_int=Decimal)
    assert (told["total"], told["vtotal"]) == (Decimal(statement["total"]), Decimal(statement["tax"]))


def test_the_elements_travel_unchanged_from_the_answer_to_the_paper(
    suite: Suite, sale: dict, exchanged: dict[str, tuple[bytes, bytes]]
) -> None:
    answer = json.loads(exchanged["confirm"][1])
    elements = {
        "code": answer["codeDEFDGI"],
        "nim": answer["nim"],
        "counters": answer["counters"],
        "time": answer["dateTime"],
        "qr": answer["qrCode"],
    }
    entry = _verdict(suite, sale["seal"]["fiscal_number"])
    assert {name: entry[name] for name in elements} == elements, "the chained verdict"
    shown = sale["document"]["dgi"]
    assert {name: shown[name] for name in elements} == elements, "the API"
    printed = paper.text(sale["pdf"], sale["folder"])
    assert paper.qr_codes(sale["pdf"], sale["folder"])[0] == elements["qr"], "the paper's QR"
    for name in ("nim", "counters"):
        assert elements[name] in printed, name
    assert elements["code"] in printed.replace("-", "").replace(" ", ""), "the paper's code"


def _verdict(suite: Suite, fiscal_number: str) -> dict:
    """The payload of the certification's entry, whose hash the entry's statement carries."""
    query = (
        "SELECT payload, statement FROM signer.entry JOIN signer.verdict USING (outlet_id, index, sealed_at) "
        "WHERE verdict.fiscal_number = %s"
    )
    with psycopg.connect(suite.instance.cluster.url("postgres", DATABASE)) as connection:
        [(payload, statement)] = connection.execute(query, [fiscal_number]).fetchall()
    assert json.loads(statement)["payload_hash"] == hashlib.sha256(payload).hexdigest()
    return json.loads(payload)

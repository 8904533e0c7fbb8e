"""Sealing one document: the answer, its proof, and its replay for ever."""

import hashlib
import subprocess
from pathlib import Path

import msgspec
import pytest
import rfc8785
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from bonopay_signer.fiscal import qr, security
from bonopay_signer.hsm.ecdsa import PublicKey, signature_to_der

from ..fiscal.published import document as published
from ..support.stand import AUTHORITY, Stand, document, number_of, random_document_id

VECTORS = {vector["name"]: vector["payload"] for vector in published("payloads.json")["vectors"]}
YESTERDAYS_RATES = "last-day-of-8-percent"
SALES = [
    name
    for name, payload in VECTORS.items()
    if payload.get("credit", "no invoice") is None and name != YESTERDAYS_RATES
]


def test_answer_carries_every_element_of_the_contract(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = document(outlet)
    response = stand.post(payload)
    answer = response.json()
    assert response.status_code == 201
    assert answer["document_id"] == payload["document_id"]
    assert answer["fiscal_number"] == number_of(outlet, 1)
    assert answer["fiscal_authority_id"] == AUTHORITY
    assert answer["payload_hash"] == hashlib.sha256(rfc8785.dumps(payload)).hexdigest()
    assert answer["verification_url"] == f"{stand.url}/verify/{answer['fiscal_number']}?code={answer['short_code']}"
    assert answer["ledger"] == {
        "epoch": 1,
        "index": 1,
        "previous_hash": "0" * 64,
        "entry_hash": answer["ledger"]["entry_hash"],
    }
    dgi = answer["dgi"]
    assert (dgi["mode"], dgi["status"], dgi["nim"], dgi["isf"], dgi["error"]) == (
        *("inline", "certified", outlet.nim, "ABC-DEF-01"),
        None,
    )
    assert len(dgi["code"]) == 24 and dgi["counters"] == "1/1 FV" and dgi["qr"].startswith("RDCDEF01;")


def test_openssl_alone_verifies_a_seal_with_the_published_key(stand: Stand, tmp_path: Path) -> None:
    answer = stand.sealed(stand.outlet())
    record = stand.get(f"/api/v1/invoices/{answer['fiscal_number']}").json()
    (key,) = [
        key for key in stand.http.get("/.well-known/fiscal-keys.json").json()["keys"] if key["kid"] == answer["key_id"]
    ]
    statement = rfc8785.dumps(record["statement"])
    preimage = b"bonopay/entry/1\n" + bytes(32) + hashlib.sha256(statement).digest()
    (tmp_path / "key.pem").write_text(key["pem"])
    (tmp_path / "preimage").write_bytes(preimage)
    signature = qr.decode(answer["qr_payload"]).signature
    (tmp_path / "signature").write_bytes(signature_to_der(signature))
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "preimage"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "preimage").write_bytes(preimage[:-1] + bytes([preimage[-1] ^ 1]))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_qr_short_code_and_auth_code_come_from_the_same_signature(stand: Stand) -> None:
    answer = stand.sealed(stand.outlet())
    content = qr.decode(answer["qr_payload"])
    assert security.auth_code(content.signature) == answer["auth_code"]
    assert security.short_code(content.signature) == answer["short_code"]
    assert content.statement.fiscal_number == answer["fiscal_number"]
    assert content.statement.sealed_at == answer["timestamp"]


def test_published_jwk_and_pem_are_the_same_key_under_the_contract_s_id(stand: Stand) -> None:
    (key,) = stand.http.get("/.well-known/fiscal-keys.json").json()["keys"]
    pem = load_pem_public_key(key["pem"].encode())
    der = pem.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key["kid"] == hashlib.sha256(der).hexdigest()[:16]
    assert PublicKey(der).jwk() == {name: key[name] for name in ("kid", "kty", "crv", "x", "y")}
    assert key["status"] == "active"


def test_same_document_again_is_the_identical_answer_and_says_so(stand: Stand) -> None:
    payload = document(stand.outlet())
    first = stand.post(payload)
    reordered = dict(sorted(payload.items(), reverse=True))
    again = stand.post(reordered)
    assert (first.status_code, again.status_code) == (201, 200)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content


def test_changed_document_under_an_old_id_is_refused_with_the_stored_hash(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = document(outlet)
    sealed = stand.sealed_as(payload)
    response = stand.post({**payload, "cashier_name": "Autre"})
    assert response.status_code == 409
    assert response.json()["code"] == "document_conflict"
    assert response.json()["stored_hash"] == sealed["payload_hash"]
    assert len(stand.entries(outlet)) == 2


def test_reading_gives_what_was_sealed_to_the_byte(stand: Stand) -> None:
    payload = document(stand.outlet())
    answer = stand.sealed_as(payload)
    record = stand.get(f"/api/v1/invoices/{answer['fiscal_number']}").json()
    assert record["payload"] == payload
    assert hashlib.sha256(rfc8785.dumps(record["payload"])).hexdigest() == record["statement"]["payload_hash"]
    assert {name: record[name] for name in answer} == answer


@pytest.mark.parametrize("name", SALES)
def test_every_published_sale_passes_the_dgi_with_equal_totals(stand: Stand, name: str) -> None:
    outlet = stand.outlet()
    payload = {**VECTORS[name], "document_id": random_document_id(), "outlet_id": outlet.id}
    response = stand.post(payload)
    assert response.status_code == 201, response.text
    assert response.json()["dgi"]["status"] == "certified"


def test_invoice_at_rates_that_the_dgi_no_longer_applies_is_refused_and_not_sealed(stand: Stand) -> None:
    outlet = stand.outlet()
    payload = {**VECTORS[YESTERDAYS_RATES], "document_id": random_document_id(), "outlet_id": outlet.id}
    response = stand.post(payload)
    assert (response.status_code, response.json()["code"]) == (422, "dgi_refused")
    assert response.json()["dgi_error"]["code"] and response.json()["dgi_error"]["message"]
    assert stand.entries(outlet) == []


def test_credit_note_passes_the_dgi_with_the_code_of_its_original(stand: Stand) -> None:
    outlet = stand.outlet()
    sale = stand.sealed(outlet)
    credit = {
        "nature": "RAM",
        "original_fiscal_number": sale["fiscal_number"],
        "original_dgi_code": sale["dgi"]["code"],
    }
    note = stand.sealed(outlet, invoice_type="FA", credit=credit)
    assert note["fiscal_number"] == number_of(outlet, 2)
    assert note["dgi"]["counters"] == "1/2 FA"


def test_rebate_credit_note_refers_to_no_invoice(stand: Stand) -> None:
    credit = {"nature": "RRR", "original_fiscal_number": None, "original_dgi_code": None}
    assert stand.sealed(stand.outlet(), invoice_type="FA", credit=credit)["dgi"]["status"] == "certified"


def test_sealed_at_never_goes_backwards(stand: Stand) -> None:
    outlet = stand.outlet()
    stamps = [stand.sealed(outlet)["timestamp"] for _ in range(3)]
    assert stamps == sorted(stamps)


def test_chain_binds_each_entry_to_the_one_before(stand: Stand) -> None:
    outlet = stand.outlet()
    stand.sealed(outlet)
    second = stand.sealed(outlet)
    (verdict_hash,) = stand.rows("SELECT entry_hash FROM signer.entry WHERE outlet_id = %s AND index = 2", outlet.id)[0]
    assert second["ledger"]["index"] == 3
    assert second["ledger"]["previous_hash"] == verdict_hash.hex()
    stand.assert_sound(outlet, 2)


def test_exchange_journal_holds_request_and_answer_bytes_of_every_step(stand: Stand) -> None:
    outlet = stand.outlet()
    answer = stand.sealed(outlet)
    rows = stand.rows(
        "SELECT step, direction, body, http_status FROM signer.dgi_exchange WHERE outlet_id = %s ORDER BY id", outlet.id
    )
    assert [(step, direction) for step, direction, _, _ in rows] == [
        ("prepare", "request"),
        ("prepare", "answer"),
        ("confirm", "request"),
        ("confirm", "answer"),
    ]
    assert msgspec.json.decode(rows[0][2])["rn"] == answer["fiscal_number"]
    assert msgspec.json.decode(rows[3][2])["codeDEFDGI"] == answer["dgi"]["code"]
    assert [status for *_, status in rows] == [None, 200, None, 200]

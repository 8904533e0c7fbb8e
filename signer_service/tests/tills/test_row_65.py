"""A provisional ticket can be checked without a network, and is never an element of an invoice."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bonopay_signer.fiscal import qr, ticket
from bonopay_signer.fiscal.numbering import parse_fiscal_number

from ..fiscal.published import check_vectors
from ..support.stand import Outlet, Stand, number_of
from .browser import BrowserTill, canonical
from .calls import bring, now, results


def _key(jwk: dict) -> ec.EllipticCurvePublicKey:
    x, y = (int.from_bytes(base64.urlsafe_b64decode(jwk[name] + "=="), "big") for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def test_row_65_ticket_is_checked_with_the_published_keys_and_no_network(stand: Stand, till: BrowserTill) -> None:
    """By the stand-alone reader of QRs: the signer's code and its answer have no part in it."""
    keys = stand.http.get(f"/.well-known/till-keys/{till.outlet.id}").json()
    sold = till.sell(issued_at=now())
    blob = till.qr(sold)
    statement, previous, raw = check_vectors.read_ticket(base64.b32decode(blob + "=" * (-len(blob) % 8)))
    assert statement == sold["statement"] and statement["authority"] == keys["authority"]
    (jwk,) = (key for key in keys["keys"] if key["kid"] == statement["key_id"])
    assert (jwk["outlet_id"], jwk["terminal"]) == (statement["outlet_id"], statement["terminal"])
    octets = b"bonopay/ticket/1\n" + previous + hashlib.sha256(canonical(statement)).digest()
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    _key(jwk).verify(signature, octets, ec.ECDSA(hashes.SHA256()))


def test_row_65_ticket_takes_no_number_and_seals_nothing(stand: Stand, till: BrowserTill) -> None:
    """The series of invoices and what the DGI is told stay as they are; only the sale itself is ever sealed."""
    query = "SELECT sequence FROM signer.outlet_head WHERE outlet_id = %s"
    before = stand.rows(query, till.outlet.id), stand.states(till.outlet)
    assert results(bring(stand, till, *(till.sell() for _ in range(5)), complete=True)) == ["accepted"] * 5
    assert (stand.rows(query, till.outlet.id), stand.states(till.outlet)) == before


def test_row_65_ticket_is_nowhere_taken_for_an_invoice(stand: Stand, till: BrowserTill) -> None:
    sold = till.sell(issued_at=now())
    bring(stand, till, sold)
    found = stand.http.get(f"/api/v1/verify/ticket/{till.qr(sold)}").json()
    assert (found["result"], found["sealed_as"], found["verification_url"]) == ("genuine", None, None)
    assert not {"fiscal_number", "auth_code", "short_code", "qr_payload", "dgi"} & set(found)
    with pytest.raises(ValueError, match="fiscal number"):
        parse_fiscal_number(found["number"])
    assert stand.get(f"/api/v1/invoices/{found['number']}").status_code == 404
    assert stand.http.get(f"/api/v1/verify/{found['number']}?code=7K3M-9QXD-R2TA").json()["result"] == "not_found"
    assert stand.http.get(f"/api/v1/verify/qr/{till.qr(sold)}").json()["result"] == "not_found"
    assert stand.http.get(f"/V/{till.qr(sold)}").status_code == 404
    with pytest.raises(ValueError, match="expected"):
        qr.decode(f"HTTP://127.0.0.1/P/{till.qr(sold)}")


def test_row_65_code_of_an_invoice_is_no_ticket(stand: Stand) -> None:
    outlet: Outlet = stand.outlet()
    sealed = stand.sealed(outlet)
    blob = sealed["qr_payload"].rpartition("/V/")[2]
    assert sealed["fiscal_number"] == number_of(outlet, 1)
    assert stand.http.get(f"/P/{blob}").status_code == 404
    with pytest.raises(ValueError):
        ticket.from_base32(blob)
    assert json.loads(stand.http.get(f"/api/v1/verify/ticket/{blob}").text)["result"] == "not_found"

"""The published tickets by other libraries than the signer's: what a till in JavaScript has to come to as well."""

import hashlib
import json

import pytest
import rfc8785
import segno
import zxingcpp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.ticket import decode_qr, encode_qr

from ..fiscal.published import document

PUBLISHED = document("tickets.json")
VECTORS = PUBLISHED["vectors"]
KEY = load_pem_public_key(PUBLISHED["keys"][0]["pem"].encode())
by_name = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])


@by_name
def test_canonical_bytes_are_those_of_rfc_8785(vector: dict) -> None:
    for value, text in ((vector["payload"], vector["canonical"]), (vector["statement"], vector["statement_canonical"])):
        assert rfc8785.dumps(value) == text.encode() == canonical.encode(json.loads(text))
    digest = hashlib.sha256(vector["canonical"].encode()).hexdigest()
    assert vector["statement"]["payload_hash"] == digest


@by_name
def test_hash_and_signature_hold(vector: dict) -> None:
    preimage = bytes.fromhex(vector["preimage"])
    statement = hashlib.sha256(vector["statement_canonical"].encode()).digest()
    assert preimage == b"bonopay/ticket/1\n" + bytes.fromhex(vector["previous_hash"]) + statement
    assert hashlib.sha256(preimage).hexdigest() == vector["ticket_hash"]
    raw = bytes.fromhex(vector["signature"])
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    KEY.verify(signature, preimage, ec.ECDSA(hashes.SHA256()))


@by_name
def test_qr_gives_the_ticket_back(vector: dict) -> None:
    content = decode_qr(vector["qr"])
    assert json.loads(content.ticket.encode()) == vector["statement"] and content.ticket.number == vector["number"]
    assert (content.previous_hash.hex(), content.signature.hex()) == (vector["previous_hash"], vector["signature"])
    assert encode_qr(PUBLISHED["public_url"], *content) == vector["qr"]


def test_odd_cases_are_among_them() -> None:
    halves = [(vector["signature"][:64], vector["signature"][64:]) for vector in VECTORS]
    assert any(r.startswith("0000") for r, _ in halves) and any(s.startswith("0000") for _, s in halves)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    assert {int(s, 16) > order // 2 for _, s in halves} == {True, False}, "the low s and the high one"
    texts = "".join(vector["canonical"] for vector in VECTORS)
    assert all(character in texts for character in "é😀\u2028\u2029\uffff\x7f") and "\\u0000" in texts
    statements = [vector["statement"] for vector in VECTORS]
    assert max(statement["counter"] for statement in statements) == 2**53 - 1
    assert max(int(statement["total"].replace(".", "")) for statement in statements) == 2**53 - 1


def test_longest_qr_is_read_from_paper() -> None:
    """At five dots a module the code fits the 384 dots of a 58 mm printer up to version 14 (73 modules)."""
    everyday, longest = VECTORS[0]["qr"], max((vector["qr"] for vector in VECTORS), key=len)
    assert segno.make(everyday, error="m", boost_error=False).version <= 14
    code = segno.make(longest, error="m", boost_error=False)
    assert code.version <= 17
    raster = [bytes(0 if dark else 255 for dark in row) for row in code.matrix_iter(scale=4, border=4)]
    image = memoryview(b"".join(raster)).cast("B", (len(raster), len(raster[0])))
    (found,) = zxingcpp.read_barcodes(image)
    assert found.text == longest

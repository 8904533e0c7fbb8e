"""The QR's content: every valid statement comes back exactly, and one content has one QR."""

import base64

import msgspec
import pytest
import segno
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from bonopay_signer.fiscal import qr
from bonopay_signer.fiscal.qr import QrContent

from .published import check_vectors
from .statements import TYPICAL, statements

URL = "https://fiscal.bonopay.example"
PREVIOUS, SIGNATURE = bytes(range(32)), bytes(range(64, 128))
TEXT = qr.encode(URL, TYPICAL, PREVIOUS, SIGNATURE)
BLOB = TEXT.rpartition("/V/")[2]
HASHES = st.binary(min_size=32, max_size=32)
SIGNATURES = st.binary(min_size=64, max_size=64)


def as_bytes(blob: str) -> bytes:
    return base64.b32decode(blob + "=" * (-len(blob) % 8))


def as_blob(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


@given(statements(), HASHES, SIGNATURES)
@settings(max_examples=300)
def test_every_valid_statement_comes_back(statement, previous_hash, signature):
    text = qr.encode(URL, statement, previous_hash, signature)
    assert qr.decode(text) == QrContent(statement, previous_hash, signature)


@given(statements(), HASHES, SIGNATURES)
def test_another_reader_finds_the_same(statement, previous_hash, signature):
    """The stand-alone checker reads the layout that the module's docstring describes."""
    blob = qr.to_base32(QrContent(statement, previous_hash, signature))
    assert check_vectors.read_qr(as_bytes(blob)) == (msgspec.to_builtins(statement), previous_hash, signature)


@pytest.mark.parametrize("index", [1, 2**7 - 1, 2**7, 2**14 - 1, 2**14, 2**49, 2**53 - 1])
def test_numbers_come_back_where_they_grow_by_a_byte(index):
    content = QrContent(msgspec.structs.replace(TYPICAL, index=index), PREVIOUS, SIGNATURE)
    assert qr.from_base32(qr.to_base32(content)) == content


def test_a_typical_qr_fits_version_11_at_level_m():
    assert len(URL) == 30
    assert len(TEXT) <= 366
    code = segno.make(TEXT, error="m", boost_error=False)
    assert (code.mode, code.version) == ("alphanumeric", 11)


def test_a_rendered_qr_is_read_by_an_independent_decoder():
    modules = segno.make(TEXT, error="m", boost_error=False).matrix_iter(scale=4, border=4)
    raster = [bytes(0 if dark else 255 for dark in row) for row in modules]
    image = memoryview(b"".join(raster)).cast("B", (len(raster), len(raster[0])))
    (found,) = zxingcpp.read_barcodes(image)
    assert found.text == TEXT
    assert qr.decode(found.text).statement == TYPICAL


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    blob = as_blob(data)
    try:
        content = qr.from_base32(blob)
    except ValueError:
        return
    assert qr.to_base32(content) == blob


@given(st.data())
@settings(max_examples=500)
def test_one_content_has_one_qr(data):
    """Whatever happens to the bytes: what is still read is spelt exactly so by the encoder."""
    original = as_bytes(BLOB)
    start = data.draw(st.integers(0, len(original)))
    length = data.draw(st.integers(0, 4))
    damaged = original[:start] + data.draw(st.binary(max_size=6)) + original[start + length :]
    try:
        content = qr.from_base32(as_blob(damaged))
    except ValueError:
        return
    assert as_bytes(qr.to_base32(content)) == damaged


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    for decode in (qr.decode, qr.from_base32):
        with pytest.raises(ValueError, match=r"\w"):
            decode(text)


def replaced(old: bytes, new: bytes) -> str:
    original = as_bytes(BLOB)
    assert original.count(old) == 1
    return as_blob(original.replace(old, new))


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (as_blob(as_bytes(BLOB) + b"\x00"), "left over"),
        (as_blob(as_bytes(BLOB)[:-1]), "cut short"),
        ("", "base 32"),
        (BLOB.lower(), "base 32"),
        (BLOB + "=", "base 32"),
        (BLOB + "\n", "base 32"),
        (BLOB[:-1] + "1", "base 32"),
        ("A", "base 32"),
        (as_blob(b"\x02" + as_bytes(BLOB)[1:]), "version 2"),
        (as_blob(b"\x01\x04" + as_bytes(BLOB)[2:]), "code 4"),
        (as_blob(b"\x01\x00\x07invoice" + as_bytes(BLOB)[2:]), "although it has a code"),
        (replaced(b"\x06KIN001\x01", b"\x06KIN001\x81\x00"), "longer than it needs"),
        (replaced(b"\x06KIN001\x01", b"\x06KIN001" + b"\xff" * 9), "too long"),
        (replaced(b"\x06KIN001\x01", b"\x06KIN001\x00"), "not a valid statement|epoch"),
        (replaced(b"\x06KIN001", b"\x06kin001"), "outlet"),
        (replaced(b"\x06KIN001", b"\x06KIN\xc3\xa91"), "ASCII"),
        (replaced(b"\x01\xb9\x60\x85\x35", b"\x01\xb9\x60\x00\x18BONO-KIN001-01-000006789"), "follows from outlet"),
        (replaced(b"\x01\xb9\x60\x85\x35", b"\x01\xb9\x60\x00\x05HELLO"), "not a fiscal number"),
    ],
)
def test_other_spellings_are_refused(blob, reason):
    with pytest.raises(ValueError, match=reason):
        qr.from_base32(blob)


def test_unused_bits_are_zero():
    bits = len(BLOB) * 5 % 8
    assert bits
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    other = BLOB[:-1] + alphabet[alphabet.index(BLOB[-1]) + 1]
    assert as_bytes(other) == as_bytes(BLOB)
    with pytest.raises(ValueError, match="unused bits"):
        qr.from_base32(other)


@pytest.mark.parametrize(
    "url", ["https://bono.example", "http://127.0.0.1:17480", "https://bono.example/f/", "HTTPS://A.CD"]
)
def test_public_urls_are_spelt_in_upper_case(url):
    text = qr.encode(url, TYPICAL, PREVIOUS, SIGNATURE)
    assert text.startswith(url.upper().rstrip("/") + "/V/")
    assert qr.decode(text).statement == TYPICAL


@pytest.mark.parametrize(
    "url", ["", "bono.example", "ftp://bono.example", "https://", "https://bono.example/?v=", "https://é.cd"]
)
def test_public_urls_outside_the_alphabet_are_refused(url):
    with pytest.raises(ValueError, match="alphanumeric"):
        qr.encode(url, TYPICAL, PREVIOUS, SIGNATURE)


@pytest.mark.parametrize("text", [TEXT.lower(), TEXT.replace("HTTPS://", ""), TEXT.replace("/V/", "//V/"), BLOB])
def test_texts_that_are_no_verification_qr_are_refused(text):
    with pytest.raises(ValueError, match="verification QR"):
        qr.decode(text)


@pytest.mark.parametrize(("previous_hash", "signature"), [(PREVIOUS[1:], SIGNATURE), (PREVIOUS, SIGNATURE + b"\x00")])
def test_hashes_and_signatures_have_their_length(previous_hash, signature):
    with pytest.raises(ValueError, match="bytes, not"):
        qr.encode(URL, TYPICAL, previous_hash, signature)


def test_an_invalid_statement_has_no_qr():
    with pytest.raises(ValueError, match="not a valid statement"):
        qr.encode(URL, msgspec.structs.replace(TYPICAL, total="1"), PREVIOUS, SIGNATURE)


def test_a_number_of_another_epoch_is_spelt_out():
    later = msgspec.structs.replace(TYPICAL, epoch=2, kind="dgi_rejected")
    content = QrContent(later, PREVIOUS, SIGNATURE)
    assert qr.from_base32(qr.to_base32(content)) == content

"""The codes that machines and people use to recognise a signature."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.fiscal.security import auth_code, normalize_short_code, short_code

SIGNATURES = st.binary(min_size=64, max_size=64)


@given(SIGNATURES)
def test_the_auth_code_is_the_signature(signature):
    code = auth_code(signature)
    assert len(code) == 86
    assert base64.urlsafe_b64decode(code + "==") == signature


@given(SIGNATURES)
def test_the_short_code_is_60_bits_of_the_signatures_hash(signature):
    symbols = short_code(signature).replace("-", "")
    value = 0
    for symbol in symbols:
        value = value * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(symbol)
    assert len(symbols) == 12
    assert value == int.from_bytes(hashlib.sha256(signature).digest(), "big") >> 196


@pytest.mark.parametrize("code", [auth_code, short_code])
@pytest.mark.parametrize("length", [0, 63, 65, 72])
def test_only_raw_signatures_have_codes(code, length):
    with pytest.raises(ValueError, match="64 bytes"):
        code(bytes(length))


@given(SIGNATURES, st.data())
def test_a_short_code_is_recognised_as_people_type_it(signature, data):
    code = short_code(signature)
    look_alikes = {"0": "0Oo", "1": "1IiLl"}
    typed = ""
    for symbol in code.replace("-", ""):
        typed += data.draw(st.sampled_from(["", "", "", "-", " "]))
        typed += data.draw(st.sampled_from(look_alikes.get(symbol, symbol + symbol.lower())))
    assert normalize_short_code(typed) == code


@pytest.mark.parametrize("text", ["7k3m9qxdr2ta", " 7K3M 9QXD R2TA ", "7K3M9QXD-R2TA", "7k3m--9qxd--r2ta"])
def test_spaces_dashes_and_case_do_not_matter(text):
    assert normalize_short_code(text) == "7K3M-9QXD-R2TA"


@pytest.mark.parametrize(
    "text",
    ["", "7K3M-9QXD-R2T", "7K3M-9QXD-R2TAA", "7K3M-9QXD-R2TU", "7K3M_9QXD_R2TA", "7K3M-9QXD-R2Tı", "٧K3M-9QXD-R2TA"],
)
def test_what_is_no_short_code_is_refused(text):
    with pytest.raises(ValueError, match="short code"):
        normalize_short_code(text)

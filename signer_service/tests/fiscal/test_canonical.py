"""Canonical bytes, against an independent implementation of RFC 8785."""

import hashlib

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.fiscal import canonical

from .builders import invoices, parsed

ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)))
KEYS = st.text(st.characters(max_codepoint=127))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER) | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(VALUES)
def test_bytes_are_those_of_rfc_8785(value):
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(invoices())
def test_bytes_of_an_invoice_are_those_of_rfc_8785(payload):
    assert canonical.encode(parsed(payload)) == rfc8785.dumps(payload)


@pytest.mark.parametrize(
    "character", [*map(chr, range(0xA0)), "\u2028", "\u2029", "\ufeff", "\uffff", "😀", "/", "\\", '"']
)
def test_every_escape_is_that_of_rfc_8785(character):
    assert canonical.encode({character if character.isascii() else "k": character}) == rfc8785.dumps(
        {character if character.isascii() else "k": character}
    )


class _Float(msgspec.Struct):
    value: object


@pytest.mark.parametrize(
    "value",
    [1.0, {"a": 0.5}, [1e21], (float("nan"),), _Float(1.5), {"é": 1}, {1: 1}, b"bytes", {"a": {1, 2}}, 2**53, -(2**53)],
)
def test_what_has_no_single_form_is_refused(value):
    with pytest.raises(ValueError, match="canonical JSON"):
        canonical.encode(value)


@pytest.mark.parametrize("value", [2**53 - 1, -(2**53 - 1), 0, True, None])
def test_integers_that_a_double_holds_are_accepted(value):
    assert canonical.encode([value]) == rfc8785.dumps([value])


@pytest.mark.parametrize("value", ["\ud800", {"a": ["\udfff"]}, {"\ud800": 1}])
def test_lone_surrogates_are_refused(value):
    with pytest.raises(ValueError, match="surrogates not allowed|not an ASCII string"):
        canonical.encode(value)


def test_sha256_is_lower_case_hexadecimal():
    assert canonical.sha256_hex(b"abc") == hashlib.sha256(b"abc").hexdigest()

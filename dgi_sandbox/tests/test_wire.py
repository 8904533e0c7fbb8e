"""JSON amounts keep their digits, and odd bodies are refused rather than guessed."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_dgi_sandbox.errors import RefusalError
from bonopay_dgi_sandbox.wire import as_number, decode, encode, has_decimals, round2


@given(st.integers(-(10**14), 10**14))
def test_amount_survives_both_ways(cents: int) -> None:
    amount = round2(Decimal(cents).scaleb(-2))
    body = encode({"total": amount})
    assert body == b'{"total":' + str(amount).encode() + b"}"
    assert decode(body)["total"] == amount


def test_large_amount_shows_no_float_noise() -> None:
    assert encode([Decimal("90071992547409.93")]) == b"[90071992547409.93]"


def test_text_is_escaped_as_json() -> None:
    value = {'clé "1"': ["é\n\u2028", None, True, 3, {}]}
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize("text", ["0.1", " 12 ", "1e2", "-3.50"])
def test_numeric_text_is_a_number(text: str) -> None:
    assert as_number(text, "price") == Decimal(text.strip())


@pytest.mark.parametrize("absent", [None, ""])
def test_absent_number_is_zero(absent: str | None) -> None:
    assert as_number(absent, "price") == 0


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1_000", "1,5", "٣", "0x10", True, [], {}])
def test_what_is_not_a_number_is_unreadable(value: object) -> None:
    with pytest.raises(RefusalError) as refusal:
        as_number(value, "price")
    assert refusal.value.row.name == "unreadable"


@pytest.mark.parametrize("value", ["1e15", "1e999", "0e500", "0.0000000000001"])
def test_absurd_magnitude_is_out_of_range(value: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        as_number(Decimal(value), "price")
    assert refusal.value.row.name == "out_of_range"


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b"\xff", b'{"a":NaN}', b'{"a":1e99999999999999999999}', b'{"a":"\\ud800"}', b"[" * 100_000],
    ids=["cut", "list", "text", "not utf-8", "NaN", "exponent", "half a pair", "deep"],
)
def test_odd_body_is_unreadable(body: bytes) -> None:
    with pytest.raises(RefusalError) as refusal:
        decode(body)
    assert refusal.value.row.name == "unreadable"


def test_trailing_zeros_are_not_decimals() -> None:
    assert has_decimals(Decimal("1.100"), 1)
    assert not has_decimals(Decimal("1.101"), 2)


def test_emoji_written_as_a_pair_is_text() -> None:
    assert decode(b'{"name": "\\ud83d\\ude00"}') == {"name": "\N{GRINNING FACE}"}

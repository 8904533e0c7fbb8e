"""Fiscal numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.fiscal.numbering import FiscalNumber, fiscal_number, parse_fiscal_number

OUTLET_IDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=3, max_size=12)


def test_the_number_of_the_contract():
    assert fiscal_number("KIN001", 1, 1) == "BONO-KIN001-01-000000001"


@given(OUTLET_IDS, st.integers(1, 99), st.integers(1, 999_999_999))
def test_a_number_gives_back_its_parts(outlet_id, epoch, sequence):
    assert parse_fiscal_number(fiscal_number(outlet_id, epoch, sequence)) == FiscalNumber(outlet_id, epoch, sequence)


@given(OUTLET_IDS, st.lists(st.integers(1, 999_999_999), min_size=2))
def test_numbers_sort_as_their_sequence(outlet_id, sequences):
    numbers = [fiscal_number(outlet_id, 1, sequence) for sequence in sorted(sequences)]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("outlet_id", "epoch", "sequence"),
    [
        ("KI", 1, 1),
        ("KIN0123456789", 1, 1),
        ("kin001", 1, 1),
        ("KIN-01", 1, 1),
        ("KIN001\n", 1, 1),
        ("KIN001", 0, 1),
        ("KIN001", 100, 1),
        ("KIN001", 1, 0),
        ("KIN001", 1, 10**9),
        ("KIN001", 1, -1),
    ],
)
def test_parts_out_of_range_make_no_number(outlet_id, epoch, sequence):
    with pytest.raises(ValueError, match="outlet id|epoch|sequence"):
        fiscal_number(outlet_id, epoch, sequence)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "BONO-KIN001-1-000000001",
        "BONO-KIN001-01-00000001",
        "BONO-KIN001-01-0000000001",
        "BONO-KIN001-00-000000001",
        "BONO-KIN001-01-000000000",
        "bono-KIN001-01-000000001",
        "BONO-KIN001-01-000000001\n",
        " BONO-KIN001-01-000000001",
        "BONO-KIN001-٠١-000000001",
    ],
)
def test_other_spellings_are_no_number(text):
    with pytest.raises(ValueError, match="not a fiscal number|epoch|sequence"):
        parse_fiscal_number(text)

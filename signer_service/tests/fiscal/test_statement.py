"""Statements and the hashing of a chain's entries."""

import hashlib

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from bonopay_signer.fiscal.statement import ZERO_HASH, Statement, entry_hash, entry_preimage

from .statements import TYPICAL, statements


@given(statements())
def test_bytes_are_canonical_and_complete(statement):
    members = msgspec.to_builtins(statement)
    assert statement.encode() == rfc8785.dumps(members)
    assert msgspec.json.decode(statement.encode(), type=Statement) == statement


def test_members_are_those_of_the_contract():
    assert " ".join(Statement.__struct_fields__) == (
        "v kind authority epoch merchant_nif outlet_id index fiscal_number document_type sealed_at total tax currency "
        "payload_hash key_id"
    )


@pytest.mark.parametrize(
    "member",
    [
        {"v": 2},
        {"kind": "Invoice"},
        {"authority": "BONO CD"},
        {"epoch": 0},
        {"epoch": 100},
        {"epoch": "1"},
        {"merchant_nif": "A123"},
        {"outlet_id": "kin001"},
        {"index": 0},
        {"index": 2**53},
        {"index": 1.0},
        {"index": True},
        {"fiscal_number": "BONO-KIN001-01-000000000"},
        {"document_type": ""},
        {"sealed_at": "2026-11-21T08:30:00Z"},
        {"sealed_at": "2026-02-29T08:30:00.000Z"},
        {"total": "104400"},
        {"tax": "-1.00"},
        {"currency": "cdf"},
        {"payload_hash": "0" * 63},
        {"payload_hash": "A" * 64},
        {"key_id": "0" * 15},
        {"kind": None},
    ],
)
def test_what_is_not_of_its_form_is_never_signed(member):
    wrong = msgspec.structs.replace(TYPICAL, **member)
    with pytest.raises(ValueError, match="not a valid statement"):
        wrong.encode()


def test_the_preimage_is_80_bytes_of_domain_previous_hash_and_statement():
    preimage = entry_preimage(b"\x01" * 32, b"{}")
    assert preimage == b"bonopay/entry/1\n" + b"\x01" * 32 + hashlib.sha256(b"{}").digest()
    assert len(preimage) == 80


@given(st.binary(min_size=32, max_size=32), st.binary())
def test_the_entry_hash_is_the_hash_of_its_preimage(previous_hash, statement):
    assert entry_hash(previous_hash, statement) == hashlib.sha256(entry_preimage(previous_hash, statement)).digest()


@given(st.binary().filter(lambda value: len(value) != 32))
def test_a_previous_hash_of_another_length_is_refused(previous_hash):
    with pytest.raises(ValueError, match="32 bytes"):
        entry_preimage(previous_hash, b"{}")


def test_a_chain_begins_with_zeros():
    assert ZERO_HASH == bytes(32)

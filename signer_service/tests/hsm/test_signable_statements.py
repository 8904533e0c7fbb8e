"""What has a digest at all: canonical statements, checkpoints and rotations of one authority, each in its domain."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bonopay_signer.fiscal.statement import ENTRY_DOMAIN, entry_preimage
from bonopay_signer.hsm.keys import SELF_TEST_DOMAIN
from bonopay_signer.hsm.statements import (
    ROTATION_DOMAIN,
    NotSignable,
    checkpoint_digest,
    entry_to_sign,
    rotation_digest,
)

from .material import AUTHORITY, checkpoint, rotation, statement

KEY_ID = "0123456789abcdef"
TYPICAL = statement(KEY_ID)


def test_an_entry_s_digest_is_the_hash_of_the_contract() -> None:
    previous = bytes(range(32))
    preimage = b"bonopay/entry/1\n" + previous + hashlib.sha256(TYPICAL).digest()
    assert entry_to_sign(TYPICAL, previous, AUTHORITY) == (KEY_ID, hashlib.sha256(preimage).digest())


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"{}",
        b"\xff",
        TYPICAL[:-1],
        TYPICAL + b"\n",
        b" " + TYPICAL,
        TYPICAL.replace(b'":', b'": '),
        TYPICAL.replace(b'"v":1', b'"v":1.0'),
        TYPICAL.replace(b'"v":1', b'"v":2'),
        TYPICAL.replace(b'"index":1', b'"index":0'),
        TYPICAL.replace(b'"index":1', b'"index":9007199254740992'),
        TYPICAL.replace(b'KIN001"', b'K\\u0049N001"'),
        TYPICAL.replace(b"{", b'{"a":"b",', 1),
        TYPICAL.replace(b'"tax":"14400.00",', b""),
        TYPICAL.replace(b'"tax":"14400.00"', b'"tax":"14400.00","tax":"14400.00"'),
        TYPICAL.replace(b"14400.00", b"-14400.0"),
        TYPICAL.replace(AUTHORITY.encode(), b"BONO-XX-DEMO"),
    ],
)
def test_a_statement_that_is_not_strictly_canonical_and_of_the_authority_has_no_digest(spoilt: bytes) -> None:
    assert spoilt != TYPICAL
    with pytest.raises(NotSignable):
        entry_to_sign(spoilt, bytes(32), AUTHORITY)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_previous_hash_of_another_length_has_no_digest(length: int) -> None:
    with pytest.raises(NotSignable, match="32 bytes"):
        entry_to_sign(TYPICAL, bytes(length), AUTHORITY)


@pytest.mark.parametrize("size", ["1", "7", str(2**63 - 1)])
def test_a_checkpoint_s_digest_is_that_of_its_text(size: str) -> None:
    note = checkpoint(size=size)
    assert checkpoint_digest(note, AUTHORITY) == hashlib.sha256(note).digest()


def test_the_empty_tree_s_checkpoint_has_the_empty_tree_s_root() -> None:
    assert checkpoint_digest(checkpoint(size="0", root=hashlib.sha256(b"").digest()), AUTHORITY)
    with pytest.raises(NotSignable, match="empty tree"):
        checkpoint_digest(checkpoint(size="0"), AUTHORITY)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        checkpoint("bonopay.somebody-else/0/1"),
        checkpoint("bonopay.BONO-CD-DEMO/0/1"),
        checkpoint("bonopay/entry/1"),
        checkpoint("bonopay.bono-cd-demo/0"),
        checkpoint("bonopay.bono-cd-demo/00/1"),
        checkpoint("bonopay.bono-cd-demo/0/1/2"),
        checkpoint("example.org/log"),
        checkpoint(size="07"),
        checkpoint(size="-7"),
        checkpoint(size="+7"),
        checkpoint(size="٧"),
        checkpoint(size=str(2**63)),
        checkpoint(root=bytes(31)),
        checkpoint(root=bytes(33)),
        checkpoint() + b"extension\n",
        checkpoint() + b"\n",
        checkpoint()[:-1],
        b"\n" + checkpoint(),
        checkpoint().replace(b"\n", b"\r\n"),
        checkpoint().replace(b"BwcHBwcHBwc=", b"BwcHBwcHBwd="),
    ],
)
def test_a_checkpoint_that_is_not_strictly_one_of_the_authority_has_no_digest(note: bytes) -> None:
    assert note != checkpoint()
    with pytest.raises(NotSignable):
        checkpoint_digest(note, AUTHORITY)


def test_a_rotation_s_digest_binds_place_and_both_keys() -> None:
    typical = rotation("a" * 16, "b" * 16)
    text = (
        '{"authority":"BONO-CD-DEMO","index":12,"new_key_id":"bbbbbbbbbbbbbbbb","old_key_id":"aaaaaaaaaaaaaaaa",'
        '"outlet_id":"KIN001","previous_hash":"' + "cd" * 32 + '"}'
    )
    expected = hashlib.sha256(b"bonopay/key-rotation/1\n" + hashlib.sha256(text.encode()).digest()).digest()
    assert rotation_digest(typical, AUTHORITY) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"authority": "SOMEBODY-ELSE"},
        {"index": 0},
        {"previous_hash": "CD" * 32},
        {"outlet_id": "kin001"},
        {"new_key_id": "a" * 16},
        {"old_key_id": "a" * 15},
    ],
)
def test_a_rotation_of_another_form_or_authority_has_no_digest(changes: dict[str, object]) -> None:
    with pytest.raises(NotSignable):
        rotation_digest(replace(rotation("a" * 16, "b" * 16), **changes), AUTHORITY)


@given(
    previous=st.binary(min_size=32, max_size=32),
    size=st.integers(1, 2**63 - 1),
    root=st.binary(min_size=32, max_size=32),
)
def test_no_preimage_of_one_domain_is_one_of_another(previous: bytes, size: int, root: bytes) -> None:
    note = checkpoint(size=str(size), root=root)
    assert checkpoint_digest(note, AUTHORITY)
    assert base64.b64decode(note.split(b"\n")[2]) == root
    others = (entry_preimage(previous, TYPICAL), ROTATION_DOMAIN + previous, SELF_TEST_DOMAIN + previous)
    assert len({text[:11] for text in (note, *others)}) == 4
    for other in others:
        with pytest.raises(NotSignable):
            checkpoint_digest(other, AUTHORITY)


def test_domains_end_with_a_line_feed_and_none_begins_another() -> None:
    domains = (ENTRY_DOMAIN, ROTATION_DOMAIN, SELF_TEST_DOMAIN)
    assert all(domain.endswith(b"\n") and domain.count(b"\n") == 1 for domain in domains)
    assert not any(one != other and one.startswith(other) for one in domains for other in domains)

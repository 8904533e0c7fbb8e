"""A rotation's entry holds at one place of one chain, between two keys, and nowhere else."""

import base64
import json
import string
from dataclasses import dataclass
from functools import partial

import pytest
import rfc8785
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from bonopay_signer.fiscal.canonical import sha256_hex
from bonopay_signer.fiscal.statement import Statement
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.statements import rotation_digest
from bonopay_signer.ledger.rotation import (
    RotationInvalid,
    read_rotation,
    rotation_at,
    rotation_payload,
    verify_rotation,
)

AUTHORITY = "BONO-CD-TEST"
PREVIOUS = bytes.fromhex("5a" * 32)


class SoftwareKey:
    """A key in memory: what a payload must hold does not depend on where its keys are kept."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self.public = PublicKey(
            self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )

    def sign(self, digest: bytes) -> bytes:
        r, s = decode_dss_signature(self._private.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


OLD, NEW, THIRD = SoftwareKey(), SoftwareKey(), SoftwareKey()


@dataclass
class Handover:
    """A rotation that holds, to be spoilt."""

    statement: Statement
    payload: bytes
    previous: bytes = PREVIOUS
    old: PublicKey = OLD.public
    new: PublicKey = NEW.public

    def verify(self) -> None:
        verify_rotation(self.statement, self.previous, self.payload, self.old, self.new)

    def with_payload(self, payload: bytes) -> "Handover":
        """The statement names the new payload, as a forger with the old key would have it."""
        return Handover(replace(self.statement, payload_hash=sha256_hex(payload)), payload)

    def with_member(self, name: str, value: object) -> "Handover":
        return self.with_payload(rfc8785.dumps(json.loads(self.payload) | {name: value}))


def handover(
    index: int = 12, outlet_id: str = "KIN001", signer: SoftwareKey = NEW, claims: SoftwareKey = NEW
) -> Handover:
    """``signer`` proves possession of the key of ``claims``."""
    place = rotation_at(AUTHORITY, outlet_id, index, PREVIOUS, OLD.public, claims.public)
    payload = rotation_payload(OLD.public, claims.public, signer.sign(rotation_digest(place, AUTHORITY)))
    statement = Statement(
        v=1,
        kind="key_rotation",
        authority=AUTHORITY,
        epoch=1,
        merchant_nif="A1234567B",
        outlet_id=outlet_id,
        index=index,
        fiscal_number="",
        document_type="",
        sealed_at="2026-11-21T08:30:00.123Z",
        total="0.00",
        tax="0.00",
        currency="CDF",
        payload_hash=sha256_hex(payload),
        key_id=OLD.public.key_id,
    )
    return Handover(statement, payload)


def test_a_rotation_holds_where_it_was_made() -> None:
    made = handover()
    made.verify()
    assert read_rotation(made.payload).new_key == NEW.public
    assert made.statement.encode(), "the statement is one that is sealed"


def test_the_payload_is_rfc_8785_and_has_these_members() -> None:
    payload = handover().payload
    members = json.loads(payload)
    assert payload == rfc8785.dumps(members)
    assert set(members) == {"schema", "old_key_id", "new_key_id", "new_public_key", "new_key_signature"}
    assert members["schema"] == "bonopay.key_rotation/1"
    assert base64.b64decode(members["new_public_key"]) == NEW.public.der


def _at(**changes: object) -> Handover:
    made = handover()
    return Handover(replace(made.statement, **changes), made.payload)


def _other_spelling(member: str) -> Handover:
    """Stray bits at the end of a base64 text: the same bytes, written otherwise."""
    made = handover()
    text = json.loads(made.payload)[member]
    bare = text.rstrip("=")
    digits = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/-_"
    other = bare[:-1] + digits[digits.index(bare[-1]) + 1]
    assert base64.urlsafe_b64decode(other + "==") == base64.urlsafe_b64decode(bare + "==")
    return made.with_member(member, other + text[len(bare) :])


def _changed(**changes: object) -> Handover:
    made = handover()
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (partial(_at, index=13), "proof of possession"),
        (partial(_at, outlet_id="KIN002"), "proof of possession"),
        (partial(_at, authority="SOMEBODY-ELSE"), "proof of possession"),
        (partial(_changed, previous=bytes(32)), "proof of possession"),
        (partial(handover, signer=OLD), "proof of possession"),
        (partial(handover, signer=THIRD), "proof of possession"),
        (partial(_at, key_id=NEW.public.key_id), "key in force"),
        (partial(_changed, old=THIRD.public), "key in force"),
        (partial(_changed, new=THIRD.public), "not the published key"),
        (partial(_changed, new=OLD.public), "not the published key"),
        (partial(_at, kind="epoch_opened"), "not that of a key rotation"),
        (partial(_at, kind="invoice", fiscal_number="BONO-KIN001-01-000000001"), "not that of a key rotation"),
        (partial(_at, total="1.00"), "amounts"),
        (partial(_at, payload_hash="0" * 64), "not the one that the statement names"),
        (lambda: handover().with_member("old_key_id", THIRD.public.key_id), "key in force"),
        (lambda: handover().with_member("new_key_id", THIRD.public.key_id), "not the key of its new_key_id"),
        (lambda: handover().with_member("new_public_key", "AAAA"), "no P-256 key"),
        (lambda: handover().with_member("new_public_key", "é"), "no P-256 key"),
        (lambda: handover().with_member("new_key_signature", "A" * 86), "proof of possession"),
        (lambda: handover().with_member("schema", "bonopay.key_rotation/2"), "no key rotation"),
        (lambda: handover().with_member("reason", "x"), "no key rotation"),
        (lambda: handover().with_payload(b" " + handover().payload), "not canonical"),
        (lambda: handover().with_payload(b"\xff"), "no key rotation"),
        (partial(_other_spelling, "new_key_signature"), "no key rotation"),
        (partial(_other_spelling, "new_public_key"), "not the key of its new_key_id"),
    ],
)
def test_whatever_is_changed_the_rotation_does_not_hold(spoilt, words: str) -> None:
    with pytest.raises(RotationInvalid, match=words):
        spoilt().verify()


def test_a_key_is_not_handed_over_to_itself() -> None:
    made = _at(key_id=OLD.public.key_id)
    payload = rotation_payload(OLD.public, OLD.public, bytes(64))
    made = Handover(replace(made.statement, payload_hash=sha256_hex(payload)), payload, new=OLD.public)
    with pytest.raises(RotationInvalid, match="does not follow itself"):
        made.verify()

"""A chain that the key's holder signed wrongly: every hash and signature holds, only the series does not."""

import uuid
from contextlib import closing

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.statement import ZERO_HASH, entry_hash
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.columns import exact
from bonopay_signer.ledger.verify.chains import Ledger, Scope
from bonopay_signer.ledger.verify.credits import CreditJudge
from bonopay_signer.ledger.verify.facts import Facts
from bonopay_signer.ledger.verify.outcome import Outcome
from bonopay_signer.ledger.verify.records import Record
from bonopay_signer.ledger.verify.single import check

from ..fiscal.builders import accepted
from ..fiscal.statements import TYPICAL

PRIVATE = ec.generate_private_key(ec.SECP256R1())
KEY = PublicKey(PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
OUTLET = "KIN001"
SEALED_AT = "2026-11-21T08:30:00.000Z"
HASHES: dict[str, bytes] = {}
"""Of the invoices so far, by number."""
DOCUMENTS = [str(uuid.UUID(int=number, version=4)) for number in range(1, 3)]


def _number(sequence: int) -> str:
    return f"BONO-{OUTLET}-01-{sequence:09d}"


def _entry(index: int, previous: bytes, kind: str, sequence: int, document_id: str, total: str) -> Record:
    if kind == "invoice":
        payload = accepted(document_id=document_id)
    else:
        invoice = _entry(1, ZERO_HASH, "invoice", sequence, document_id, "104400.00")
        payload = {
            "schema": f"bonopay.{kind}/1",
            "document_id": document_id,
            "fiscal_number": _number(sequence),
            "invoice_entry_hash": HASHES.get(_number(sequence), invoice.entry_hash).hex(),
        }
    encoded = canonical.encode(payload)
    statement = msgspec.structs.replace(
        TYPICAL,
        kind=kind,
        index=index,
        epoch=1,
        outlet_id=OUTLET,
        fiscal_number=_number(sequence),
        document_type="FV",
        sealed_at=SEALED_AT,
        total=total,
        tax="14400.00",
        payload_hash=canonical.sha256_hex(encoded),
        key_id=KEY.key_id,
    )
    digest = entry_hash(previous, statement.encode())
    r, s = decode_dss_signature(PRIVATE.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if kind == "invoice":
        HASHES.setdefault(_number(sequence), digest)
    return Record(
        *(0, index - 1, OUTLET, index, 1, kind, statement.merchant_nif, document_id, _number(sequence)),
        *(exact(SEALED_AT), statement.encode(), encoded, bytes.fromhex(statement.payload_hash), previous, digest),
        *(signature, KEY.key_id, "http://127.0.0.1"),
    )


def _verify(*steps: tuple[str, int, str] | tuple[str, int, str, str]) -> Outcome:
    HASHES.clear()
    outcome, keys, previous = Outcome(), {KEY.key_id: KEY}, ZERO_HASH
    with closing(Facts()) as facts:
        ledger = Ledger(Scope(TYPICAL.authority), keys, facts, CreditJudge(facts, lambda _locator: b""))
        for index, (kind, sequence, document_id, *total) in enumerate(steps, start=1):
            record = _entry(index, previous, kind, sequence, document_id, total[0] if total else "104400.00")
            previous = record.entry_hash
            ledger.add(check(index, record, keys))
        ledger.finish(outcome)
    return outcome


ONE, TWO = DOCUMENTS


def test_sound_chain_is_good() -> None:
    outcome = _verify(("invoice", 1, ONE), ("invoice", 2, TWO), ("dgi_certified", 1, ONE), ("dgi_rejected", 2, TWO))
    (chain,) = outcome.chains
    assert outcome.is_good and (chain.entries, chain.invoices) == (4, 2)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([("invoice", 1, ONE), ("invoice", 3, TWO)], "the series continues with BONO-KIN001-01-000000002"),
        ([("invoice", 1, ONE), ("invoice", 1, TWO)], "the series continues with BONO-KIN001-01-000000002"),
        ([("invoice", 1, ONE), ("invoice", 2, ONE)], "is sealed twice"),
        ([("invoice", 1, ONE), ("dgi_certified", 2, TWO)], "no invoice BONO-KIN001-01-000000002 waits"),
        (
            [("invoice", 1, ONE), ("dgi_certified", 1, ONE), ("dgi_rejected", 1, ONE)],
            "no invoice BONO-KIN001-01-000000001 waits",
        ),
        ([("invoice", 1, ONE), ("dgi_certified", 1, ONE, "20000.00")], "does not repeat its invoice"),
    ],
)
def test_wrong_series_is_named_although_it_is_signed(steps: list[tuple], words: str) -> None:
    (fault,) = _verify(*steps).faults
    assert (fault.index, fault.check) == (len(steps), "numbering")
    assert words in fault.detail

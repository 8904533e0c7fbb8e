"""What must hold after everything that happened: nothing lost, nothing doubled, no gap, every hash and signature good.

Written from docs/contracts.md alone. It takes what the tills were answered and the rows as SQL gives them, so it can
be fed a ledger that is wrong: `test_checker_finds_every_fault.py` does.
"""

import base64
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.chaos.openssl import verifier

ENTRY_DOMAIN = b"bonopay/entry/1\n"
ZERO_HASH = bytes(32)
VERDICTS = ("dgi_certified", "dgi_rejected")
_NUMBER = re.compile(r"BONO-([A-Z0-9]{3,12})-([0-9]{2})-([0-9]{9})")

# The columns of signer.entry, in the order of `Row`.
COLUMNS = (
    "shard, position, outlet_id, index, epoch, kind, merchant_nif, document_id::text, fiscal_number, sealed_at, "
    "statement, payload, payload_hash, previous_hash, entry_hash, signature, key_id"
)


@dataclass(frozen=True)
class Row:
    shard: int
    position: int
    outlet_id: str
    index: int
    epoch: int
    kind: str
    merchant_nif: str
    document_id: str | None
    fiscal_number: str
    sealed_at: datetime
    statement: bytes
    payload: bytes
    payload_hash: bytes
    previous_hash: bytes
    entry_hash: bytes
    signature: bytes
    key_id: str

    @property
    def name(self) -> str:
        return f"{self.outlet_id}/{self.index} {self.fiscal_number}"


@dataclass(frozen=True)
class Answer:
    """What a till was answered: the canonical payload that it sent, and the body without the member `dgi`."""

    payload: bytes
    body: Mapping[str, Any]

    @property
    def document_id(self) -> str:
        return self.body["document_id"]


@dataclass
class Verdict:
    """One line per violation, by kind."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.gaps or self.broken)

    def counts(self) -> str:
        return " ".join(f"{name}={len(found)}" for name, found in vars(self).items())

    def lines(self) -> list[str]:
        return [f"{name}: {line}" for name, found in vars(self).items() for line in found]


def check(answers: Sequence[Answer], rows: Iterable[Row], keys: Mapping[str, bytes]) -> Verdict:
    """Judge a ledger by what was answered.

    :param answers: every answer that any till ever got, repeated ones too
    :param rows: the whole ledger, by outlet and index
    :param keys: DER SubjectPublicKeyInfo by key id
    """
    verdict = Verdict()
    ledger = list(rows)
    chains: dict[str, list[Row]] = defaultdict(list)
    for row in ledger:
        chains[row.outlet_id].append(row)
    verifiers = {key_id: verifier(der) for key_id, der in keys.items()}
    for chain in chains.values():
        _check_chain(chain, verifiers, verdict)
    _check_log(ledger, verdict)
    _check_unique(ledger, verdict)
    _check_answers(answers, ledger, verdict)
    return verdict


# --- the ledger by itself --------------------------------------------------------------------------------------------


def _check_chain(chain: Sequence[Row], verifiers: Mapping[str, Any], verdict: Verdict) -> None:
    index, sequence, previous, sealed_at = 0, 0, ZERO_HASH, None
    for row in chain:
        if row.index != index + 1:
            verdict.gaps.append(f"{row.name}: index {row.index} follows {index}")
        if row.previous_hash != previous:
            verdict.broken.append(f"{row.name}: does not name the hash of the entry before it")
        if sealed_at is not None and row.sealed_at < sealed_at:
            verdict.broken.append(f"{row.name}: sealed before the entry that it follows")
        if row.kind == "invoice":
            sequence += 1
            sequence = _check_number(row, sequence, verdict)
        verdict.broken += [f"{row.name}: {fault}" for fault in _faults(row, verifiers)]
        index, previous, sealed_at = row.index, row.entry_hash, row.sealed_at


def _check_number(row: Row, expected: int, verdict: Verdict) -> int:
    """The sequence to go on from."""
    match = _NUMBER.fullmatch(row.fiscal_number)
    if match is None or match[1] != row.outlet_id or int(match[2]) != row.epoch:
        verdict.broken.append(f"{row.name}: not a number of this outlet and epoch")
        return expected
    if int(match[3]) != expected:
        verdict.gaps.append(f"{row.name}: the number after {expected - 1} is {int(match[3])}")
    return int(match[3])


def _faults(row: Row, verifiers: Mapping[str, Any]) -> list[str]:
    """What is wrong with an entry by itself (docs/contracts.md §3)."""
    digest = hashlib.sha256(ENTRY_DOMAIN + row.previous_hash + hashlib.sha256(row.statement).digest()).digest()
    faults = [f"the statement's {name} is not the column's" for name in _differing_fields(row)]
    if hashlib.sha256(row.payload).digest() != row.payload_hash:
        faults.append("the payload does not have its hash")
    if digest != row.entry_hash:
        faults.append("the statement does not have the entry's hash")
    if row.key_id not in verifiers:
        faults.append(f"the key {row.key_id} was never published")
    elif not verifiers[row.key_id](digest, row.signature):
        faults.append("the signature does not verify")
    return faults


def _differing_fields(row: Row) -> list[str]:
    statement = json.loads(row.statement)
    columns = {
        "kind": row.kind,
        "epoch": row.epoch,
        "merchant_nif": row.merchant_nif,
        "outlet_id": row.outlet_id,
        "index": row.index,
        "fiscal_number": row.fiscal_number,
        "sealed_at": _timestamp(row.sealed_at),
        "payload_hash": row.payload_hash.hex(),
        "key_id": row.key_id,
    }
    return [name for name, value in columns.items() if statement.get(name) != value]


def _timestamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _check_log(ledger: Sequence[Row], verdict: Verdict) -> None:
    """The positions of a shard's log count from 0."""
    logs: dict[int, list[int]] = defaultdict(list)
    for row in ledger:
        logs[row.shard].append(row.position)
    for shard, positions in logs.items():
        for expected, position in enumerate(sorted(positions)):
            if position != expected:
                verdict.gaps.append(f"shard {shard}: position {position} where {expected} was due")
                break


def _check_unique(ledger: Sequence[Row], verdict: Verdict) -> None:
    invoices = [row for row in ledger if row.kind == "invoice"]
    faces = {
        "document": [(row.merchant_nif, row.document_id) for row in invoices],
        "fiscal number": [row.fiscal_number for row in invoices],
        "verdict of": [row.fiscal_number for row in ledger if row.kind in VERDICTS],
    }
    for what, values in faces.items():
        seen: set[Any] = set()
        for value in values:
            if value in seen:
                verdict.doubled.append(f"{what} {value} is in the ledger twice")
            seen.add(value)


# --- the ledger against what was answered ----------------------------------------------------------------------------


def _check_answers(answers: Sequence[Answer], ledger: Sequence[Row], verdict: Verdict) -> None:
    rows = {row.document_id: row for row in ledger if row.kind == "invoice"}
    first: dict[str, Answer] = {}
    for answer in answers:
        known = first.setdefault(answer.document_id, answer)
        if known != answer:
            verdict.doubled.append(f"{answer.document_id} was answered in two ways")
    for document_id, answer in first.items():
        row = rows.get(document_id)
        if row is None:
            verdict.lost.append(
                f"{answer.body['fiscal_number']} of {document_id} was answered and is not in the ledger"
            )
        elif difference := _difference(answer, row):
            verdict.lost.append(f"{row.name}: the ledger holds another {difference} than was answered")
    for document_id in rows.keys() - first.keys():
        verdict.doubled.append(f"{rows[document_id].name}: sealed, but nobody was ever answered for {document_id}")


def _difference(answer: Answer, row: Row) -> str | None:
    """The first member of an answer that the ledger does not bear out."""
    told = answer.body
    signature = base64.urlsafe_b64encode(row.signature).rstrip(b"=").decode()
    ledger = {
        "epoch": row.epoch,
        "index": row.index,
        "previous_hash": row.previous_hash.hex(),
        "entry_hash": row.entry_hash.hex(),
    }
    pairs = {
        "payload": (answer.payload, row.payload),
        "fiscal_number": (told["fiscal_number"], row.fiscal_number),
        "auth_code": (told["auth_code"], signature),
        "timestamp": (told["timestamp"], _timestamp(row.sealed_at)),
        "payload_hash": (told["payload_hash"], row.payload_hash.hex()),
        "key_id": (told["key_id"], row.key_id),
        "ledger": (told["ledger"], ledger),
    }
    return next((name for name, (said, stored) in pairs.items() if said != stored), None)

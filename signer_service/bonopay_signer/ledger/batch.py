"""The sealing core: from heads and drafts to numbered, chained statements. Pure: no database, no token, no clock.

Hashes chain the entries and signatures do not, so a planned batch is signed in any order, by several processes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from bonopay_signer.fiscal.canonical import sha256_hex
from bonopay_signer.fiscal.numbering import fiscal_number
from bonopay_signer.fiscal.statement import Statement, entry_hash
from bonopay_signer.ledger.entries import INVOICE, Entry, Head, timestamp

_CLOCK_TOLERANCE = timedelta(seconds=2)
_encoder = msgspec.json.Encoder(order="sorted")


class ClockBehind(Exception):
    """The clock shows a time before the last entry's: sealing now would date an invoice wrongly."""


class OutOfOrder(Exception):
    """The draft names a fiscal number, or the entry before it, and is not the next one (any more)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be appended.

    ``payload`` is canonical. ``fiscal_number`` None takes the next number of the outlet; an invoice that names one
    must name the next. ``submission`` is the row that the entry moves on, ``original`` the invoice that a credit note
    takes back. ``after`` is the hash of the one entry that it may follow, where its payload is true at that place only.
    """

    outlet_id: str
    merchant_nif: str
    kind: str
    document_id: UUID | None
    fiscal_number: str | None
    document_type: str
    total: str
    tax: str
    currency: str
    payload: bytes
    submission: int | None = None
    original: str | None = None
    after: bytes | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """A draft with its place: everything of an entry but the signature."""

    draft: Draft
    statement: Statement
    statement_bytes: bytes
    previous_hash: bytes
    entry_hash: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch in order, and the heads as they are once it is appended."""

    sealed_at: datetime
    entries: list[Planned]
    heads: dict[str, Head]


def seal_time(now: datetime, last: datetime) -> datetime:
    """The time to seal at: now, or the last entry's while a clock is being slewed. Raises ClockBehind."""
    if now < last - _CLOCK_TOLERANCE:
        raise ClockBehind(f"the clock shows {timestamp(now)}, the last entry was sealed at {timestamp(last)}")
    return max(now, last)


class Planner:
    """Gives drafts their places on top of ``heads``, one group after the other."""

    def __init__(self, heads: Mapping[str, Head], sealed_at: datetime, authority: str, key_id: str) -> None:
        self._before = heads
        self._sealed_at = sealed_at
        self._authority = authority
        self._key_id = key_id
        self.entries: list[Planned] = []
        self.heads: dict[str, Head] = {}

    def add(self, drafts: Sequence[Draft]) -> None:
        """All of a group, or none of it. Raises OutOfOrder; KeyError for an outlet without a head."""
        head = self.heads.get(drafts[0].outlet_id) or self._before[drafts[0].outlet_id]
        placed = []
        for draft in drafts:
            planned = _place(draft, head, timestamp(self._sealed_at), self._authority, self._key_id)
            head = _moved(head, planned, self._sealed_at)
            placed.append(planned)
        self.entries += placed
        self.heads[head.outlet_id] = head

    def plan(self) -> Plan:
        return Plan(self._sealed_at, self.entries, self.heads)


def _moved(head: Head, planned: Planned, sealed_at: datetime) -> Head:
    sequence = head.sequence + (planned.draft.kind == INVOICE)
    index = planned.statement.index
    return Head(head.outlet_id, head.merchant_nif, head.epoch, index, planned.entry_hash, sequence, sealed_at)


def _place(draft: Draft, head: Head, sealed_at: str, authority: str, key_id: str) -> Planned:
    if draft.after not in (None, head.entry_hash):
        raise OutOfOrder(f"the draft does not follow entry {head.index} of {head.outlet_id}, the last one")
    statement = Statement(
        v=1,
        kind=draft.kind,
        authority=authority,
        epoch=head.epoch,
        merchant_nif=draft.merchant_nif,
        outlet_id=draft.outlet_id,
        index=head.index + 1,
        fiscal_number=_number(draft, head),
        document_type=draft.document_type,
        sealed_at=sealed_at,
        total=draft.total,
        tax=draft.tax,
        currency=draft.currency,
        payload_hash=sha256_hex(draft.payload),
        key_id=key_id,
    )
    encoded = _encoder.encode(statement)
    return Planned(draft, statement, encoded, head.entry_hash, entry_hash(head.entry_hash, encoded))


def _number(draft: Draft, head: Head) -> str:
    if draft.kind != INVOICE:
        return draft.fiscal_number or ""
    following = fiscal_number(head.outlet_id, head.epoch, head.sequence + 1)
    if draft.fiscal_number not in (None, following):
        raise OutOfOrder(f"{draft.fiscal_number} is not the next number of {head.outlet_id}, {following} is")
    return following


def signed_entries(plan: Plan, signatures: Sequence[bytes], shard: int, size: int, public_url: str) -> list[Entry]:
    """The rows of a signed plan; the first gets position ``size``."""
    return [
        _entry(planned, signature, shard, size + offset, plan.sealed_at, public_url)
        for offset, (planned, signature) in enumerate(zip(plan.entries, signatures, strict=True))
    ]


def _entry(planned: Planned, signature: bytes, shard: int, position: int, sealed_at: datetime, url: str) -> Entry:
    draft, statement = planned.draft, planned.statement
    entry = Entry(
        shard=shard,
        position=position,
        outlet_id=draft.outlet_id,
        index=statement.index,
        epoch=statement.epoch,
        kind=draft.kind,
        merchant_nif=draft.merchant_nif,
        document_id=draft.document_id,
        fiscal_number=statement.fiscal_number,
        sealed_at=sealed_at,
        statement=planned.statement_bytes,
        payload=draft.payload,
        payload_hash=bytes.fromhex(statement.payload_hash),
        previous_hash=planned.previous_hash,
        entry_hash=planned.entry_hash,
        signature=signature,
        key_id=statement.key_id,
        public_url=url,
    )
    vars(entry)["statement_values"] = statement  # what the cached property would decode
    return entry

"""The rows of the ledger as values."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec

from bonopay_signer.fiscal.statement import Statement

INVOICE, CERTIFIED, REJECTED = "invoice", "dgi_certified", "dgi_rejected"
EPOCH_OPENED, KEY_ROTATION = "epoch_opened", "key_rotation"
VERDICTS = (CERTIFIED, REJECTED)

ENTRY_COLUMNS = (
    "shard, position, outlet_id, index, epoch, kind, merchant_nif, document_id, fiscal_number, sealed_at, statement, "
    "payload, payload_hash, previous_hash, entry_hash, signature, key_id, public_url"
)


@dataclass(frozen=True, slots=True)
class Head:
    """Where an outlet's chain ends: index 0 and 32 zero bytes before the first entry; ``sequence`` counts invoices."""

    outlet_id: str
    merchant_nif: str
    epoch: int
    index: int
    entry_hash: bytes
    sequence: int
    sealed_at: datetime


@dataclass(frozen=True)
class Entry:
    """A row of the ledger, in the order of ENTRY_COLUMNS. ``position`` counts the entries of the shard from 0;
    ``document_id`` is None and ``fiscal_number`` empty for what concerns no document."""

    shard: int
    position: int
    outlet_id: str
    index: int
    epoch: int
    kind: str
    merchant_nif: str
    document_id: UUID | None
    fiscal_number: str
    sealed_at: datetime
    statement: bytes
    payload: bytes
    payload_hash: bytes
    previous_hash: bytes
    entry_hash: bytes
    signature: bytes
    key_id: str
    public_url: str

    @cached_property
    def statement_fields(self) -> dict[str, Any]:
        return json.loads(self.statement)

    @cached_property
    def statement_values(self) -> Statement:
        """Raises msgspec.MsgspecError for what is no statement."""
        return msgspec.json.decode(self.statement, type=Statement)

    @cached_property
    def payload_fields(self) -> dict[str, Any]:
        return json.loads(self.payload)


def now_ms() -> datetime:
    """UTC now, cut to whole milliseconds: the precision of ``sealed_at``."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def timestamp(moment: datetime) -> str:
    """``2026-11-21T08:30:00.123Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"

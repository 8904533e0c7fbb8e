"""Entries on their way through a verification."""

from typing import Any

from msgspec import Struct

from bonopay_signer.fiscal.statement import Statement

COLUMNS = (
    "shard, position, outlet_id, index, epoch, kind, merchant_nif, document_id::text, fiscal_number, "
    "to_char(sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), statement, payload, payload_hash, "
    "previous_hash, entry_hash, signature, key_id, public_url"
)
"""Every column of signer.entry in the order of Record, as what any value can be read: also a time without end."""


class Record(Struct, frozen=True, array_like=True):
    """A stored or exported entry; nothing of it is believed."""

    shard: int
    position: int
    outlet_id: str
    index: int
    epoch: int
    kind: str
    merchant_nif: str
    document_id: str | None
    fiscal_number: str
    sealed_at: str | None
    statement: bytes
    payload: bytes
    payload_hash: bytes
    previous_hash: bytes
    entry_hash: bytes
    signature: bytes
    key_id: str
    public_url: str


class Checked(Struct, frozen=True, array_like=True):
    """An entry that was checked by itself.

    ``fault`` is the first check that failed and why; the rest is meaningful where it is None. ``locator`` finds the
    entry's payload again in its source. ``facts`` is the payload of what is no invoice; of a credit note,
    ``original`` is the number that it names.
    """

    locator: int
    shard: int
    position: int
    outlet_id: str
    index: int
    public_url: str
    fault: tuple[str, str] | None = None
    statement: Statement | None = None
    document_id: str | None = None
    previous_hash: bytes = b""
    entry_hash: bytes = b""
    signature: bytes = b""
    original: str | None = None
    facts: dict[str, Any] | None = None

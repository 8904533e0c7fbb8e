"""Re-derives an outlet's chain from its bytes and names the first entry that does not hold.

Nothing in the rows is believed: canonical bytes, hashes, links, numbering and signatures are computed again, and the
columns that queries rely on are compared with the signed statement.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.numbering import fiscal_number
from bonopay_signer.fiscal.statement import ZERO_HASH, Statement, entry_hash
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.entries import INVOICE, Entry, Head, timestamp

_NEVER = "1970-01-01T00:00:00.000Z"  # the time of a head that has no entry yet


@dataclass(frozen=True)
class Fault:
    """The first entry that does not hold; ``index`` is None when the head itself does not."""

    outlet_id: str
    index: int | None
    check: str
    detail: str


@dataclass(frozen=True)
class Verified:
    outlet_id: str
    entries: int
    invoices: int
    entry_hash: bytes


@dataclass
class _Chain:
    """What the entries so far say about the next one."""

    outlet_id: str
    epoch: int = 1
    index: int = 0
    sequence: int = 0
    entry_hash: bytes = ZERO_HASH
    sealed_at: str = ""
    invoices: dict[str, Statement] = field(default_factory=dict)
    verdicts: set[str] = field(default_factory=set)
    documents: set[tuple[str, str]] = field(default_factory=set)


Check = Callable[[_Chain, Entry, Statement, Mapping[str, PublicKey]], str | None]


async def verify_chain(
    outlet_id: str, entries: AsyncIterator[Entry], head: Head | None, keys: Mapping[str, PublicKey]
) -> Verified | Fault:
    """Verify all entries of an outlet, in the order of their index, and the head that names the last of them."""
    chain = _Chain(outlet_id)
    async for entry in entries:
        fault = _first_fault(chain, entry, keys)
        if fault is not None:
            return Fault(outlet_id, entry.index, *fault)
    ends = (chain.epoch, chain.index, chain.sequence, chain.entry_hash)
    if head is None or (head.epoch, head.index, head.sequence, head.entry_hash) != ends:
        return Fault(outlet_id, None, "head", f"the head does not name entry {chain.index}, the last one")
    if timestamp(head.sealed_at) != (chain.sealed_at or _NEVER):
        return Fault(outlet_id, None, "head", f"the head's time is {timestamp(head.sealed_at)}, not the last entry's")
    return Verified(outlet_id, chain.index, chain.sequence, chain.entry_hash)


def _first_fault(chain: _Chain, entry: Entry, keys: Mapping[str, PublicKey]) -> tuple[str, str] | None:
    try:
        statement = msgspec.json.decode(entry.statement, type=Statement)
    except msgspec.MsgspecError as error:
        return "statement", f"the statement cannot be read: {error}"
    for name, check in _CHECKS:
        try:
            detail = check(chain, entry, statement, keys)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            detail = f"the entry cannot be read: {error!r}"
        if detail is not None:
            return name, detail
    _advance(chain, entry, statement)
    return None


def _canonical(_chain: _Chain, entry: Entry, statement: Statement, _keys: Mapping[str, PublicKey]) -> str | None:
    if statement.encode() != entry.statement:
        return "the statement's bytes are not canonical"
    payload = _decoded(entry.payload)
    if payload is None or canonical.encode(payload) != entry.payload:
        return "the payload's bytes are not canonical"
    return None


def _hashes(_chain: _Chain, entry: Entry, statement: Statement, _keys: Mapping[str, PublicKey]) -> str | None:
    if (
        canonical.sha256_hex(entry.payload) != statement.payload_hash
        or entry.payload_hash.hex() != statement.payload_hash
    ):
        return "the payload is not the one that was sealed"
    if entry_hash(entry.previous_hash, entry.statement) != entry.entry_hash:
        return "the entry's hash is not that of its statement"
    return None


def _columns(_chain: _Chain, entry: Entry, statement: Statement, _keys: Mapping[str, PublicKey]) -> str | None:
    return contradiction(entry, statement)


def contradiction(entry: Entry, statement: Statement) -> str | None:
    """The first column that does not say what was sealed: queries find entries by their columns."""
    for name, stored, sealed in _column_pairs(entry, statement):
        if stored != sealed:
            return f"column {name} says {stored!r}, the sealed statement {sealed!r}"
    return None


def _column_pairs(entry: Entry, statement: Statement) -> Iterator[tuple[str, Any, Any]]:
    for name in ("outlet_id", "index", "epoch", "kind", "merchant_nif", "fiscal_number", "key_id"):
        yield name, getattr(entry, name), getattr(statement, name)
    yield "sealed_at", timestamp(entry.sealed_at), statement.sealed_at
    yield "document_id", str(entry.document_id), entry.payload_fields.get("document_id")


def _content(_chain: _Chain, entry: Entry, statement: Statement, _keys: Mapping[str, PublicKey]) -> str | None:
    payload = entry.payload_fields
    if payload.get("schema") != f"bonopay.{entry.kind}/1":
        return f"the payload's schema is {payload.get('schema')!r}"
    if entry.kind != INVOICE:
        return None
    expected = (payload["merchant_nif"], payload["outlet_id"], payload["invoice_type"])
    amounts = (payload["totals"]["total"], payload["totals"]["tax"], payload["totals"]["currency"])
    sealed = (statement.merchant_nif, statement.outlet_id, statement.document_type)
    if (*expected, *amounts) != (*sealed, statement.total, statement.tax, statement.currency):
        return "the statement and the payload disagree"
    return None


def _link(chain: _Chain, entry: Entry, statement: Statement, _keys: Mapping[str, PublicKey]) -> str | None:
    if entry.outlet_id != chain.outlet_id or statement.epoch != chain.epoch:
        return "the entry belongs to another chain"
    if entry.index != chain.index + 1:
        return f"entry {chain.index + 1} is missing"
    if entry.previous_hash != chain.entry_hash:
        return f"the entry does not follow entry {chain.index}"
    if statement.sealed_at < chain.sealed_at:
        return "the entry is older than the one before it"
    return None


def _numbering(chain: _Chain, entry: Entry, statement: Statement, _keys: Mapping[str, PublicKey]) -> str | None:
    if entry.kind == INVOICE:
        expected = fiscal_number(chain.outlet_id, chain.epoch, chain.sequence + 1)
        if statement.fiscal_number != expected:
            return f"the number is {statement.fiscal_number}, the series continues with {expected}"
        if (entry.merchant_nif, str(entry.document_id)) in chain.documents:
            return f"document {entry.document_id} is sealed twice"
        return None
    invoice = chain.invoices.get(statement.fiscal_number)
    if invoice is None or statement.fiscal_number in chain.verdicts:
        return f"no invoice {statement.fiscal_number} waits for an answer of the DGI"
    repeated = ("document_type", "total", "tax", "currency", "merchant_nif")
    if any(getattr(invoice, name) != getattr(statement, name) for name in repeated):
        return "the statement does not repeat its invoice"
    return None


def _signature(_chain: _Chain, entry: Entry, statement: Statement, keys: Mapping[str, PublicKey]) -> str | None:
    key = keys.get(statement.key_id)
    if key is None:
        return f"key {statement.key_id} is not among the published keys"
    return None if key.verifies(entry.signature, entry.entry_hash) else "the signature does not verify"


_CHECKS: tuple[tuple[str, Check], ...] = (
    ("canonical", _canonical),
    ("hash", _hashes),
    ("columns", _columns),
    ("content", _content),
    ("link", _link),
    ("numbering", _numbering),
    ("signature", _signature),
)


def _advance(chain: _Chain, entry: Entry, statement: Statement) -> None:
    chain.index, chain.entry_hash, chain.sealed_at = entry.index, entry.entry_hash, statement.sealed_at
    if entry.kind == INVOICE:
        chain.sequence += 1
        chain.documents.add((entry.merchant_nif, str(entry.document_id)))
        chain.invoices[statement.fiscal_number] = statement
    else:
        chain.verdicts.add(statement.fiscal_number)


def _decoded(payload: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(payload, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None

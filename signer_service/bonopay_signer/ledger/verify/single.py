"""One entry by itself. Nothing in its row is believed: bytes, hashes and the signature are computed again, and the
columns are compared with the signed statement."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.parsing import PayloadMalformed, parse
from bonopay_signer.fiscal.schema import Invoice
from bonopay_signer.fiscal.statement import Statement, entry_hash
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger.columns import contradiction
from bonopay_signer.ledger.entries import INVOICE
from bonopay_signer.ledger.verify.records import Checked, Record

_statement_decoder = msgspec.json.Decoder(Statement)
_object_decoder = msgspec.json.Decoder(dict[str, Any])


class Parts(msgspec.Struct):
    """A record and what was read out of its bytes; ``payload`` is an Invoice or, of another kind or form, a dict."""

    record: Record
    statement: Statement
    payload: Any
    malformed: str | None


Check = Callable[[Parts, Mapping[str, PublicKey]], str | None]


def check(locator: int, record: Record, keys: Mapping[str, PublicKey]) -> Checked:
    """Never raises for what a row can hold. ``keys``: the published ones by their id."""
    try:
        statement = _statement_decoder.decode(record.statement)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _faulty(locator, record, record.index, "statement", f"the statement cannot be read: {error}")
    payload, malformed = _payload(record)
    parts = Parts(record, statement, payload, malformed)
    for name, rule in _CHECKS:
        detail = rule(parts, keys)
        if detail is not None:
            return _faulty(locator, record, statement.index, name, detail)
    return _sound(locator, parts)


def _faulty(locator: int, record: Record, index: int, name: str, detail: str) -> Checked:
    place = (locator, record.shard, record.position, record.outlet_id, index, record.public_url)
    return Checked(*place, fault=(name, detail))


def _sound(locator: int, parts: Parts) -> Checked:
    record, payload = parts.record, parts.payload
    credit = payload.credit if isinstance(payload, Invoice) else None
    return Checked(
        *(locator, record.shard, record.position, record.outlet_id, record.index, record.public_url),
        statement=parts.statement,
        document_id=record.document_id,
        previous_hash=record.previous_hash,
        entry_hash=record.entry_hash,
        signature=record.signature,
        original=credit.original_fiscal_number if credit else None,
        facts=None if isinstance(payload, Invoice) else payload,
    )


def _payload(record: Record) -> tuple[Any, str | None]:
    """The payload, None where it is no object, and what keeps an invoice from being one."""
    malformed = None
    if record.kind == INVOICE:
        try:
            return parse(record.payload), None
        except PayloadMalformed as error:
            malformed = ", ".join(f"{found.pointer} {found.code}" for found in error.findings[:3])
    try:
        return _object_decoder.decode(record.payload), malformed
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, malformed


def _canonical(parts: Parts, _keys: Mapping[str, PublicKey]) -> str | None:
    try:
        if parts.statement.encode() != parts.record.statement:
            return "the statement's bytes are not canonical"
    except ValueError as error:
        return str(error)
    if not _is_canonical(parts.payload, parts.record.payload):
        return "the payload's bytes are not canonical"
    return None


def _is_canonical(payload: Any, data: bytes) -> bool:
    try:
        return payload is not None and canonical.encode(payload) == data
    except (ValueError, RecursionError):
        return False


def _hashes(parts: Parts, _keys: Mapping[str, PublicKey]) -> str | None:
    record, statement = parts.record, parts.statement
    if not canonical.sha256_hex(record.payload) == statement.payload_hash == record.payload_hash.hex():
        return "the payload is not the one that was sealed"
    try:
        expected = entry_hash(record.previous_hash, record.statement)
    except ValueError as error:
        return str(error)
    return None if expected == record.entry_hash else "the entry's hash is not that of its statement"


def _columns(parts: Parts, _keys: Mapping[str, PublicKey]) -> str | None:
    record, payload = parts.record, parts.payload
    sealed = payload.document_id if isinstance(payload, Invoice) else payload.get("document_id")
    return contradiction(record, parts.statement, record.sealed_at or "no time", record.document_id, sealed)


def _content(parts: Parts, _keys: Mapping[str, PublicKey]) -> str | None:
    statement, payload = parts.statement, parts.payload
    if parts.malformed is not None:
        return f"the payload is no invoice: {parts.malformed}"
    if not isinstance(payload, Invoice):
        expected = f"bonopay.{statement.kind}/1"
        found = payload.get("schema")
        return None if found == expected else f"the payload's schema is {found!r}, not {expected}"
    theirs = (payload.merchant_nif, payload.outlet_id, payload.invoice_type)
    amounts = (payload.totals.total, payload.totals.tax, payload.totals.currency)
    sealed = (statement.merchant_nif, statement.outlet_id, statement.document_type)
    if (*theirs, *amounts) != (*sealed, statement.total, statement.tax, statement.currency):
        return "the statement and the payload disagree"
    return None


def _signature(parts: Parts, keys: Mapping[str, PublicKey]) -> str | None:
    key = keys.get(parts.statement.key_id)
    if key is None:
        return f"key {parts.statement.key_id} is not among the published keys"
    if not key.verifies(parts.record.signature, parts.record.entry_hash):
        return "the signature does not verify"
    return None


_CHECKS: tuple[tuple[str, Check], ...] = (
    ("canonical", _canonical),
    ("hash", _hashes),
    ("columns", _columns),
    ("content", _content),
    ("signature", _signature),
)

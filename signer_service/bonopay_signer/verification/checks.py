"""Verifies one invoice by its number and short code, or by the content of its QR."""

import hmac
from typing import Literal

import msgspec
import psycopg
from msgspec import Struct, structs

from bonopay_signer.fiscal import canonical, qr, security
from bonopay_signer.fiscal.statement import ZERO_HASH, Statement, entry_hash
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.columns import contradiction, exact_time
from bonopay_signer.ledger.entries import INVOICE, Entry
from bonopay_signer.sealing.answer import DgiAnswer, dgi_answer
from bonopay_signer.tenants.rows import find_outlet

_NO_SIGNATURE = bytes(security.SIGNATURE_LENGTH)


class Check(Struct, frozen=True):
    name: Literal["short_code", "content", "signature", "ledger"]
    passed: bool


class Verification(Struct, frozen=True):
    """Never lines, buyer or payments. Everything but ``result`` and ``checks`` is null unless it was verified."""

    result: Literal["verified", "mismatch", "not_found"]
    seller: str | None = None
    merchant_nif: str | None = None
    fiscal_number: str | None = None
    document_type: str | None = None
    total: str | None = None
    tax: str | None = None
    currency: str | None = None
    sealed_at: str | None = None
    dgi: DgiAnswer | None = None
    checks: list[Check] = []


NOT_FOUND = Verification("not_found")


async def verify_number(connection: psycopg.AsyncConnection, fiscal_number: str, code: str) -> Verification:
    """An unknown number and a wrong short code are answered alike; the code is compared in constant time."""
    signature = await reader.invoice_signature(connection, fiscal_number)
    expected = security.short_code(signature or _NO_SIGNATURE)
    if not hmac.compare_digest(_normalized(code).encode(), expected.encode()) or signature is None:
        return NOT_FOUND
    entry = await reader.invoice_by_number(connection, fiscal_number)
    if entry is None:
        return NOT_FOUND
    checks = [Check("short_code", True), *await _entry_checks(connection, entry)]
    return await _verification(connection, entry, checks)


async def verify_qr(connection: psycopg.AsyncConnection, blob: str) -> Verification:
    """The QR's own signature first, then the ledger. What is not a QR of ours is not found."""
    try:
        content = qr.from_base32(blob)
    except ValueError:
        return NOT_FOUND
    if content.statement.kind != INVOICE:
        return NOT_FOUND
    digest = entry_hash(content.previous_hash, content.statement.encode())
    signed = await _is_signed(connection, content.statement.key_id, content.signature, digest)
    entry = await reader.invoice_by_number(connection, content.statement.fiscal_number)
    recorded = (
        entry is not None
        and hmac.compare_digest(entry.entry_hash, digest)
        and hmac.compare_digest(entry.signature, content.signature)
    )
    if entry is None or not (signed and recorded):
        return Verification("mismatch", checks=[Check("signature", signed), Check("ledger", recorded)])
    return await _verification(connection, entry, await _entry_checks(connection, entry))


async def _entry_checks(connection: psycopg.AsyncConnection, entry: Entry) -> list[Check]:
    """The invoice's entry, and with "ledger" the DGI's verdict on it: whoever writes to the database forges neither."""
    signed = await _is_signed(connection, entry.key_id, entry.signature, entry.entry_hash)
    linked = await _is_linked(connection, entry) and await _verdict_holds(connection, entry)
    return [Check("content", _content_holds(entry)), Check("signature", signed), Check("ledger", linked)]


def _content_holds(entry: Entry) -> bool:
    """Whether payload, hashes and columns are those that the statement names."""
    try:
        statement = msgspec.json.decode(entry.statement, type=Statement)
    except msgspec.MsgspecError:
        return False
    sealed = canonical.sha256_hex(entry.payload) == statement.payload_hash == entry.payload_hash.hex()
    same_entry = entry_hash(entry.previous_hash, entry.statement) == entry.entry_hash
    return sealed and same_entry and _contradiction(entry, statement) is None


def _contradiction(entry: Entry, statement: Statement) -> str | None:
    document_id = str(entry.document_id) if entry.document_id else None
    sealed = entry.payload_fields.get("document_id")
    return contradiction(entry, statement, exact_time(entry.sealed_at), document_id, sealed)


async def _is_linked(connection: psycopg.AsyncConnection, entry: Entry) -> bool:
    if entry.index == 1:
        return entry.previous_hash == ZERO_HASH
    previous = await reader.entry_before(connection, entry)
    return previous is not None and previous.entry_hash == entry.previous_hash


async def _verdict_holds(connection: psycopg.AsyncConnection, invoice: Entry) -> bool:
    verdict = await reader.verdict(connection, invoice.fiscal_number)
    if verdict is None:
        return not await reader.has_verdict(connection, invoice.fiscal_number)
    return (
        _content_holds(verdict)
        and verdict.payload_fields.get("invoice_entry_hash") == invoice.entry_hash.hex()
        and await _is_signed(connection, verdict.key_id, verdict.signature, verdict.entry_hash)
        and await _is_linked(connection, verdict)
    )


async def _is_signed(connection: psycopg.AsyncConnection, key_id: str, signature: bytes, digest: bytes) -> bool:
    keys = {key.key_id: key for key, _ in await reader.signing_keys(connection)}
    return key_id in keys and keys[key_id].verifies(signature, digest)


async def _verification(connection: psycopg.AsyncConnection, entry: Entry, checks: list[Check]) -> Verification:
    if not all(check.passed for check in checks):
        return Verification("mismatch", checks=checks)
    statement = Statement(**entry.statement_fields)
    outlet = await find_outlet(connection, entry.outlet_id)
    # The DGI's words about a refusal may name the buyer.
    dgi = structs.replace(await dgi_answer(connection, entry), error=None)
    return Verification(
        "verified",
        seller=outlet.merchant_name if outlet else None,
        merchant_nif=statement.merchant_nif,
        fiscal_number=statement.fiscal_number,
        document_type=statement.document_type,
        total=statement.total,
        tax=statement.tax,
        currency=statement.currency,
        sealed_at=statement.sealed_at,
        dgi=dgi,
        checks=checks,
    )


def _normalized(code: str) -> str:
    try:
        return security.normalize_short_code(code)
    except ValueError:
        return ""

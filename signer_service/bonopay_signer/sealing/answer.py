"""The sealed answer (docs/contracts.md §5), derived from the ledger alone: a replay is the same bytes for ever."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import psycopg
from msgspec import UNSET, Struct, UnsetType

from bonopay_signer.fiscal import qr, security
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.entries import CERTIFIED, Entry
from bonopay_signer.sealing import submissions
from bonopay_signer.sealing.submissions import State
from bonopay_signer.sealing.totals import ComparedAmount
from bonopay_signer.tenants.rows import INLINE, Outlet, find_outlet

DgiStatus = Literal["certified", "pending", "unknown", "rejected"]


class LedgerPosition(Struct, frozen=True):
    epoch: int
    index: int
    previous_hash: str
    entry_hash: str


class DgiError(Struct, frozen=True, omit_defaults=True):
    """The DGI's own code and words. ``comparison``: every amount beside the DGI's, when its totals are not ours."""

    code: str
    message: str
    comparison: list[ComparedAmount] | UnsetType = UNSET


class DgiAnswer(Struct, frozen=True):
    """What the DGI made of the invoice; the elements are exactly as it returned them."""

    mode: Literal["inline", "deferred"]
    status: DgiStatus
    code: str | None
    nim: str
    isf: str
    counters: str | None
    time: str | None
    qr: str | None
    error: DgiError | None


class SealedInvoice(Struct, frozen=True):
    document_id: str
    fiscal_number: str
    fiscal_authority_id: str
    auth_code: str
    short_code: str
    timestamp: str
    qr_payload: str
    verification_url: str
    payload_hash: str
    key_id: str
    ledger: LedgerPosition
    dgi: DgiAnswer


async def sealed_invoice(connection: psycopg.AsyncConnection, entry: Entry) -> SealedInvoice:
    """The answer for an invoice's entry, with what the DGI has said of it by now."""
    return sealed_answer(entry, await dgi_answer(connection, entry))


def sealed_answer(entry: Entry, dgi: DgiAnswer) -> SealedInvoice:
    """The answer for an invoice's entry. Everything but ``dgi`` follows from the entry alone."""
    statement = entry.statement_values
    short_code = security.short_code(entry.signature)
    return SealedInvoice(
        document_id=str(entry.document_id),
        fiscal_number=entry.fiscal_number,
        fiscal_authority_id=statement.authority,
        auth_code=security.auth_code(entry.signature),
        short_code=short_code,
        timestamp=statement.sealed_at,
        qr_payload=qr.encode_valid(entry.public_url, statement, entry.previous_hash, entry.signature),
        verification_url=verification_address(entry),
        payload_hash=statement.payload_hash,
        key_id=entry.key_id,
        ledger=LedgerPosition(statement.epoch, statement.index, entry.previous_hash.hex(), entry.entry_hash.hex()),
        dgi=dgi,
    )


def verification_address(entry: Entry) -> str:
    """Where people verify an invoice, without typing."""
    return f"{entry.public_url}/verify/{entry.fiscal_number}?code={security.short_code(entry.signature)}"


async def dgi_answer(connection: psycopg.AsyncConnection, entry: Entry) -> DgiAnswer:
    """The DGI's verdict of an invoice from the ledger, or how its confirmation stands."""
    verdict = await reader.verdict(connection, entry.fiscal_number)
    outlet = await find_outlet(connection, entry.outlet_id)
    if verdict is not None:
        return judged(outlet, verdict.kind, verdict.payload_fields)
    submission = await submissions.of_number(connection, entry.fiscal_number)
    return undecided(outlet, submission.state if submission else None, submission.mcf if submission else None)


def judged(outlet: Outlet | None, kind: str, payload: Mapping[str, Any]) -> DgiAnswer:
    """From the kind and payload of the verdict's entry."""
    mode, nim, isf = outlet.dgi_mode if outlet else INLINE, payload["nim"], payload["isf"]
    if kind == CERTIFIED:
        elements = {name: payload[name] for name in ("code", "counters", "time", "qr")}
        return DgiAnswer(mode, "certified", nim=nim, isf=isf, error=None, **elements)
    error = msgspec.convert(payload["error"], DgiError)
    return DgiAnswer(mode, "rejected", None, nim, isf, None, None, None, error)


def undecided(outlet: Outlet | None, state: State | str | None, mcf: str | None = None) -> DgiAnswer:
    """While there is no verdict. ``state`` and ``mcf``: of the submission, None without one."""
    status: DgiStatus = "unknown" if state in (None, State.UNKNOWN) else "pending"
    nim, isf = (outlet.nim_of(mcf), outlet.isf) if outlet else ("", "")
    return DgiAnswer(outlet.dgi_mode if outlet else INLINE, status, None, nim, isf, None, None, None, None)

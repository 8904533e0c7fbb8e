"""What the columns of an entry must say: queries find entries by them, the signature covers the statement alone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from bonopay_signer.fiscal.statement import Statement


class Row(Protocol):
    """The columns of signer.entry that repeat the statement."""

    outlet_id: str
    index: int
    epoch: int
    kind: str
    merchant_nif: str
    fiscal_number: str
    key_id: str


def contradiction(row: Row, statement: Statement, sealed_at: str, document_id: str | None, sealed: Any) -> str | None:
    """The first column that does not say what was sealed.

    ``sealed_at`` is the column in the form of ``exact_time``; ``sealed`` is the document id of the payload.
    """
    for name, stored, signed in _pairs(row, statement, sealed_at, document_id, sealed):
        if stored != signed:
            return f"column {name} says {stored!r}, the sealed statement {signed!r}"
    return None


def _pairs(
    row: Row, statement: Statement, sealed_at: str, document_id: str | None, sealed: Any
) -> Iterator[tuple[str, Any, Any]]:
    for name in ("outlet_id", "index", "epoch", "kind", "merchant_nif", "fiscal_number", "key_id"):
        yield name, getattr(row, name), getattr(statement, name)
    yield "sealed_at", sealed_at, exact(statement.sealed_at)
    yield "document_id", document_id, sealed


def exact_time(moment: datetime) -> str:
    """A column's time with all its microseconds: ``2026-11-21T08:30:00.123000Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def exact(sealed_at: str) -> str:
    """The same for a statement's time, which has milliseconds."""
    return f"{sealed_at[:-1]}000Z"

"""Lists of sealed invoices: filtered, the latest issued first, a page at a time.

The order is (issued_at, outlet_id, index), descending, which no later invoice changes; the index ``entry_of_merchant``
of every month has it. For the rare states of the DGI (pending, unknown, rejected) the search starts from the few
invoices that are in them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct
from psycopg.rows import class_row

from bonopay_signer.api.cursors import Position
from bonopay_signer.api.pages import Page
from bonopay_signer.fiscal.schema import InvoiceType
from bonopay_signer.ledger.entries import ENTRY_COLUMNS, REJECTED, Entry
from bonopay_signer.sealing.answer import DgiAnswer, DgiStatus, SealedInvoice, judged, sealed_answer, undecided
from bonopay_signer.tenants.apikeys import ApiKey
from bonopay_signer.tenants.rows import Outlet, find_outlets

TYPES: tuple[str, ...] = get_args(InvoiceType)
STATUSES: tuple[str, ...] = get_args(DgiStatus)

# The payload is not part of a list, and may be large.
_COLUMNS = ", ".join("''::bytea AS payload" if name == "payload" else f"e.{name}" for name in ENTRY_COLUMNS.split(", "))
_THIS = "(e.outlet_id, e.index, e.sealed_at)"
_OPEN = (
    f"{_THIS} IN (SELECT d.outlet_id, d.index, d.sealed_at FROM signer.submission s "
    "JOIN signer.document d ON d.fiscal_number = s.fiscal_number WHERE s.merchant_nif = %(merchant_nif)s "
    "AND s.state NOT IN ('released', 'settled') AND s.state = ANY(%(states)s))"
)
_REJECTED = (
    "SELECT d.outlet_id, d.index, d.sealed_at FROM signer.entry r JOIN signer.document d "
    f"ON d.fiscal_number = r.fiscal_number WHERE r.merchant_nif = %(merchant_nif)s AND r.kind = '{REJECTED}'"
)
_WITH_STATUS = {
    "pending": _OPEN,
    "unknown": _OPEN,
    "rejected": f"{_THIS} IN ({_REJECTED})",
    "certified": (
        "EXISTS (SELECT FROM signer.verdict v WHERE v.fiscal_number = e.fiscal_number) "
        f"AND {_THIS} NOT IN ({_REJECTED})"
    ),
}
_STATES = {"pending": ["queued", "confirming"], "unknown": ["unknown"]}
_CONDITIONS = {
    "outlet_id": "e.outlet_id = %(outlet_id)s",
    "outlets": "e.outlet_id = ANY(%(outlets)s)",
    "invoice_type": "e.document_type = %(invoice_type)s",
    "issued_from": "e.issued_at >= %(issued_from)s",
    "issued_to": "e.issued_at < %(issued_to)s",
    "document_id": (
        f"{_THIS} IN (SELECT outlet_id, index, sealed_at FROM signer.document "
        "WHERE merchant_nif = %(merchant_nif)s AND document_id = %(document_id)s)"
    ),
}


class ListedInvoice(SealedInvoice, frozen=True):
    """A sealed invoice with what a list shows of it."""

    outlet_id: str
    invoice_type: str
    issued_at: str
    total: str
    tax: str
    currency: str


class InvoicePage(Struct, frozen=True):
    invoices: list[ListedInvoice]
    next_cursor: str | None


@dataclass(frozen=True)
class Filters:
    """What a list is restricted to; ``outlets`` are those of the key, None for all of the merchant's."""

    merchant_nif: str
    outlets: list[str] | None
    outlet_id: str | None
    invoice_type: str | None
    issued_from: str | None
    issued_to: str | None
    dgi_status: str | None
    document_id: UUID | None

    @classmethod
    def of(cls, key: ApiKey, values: dict[str, Any]) -> "Filters":
        """From the parameters that were given."""
        document_id = values.get("document_id")
        return cls(
            key.merchant_nif,
            key.outlets,
            values.get("outlet_id"),
            values.get("type"),
            values.get("issued_from"),
            values.get("issued_to"),
            values.get("dgi_status"),
            UUID(document_id) if document_id else None,
        )

    def scope(self) -> list[Any]:
        """What a cursor is good for: these filters, whatever the key."""
        values = vars(self) | {"outlets": None, "document_id": str(self.document_id)}
        return list(values.values())


@dataclass(frozen=True)
class _Row(Entry):
    document_type: str
    issued_at: str


async def page_of_invoices(
    connection: psycopg.AsyncConnection, filters: Filters, page: Page, is_released: Callable[[Entry], bool]
) -> InvoicePage:
    """A page, read over a connection of the merchant; what is not released yet is left out."""
    query, values = statement(filters, page.after, page.limit + 1)
    async with connection.cursor(row_factory=class_row(_Row)) as cursor:
        await cursor.execute(query, values)
        rows, following = page.cut(await cursor.fetchall(), _position)
    rows = [row for row in rows if is_released(row)]
    verdicts = await _dgi_answers(connection, rows)
    return InvoicePage([_listed(row, verdicts[row.fiscal_number]) for row in rows], following)


def statement(filters: Filters, after: Position | None, limit: int) -> tuple[str, dict[str, Any]]:
    """The query and its values. It names the merchant although row-level security does: so the index is used."""
    values = {**vars(filters), "limit": limit, "states": _STATES.get(filters.dgi_status or "")}
    where = ["e.kind = 'invoice'", "e.merchant_nif = %(merchant_nif)s"]
    where += [condition for name, condition in _CONDITIONS.items() if values[name] is not None]
    if filters.dgi_status is not None:
        where.append(_WITH_STATUS[filters.dgi_status])
    if after is not None:
        where.append("(e.issued_at, e.outlet_id, e.index) < (%(issued_at)s, %(outlet)s, %(index)s)")
        values |= zip(("issued_at", "outlet", "index"), after, strict=True)
    query = (
        f"SELECT {_COLUMNS}, e.document_type, e.issued_at FROM signer.entry e WHERE {' AND '.join(where)} "
        "ORDER BY e.issued_at DESC, e.outlet_id DESC, e.index DESC LIMIT %(limit)s"
    )
    return query, values


async def _dgi_answers(connection: psycopg.AsyncConnection, rows: Sequence[Entry]) -> dict[str, DgiAnswer]:
    """What the DGI has said of each, by fiscal number: three queries, however many there are."""
    numbers = [row.fiscal_number for row in rows]
    outlets = await find_outlets(connection, sorted({row.outlet_id for row in rows}))
    cursor = await connection.execute(
        "SELECT v.fiscal_number, e.kind, e.payload FROM signer.verdict v "
        "JOIN signer.entry e USING (outlet_id, index, sealed_at) WHERE v.fiscal_number = ANY(%s)",
        [numbers],
    )
    verdicts = {number: (kind, payload) for number, kind, payload in await cursor.fetchall()}
    cursor = await connection.execute(
        "SELECT fiscal_number, state FROM signer.submission WHERE fiscal_number = ANY(%s) "
        "AND state NOT IN ('cancelling', 'released')",
        [[number for number in numbers if number not in verdicts]],
    )
    states = dict(await cursor.fetchall())
    return {row.fiscal_number: _dgi_answer(row, outlets, verdicts, states) for row in rows}


def _dgi_answer(
    row: Entry, outlets: dict[str, Outlet], verdicts: dict[str, tuple[str, bytes]], states: dict[str, str]
) -> DgiAnswer:
    outlet, verdict = outlets.get(row.outlet_id), verdicts.get(row.fiscal_number)
    if verdict is None:
        return undecided(outlet, states.get(row.fiscal_number))
    kind, payload = verdict
    return judged(outlet, kind, msgspec.json.decode(payload))


def _listed(row: _Row, dgi: DgiAnswer) -> ListedInvoice:
    answer, sealed = sealed_answer(row, dgi), row.statement_values
    return ListedInvoice(
        **{name: getattr(answer, name) for name in answer.__struct_fields__},
        outlet_id=row.outlet_id,
        invoice_type=row.document_type,
        issued_at=row.issued_at,
        total=sealed.total,
        tax=sealed.tax,
        currency=sealed.currency,
    )


def _position(row: _Row) -> Position:
    return [row.issued_at, row.outlet_id, row.index]

"""The ledger of a database: its entries, and every table beside them, in one snapshot."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from msgspec import Struct
from psycopg import IsolationLevel

from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.columns import exact
from bonopay_signer.ledger.headstore import Known
from bonopay_signer.ledger.verify.chains import Ledger
from bonopay_signer.ledger.verify.facts import Fact
from bonopay_signer.ledger.verify.outcome import Fault
from bonopay_signer.ledger.verify.records import COLUMNS, Record
from bonopay_signer.ledger.verify.stream import PAGE
from bonopay_signer.tenants.actions import ActionFault, verify_action_log

_OPTIONS = "-c bonopay.merchant=* -c timezone=UTC -c statement_timeout=0 -c lock_timeout=10000"
_POSITIONS = 2**40
_NEVER = "1970-01-01T00:00:00.000000Z"
_TIME = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


@contextmanager
def snapshot(dsn: str) -> Iterator[psycopg.Connection]:
    """A read-only transaction that sees every merchant as of one moment."""
    with psycopg.connect(dsn, options=_OPTIONS, application_name="bonopay-signer verify") as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


def action_faults(connection: psycopg.Connection) -> list[Fault]:
    """Of the registry's action log, and of the registry where it is not what the log says."""
    found = verify_action_log(connection)
    return [Fault("action log", found.number, "action", found.detail)] if isinstance(found, ActionFault) else []


def record(row: tuple[Any, ...]) -> tuple[int, Record]:
    """A row of ``DatabaseSource.pages``; its locator is made of shard and position."""
    return row[0] * _POSITIONS + row[1] % _POSITIONS, Record(*row)


class DatabaseSource:
    """Entries by shard and position; of ``outlets`` alone, or of all. Raises LookupError for an unknown outlet."""

    decode = staticmethod(record)

    def __init__(self, connection: psycopg.Connection, outlets: Sequence[str] | None) -> None:
        self.connection = connection
        self.outlets = list(outlets) if outlets else None
        self._where = "" if self.outlets is None else "WHERE outlet_id = ANY(%s)"
        self._parameters = [] if self.outlets is None else [self.outlets]
        if self.outlets is not None:
            self._refuse_unknown(self.outlets)
        (self.total,) = self._one(f"SELECT count(*) FROM signer.entry {self._where}", self._parameters)

    def pages(self) -> Iterator[list[tuple[Any, ...]]]:
        """Through a cursor on the server: nothing but a page is held."""
        query = f"SELECT {COLUMNS} FROM signer.entry {self._where} ORDER BY shard, position, outlet_id, index"
        with self.connection.cursor(name="ledger", binary=True) as cursor:
            cursor.execute(query, self._parameters)
            while page := cursor.fetchmany(PAGE):
                yield page

    def payload(self, locator: int) -> bytes:
        """Raises LookupError."""
        row = self.connection.execute(
            "SELECT payload FROM signer.entry WHERE shard = %s AND position = %s LIMIT 1",
            divmod(locator, _POSITIONS),
            binary=True,
        ).fetchone()
        if row is None:
            raise LookupError(f"there is no entry at position {locator % _POSITIONS}")
        return row[0]

    def keys(self) -> tuple[dict[str, PublicKey], list[Fault]]:
        """The published keys, and a fault for each row that does not hold the key of its id."""
        rows = self.connection.execute("SELECT key_id, public_der FROM signer.signing_key ORDER BY key_id").fetchall()
        found = {key_id: reader.published(key_id, der) for key_id, der in rows}
        keys = {key_id: key for key_id, key in found.items() if key is not None}
        damaged = [key_id for key_id, key in found.items() if key is None]
        return keys, [Fault(key_id, None, "key", "its row holds another key") for key_id in damaged]

    def _refuse_unknown(self, outlets: Sequence[str]) -> None:
        rows = self.connection.execute(
            "SELECT outlet_id FROM signer.outlet_head UNION SELECT outlet_id FROM signer.entry"
        )
        missing = sorted(set(outlets) - {outlet_id for (outlet_id,) in rows})
        if missing:
            raise LookupError(f"no outlet {', '.join(missing)}")

    def _one(self, query: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
        row = self.connection.execute(query, parameters, binary=True).fetchone()
        assert row is not None
        return row


# --- the tables beside the entries


class _Table(Struct, frozen=True):
    """A narrow table: what its columns must be by the invoice's facts; None where there should be no row."""

    name: str
    columns: dict[str, str]
    expected: Callable[[Fact], tuple[Any, ...] | None]
    belongs: str

    @property
    def number(self) -> str:
        return next(iter(self.columns))


_TABLES = (
    _Table(
        "document",
        {
            "fiscal_number": "fiscal_number",
            "merchant_nif": "merchant_nif",
            "document_id": "document_id::text",
            "outlet_id": "outlet_id",
            "index": "index",
            "sealed_at": _TIME.format("sealed_at"),
            "payload_hash": "encode(payload_hash, 'hex')",
        },
        lambda fact: (fact.merchant, fact.document, fact.outlet, fact.index, fact.sealed_at, fact.payload_hash),
        "true",
    ),
    _Table(
        "verdict",
        {
            "fiscal_number": "fiscal_number",
            "merchant_nif": "merchant_nif",
            "outlet_id": "outlet_id",
            "index": "index",
            "sealed_at": _TIME.format("sealed_at"),
        },
        lambda fact: (fact.merchant, fact.outlet, fact.verdict_index, fact.verdict_sealed_at) if fact.verdict else None,
        "verdict IS NOT NULL",
    ),
    _Table(
        "credit",
        {"credit_number": "credit_number", "merchant_nif": "merchant_nif", "original_number": "original_number"},
        lambda fact: (fact.merchant, fact.original) if fact.original else None,
        "original IS NOT NULL",
    ),
)


def compare_tables(source: DatabaseSource, ledger: Ledger) -> Iterator[Fault]:
    """The first row of each narrow table that is not what the entries say, or is missing. Chains that do not hold are
    left out: what should be beside them is not known."""
    for table in _TABLES:
        fault = next(_row_faults(source, ledger, table), None) or next(_absent(ledger, table), None)
        if fault is not None:
            yield fault


def _row_faults(source: DatabaseSource, ledger: Ledger, table: _Table) -> Iterator[Fault]:
    where = "" if source.outlets is None else f"WHERE split_part({table.number}, '-', 2) = ANY(%s)"
    query = f"SELECT {', '.join(table.columns.values())} FROM signer.{table.name} {where} ORDER BY 1"
    with source.connection.cursor(name=table.name, binary=True) as cursor:
        cursor.itersize = 2000
        cursor.execute(query, [] if source.outlets is None else [source.outlets])
        for number, *values in cursor:
            detail = _row_fault(ledger, table, number, tuple(values)) if ledger.sound(number) else None
            if detail is not None:
                yield Fault(f"table {table.name}", None, table.name, f"{number}: {detail}")


def _row_fault(ledger: Ledger, table: _Table, number: str, values: tuple[Any, ...]) -> str | None:
    fact = ledger.facts.invoice(number)
    expected = table.expected(fact) if fact else None
    if expected is None:
        return "a row without its entry"
    for name, stored, sealed in zip(list(table.columns)[1:], values, expected, strict=True):
        if stored != sealed:
            return f"column {name} says {stored!r}, the sealed entry {sealed!r}"
    return None if ledger.facts.mark(table.name, number) else "two rows"


def _absent(ledger: Ledger, table: _Table) -> Iterator[Fault]:
    for fact in ledger.facts.unseen(table.name, table.belongs):
        if ledger.sound(fact.number):
            yield Fault(f"table {table.name}", None, table.name, f"{fact.number}: the row is missing")


def compare_heads(source: DatabaseSource, ledger: Ledger) -> None:
    """Give every chain that holds, and whose head says something else, its fault."""
    where, parameters = ("", []) if source.outlets is None else ("WHERE outlet_id = ANY(%s)", [source.outlets])
    rows = source.connection.execute(
        "SELECT outlet_id, merchant_nif, epoch, index, sequence, entry_hash, "
        f"{_TIME.format('sealed_at')} FROM signer.outlet_head {where}",
        parameters,
        binary=True,
    )
    heads = {outlet_id: values for outlet_id, *values in rows}
    for outlet_id in {*heads, *ledger.chains}:
        chain = ledger.chain(outlet_id)
        if chain.fault is None:
            detail = _head_fault(ledger, outlet_id, heads.get(outlet_id))
            chain.fault = Fault(outlet_id, None, "head", detail) if detail else None


def _head_fault(ledger: Ledger, outlet_id: str, head: list[Any] | None) -> str | None:
    chain = ledger.chain(outlet_id)
    if head is None:
        return "there is no head"
    merchant_nif, *names, sealed_at = head
    if names != [chain.epoch, chain.index, chain.sequence, chain.entry_hash]:
        return f"the head does not name entry {chain.index}, the last one"
    if sealed_at != (exact(chain.sealed_at) if chain.sealed_at else _NEVER):
        return f"the head's time is {sealed_at}, not the last entry's"
    if merchant_nif != (chain.merchant_nif or merchant_nif):
        return f"the head is of merchant {merchant_nif}, the chain of {chain.merchant_nif}"
    return None


def compare_shards(source: DatabaseSource, ledger: Ledger, known: Known | None) -> Iterator[Fault]:
    """The row of every shard, and what the head store knows of one."""
    rows = source.connection.execute(
        f"SELECT id, size, last_hash, {_TIME.format('sealed_at')}, log_epoch FROM signer.shard ORDER BY id", binary=True
    ).fetchall()
    for shard_id in sorted(set(ledger.shards) - {row[0] for row in rows}):
        yield Fault(f"shard {shard_id}", None, "shard", "entries name it, there is no such shard")
    for shard_id, size, last_hash, sealed_at, log_epoch in rows:
        detail = _shard_fault(ledger, shard_id, size, last_hash, sealed_at, log_epoch)
        if detail is not None:
            yield Fault(f"shard {shard_id}", None, "shard", detail)
    if known is not None:
        detail = _unknown_end(source, known, {row[0]: (row[4], row[1]) for row in rows})
        if detail is not None:
            yield Fault(f"shard {known.shard}", None, "head store", detail)


def _shard_fault(
    ledger: Ledger, shard_id: int, size: int, last_hash: bytes, sealed_at: str, log_epoch: int
) -> str | None:
    shard = ledger.shards.get(shard_id)
    if shard is None or shard.last is None:
        return None if size == 0 else f"its row counts {size} entries, there is none"
    if size != shard.size:
        return f"its row counts {size} entries, the last position is {shard.size - 1}"
    if log_epoch != shard.log_epoch:
        return f"its row says log epoch {log_epoch}, the entries {shard.log_epoch}"
    if shard.last.statement is None:
        return None
    if last_hash != shard.last.entry_hash:
        return "its row does not name the last entry"
    if sealed_at != exact(shard.sealed_at):
        return f"its row's time is {sealed_at}, not the last entry's"
    return None


def _unknown_end(source: DatabaseSource, known: Known, shards: dict[int, tuple[int, int]]) -> str | None:
    log_epoch, size = shards.get(known.shard, (0, 0))
    if log_epoch != known.log_epoch:
        return f"the database is in log epoch {log_epoch}, the head store in {known.log_epoch}"
    if size < known.size:
        return f"the database has {size} entries, the head store knows of {known.size}"
    if known.size == 0:
        return None
    row = source.connection.execute(
        "SELECT entry_hash FROM signer.entry WHERE shard = %s AND position = %s", [known.shard, known.size - 1]
    ).fetchone()
    if row is None or bytes(row[0]) != known.last_hash:
        return f"the entry at position {known.size - 1} is not the one that the head store knows"
    return None

"""Durable state in SQLite: one writer at a time, each write on disk before it is answered."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from threading import Lock

from .checklist_rows import CHECKLIST_TABLES, ChecklistRows
from .documents import Document

BUSY_SECONDS = 30

EXPIRE = "UPDATE invoice SET state = 'expired' WHERE nim = ? AND state = 'pending' AND submitted_at <= ?"
# Left to itself, SQLite walks every invoice of the NIM instead of the few that wait.
PENDING = """
    SELECT uid, submitted_at FROM invoice INDEXED BY invoice_pending
    WHERE nim = ? AND state = 'pending' ORDER BY submitted_at"""
INSERT_INVOICE = """
    INSERT INTO invoice (uid, nim, nif, rn, type, reference, state, submitted_at, request, answer, total, vtotal)
    VALUES (?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?)"""
NEXT_COUNTERS = """
    SELECT (SELECT coalesce(max(type_counter), 0) + 1 FROM invoice WHERE nim = ? AND type = ? AND state = 'confirmed'),
           (SELECT coalesce(max(total_counter), 0) + 1 FROM invoice WHERE nim = ? AND state = 'confirmed')"""
CERTIFY = """
    UPDATE invoice SET state = 'confirmed', code = ?, date_time = ?, type_counter = ?, total_counter = ?
    WHERE uid = ?"""
CREDITS = "SELECT request FROM invoice WHERE nif = ? AND reference = ? AND type IN ('FA', 'EA') AND state = 'confirmed'"
INSERT_EXCHANGE = """
    INSERT INTO exchange (received_at, answered_at, nim, method, path, request, status, response,
                          error_code, error_desc, fault)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
RECENT_REFUSALS = """
    SELECT * FROM exchange WHERE nim IS ? AND (error_code IS NOT NULL OR fault IS NOT NULL OR status >= 400)
    ORDER BY id DESC LIMIT ?"""
STATES = "SELECT state, count(*) AS number FROM invoice WHERE nim = ? GROUP BY state"


@dataclass(slots=True)
class Exchange:
    """One request and its answer, byte for byte. Times are Unix seconds; when `dropped`, the answer was not sent."""

    received_at: float
    method: str
    path: str
    request: bytes
    answered_at: float = 0.0
    nim: str | None = None
    status: int = 0
    response: bytes = b""
    error_code: str | None = None
    error_desc: str | None = None
    fault: str | None = None
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """An invoice that waits for confirmation; `request` and `answer` are JSON, amounts in CDF as answered."""

    uid: str
    nim: str
    document: Document
    submitted_at: float
    request: bytes
    answer: bytes
    total: Decimal
    tax: Decimal


class Store:
    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(files(__package__).joinpath("data/schema.sql").read_text("utf-8"))

    @contextmanager
    def transaction(self) -> "Iterator[Transaction]":
        """All or nothing; on disk when it returns."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()


class Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.checklist = ChecklistRows(connection)

    def expire_pending(self, nim: str, before: float) -> None:
        self._connection.execute(EXPIRE, (nim, before))

    def pending(self, nim: str) -> list[sqlite3.Row]:
        return self._connection.execute(PENDING, (nim,)).fetchall()

    def insert(self, pending: Pending) -> None:
        document = pending.document
        header = (document.nif, document.rn, document.type, document.reference)
        bodies = (pending.request, pending.answer)
        sums = (str(pending.total), str(pending.tax))
        self._connection.execute(
            INSERT_INVOICE, (pending.uid, pending.nim, *header, pending.submitted_at, *bodies, *sums)
        )

    def invoice(self, uid: str, nim: str) -> sqlite3.Row | None:
        query = "SELECT * FROM invoice WHERE uid = ? AND nim = ?"
        row: sqlite3.Row | None = self._connection.execute(query, (uid.lower(), nim)).fetchone()
        return row

    def is_certified(self, nif: str, rn: str) -> bool:
        query = "SELECT 1 FROM invoice WHERE nif = ? AND rn = ? AND state = 'confirmed'"
        return self._connection.execute(query, (nif, rn)).fetchone() is not None

    def certified(self, nif: str, code: str) -> bytes | None:
        """The request of the taxpayer's certified invoice that bears `code`."""
        row = self._connection.execute("SELECT request FROM invoice WHERE code = ? AND nif = ?", (code, nif)).fetchone()
        return bytes(row["request"]) if row else None

    def credits(self, nif: str, code: str) -> list[bytes]:
        """The requests of the certified credit notes against `code`."""
        return [row["request"] for row in self._connection.execute(CREDITS, (nif, code))]

    def certify(self, invoice: sqlite3.Row, code: str, date_time: str) -> None:
        """Takes the next type counter and the next total counter of the NIM."""
        keys = (invoice["nim"], invoice["type"], invoice["nim"])
        counters = self._connection.execute(NEXT_COUNTERS, keys).fetchone()
        self._connection.execute(CERTIFY, (code, date_time, *counters, invoice["uid"]))

    def cancel(self, uid: str) -> None:
        self._connection.execute("UPDATE invoice SET state = 'cancelled' WHERE uid = ?", (uid,))

    def record(self, exchange: Exchange) -> None:
        values = (exchange.received_at, exchange.answered_at, exchange.nim, exchange.method, exchange.path)
        outcome = (exchange.error_code, exchange.error_desc, exchange.fault)
        bodies = (exchange.request, exchange.status, exchange.response)
        self._connection.execute(INSERT_EXCHANGE, (*values, *bodies, *outcome))

    def exchanges(self, nim: str | None, after: int, limit: int) -> list[sqlite3.Row]:
        query = "SELECT * FROM exchange WHERE id > ? AND (? IS NULL OR nim = ?) ORDER BY id LIMIT ?"
        return self._connection.execute(query, (after, nim, nim, limit)).fetchall()

    def recent_invoices(self, nim: str, limit: int) -> list[sqlite3.Row]:
        query = "SELECT * FROM invoice WHERE nim = ? ORDER BY submitted_at DESC, rowid DESC LIMIT ?"
        return self._connection.execute(query, (nim, limit)).fetchall()

    def recent_refusals(self, nim: str | None, limit: int) -> list[sqlite3.Row]:
        return self._connection.execute(RECENT_REFUSALS, (nim, limit)).fetchall()

    def states(self, nim: str) -> dict[str, int]:
        return {row["state"]: row["number"] for row in self._connection.execute(STATES, (nim,))}

    def erase(self) -> None:
        for table in ("invoice", "exchange", *CHECKLIST_TABLES):
            self._connection.execute(f"DELETE FROM {table}")

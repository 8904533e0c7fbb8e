"""What later entries and other tables are compared with: one row per invoice, in a temporary file.

SQLite holds a page cache of a fixed size, so memory does not grow with the ledger; the file is gone with its handle.
"""

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

_SCHEMA = """
CREATE TABLE invoice (
    number TEXT PRIMARY KEY, merchant TEXT, document TEXT, outlet TEXT, position INTEGER, locator INTEGER, idx INTEGER,
    sealed_at TEXT, payload_hash TEXT, entry_hash BLOB, terms TEXT, original TEXT,
    verdict TEXT, verdict_position INTEGER, verdict_index INTEGER, verdict_sealed_at TEXT, code TEXT,
    document_seen INTEGER DEFAULT 0, verdict_seen INTEGER DEFAULT 0, credit_seen INTEGER DEFAULT 0
) WITHOUT ROWID;
CREATE UNIQUE INDEX document ON invoice (merchant, document);
CREATE INDEX original ON invoice (original) WHERE original IS NOT NULL;
"""
_COLUMNS = (
    "number, merchant, document, outlet, position, locator, idx, sealed_at, payload_hash, entry_hash, terms, original, "
    "verdict, verdict_position, verdict_index, verdict_sealed_at, code"
)
_CACHE_KIB = 16 * 1024


class Fact(Struct, array_like=True):
    """An invoice. ``terms`` are what its verdict repeats; ``code`` is the DGI's."""

    number: str
    merchant: str
    document: str
    outlet: str
    position: int
    locator: int
    index: int
    sealed_at: str
    payload_hash: str
    entry_hash: bytes
    terms: str
    original: str | None
    verdict: str | None = None
    verdict_position: int | None = None
    verdict_index: int | None = None
    verdict_sealed_at: str | None = None
    code: str | None = None


class SealedTwice(Exception):
    """Another invoice has this number, or is of this document."""


class Facts:
    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        for pragma in (f"cache_size = -{_CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")

    def close(self) -> None:
        self._database.close()

    def add(self, fact: Fact) -> None:
        """Raises SealedTwice."""
        values = [getattr(fact, name) for name in Fact.__struct_fields__]
        try:
            self._database.execute(f"INSERT INTO invoice ({_COLUMNS}) VALUES ({'?, ' * 16}?)", values)
        except sqlite3.IntegrityError as error:
            raise SealedTwice(f"document {fact.document} is sealed twice") from error

    def invoice(self, number: str) -> Fact | None:
        return next(self._select("WHERE number = ?", number), None)

    def settle(self, number: str, kind: str, position: int, index: int, sealed_at: str, code: str | None) -> None:
        """Keep the DGI's verdict on an invoice."""
        self._database.execute(
            "UPDATE invoice SET verdict = ?, verdict_position = ?, verdict_index = ?, verdict_sealed_at = ?, code = ? "
            "WHERE number = ?",
            [kind, position, index, sealed_at, code, number],
        )

    def credit_notes(self, original: str) -> Iterator[Fact]:
        """Those against an invoice, in the order in which they were sealed."""
        return self._select("WHERE original = ? ORDER BY position", original)

    def mark(self, table: str, number: str) -> bool:
        """Remember that a row of document, verdict or credit was seen. False when it was seen before."""
        cursor = self._database.execute(
            f"UPDATE invoice SET {table}_seen = 1 WHERE number = ? AND {table}_seen = 0", [number]
        )
        return cursor.rowcount == 1

    def unseen(self, table: str, where: str) -> Iterator[Fact]:
        """The invoices that should have a row in the table and have none."""
        return self._select(f"WHERE {table}_seen = 0 AND {where} ORDER BY position")

    def _select(self, where: str, *parameters: str) -> Iterator[Fact]:
        for row in self._database.execute(f"SELECT {_COLUMNS} FROM invoice {where}", parameters):
            yield Fact(*row)

"""What survives a power cut: certified invoices and counters; and the switches of the test stand."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

KINDS = (
    "nak",
    "syn",
    "silence_before",
    "silence_after",
    "garbage_before",
    "garbage_after",
    "bad_bcc",
    "power_cut_before",
    "power_cut_after",
)
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS invoice (
    total_counter INTEGER PRIMARY KEY,
    side TEXT NOT NULL CHECK (side IN ('sale', 'credit')),
    side_counter INTEGER NOT NULL,
    number TEXT NOT NULL UNIQUE,
    code TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    time TEXT NOT NULL,
    total TEXT NOT NULL,
    tax TEXT NOT NULL,
    reference TEXT NOT NULL,
    entries TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0,
    UNIQUE (side, side_counter));
CREATE TABLE IF NOT EXISTS fault (
    id INTEGER PRIMARY KEY,
    command INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN {KINDS}),
    times INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS stand (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Certified:
    number: str
    code: str
    type: str
    time: str
    total: Decimal
    tax: Decimal
    reference: str
    entries: list[tuple[int, str]]


class Memory:
    """One SQLite file, each change on disk before the answer leaves. Another process may set faults meanwhile."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + SCHEMA)

    def certify(self, invoice: Certified, side: str) -> sqlite3.Row:
        """Take the next counters. Raises sqlite3.IntegrityError for a number that is certified already."""
        with self._transaction():
            total, of_side = self.counters()["all"] + 1, self.counters()[side] + 1
            self._connection.execute(
                "INSERT INTO invoice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                (total, side, of_side, invoice.number, invoice.code, invoice.type, invoice.time)
                + (str(invoice.total), str(invoice.tax), invoice.reference, json.dumps(invoice.entries)),
            )
        last = self.last()
        assert last is not None
        return last

    def counters(self) -> dict[str, int]:
        rows = self._connection.execute("SELECT side, count(*) AS n FROM invoice GROUP BY side")
        sides = {"sale": 0, "credit": 0} | {row["side"]: row["n"] for row in rows}
        return sides | {"all": sum(sides.values())}

    def last(self) -> sqlite3.Row | None:
        return self._one("SELECT * FROM invoice ORDER BY total_counter DESC LIMIT 1")

    def by_number(self, number: str) -> sqlite3.Row | None:
        return self._one("SELECT * FROM invoice WHERE number = ?", number)

    def by_code(self, code: str) -> sqlite3.Row | None:
        return self._one("SELECT * FROM invoice WHERE code = ?", code)

    def credits_of(self, code: str) -> list[sqlite3.Row]:
        query = "SELECT * FROM invoice WHERE reference = ? AND side = 'credit'"
        return self._connection.execute(query, [code]).fetchall()

    def network_is_there(self) -> bool:
        return self._setting("network") != "away"

    def credit_checks(self) -> int:
        """How often 38h of a credit note answers `P:` before the DGI has checked it."""
        return int(self._setting("credit_checks") or 1)

    def send_to_the_dgi(self, now: str) -> None:
        """What the device does by itself as soon as it has the network."""
        with self._transaction():
            self._connection.execute("UPDATE invoice SET sent = 1 WHERE sent = 0")
            self._connection.execute("INSERT OR REPLACE INTO stand VALUES ('last_contact', ?)", [now])

    def contact(self) -> tuple[int, str]:
        """How many invoices were sent, and when the DGI was last reached."""
        row = self._one("SELECT count(*) AS n FROM invoice WHERE sent = 1")
        assert row is not None
        return row["n"], self._setting("last_contact")

    def take_fault(self, command: int) -> str | None:
        """The fault that befalls this command now; each befalls as many times as it says."""
        with self._transaction():
            row = self._one("SELECT * FROM fault WHERE command = ? AND times > 0 ORDER BY id LIMIT 1", command)
            if row is None:
                return None
            self._connection.execute("UPDATE fault SET times = times - 1 WHERE id = ?", [row["id"]])
        return str(row["kind"])

    def close(self) -> None:
        self._connection.close()

    def _setting(self, name: str) -> str:
        row = self._one("SELECT value FROM stand WHERE name = ?", name)
        return str(row["value"]) if row else ""

    def _one(self, query: str, *parameters: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(query, parameters).fetchone()
        return row

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

"""The rows of the go-live checklist."""

import sqlite3

CHECKLIST_TABLES = ("checklist_tick", "checklist_trace", "checklist_mark")
TICK = "INSERT OR IGNORE INTO checklist_tick (nim, scenario, passed_at, rn, uid) VALUES (?, ?, ?, ?, ?)"
TRACE = "INSERT OR IGNORE INTO checklist_trace (nim, kind, uid, rn, content) VALUES (?, ?, ?, ?, ?)"
HAS = "SELECT 1 FROM checklist_trace WHERE nim = ? AND kind = ? AND uid = ? AND NOT spoiled"
REFUSED_OTHERWISE = "SELECT 1 FROM checklist_trace WHERE nim = ? AND kind = 'refused' AND rn = ? AND content <> ?"
EXPIRED = "SELECT 1 FROM invoice WHERE nim = ? AND state = 'expired' AND rn = ? AND submitted_at < ?"
ASK = "UPDATE checklist_trace SET asked = 1 WHERE nim = ? AND kind = 'lost' AND uid = ? AND NOT spoiled"
# The same sale may happen again; but not before it is known what became of the first.
SPOIL = """
    UPDATE checklist_trace SET spoiled = 1
    WHERE nim = ? AND kind IN ('lost', 'cut') AND (rn = ? OR (content = ? AND NOT asked)) RETURNING uid"""
UNTICK = "DELETE FROM checklist_tick WHERE nim = ? AND uid = ? AND scenario = 'lost_reply'"
JUDGED = "SELECT exchange_id FROM checklist_mark WHERE nim = ? AND edition = ?"
MARK = "INSERT OR REPLACE INTO checklist_mark (nim, exchange_id, edition) VALUES (?, ?, ?)"
BEHIND = """
    SELECT count(*) FROM exchange
    WHERE nim = ? AND id > coalesce((SELECT exchange_id FROM checklist_mark WHERE nim = ?), 0)"""


class ChecklistRows:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def ticks(self, nim: str) -> list[sqlite3.Row]:
        return self._connection.execute("SELECT * FROM checklist_tick WHERE nim = ?", (nim,)).fetchall()

    def tick(self, nim: str, scenario: str, passed_at: float, rn: str, uid: str) -> None:
        """The first proof is kept."""
        self._connection.execute(TICK, (nim, scenario, passed_at, rn, uid))

    def trace(self, nim: str, kind: str, uid: str, rn: str, content: str) -> None:
        self._connection.execute(TRACE, (nim, kind, uid, rn, content))

    def has(self, nim: str, kind: str, uid: str = "") -> bool:
        return self._any(HAS, nim, kind, uid)

    def was_refused_otherwise(self, nim: str, rn: str, content: str) -> bool:
        return self._any(REFUSED_OTHERWISE, nim, rn, content)

    def had_expired(self, nim: str, rn: str, before: float) -> bool:
        return self._any(EXPIRED, nim, rn, before)

    def ask(self, nim: str, uid: str) -> bool:
        """Whether the uid is one whose confirmation was lost, and whose invoice was not sent again."""
        return self._connection.execute(ASK, (nim, uid)).rowcount > 0

    def spoil(self, nim: str, rn: str, content: str) -> None:
        """An invoice was sent: troubles that it repeats blindly end badly, even one that was held for well ended."""
        for row in self._connection.execute(SPOIL, (nim, rn, content)).fetchall():
            self._connection.execute(UNTICK, (nim, row["uid"]))

    def judged(self, nim: str, edition: str) -> int:
        """The last exchange judged by this edition of the checklist."""
        row = self._connection.execute(JUDGED, (nim, edition)).fetchone()
        return row["exchange_id"] if row else 0

    def mark(self, nim: str, exchange_id: int, edition: str) -> None:
        self._connection.execute(MARK, (nim, exchange_id, edition))

    def behind(self, nim: str) -> int:
        count: int = self._connection.execute(BEHIND, (nim, nim)).fetchone()[0]
        return count

    def _any(self, query: str, *values: object) -> bool:
        return self._connection.execute(query, values).fetchone() is not None

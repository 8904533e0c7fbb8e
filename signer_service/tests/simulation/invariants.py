"""What must hold of a shard's ledger, recomputed from its statements, whatever happened to its signers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.statement import ZERO_HASH, entry_hash
from bonopay_signer.ledger.entries import ENTRY_COLUMNS, Entry

from .process import PUBLIC


class Violated(AssertionError):
    """Something that must hold does not."""


@dataclass
class Answer:
    """What a client was told, once: it must stay true."""

    payload_hash: bytes
    fiscal_number: str
    entry_hash: bytes
    signature: bytes
    sealed_at: datetime
    position: int

    @classmethod
    def of(cls, entry: Entry) -> "Answer":
        return cls(
            entry.payload_hash, entry.fiscal_number, entry.entry_hash, entry.signature, entry.sealed_at, entry.position
        )


def holds(found: object, expected: object, rule: str) -> None:
    if found != expected:
        raise Violated(f"{rule}: found {found}, expected {expected}")


class Ledger:
    """A shard as it is in the database."""

    def __init__(self, admin: psycopg.Connection, shard: int) -> None:
        self._admin = admin
        self._shard = shard

    def check(self, outlets: Iterable[str]) -> list[Entry]:
        """Chains, numbers, times and signatures; the entries in order. Raises Violated."""
        with self._admin.cursor(row_factory=class_row(Entry)) as cursor:
            cursor.execute(
                f"SELECT {ENTRY_COLUMNS} FROM signer.entry WHERE shard = %s ORDER BY position", [self._shard]
            )
            entries = cursor.fetchall()
        holds([entry.position for entry in entries], list(range(len(entries))), "positions are gapless")
        times = [entry.sealed_at for entry in entries]
        holds(times, sorted(times), "time never goes back")
        for outlet_id in outlets:
            self._check_chain(outlet_id, [entry for entry in entries if entry.outlet_id == outlet_id])
        for entry in entries:
            holds(PUBLIC.verifies(bytes(entry.signature), bytes(entry.entry_hash)), True, "signatures verify")
        self._check_shard(entries)
        return entries

    def _check_chain(self, outlet_id: str, chain: Sequence[Entry]) -> None:
        previous = ZERO_HASH
        numbers = []
        for index, entry in enumerate(chain, start=1):
            fields = json.loads(entry.statement)
            holds((entry.index, fields["index"]), (index, index), "indexes are gapless")
            holds(bytes(entry.previous_hash), previous, "entries are chained")
            previous = entry_hash(previous, bytes(entry.statement))
            holds(bytes(entry.entry_hash), previous, "an entry's hash is that of its statement")
            holds(fields["payload_hash"], canonical.sha256_hex(bytes(entry.payload)), "a statement binds its payload")
            if entry.kind == "invoice":
                numbers.append(fields["fiscal_number"])
        expected = [f"BONO-{outlet_id}-01-{number:09d}" for number in range(1, len(numbers) + 1)]
        holds(numbers, expected, "fiscal numbers are gapless and ascend")
        head = self._admin.execute(
            "SELECT index, entry_hash, sequence FROM signer.outlet_head WHERE outlet_id = %s", [outlet_id]
        ).fetchone()
        holds((head[0], bytes(head[1]), head[2]), (len(chain), previous, len(numbers)), "the head is the last entry")

    def _check_shard(self, entries: Sequence[Entry]) -> None:
        size, last_hash = self._admin.execute(
            "SELECT size, last_hash FROM signer.shard WHERE id = %s", [self._shard]
        ).fetchone()
        last = bytes(entries[-1].entry_hash) if entries else ZERO_HASH
        holds((size, bytes(last_hash)), (len(entries), last), "the shard ends with its last entry")


def check_documents(
    entries: Sequence[Entry], sent: Iterable[str], answers: Mapping[str, Answer], refused: set[str]
) -> None:
    """Every document that was sent came to one end, and what was answered is what is there. Raises Violated."""
    invoices = [entry for entry in entries if entry.kind == "invoice"]
    sealed = {str(entry.document_id): Answer.of(entry) for entry in invoices}
    holds(len(sealed), len(invoices), "a document is sealed once")
    holds(sealed, answers, "what was answered is what is sealed")
    holds(set(sent), set(answers) | refused, "every document is answered or refused")
    holds(set(answers) & refused, set(), "a document is not answered and refused")
    credited = [json.loads(entry.payload)["credit"] for entry in invoices]
    originals = [credit["original_fiscal_number"] for credit in credited if credit]
    holds(len(originals), len(set(originals)), "nothing is credited twice")


def check_verdicts(entries: Sequence[Entry], certified_at_the_dgi: Iterable[str]) -> None:
    """Raises Violated."""
    numbers = sorted(entry.fiscal_number for entry in entries if entry.kind == "invoice")
    verdicts = sorted(entry.fiscal_number for entry in entries if entry.kind == "dgi_certified")
    holds(verdicts, numbers, "every invoice is certified, once, in the ledger")
    holds(sorted(certified_at_the_dgi), numbers, "every invoice is certified, once, at the DGI")

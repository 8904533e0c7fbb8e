"""A verification from its beginning to its end."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from bonopay_signer.ledger.headstore import HeadStore, Known, KnownHead
from bonopay_signer.ledger.verify.chains import Ledger, Scope
from bonopay_signer.ledger.verify.credits import CreditJudge
from bonopay_signer.ledger.verify.database import (
    DatabaseSource,
    action_faults,
    compare_heads,
    compare_shards,
    compare_tables,
    snapshot,
)
from bonopay_signer.ledger.verify.exported import Damaged, FileSource, compare_ends
from bonopay_signer.ledger.verify.facts import Facts
from bonopay_signer.ledger.verify.log import Notes
from bonopay_signer.ledger.verify.outcome import Outcome
from bonopay_signer.ledger.verify.records import Checked
from bonopay_signer.ledger.verify.stream import Decode, Raw, checked
from bonopay_signer.ledger.verify.tills import compare_tills

Progress = Callable[[int, int], None]
"""Told how many entries of how many are done."""

_FEW = 2000
"""Below this many entries, starting processes takes longer than what they save."""


def processes_for(entries: int) -> int:
    return 1 if entries < _FEW else len(os.sched_getaffinity(0))


def verify_database(
    dsn: str,
    authority: str,
    outlets: Sequence[str] | None = None,
    trusted: frozenset[str] | None = None,
    head_store: HeadStore | None = None,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """Everything that the database and the head store hold of these outlets, or of all of them.

    ``trusted``: ids of the keys that a chain may begin with; every published one where it is None. Raises
    psycopg.Error, HeadStoreError, LookupError for an unknown outlet.
    """
    outcome = Outcome()
    # Before the snapshot: whatever the head store knows by now, the database has.
    known = head_store.read() if head_store else None
    heads = _heads_to_meet(known, outlets)
    with snapshot(dsn) as connection, closing(Facts()) as facts:
        source = DatabaseSource(connection, outlets)
        keys, outcome.faults = source.keys()
        scope = Scope(authority, outlets is None, trusted)
        ledger = Ledger(scope, keys, facts, CreditJudge(facts, source.payload), heads)
        follow(ledger, source.pages(), source.decode, source.total, progress)
        compare_heads(source, ledger)
        ledger.finish(outcome)
        outcome.faults += compare_tables(source, ledger)
        outcome.faults += compare_tills(source, ledger)
        if outlets is None:
            outcome.faults += compare_shards(source, ledger, known)
            outcome.faults += action_faults(connection)
    outcome.notes += notes_of(ledger)
    if known is None:
        outcome.notes.append("there is no head store to compare with: a ledger that lost its end looks whole")
    return outcome


def _heads_to_meet(known: Known | None, outlets: Sequence[str] | None) -> dict[str, KnownHead]:
    """Of the outlets that are verified, where the chain has an entry at all."""
    heads = known.heads if known else {}
    return {name: head for name, head in heads.items() if head.index and (not outlets or name in outlets)}


def verify_file(
    path: Path, trusted: frozenset[str] | None = None, progress: Progress = lambda done, total: None
) -> Outcome:
    """Everything that an exported file holds. Raises OSError; a file that cannot be read to its end is a fault."""
    outcome = Outcome()
    try:
        source = FileSource(path)
    except Damaged as damaged:
        outcome.faults.append(damaged.fault)
        return outcome
    with closing(source), closing(Facts()) as facts:
        keys, outcome.faults = source.keys()
        ledger = Ledger(source.scope(trusted), keys, facts, CreditJudge(facts, source.payload))
        notes = Notes(source.header.checkpoints, source.header.authority, keys)
        try:
            follow(ledger, source.pages(), source.decode, source.total, progress, notes.add)
        except Damaged as damaged:
            outcome.faults.append(damaged.fault)
        ends = list(compare_ends(source, ledger))
        ledger.finish(outcome)
        outcome.faults += [*source.faults, *ends, *notes.faults()]
    outcome.notes += notes_of(ledger)
    if trusted is None:
        outcome.notes.append("the keys are the file's own: compare them with keys you had before, or give --trust")
    if not source.header.scope.whole:
        outcome.notes.append("the file is an excerpt of the ledger")
    return outcome


def follow(
    ledger: Ledger,
    pages: Iterable[list[Raw]],
    decode: Decode,
    total: int,
    progress: Progress,
    also: Callable[[Checked], None] = lambda entry: None,
) -> None:
    """Send every page through the processes and the ledger."""
    for page in checked(pages, decode, ledger.keys, processes_for(total)):
        for entry in page:
            ledger.add(entry)
            also(entry)
        progress(ledger.entries, total)


def notes_of(ledger: Ledger) -> list[str]:
    """What the entries show that is no fault."""
    notes = [str(gap) for chain in ledger.chains.values() for gap in chain.gaps]
    if ledger.unjudged:
        notes.append(
            f"{ledger.unjudged} credit notes or verdicts refer to invoices outside of what was verified: not judged"
        )
    if len(ledger.addresses) > 1:
        notes += [
            f"{count} entries, the first of them {first}, carry the address {address}: nothing signed covers it"
            for address, (first, _, count) in ledger.addresses.items()
        ]
    return notes

"""The tills and tickets of a database beside what the chains tell of them."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.statement import ZERO_HASH
from bonopay_signer.fiscal.ticket import Ticket, ticket_hash
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger import reader
from bonopay_signer.ledger.verify.chains import Ledger
from bonopay_signer.ledger.verify.database import DatabaseSource
from bonopay_signer.ledger.verify.outcome import Fault

_TILLS = (
    "SELECT device_id::text, outlet_id, merchant_nif, terminal, key_id, public_der, counter, head_hash, "
    "credential IS NOT NULL FROM signer.till {} ORDER BY outlet_id, device_id"
)
_TICKETS = (
    "SELECT device_id::text, counter, hash, merchant_nif, outlet_id, document_id::text, statement, payload, "
    "previous_hash, signature FROM signer.till_ticket {} ORDER BY outlet_id, device_id, counter, hash"
)


class TillRow(NamedTuple):
    device_id: str
    outlet_id: str
    merchant_nif: str
    terminal: str
    key_id: str
    public_der: bytes
    counter: int
    head_hash: bytes
    was_admitted: bool


class TicketRow(NamedTuple):
    device_id: str
    counter: int
    hash: bytes
    merchant_nif: str
    outlet_id: str
    document_id: str
    statement: bytes
    payload: bytes
    previous_hash: bytes
    signature: bytes


def compare_tills(source: DatabaseSource, ledger: Ledger) -> Iterator[Fault]:
    """The first till that its chain did not admit so, or whose row is missing; the first ticket that is not what its
    till signed, or is missing before the head of its till. Chains that do not hold are left out."""
    tills = {till.device_id: till for till in map(TillRow._make, _rows(source, _TILLS))}
    sound = {device: till for device, till in tills.items() if ledger.chain(till.outlet_id).fault is None}
    details = ((till, _till_fault(ledger, till)) for till in sound.values())
    fault = next((_fault("till", till.device_id, detail) for till, detail in details if detail), None)
    fault = fault or next(_absent(ledger, {till.key_id for till in tills.values()}), None)
    if fault is not None:
        yield fault
        return
    ticket_fault = next(_ticket_faults(source, ledger, sound), None)
    if ticket_fault is not None:
        yield ticket_fault


def _rows(source: DatabaseSource, query: str) -> Iterator[tuple[Any, ...]]:
    where = "" if source.outlets is None else "WHERE outlet_id = ANY(%s)"
    with source.connection.cursor(name="tills", binary=True) as cursor:
        cursor.itersize = 1000
        cursor.execute(query.format(where), [] if source.outlets is None else [source.outlets])
        yield from cursor


def _fault(table: str, subject: str, detail: str) -> Fault:
    return Fault(f"table {table}", None, table, f"{subject}: {detail}")


def _till_fault(ledger: Ledger, till: TillRow) -> str | None:
    chain = ledger.chain(till.outlet_id)
    if reader.published(till.key_id, till.public_der) is None:
        return "its row holds another key"
    if till.merchant_nif != (chain.merchant_nif or till.merchant_nif):
        return f"column merchant_nif says {till.merchant_nif!r}, the chain is of {chain.merchant_nif}"
    admitted = chain.tills.get(till.key_id)
    if admitted is None:
        return "its outlet's chain never admitted its key" if till.was_admitted else None
    if admitted != (till.device_id, till.terminal):
        return f"the chain admitted its key as terminal {admitted[1]} of the device {admitted[0]}"
    return None


def _absent(ledger: Ledger, here: set[str]) -> Iterator[Fault]:
    for chain in ledger.chains.values():
        for key_id, (device_id, _terminal) in chain.tills.items():
            if chain.fault is None and key_id not in here:
                yield _fault("till", device_id, "the row is missing")


def _ticket_faults(source: DatabaseSource, ledger: Ledger, tills: dict[str, TillRow]) -> Iterator[Fault]:
    keys = {device_id: PublicKey(till.public_der) for device_id, till in tills.items()}
    heads = {device_id: (0, {ZERO_HASH}) for device_id in tills}  # the last counter so far, and its tickets' hashes
    for row in map(TicketRow._make, _rows(source, _TICKETS)):
        till = tills.get(row.device_id)
        if till is None:
            if ledger.chain(row.outlet_id).fault is None:
                yield _fault("till_ticket", f"{row.device_id} {row.counter}", "there is no such till")
            continue
        detail = _ticket_fault(row, till, keys[row.device_id])
        if detail:
            yield _fault("till_ticket", f"P-{till.outlet_id}-{till.terminal}-{row.counter:06d}", detail)
        counter, hashes = heads[row.device_id]
        yield from _head_faults(ledger, till, counter, hashes, row.counter)
        heads[row.device_id] = (row.counter, {row.hash} | (hashes if row.counter == counter else set()))
    for device_id, head in heads.items():
        yield from _head_faults(ledger, tills[device_id], *head, None)


def _head_faults(
    ledger: Ledger, till: TillRow, counter: int, hashes: set[bytes], following: int | None
) -> Iterator[Fault]:
    """Of the tickets up to ``counter``, whose hashes are known, and of those before the one that follows it."""
    last = till.counter if following is None else min(following - 1, till.counter)
    hole = _hole(ledger, till, counter + 1, last)
    if hole:
        yield _fault("till_ticket", till.device_id, hole)
    if counter == till.counter and following != counter and till.head_hash not in hashes:
        yield _fault("till", till.device_id, "its row does not name its last ticket")


def _hole(ledger: Ledger, till: TillRow, first: int, last: int) -> str | None:
    """What is missing at and below the head was told as lost, or somebody took it."""
    lost = ledger.chain(till.outlet_id).lost.get(till.key_id, [])
    for begin, end in sorted(lost):
        if begin <= first <= end:
            first = end + 1
    return f"ticket {first} is missing, which no offline_gap tells of" if first <= last else None


def _ticket_fault(row: TicketRow, till: TillRow, key: PublicKey) -> str | None:
    try:
        ticket = msgspec.json.decode(row.statement, type=Ticket)
        if ticket.encode() != row.statement:
            return "the statement's bytes are not canonical"
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        return f"the statement cannot be read: {error}"
    stored = (row.counter, row.merchant_nif, row.outlet_id, row.document_id, till.terminal, till.key_id)
    signed = (ticket.counter, ticket.merchant_nif, ticket.outlet_id, ticket.document_id)
    if stored != (*signed, ticket.terminal, ticket.key_id):
        return "its columns are not what its statement says"
    if canonical.sha256_hex(row.payload) != ticket.payload_hash:
        return "the payload is not the one that was signed"
    if ticket_hash(row.previous_hash, row.statement) != row.hash:
        return "the hash is not that of its statement"
    if not key.verifies(row.signature, row.hash):
        return "the signature does not verify"
    return None

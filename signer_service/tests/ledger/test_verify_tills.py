"""What a chain tells of its tills cannot be changed, dropped, moved or forged, and cannot contradict itself."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import msgspec
import psycopg
import pytest
import rfc8785

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.statement import ZERO_HASH, entry_hash
from bonopay_signer.ledger.columns import exact
from bonopay_signer.ledger.entries import ENTRY_COLUMNS
from bonopay_signer.ledger.headstore import HeadStore
from bonopay_signer.ledger.tills import Credential, OfflineGap, TillCloned
from bonopay_signer.ledger.verify.chains import Ledger, Scope
from bonopay_signer.ledger.verify.credits import CreditJudge
from bonopay_signer.ledger.verify.facts import Facts
from bonopay_signer.ledger.verify.outcome import Fault, Outcome
from bonopay_signer.ledger.verify.records import Record
from bonopay_signer.ledger.verify.run import verify_database
from bonopay_signer.ledger.verify.single import check

from ..fiscal.statements import TYPICAL
from ..support.databases import throw_away_database
from .ledgers import AUTHORITY, NIF, Books, SoftSigner, TillKey

TILL = TillKey()
PLACES = {"credential": 2, "offline_gap": 4, "till_cloned": 5}
"""Where the outlet's chain tells of its till, between its invoices."""
MEMBERS = {
    "credential": Credential.__struct_fields__,
    "offline_gap": OfflineGap.__struct_fields__,
    "till_cloned": TillCloned.__struct_fields__,
}


@pytest.fixture(scope="module")
def books(cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    with throw_away_database(cluster) as database:
        books = Books(database, tmp_path_factory.mktemp("heads"))
        books.register({"KIN001": NIF, "KIN002": NIF})

        async def fill() -> None:
            async with books.open():
                await books.invoice("KIN001")
                await books.tell("KIN001", TILL.credential())
                await books.invoice("KIN001")
                await books.tell("KIN001", TILL.gap())
                await books.tell("KIN001", TILL.clone())
                await books.invoice("KIN001")
                await books.invoice("KIN002")

        asyncio.run(fill())
        yield books


@contextmanager
def intruder(books: Books) -> Iterator[psycopg.Connection]:
    """A superuser without triggers; what was changed is put back."""
    with books.database.as_admin() as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("CREATE TEMP TABLE saved AS SELECT * FROM signer.entry")
        try:
            yield connection
        finally:
            connection.execute("DELETE FROM signer.entry")
            connection.execute(f"INSERT INTO signer.entry ({ENTRY_COLUMNS}) SELECT {ENTRY_COLUMNS} FROM saved")


def first_fault(books: Books) -> Fault:
    """Of the till's outlet, while the other one's chain is verified all the same."""
    outcome = verify_database(books.database.service, AUTHORITY, None, None, HeadStore(books.folder, 0))
    assert [chain.outlet_id for chain in outcome.chains] == ["KIN002"]
    return outcome.faults[0]


def entry(books: Books, index: int) -> dict[str, Any]:
    names = "payload, statement, previous_hash, entry_hash, signature"
    (row,) = books.rows(f"SELECT {names} FROM signer.entry WHERE outlet_id = 'KIN001' AND index = %s", index)
    return dict(zip(names.split(", "), map(bytes, row), strict=True))


def changed(value: Any) -> Any:
    """Another value of the same form."""
    if isinstance(value, list):
        return value[::-1]
    if isinstance(value, int):
        return value + 1
    return value[:-1] + ("1" if value[-1] != "1" else "2")


_FLIP = "set_byte({0}, 5, get_byte({0}, 5) # 1)"
COLUMNS = {
    "index": "index + 100",
    "epoch": "2",
    "kind": "'key_rotation'",
    "merchant_nif": "'C0000000X'",
    "document_id": "gen_random_uuid()",
    "fiscal_number": "'BONO-KIN001-01-000000009'",
    "sealed_at": "sealed_at + interval '1 microsecond'",
    "statement": _FLIP.format("statement"),
    "payload": _FLIP.format("payload"),
    "payload_hash": _FLIP.format("payload_hash"),
    "previous_hash": _FLIP.format("previous_hash"),
    "entry_hash": _FLIP.format("entry_hash"),
    "signature": _FLIP.format("signature"),
    "key_id": "'0123456789abcdef'",
}


def test_chain_that_tells_of_a_till_is_good(books: Books) -> None:
    outcome = verify_database(books.database.service, AUTHORITY, None, None, HeadStore(books.folder, 0))
    assert outcome.faults == [] and outcome.entries == 7
    assert [(chain.entries, chain.invoices) for chain in outcome.chains] == [(6, 3), (1, 1)]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("kind", PLACES)
def test_changed_column_is_named(books: Books, kind: str, column: str) -> None:
    with intruder(books) as connection:
        where = "outlet_id = 'KIN001' AND kind = %s"
        connection.execute(f"UPDATE signer.entry SET {column} = {COLUMNS[column]} WHERE {where}", [kind])
        fault = first_fault(books)
    assert (fault.subject, fault.index) == ("KIN001", PLACES[kind]), fault


@pytest.mark.parametrize(("kind", "member"), [(kind, member) for kind in MEMBERS for member in MEMBERS[kind]])
@pytest.mark.parametrize("rehashed", [False, True])
def test_changed_member_is_named_also_when_every_hash_is_made_to_fit(
    books: Books, kind: str, member: str, rehashed: bool
) -> None:
    """Whoever writes to the database has all but the key: only the signature does not fit then."""
    stored = entry(books, PLACES[kind])
    members = json.loads(stored["payload"])
    payload = rfc8785.dumps({**members, member: changed(members[member])})
    changes = {"payload": payload}
    if rehashed:
        digest = hashlib.sha256(payload)
        statement = rfc8785.dumps({**json.loads(stored["statement"]), "payload_hash": digest.hexdigest()})
        whole = b"bonopay/entry/1\n" + stored["previous_hash"] + hashlib.sha256(statement).digest()
        changes |= {"statement": statement, "payload_hash": digest.digest()}
        changes |= {"entry_hash": hashlib.sha256(whole).digest()}
    with intruder(books) as connection:
        assignments = ", ".join(f"{name} = %s" for name in changes)
        connection.execute(
            f"UPDATE signer.entry SET {assignments} WHERE outlet_id = 'KIN001' AND index = %s",
            [*changes.values(), PLACES[kind]],
        )
        fault = first_fault(books)
    expected = "hash" if not rehashed else "content" if member == "schema" else "signature"
    assert (fault.subject, fault.index, fault.check) == ("KIN001", PLACES[kind], expected), fault


@pytest.mark.parametrize("kind", PLACES)
def test_signature_of_a_key_that_is_not_the_signers_is_named(books: Books, kind: str) -> None:
    stored = entry(books, PLACES[kind])
    with intruder(books) as connection:
        connection.execute(
            "UPDATE signer.entry SET signature = %s WHERE outlet_id = 'KIN001' AND index = %s",
            [SoftSigner().raw(stored["entry_hash"]), PLACES[kind]],
        )
        fault = first_fault(books)
    assert (fault.index, fault.check) == (PLACES[kind], "signature")


@pytest.mark.parametrize("kind", PLACES)
def test_dropped_entry_is_named(books: Books, kind: str) -> None:
    with intruder(books) as connection:
        connection.execute("DELETE FROM signer.entry WHERE outlet_id = 'KIN001' AND kind = %s", [kind])
        fault = first_fault(books)
    assert (fault.index, fault.check, fault.detail) == (PLACES[kind] + 1, "link", f"entry {PLACES[kind]} is missing")


@pytest.mark.parametrize(("one", "other"), [(2, 3), (2, 4), (4, 5), (5, 6)])
def test_swapped_entries_are_named_at_the_first(books: Books, one: int, other: int) -> None:
    """Rows exchange their places and numbers, which their statements repeat."""
    with intruder(books) as connection:
        for old, new in ((one, 1000), (other, one), (1000, other)):
            connection.execute(
                "UPDATE signer.entry SET index = %s, position = %s WHERE outlet_id = 'KIN001' AND index = %s",
                [new, new - 1, old],
            )
        fault = first_fault(books)
    assert (fault.subject, fault.index, fault.check) == ("KIN001", other, "columns"), fault
    assert fault.detail == f"column index says {one}, the sealed statement {other}"


# --- signed by the signer's own key, and still not so

SIGNER = SoftSigner()
OTHER, STRANGER = TillKey("T2"), TillKey("T1")


def _record(index: int, previous: bytes, kind: str, payload: bytes) -> Record:
    statement = msgspec.structs.replace(
        TYPICAL,
        kind=kind,
        index=index,
        fiscal_number="",
        document_type="",
        total="0.00",
        tax="0.00",
        payload_hash=canonical.sha256_hex(payload),
        key_id=SIGNER.key_id,
    )
    digest = entry_hash(previous, statement.encode())
    return Record(
        *(0, index - 1, statement.outlet_id, index, statement.epoch, kind, statement.merchant_nif, None, ""),
        *(exact(statement.sealed_at), statement.encode(), payload, bytes.fromhex(statement.payload_hash)),
        *(previous, digest, SIGNER.raw(digest), SIGNER.key_id, "http://127.0.0.1"),
    )


def _verify(steps: Sequence[dict | msgspec.Struct], scope: Scope | None = None) -> Outcome:
    """Of a chain that tells this; a dict is told as it is, its kind is that of its schema."""
    outcome, keys, previous = Outcome(), {SIGNER.key_id: SIGNER.public_key}, ZERO_HASH
    with closing(Facts()) as facts:
        ledger = Ledger(scope or Scope(TYPICAL.authority), keys, facts, CreditJudge(facts, lambda _locator: b""))
        for index, told in enumerate(steps, start=1):
            members = told if isinstance(told, dict) else msgspec.to_builtins(told)
            kind = members["schema"].removeprefix("bonopay.").removesuffix("/1")
            record = _record(index, previous, kind, rfc8785.dumps(members))
            previous = record.entry_hash
            ledger.add(check(index, record, keys))
        ledger.finish(outcome)
    return outcome


def _members(told: msgspec.Struct, **members: Any) -> Callable[[], dict]:
    return lambda: msgspec.to_builtins(told) | members


def test_tills_renewed_and_told_of_again_and_again_hold() -> None:
    steps = [TILL.credential(), OTHER.credential(), TILL.credential(counter_from=7), TILL.gap(), OTHER.gap(1, 1)]
    outcome = _verify([*steps, TILL.clone(), TILL.clone(6), OTHER.credential(not_after="2026-11-21T08:30:01Z")])
    assert outcome.faults == [] and outcome.entries == 8


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (STRANGER.gap(), "never admitted the key"),
        (STRANGER.clone(), "never admitted the key"),
        (TILL.gap(terminal="T9"), "as another device or terminal"),
        (TILL.clone(device_id=OTHER.device_id), "as another device or terminal"),
        (TILL.credential(terminal="T9"), "as another device or terminal"),
        (TILL.credential(device_id=STRANGER.device_id), "as another device or terminal"),
        (STRANGER.credential(device_id=TILL.device_id), "with another key"),
        (TILL.gap(3, 2), "end before they begin"),
        (TILL.credential(counter_from=9, counter_to=8), "end before they begin"),
        (TILL.credential(not_after="2026-11-21T08:30:00Z"), "ends before it begins"),
        (TILL.credential(not_after="2026-11-24T08:30:01Z"), "longer than 72 hours"),
        (TILL.credential(key_id=OTHER.public.key_id), "not the key of key_id"),
        (TILL.credential(public_key="AAAA"), "no P-256 key"),
        (TILL.clone(hashes=("ab" * 32, "ab" * 32)), "not two, in ascending order"),
        (TILL.clone(hashes=("cd" * 32, "ab" * 32)), "not two, in ascending order"),
        (TILL.credential(schema="bonopay.offline_gap/1"), "the payload is no OfflineGap"),
        (TILL.gap(schema="bonopay.credential/1"), "the payload is no Credential"),
        (_members(TILL.gap(), reason="x"), "the payload is no OfflineGap"),
        (_members(TILL.clone(), counter=0), "the payload is no TillCloned"),
        (_members(TILL.clone(), hashes=["ab" * 32]), "the payload is no TillCloned"),
        (_members(TILL.credential(), terminal="t 1"), "the payload is no Credential"),
        (_members(TILL.credential(), device_id=None), "the payload is no Credential"),
    ],
)
def test_what_contradicts_the_chain_is_named_although_it_is_signed(last: Any, words: str) -> None:
    told = last() if callable(last) else last
    (fault,) = _verify([TILL.credential(), OTHER.credential(), told, TILL.gap()]).faults
    assert (fault.index, fault.check) == (3, "content") and words in fault.detail, fault


def test_excerpt_may_leave_the_admission_out_but_not_contradict_itself() -> None:
    excerpt = Scope(TYPICAL.authority, whole=False)
    assert _verify([TILL.gap(), TILL.clone()], excerpt).faults == []
    (fault,) = _verify([TILL.gap(), TILL.clone(terminal="T9")], excerpt).faults
    assert (fault.index, fault.check) == (2, "content")

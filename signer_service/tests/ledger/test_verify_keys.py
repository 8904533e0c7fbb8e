"""Whose signature counts: a chain's key changes only by an entry that the old key signs and the new key proves."""

from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bonopay_signer.hsm.statements import rotation_digest
from bonopay_signer.ledger.batch import Draft
from bonopay_signer.ledger.entries import KEY_ROTATION
from bonopay_signer.ledger.exporting import Excerpt, export
from bonopay_signer.ledger.rotation import rotation_at, rotation_payload
from bonopay_signer.ledger.store import heads_of
from bonopay_signer.ledger.verify.database import snapshot
from bonopay_signer.ledger.verify.outcome import Outcome
from bonopay_signer.ledger.verify.run import verify_database, verify_file

from ..support.databases import Database
from .ledgers import AUTHORITY, OUTLETS, Books, SoftSigner


@pytest.fixture
def books(database: Database, tmp_path: Path) -> Books:
    books = Books(database, tmp_path / "heads")
    books.register(OUTLETS)
    return books


def publish(books: Books, signer: SoftSigner) -> None:
    with books.database.as_admin() as connection:
        connection.execute(
            "INSERT INTO signer.signing_key (key_id, public_der) VALUES (%s, %s)",
            [signer.key_id, signer.public_key.der],
        )


async def hand_over(books: Books, new: SoftSigner, prover: SoftSigner) -> None:
    """A rotation of KIN001 whose proof of possession ``prover`` makes; ``new`` signs from then on."""
    async with await psycopg.AsyncConnection.connect(
        books.database.service, options="-c bonopay.merchant=*"
    ) as connection:
        head = (await heads_of(connection, ["KIN001"]))["KIN001"]
    old = books.signer.public_key
    place = rotation_at(AUTHORITY, "KIN001", head.index + 1, head.entry_hash, old, new.public_key)
    payload = rotation_payload(old, new.public_key, prover.raw(rotation_digest(place, AUTHORITY)))
    sums = ("", "0.00", "0.00", "CDF")
    await books.writer.append([Draft("KIN001", head.merchant_nif, KEY_ROTATION, None, None, *sums, payload)])
    books.signer.private = new.private


def verified(books: Books, trusted: frozenset[str] | None = None) -> Outcome:
    return verify_database(books.database.service, AUTHORITY, ["KIN001"], trusted)


async def test_chain_that_was_handed_over_holds_from_its_first_key_on(books: Books, tmp_path: Path) -> None:
    new, first = SoftSigner(), books.signer.key_id
    publish(books, new)
    async with books.open():
        await books.invoice("KIN001")
        await hand_over(books, new, prover=new)
        await books.invoice("KIN001")
    assert verified(books, frozenset({first})).faults == []
    assert [(fault.index, fault.check) for fault in verified(books, frozenset({new.key_id})).faults] == [(1, "key")]
    since = books.rows("SELECT sealed_at FROM signer.entry WHERE index = 3")[0][0]
    with snapshot(books.database.service) as connection:
        export(connection, AUTHORITY, tmp_path / "all", Excerpt(None, None, None))
        export(connection, AUTHORITY, tmp_path / "later", Excerpt(None, since, None))
    assert verify_file(tmp_path / "all", frozenset({first})).faults == []
    assert verify_file(tmp_path / "later").faults == [], "it begins after the rotation, with the new key"
    assert verify_file(tmp_path / "later", frozenset({new.key_id})).faults == []
    (fault,) = verify_file(tmp_path / "later", frozenset({first})).faults
    assert (fault.index, fault.check) == (3, "key"), "nothing in the file hands the chain on to the new key"


async def test_other_key_without_a_rotation_is_named(books: Books) -> None:
    other = SoftSigner()
    publish(books, other)
    async with books.open():
        await books.invoice("KIN001")
        books.signer.private = other.private
        await books.invoice("KIN001")
    (fault,) = verified(books).faults
    assert (fault.index, fault.check) == (2, "key") and "no key_rotation hands the chain on" in fault.detail


async def test_rotation_that_the_new_key_did_not_prove_is_named(books: Books) -> None:
    new = SoftSigner()
    publish(books, new)
    async with books.open():
        await books.invoice("KIN001")
        await hand_over(books, new, prover=SoftSigner())
    (fault,) = verified(books).faults
    assert (fault.index, fault.check) == (2, "key") and "proof of possession" in fault.detail


async def test_rotation_to_a_key_that_nobody_published_is_named(books: Books) -> None:
    new = SoftSigner()
    async with books.open():
        await books.invoice("KIN001")
        await hand_over(books, new, prover=new)
    (fault,) = verified(books).faults
    assert (fault.index, fault.check) == (2, "key") and "not among the published keys" in fault.detail


async def test_everything_signed_anew_with_another_key_fools_only_who_trusts_any_key(books: Books) -> None:
    first = books.signer.key_id
    forger = ec.generate_private_key(ec.SECP256R1())
    books.signer.private = forger
    publish(books, books.signer)
    async with books.open():
        await books.invoice("KIN001")
    assert verified(books).is_good
    assert [(fault.index, fault.check) for fault in verified(books, frozenset({first})).faults] == [(1, "key")]


async def test_over_credited_sale_is_named_although_it_is_signed(books: Books) -> None:
    """A signer without the judge: what two tills could do if credit notes were not judged in the sealing order."""

    async def nothing(*_: object) -> dict:
        return {}

    async with books.open():
        sale = await books.invoice("KIN001")
        books.writer._preparation._judge = nothing
        await books.credit(sale, quantity="2")
        await books.credit(sale, quantity="1")
    (fault,) = verified(books).faults
    assert (fault.index, fault.check) == (3, "credit") and "credit.item.quantity.exceeds" in fault.detail

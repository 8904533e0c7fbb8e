"""What is signed is for ever: each checkpoint must be the ledger's, must extend the one before, or must not exist."""

import asyncio

import psycopg
import pytest

from bonopay_signer.hsm.errors import HsmUnavailable
from bonopay_signer.transparency import checkpointer as module
from bonopay_signer.transparency.checkpointer import Checkpointer
from bonopay_signer.transparency.checkpoints import Checkpoint, parse_checkpoint
from bonopay_signer.transparency.merkle import root_of
from bonopay_signer.transparency.notes import EcdsaVerifier, parse_note, verified
from bonopay_signer.transparency.store import LogContradiction, LogStore

from .conftest import LOG
from .logs import AUTHORITY, Ledger, SoftwareSigner

ORIGIN = "bonopay.bono-cd-test/0/1"


async def test_checkpoint_is_the_signed_root_over_every_entry(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer
) -> None:
    for count in (1, 1, 254, 1, 300, 700):
        ledger.grow(count)
        published = await checkpointer.advance()
        assert published is not None
        note = parse_note(published.note.encode())
        leaves = ledger.leaves()
        assert parse_checkpoint(note.text) == Checkpoint(ORIGIN, len(leaves), root_of(leaves))
        assert verified(note, [EcdsaVerifier(ORIGIN, signer.public_key.der)])


async def test_nothing_new_is_not_signed_again(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer
) -> None:
    assert await checkpointer.advance() is None
    ledger.grow(3)
    first = await checkpointer.advance()
    assert await checkpointer.advance() == first
    assert len(signer.signed) == 1


async def test_stored_tiles_are_those_of_the_leaves(ledger: Ledger, checkpointer: Checkpointer) -> None:
    ledger.grow(66_000)
    await checkpointer.advance()
    leaves = ledger.leaves()
    rows = ledger.rows("SELECT level, index, hashes, root FROM signer.tile ORDER BY level, index")
    assert [(level, index) for level, index, *_ in rows] == [*((0, index) for index in range(257)), (1, 0)]
    for level, index, hashes, root in rows:
        span = 256 ** (level + 1)
        assert root == root_of(leaves[index * span : (index + 1) * span])
        assert hashes[:32] == root_of(leaves[index * span : index * span + 256**level])


# --- crashes


class Crash(Exception):
    pass


@pytest.mark.parametrize("step", ["leaves", "put_tiles", "tiles", "put_checkpoint", "checkpoint"])
@pytest.mark.parametrize("persisted", [False, True])
async def test_crash_at_any_step_is_resumed_to_the_same_log(
    ledger: Ledger, signer: SoftwareSigner, store: LogStore, monkeypatch, step: str, persisted: bool
) -> None:
    """Each storage step fails once, before it was done or after: a new process goes on and signs no other root."""
    ledger.grow(700)
    await Checkpointer(store, signer, AUTHORITY, 0).advance()
    ledger.grow(2_000)
    real, calls = getattr(LogStore, step), 0

    async def failing(self: LogStore, *arguments):
        nonlocal calls
        calls += 1
        if calls == 2 or step in ("put_checkpoint", "checkpoint"):
            if persisted:
                await real(self, *arguments)
            raise Crash
        return await real(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(LogStore, step, failing)
        with pytest.raises(Crash):
            await Checkpointer(store, signer, AUTHORITY, 0).advance()
    ledger.grow(10)
    published = await Checkpointer(store, signer, AUTHORITY, 0).advance()
    assert published is not None and (published.size, published.root) == (2_710, root_of(ledger.leaves()))
    for text in signer.signed:
        signed = parse_checkpoint(text)
        assert signed.root == root_of(ledger.leaves(signed.size))


async def test_same_process_goes_on_after_a_token_that_was_away(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer
) -> None:
    ledger.grow(5)
    signer.is_away = True
    with pytest.raises(HsmUnavailable):
        await checkpointer.advance()
    ledger.grow(600)
    signer.is_away = False
    published = await checkpointer.advance()
    assert published is not None and published.root == root_of(ledger.leaves())


async def test_signature_of_a_token_that_errs_is_not_published(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer
) -> None:
    ledger.grow(5)
    signer.errs = True
    with pytest.raises(HsmUnavailable, match="does not verify"):
        await checkpointer.advance()
    assert ledger.rows("SELECT 1 FROM signer.checkpoint") == []


async def test_two_checkpointers_at_once_sign_one_history(
    ledger: Ledger, signer: SoftwareSigner, store: LogStore
) -> None:
    two = [Checkpointer(store, signer, AUTHORITY, 0) for _ in range(2)]
    for count in (10, 600, 1, 3_000):
        ledger.grow(count)
        await asyncio.gather(*(one.advance() for one in two))
        ledger.grow(7)
        await two[0].advance()
    sizes = ledger.rows("SELECT size, root FROM signer.checkpoint ORDER BY size")
    assert [root for _, root in sizes] == [root_of(ledger.leaves(size)) for size, _ in sizes]
    assert sizes[-1][0] == len(ledger.leaves())


async def test_checkpoint_reaches_no_further_than_the_head_store_remembers(
    ledger: Ledger, signer: SoftwareSigner, store: LogStore
) -> None:
    """What only the database knows can be lost in silence, and other entries sealed in its place."""
    remembered = [0]
    checkpointer = Checkpointer(store, signer, AUTHORITY, 0, remembered=lambda: remembered[0])
    ledger.grow(5)
    assert await checkpointer.advance() is None
    assert (checkpointer.state().backlog, signer.signed) == (5, [])
    for known, size, backlog in ((3, 3, 2), (2, 3, 2), (5, 5, 0), (9, 5, 0)):
        remembered[0] = known
        published = await checkpointer.advance()
        assert published is not None and published.size == size
        assert checkpointer.state().backlog == backlog
    assert [parse_checkpoint(text).size for text in signer.signed] == [3, 5]


async def test_backlog_is_read_in_bounded_chunks(
    ledger: Ledger, store: LogStore, signer: SoftwareSigner, monkeypatch
) -> None:
    ledger.grow(20_000)
    widths: list[int] = []
    real = LogStore.leaves

    async def watched(self: LogStore, shard: int, start: int, end: int) -> list[bytes]:
        widths.append(end - start)
        return await real(self, shard, start, end)

    monkeypatch.setattr(LogStore, "leaves", watched)
    await Checkpointer(store, signer, AUTHORITY, 0).advance()
    assert max(widths) <= module.CHUNK
    assert sum(widths) >= 20_000


async def test_new_log_epoch_begins_a_log_of_its_own(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, store: LogStore
) -> None:
    ledger.grow(300)
    before = await checkpointer.advance()
    ledger.rows("UPDATE signer.shard SET log_epoch = 2 RETURNING id")
    ledger.grow(1)
    published = await checkpointer.advance()
    assert published is not None and (published.log_epoch, published.size) == (2, 301)
    assert published.note.startswith("bonopay.bono-cd-test/0/2\n301\n")
    assert published.root == root_of(ledger.leaves())
    assert [head.log_epoch for head in await store.heads()] == [1, 2]
    assert await store.latest_checkpoint(LOG) == before


# --- somebody changes what was sealed

TAMPERING = {
    "a hash on the edge": "UPDATE signer.entry SET entry_hash = sha256('x') WHERE position = 620",
    "a signature on the edge": "UPDATE signer.entry SET signature = sha256('x') || sha256('y') WHERE position = 513",
    "an entry on the edge is gone": "DELETE FROM signer.entry WHERE position = 600",
    "a hash under a full tile": "UPDATE signer.entry SET entry_hash = sha256('x') WHERE position = 3",
    "a signature under a full tile": (
        "UPDATE signer.entry SET signature = sha256('x') || sha256('y') WHERE position = 9"
    ),
    "an entry under a full tile is gone": "DELETE FROM signer.entry WHERE position = 0",
    "a tile": "UPDATE signer.tile SET hashes = overlay(hashes placing sha256('x') from 1) WHERE index = 1",
    "a tile's root": "UPDATE signer.tile SET root = sha256('x') WHERE level = 0 AND index = 0",
    "a tile is gone": "DELETE FROM signer.tile WHERE level = 0 AND index = 1",
    "the checkpoint's root": "UPDATE signer.checkpoint SET root = sha256('x')",
    "the checkpoint's note": "UPDATE signer.checkpoint SET note = replace(note, E'/0/1\\n', E'/0/2\\n')",
    "the checkpoint's signature": (
        "UPDATE signer.checkpoint SET note = overlay(note placing 'AAA' from length(note) - 40)"
    ),
    "the checkpoint is gone": "DELETE FROM signer.checkpoint",
    "the ledger is shorter": "UPDATE signer.shard SET size = 600",
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_changed_row_stops_the_signing(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, what: str
) -> None:
    """The running process finds it by itself, within as many rounds as there are tiles, and signs no more."""
    ledger.grow(700)
    await checkpointer.advance()
    ledger.tamper(TAMPERING[what])
    with pytest.raises(LogContradiction):
        for _ in range(4):
            await checkpointer.advance()
    signed = len(signer.signed)
    if what != "the ledger is shorter":
        ledger.grow(5)
    for _ in range(3):
        with pytest.raises(LogContradiction):
            for _ in range(4):
                await checkpointer.advance()
    assert len(signer.signed) <= signed + (4 if "under a full tile" in what else 0)


@pytest.mark.parametrize("what", [what for what in TAMPERING if what != "the checkpoint is gone"])
async def test_changed_row_stops_a_new_process_too(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, store: LogStore, what: str
) -> None:
    """(A checkpoint that is gone is the witnesses' to find, once no process remembers it.)"""
    ledger.grow(700)
    await checkpointer.advance()
    ledger.tamper(TAMPERING[what])
    new = Checkpointer(store, signer, AUTHORITY, 0)
    with pytest.raises(LogContradiction):
        for _ in range(4):
            await new.advance()


async def test_fork_that_was_signed_with_the_right_key_is_refused_by_who_saw_the_other(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, store: LogStore
) -> None:
    ledger.grow(100)
    await checkpointer.advance()
    with ledger.as_intruder() as connection:
        for table in ("checkpoint", "tile", "document", "entry"):
            connection.execute(f"DELETE FROM signer.{table}")
        connection.execute("UPDATE signer.shard SET size = 0")
    ledger.branches.clear()
    ledger.grow(120, "fork")
    await Checkpointer(store, signer, AUTHORITY, 0).advance()
    with pytest.raises(LogContradiction, match="does not extend"):
        await checkpointer.advance()


# --- what the service's own role may do


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE signer.tile SET root = root",
        "DELETE FROM signer.tile",
        "TRUNCATE signer.tile",
        "UPDATE signer.checkpoint SET note = note",
        "DELETE FROM signer.checkpoint",
        "TRUNCATE signer.checkpoint CASCADE",
        "DELETE FROM signer.cosignature",
        "INSERT INTO signer.witness (verifier_key) VALUES ('x')",
        "UPDATE signer.witness SET removed_at = now()",
        "UPDATE signer.cosignature SET line = line",
        "UPDATE signer.witnessed SET origin = origin",
        "DELETE FROM signer.witnessed",
    ],
)
async def test_service_cannot_change_what_was_published(
    ledger: Ledger, checkpointer: Checkpointer, statement: str
) -> None:
    ledger.grow(300)
    await checkpointer.advance()
    with ledger.database.as_service() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("table", ["tile", "checkpoint"])
async def test_owner_cannot_change_what_was_published(ledger: Ledger, checkpointer: Checkpointer, table: str) -> None:
    ledger.grow(300)
    await checkpointer.advance()
    with psycopg.connect(ledger.database.owner, autocommit=True) as connection:
        for statement in (f"UPDATE signer.{table} SET root = root", f"DELETE FROM signer.{table}"):
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="never changed"):
                connection.execute(statement)
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="never changed"):
            connection.execute(f"TRUNCATE signer.{table} CASCADE")


@pytest.mark.parametrize(("size", "epoch"), [(299, 1), (301, 1), (300, 2)])
async def test_checkpoint_row_that_does_not_continue_its_log_is_refused_by_the_database(
    ledger: Ledger, checkpointer: Checkpointer, size: int, epoch: int
) -> None:
    ledger.grow(300)
    await checkpointer.advance()
    with (
        ledger.database.as_service() as connection,
        pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="does not continue"),
    ):
        connection.execute(
            "INSERT INTO signer.checkpoint (shard, log_epoch, size, root, note) VALUES (0, %s, %s, sha256(''), '')",
            [epoch, size],
        )

"""An auditor with the ledger derives every tile and every checkpoint again: one changed byte is found and located."""

import pytest
from psycopg_pool import AsyncConnectionPool

from bonopay_signer.transparency.checkpointer import Checkpointer
from bonopay_signer.transparency.store import LogStore
from bonopay_signer.transparency.verification import LogFault, LogVerified, verify_log

from .logs import AUTHORITY, Ledger, SoftwareSigner


async def grow(ledger: Ledger, checkpointer: Checkpointer) -> None:
    for count in (1, 299, 400):
        ledger.grow(count)
        await checkpointer.advance()


async def test_sound_log_verifies_and_says_how_far_its_checkpoints_reach(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, store: LogStore
) -> None:
    await grow(ledger, checkpointer)
    ledger.grow(9)
    verified = await verify_log(store, AUTHORITY, 0, [signer.public_key.der])
    assert verified == LogVerified(shard=0, leaves=709, checkpoints=3, tiles=2, covered=700)


async def test_log_of_two_epochs_verifies(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, store: LogStore
) -> None:
    await grow(ledger, checkpointer)
    ledger.rows("UPDATE signer.shard SET log_epoch = 2 RETURNING id")
    ledger.grow(100)
    await checkpointer.advance()
    verified = await verify_log(store, AUTHORITY, 0, [signer.public_key.der])
    assert verified == LogVerified(shard=0, leaves=800, checkpoints=4, tiles=2 + 3, covered=800)


async def test_checkpoints_of_every_epoch_come_by_size(
    ledger: Ledger, checkpointer: Checkpointer, store: LogStore
) -> None:
    """A restored copy is shorter, so the checkpoints of its log lie between those of the log before."""
    ledger.grow(900)
    with ledger.as_intruder() as connection:
        connection.execute("UPDATE signer.shard SET log_epoch = 2")
        connection.execute(
            "INSERT INTO signer.checkpoint SELECT 0, 1 + (n % 3 = 0)::integer, n, sha256(''), 'n' "
            "FROM generate_series(1, 2500) AS n UNION ALL SELECT 0, 2, 7, sha256(''), 'n'"
        )
    found = [(checkpoint.size, checkpoint.log_epoch) async for checkpoint in store.stream_checkpoints(0)]
    assert len(found) == 2_501 and found == sorted(found)
    assert [(head.log_epoch, head.size) for head in await store.heads()] == [(1, 2_500), (2, 2_499)]


async def test_empty_log_verifies(store: LogStore, signer: SoftwareSigner) -> None:
    assert await verify_log(store, AUTHORITY, 0, [signer.public_key.der]) == LogVerified(0, 0, 0, 0, 0)


FAULTS = {
    "entry SET entry_hash = sha256('x') WHERE position = 0": (1, "root"),
    "entry SET entry_hash = sha256('x') WHERE position = 255": (256, "tile"),
    "entry SET signature = entry_hash || sha256('x') WHERE position = 299": (300, "root"),
    "entry SET signature = entry_hash || sha256('x') WHERE position = 699": (700, "root"),
    "entry SET position = 1000 WHERE position = 699": (700, "leaves"),
    "entry SET position = 1000 WHERE position = 10": (300, "leaves"),
    "tile SET root = sha256('x') WHERE index = 1": (512, "tile"),
    "tile SET hashes = overlay(hashes placing sha256('x') from 33) WHERE index = 0": (256, "tile"),
    "tile SET index = 2 WHERE index = 0": (512, "tile"),
    "tile SET index = 2 WHERE index = 1": (768, "tile"),
    "tile SET log_epoch = 2 WHERE index = 1": (512, "tile"),
    "checkpoint SET root = sha256('x') WHERE size = 300": (300, "root"),
    "checkpoint SET note = replace(note, E'\\n300\\n', E'\\n301\\n') WHERE size = 300": (300, "note"),
    "checkpoint SET note = regexp_replace(note, '.{12}\n$', E'AAAAAAAAAAAA\\n') WHERE size = 1": (1, "note"),
    "checkpoint c SET note = o.note FROM signer.checkpoint o WHERE c.size = 700 AND o.size = 1": (700, "note"),
    "checkpoint SET size = 701 WHERE size = 700": (701, "leaves"),
    "checkpoint SET log_epoch = 2 WHERE size = 700": (256, "tile"),
}


@pytest.mark.parametrize("index", [0, 1])
async def test_tile_that_was_taken_away_is_missed(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, store: LogStore, index: int
) -> None:
    """Of two tiles, the first or the last: each is under a checkpoint, so it was stored before that was signed."""
    await grow(ledger, checkpointer)
    ledger.tamper("DELETE FROM signer.tile WHERE index = %s", index)
    fault = await verify_log(store, AUTHORITY, 0, [signer.public_key.der])
    assert isinstance(fault, LogFault) and (fault.size, fault.check) == (512, "tile")


async def test_every_tile_taken_away_is_missed(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, store: LogStore
) -> None:
    await grow(ledger, checkpointer)
    with ledger.as_intruder() as connection:
        connection.execute("DELETE FROM signer.tile")
    fault = await verify_log(store, AUTHORITY, 0, [signer.public_key.der])
    assert isinstance(fault, LogFault) and (fault.size, fault.check) == (256, "tile")


@pytest.mark.parametrize("change", FAULTS)
async def test_change_is_found_and_located(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, store: LogStore, change: str
) -> None:
    await grow(ledger, checkpointer)
    ledger.tamper(f"UPDATE signer.{change}")
    fault = await verify_log(store, AUTHORITY, 0, [signer.public_key.der])
    assert isinstance(fault, LogFault), fault
    assert (fault.size, fault.check) == FAULTS[change], fault


async def test_checkpoint_of_a_key_that_the_auditor_does_not_trust_is_a_fault(
    ledger: Ledger, checkpointer: Checkpointer, store: LogStore
) -> None:
    """The keys come from the auditor, not from the database that may hold an intruder's."""
    await grow(ledger, checkpointer)
    fault = await verify_log(store, AUTHORITY, 0, [SoftwareSigner().public_key.der])
    assert isinstance(fault, LogFault) and (fault.size, fault.check) == (1, "note")


async def test_log_of_another_authority_is_a_fault(
    ledger: Ledger, signer: SoftwareSigner, checkpointer: Checkpointer, store: LogStore
) -> None:
    await grow(ledger, checkpointer)
    fault = await verify_log(store, "BONO-CD-OTHER", 0, [signer.public_key.der])
    assert isinstance(fault, LogFault) and fault.check == "note"


async def test_ledger_is_read_in_bounded_pieces(
    ledger: Ledger,
    signer: SoftwareSigner,
    checkpointer: Checkpointer,
    pool: AsyncConnectionPool,
    monkeypatch,
) -> None:
    ledger.grow(66_000)
    await checkpointer.advance()
    verified = await verify_log(LogStore(pool), AUTHORITY, 0, [signer.public_key.der])
    assert verified == LogVerified(0, 66_000, 1, 257 + 1, 66_000)


async def test_tiles_are_streamed_by_their_index(ledger: Ledger) -> None:
    """Without a sort: an auditor's read of a piece must not cost the whole table."""
    with ledger.database.as_admin() as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT level, index, hashes, root, (index + 1) << (8 * (level + 1)) AS filled_at FROM signer.tile "
            "WHERE shard = 0 AND log_epoch = 1 AND ((index + 1) << (8 * (level + 1)), level) > (4096, 0) "
            "ORDER BY filled_at, level LIMIT 64"
        ).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "tile_filled_at" in text and "Sort" not in text, text

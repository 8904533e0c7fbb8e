"""``head-store`` and ``epoch``: what lies outside of the database, and how sealing goes on after a restore."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from bonopay_signer.commands.options import CommandFailed, Commands, add, group, json_option
from bonopay_signer.db.instance import ShardLock
from bonopay_signer.db.pool import SYSTEM
from bonopay_signer.hsm.signers import Signers
from bonopay_signer.ledger import epochs, rollback, store
from bonopay_signer.ledger.batch import ClockBehind
from bonopay_signer.ledger.epochs import Lost
from bonopay_signer.ledger.headstore import HeadStore, Known
from bonopay_signer.ledger.verify.outcome import Gap
from bonopay_signer.settings import Settings, token_address


def register(commands: Commands) -> None:
    heads = group(commands, "head-store", "where the chains ended, outside of the database")
    json_option(add(heads, "show", _show, "what the head store knows"))
    add(heads, "adopt", _adopt, "begin a head store for a ledger that has entries already; verify it first")
    epoch = group(commands, "epoch", "a new epoch after a restore that lost answered entries")
    opening = add(epoch, "open", _open, "go on sealing after the last entries that the head store knows")
    opening.add_argument("--reason", required=True, help="what happened; it is sealed into every affected chain")
    opening.add_argument("--yes", action="store_true", help="do it; without, only show what would be opened")


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    known = _store(settings).read()
    if known is None:
        raise CommandFailed(f"the head store {settings.head_store_folder()} is empty")
    if arguments.json:
        print(json.dumps(_json(known), indent=1))
        return 0
    print(f"shard {known.shard}, log epoch {known.log_epoch}: {known.size} entries, last {known.last_hash.hex()}")
    for head in sorted(known.heads.values(), key=lambda head: head.outlet_id):
        where = f"epoch {head.epoch}, entry {head.index}, invoice {head.sequence}"
        print(f"{head.outlet_id}: {where}, {head.entry_hash.hex()}")
    return 0


def _json(known: Known) -> dict[str, object]:
    heads = [
        {
            "outlet_id": head.outlet_id,
            "epoch": head.epoch,
            "index": head.index,
            "sequence": head.sequence,
            "entry_hash": head.entry_hash.hex(),
        }
        for head in sorted(known.heads.values(), key=lambda head: head.outlet_id)
    ]
    members = {"shard": known.shard, "log_epoch": known.log_epoch, "size": known.size}
    return {**members, "last_hash": known.last_hash.hex(), "heads": heads}


def _store(settings: Settings) -> HeadStore:
    return HeadStore(settings.head_store_folder(), settings.shard)


def _adopt(_arguments: argparse.Namespace, settings: Settings) -> int:
    return asyncio.run(_adopt_ledger(settings))


async def _adopt_ledger(settings: Settings) -> int:
    async with _alone(settings, settings.service_dsn()) as (connection, heads, _):
        shard = await store.read_shard(connection, settings.shard)
        if heads.known is not None:
            await rollback.refuse_lost_entries(connection, shard, heads.known)
            print(f"the head store knows this ledger already: {heads.known.size} entries")
            return 0
        ends = await store.read_heads(connection, settings.shard)
        heads.write(epochs.known_of(shard, ends))
        print(f"adopted shard {shard.id}: {shard.size} entries of {len(ends)} outlets, last {shard.last_hash.hex()}")
    return 0


def _open(arguments: argparse.Namespace, settings: Settings) -> int:
    reason = arguments.reason.strip()
    if not 1 <= len(reason) <= 200:
        raise CommandFailed("--reason takes 1 to 200 characters")
    return asyncio.run(_open_epoch(reason, arguments.yes, settings))


async def _open_epoch(reason: str, confirmed: bool, settings: Settings) -> int:
    async with _alone(settings, settings.owner_dsn()) as (connection, heads, generation):
        known = heads.known
        if known is None:
            raise CommandFailed("the head store is empty: nothing tells what was lost; see: head-store adopt")
        try:
            return await _opened(connection, heads, known, generation, reason, confirmed, settings)
        except (epochs.NotOpened, ClockBehind, ValueError) as error:
            raise CommandFailed(str(error)) from error


async def _opened(
    connection: psycopg.AsyncConnection,
    heads: HeadStore,
    known: Known,
    generation: int,
    reason: str,
    confirmed: bool,
    settings: Settings,
) -> int:
    shard = await store.read_shard(connection, settings.shard)
    ends = await store.read_heads(connection, settings.shard)
    if shard.log_epoch > known.log_epoch:
        return await _finish(connection, heads, known, settings)
    lost = await epochs.lost_ends(connection, known, ends)
    if not lost:
        raise CommandFailed("the database holds every entry that the head store knows: no new epoch is needed")
    for chain in lost:
        print(_words(chain, reason))
    if not confirmed:
        raise CommandFailed("nothing was changed. Is there no newer copy of the database? If not, pass --yes")
    assert shard.generation == generation
    signers = _signers(settings)
    try:
        await signers.start()
        await epochs.open_epoch(connection, shard, lost, known, signers, reason, settings.public_url)
    finally:
        signers.close()
    return await _remember(connection, heads, settings)


async def _finish(connection: psycopg.AsyncConnection, heads: HeadStore, known: Known, settings: Settings) -> int:
    """An opening was interrupted between the database and the head store."""
    if not await epochs.was_opened(connection, known, await store.read_heads(connection, settings.shard)):
        raise CommandFailed("the epoch that the database has was not opened over the ends that the head store knows")
    return await _remember(connection, heads, settings)


async def _remember(connection: psycopg.AsyncConnection, heads: HeadStore, settings: Settings) -> int:
    shard = await store.read_shard(connection, settings.shard)
    heads.write(epochs.known_of(shard, await store.read_heads(connection, settings.shard)))
    print(f"log epoch {shard.log_epoch} is open; the signer may be started")
    return 0


def _words(chain: Lost, reason: str) -> str:
    known, found = chain.known, chain.found
    last = (found.index + 1, known.index, found.sequence + 1, known.sequence)
    return str(Gap(known.outlet_id, known.epoch, *last, reason))


def _signers(settings: Settings) -> Signers:
    labels = [settings.key_label]
    return Signers(token_address(settings), settings.token_pin(), settings.authority, labels, 1, 30.0)


@asynccontextmanager
async def _alone(settings: Settings, dsn: str) -> AsyncIterator[tuple[psycopg.AsyncConnection, HeadStore, int]]:
    """Connected as the only one who writes the shard and its head store. Raises SecondSigner, HeadStoreError."""
    heads = _store(settings)
    heads.open()
    lock = ShardLock(dsn, settings.shard)
    try:
        generation = await lock.acquire()
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, **SYSTEM) as connection:
            yield connection, heads, generation
    finally:
        await lock.release()
        heads.close()

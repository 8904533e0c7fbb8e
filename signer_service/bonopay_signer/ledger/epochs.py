"""A new epoch: how sealing goes on after a restore that lost answered entries.

What was answered cannot be unsaid: papers with these numbers are in people's hands. So no number and no index is used
again: each affected chain goes on after the last head that the head store knows, with an entry that says what is
missing, and its fiscal numbers carry the next epoch.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import psycopg
from msgspec import Struct

from bonopay_signer.fiscal import canonical
from bonopay_signer.fiscal.statement import Statement, entry_hash
from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.ledger import handover, reader
from bonopay_signer.ledger.batch import seal_time
from bonopay_signer.ledger.entries import EPOCH_OPENED, Head, now_ms, timestamp
from bonopay_signer.ledger.headstore import Known, KnownHead, known_heads
from bonopay_signer.ledger.opening import ChainEnd, Opening, Place, read_opening
from bonopay_signer.ledger.store import Shard


class NotOpened(Exception):
    """Why no new epoch is opened, and what to do instead."""


class Lost(Struct, frozen=True):
    """A chain that lacks its answered end: ``known`` by the head store, ``found`` in the database."""

    known: KnownHead
    found: Head


class Signer(Protocol):
    """What is needed of hsm.signers."""

    authority: str

    @property
    def key_id(self) -> str: ...

    @property
    def public_key(self) -> PublicKey: ...

    async def sign(self, batch: Sequence[tuple[bytes, bytes]]) -> list[bytes]: ...


async def lost_ends(connection: psycopg.AsyncConnection, known: Known, heads: Mapping[str, Head]) -> list[Lost]:
    """The chains whose last answered entry is not in the database, by outlet. Raises NotOpened."""
    unregistered = sorted(set(known.heads) - set(heads))
    if unregistered:
        raise NotOpened(
            f"the database does not have outlet {', '.join(unregistered)}: register it as it was first "
            "(bonopay-signer outlet add), or restore the right database"
        )
    ends = sorted(known.heads.values(), key=lambda head: head.outlet_id)
    return [Lost(end, heads[end.outlet_id]) for end in ends if not await _holds(connection, end)]


async def _holds(connection: psycopg.AsyncConnection, end: KnownHead) -> bool:
    if end.index == 0:
        return True
    cursor = await connection.execute(
        "SELECT FROM signer.entry WHERE outlet_id = %s AND index = %s AND entry_hash = %s",
        [end.outlet_id, end.index, end.entry_hash],
    )
    return cursor.rowcount > 0


async def open_epoch(
    connection: psycopg.AsyncConnection,
    shard: Shard,
    lost: Sequence[Lost],
    known: Known,
    signer: Signer,
    reason: str,
    public_url: str,
) -> None:
    """Append an ``epoch_opened`` entry to every chain of ``lost``, in one transaction.

    ``connection`` is the owner's. Raises KeyNotInForce, ClockBehind, HsmUnavailable, psycopg.Error.
    """
    # A rotation that was lost with the rest is made again: until then the chain's key is the former one.
    await handover.refuse_other_key(connection, shard.id, signer.key_id)
    await reader.publish_key(connection, signer.public_key)
    sealed_at = seal_time(now_ms(), shard.sealed_at)
    log_epoch = max(known.log_epoch, shard.log_epoch) + 1
    openings = [_planned(chain, reason, log_epoch, sealed_at, signer) for chain in lost]
    pairs = [(statement, chain.known.entry_hash) for chain, (_, statement, _) in zip(lost, openings, strict=True)]
    signatures = await signer.sign(pairs)
    async with connection.transaction():
        await connection.execute("SELECT signer.ensure_month(%s)", [sealed_at])
        await _append(connection, shard, log_epoch, sealed_at, public_url, lost, openings, signatures, signer.key_id)


def _planned(
    chain: Lost, reason: str, log_epoch: int, sealed_at: datetime, signer: Signer
) -> tuple[Place, bytes, bytes]:
    """The entry's place, its canonical statement and its canonical payload."""
    opening = Opening("bonopay.epoch_opened/1", reason, log_epoch, ChainEnd.at(chain.known), ChainEnd.at(chain.found))
    payload = canonical.encode(msgspec.to_builtins(opening))
    read_opening(msgspec.json.decode(payload))
    place = opening.follows()
    statement = Statement(
        v=1,
        kind=EPOCH_OPENED,
        authority=signer.authority,
        epoch=place.epoch,
        merchant_nif=chain.found.merchant_nif,
        outlet_id=chain.found.outlet_id,
        index=place.index,
        fiscal_number="",
        document_type="",
        sealed_at=timestamp(sealed_at),
        total="0.00",
        tax="0.00",
        currency="CDF",
        payload_hash=canonical.sha256_hex(payload),
        key_id=signer.key_id,
    )
    return place, statement.encode(), payload


_TYPES = ("smallint", "bigint", "bigint", "int", "timestamptz", "text", "text[]", "text[]", "bigint[]", "int[]")
_TYPES += ("bigint[]", *["bytea[]"] * 5, "text")
_OPEN_EPOCH = f"SELECT signer.open_epoch({', '.join(f'%b::{name}' for name in _TYPES)})"


async def _append(
    connection: psycopg.AsyncConnection,
    shard: Shard,
    log_epoch: int,
    sealed_at: datetime,
    public_url: str,
    lost: Sequence[Lost],
    openings: Sequence[tuple[Place, bytes, bytes]],
    signatures: Sequence[bytes],
    key_id: str,
) -> None:
    previous = [chain.known.entry_hash for chain in lost]
    hashes = [entry_hash(before, statement) for before, (_, statement, _) in zip(previous, openings, strict=True)]
    places = [place for place, _, _ in openings]
    parameters = [shard.id, shard.generation, shard.size, log_epoch, sealed_at, public_url]
    parameters += [[chain.found.outlet_id for chain in lost], [chain.found.merchant_nif for chain in lost]]
    parameters += [[getattr(place, name) for place in places] for name in ("index", "epoch", "sequence")]
    parameters += [[statement for _, statement, _ in openings], [payload for _, _, payload in openings]]
    await connection.execute(_OPEN_EPOCH, [*parameters, previous, hashes, list(signatures), key_id])


async def was_opened(connection: psycopg.AsyncConnection, known: Known, heads: Mapping[str, Head]) -> bool:
    """Whether the database has the openings of everything that the head store misses in it: only the head store was
    not written any more. Raises NotOpened."""
    for chain in await lost_ends(connection, known, heads):
        cursor = await connection.execute(
            "SELECT payload FROM signer.entry WHERE outlet_id = %s AND kind = %s ORDER BY index DESC LIMIT 1",
            [chain.known.outlet_id, EPOCH_OPENED],
        )
        row = await cursor.fetchone()
        if row is None:
            return False
        opening = read_opening(msgspec.json.decode(bytes(row[0])))
        if opening.known.of(chain.known.outlet_id) != chain.known:
            return False
    return True


def known_of(shard: Shard, heads: Mapping[str, Head]) -> Known:
    """What a head store knows after this state of the database."""
    ends = {head.outlet_id: head for head in known_heads(heads.values())}
    return Known(shard.id, shard.log_epoch, shard.size, shard.last_hash, ends)

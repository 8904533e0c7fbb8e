"""Which key is in force in which chain, and handing the chains over to the next key.

::

    key next ──▶ key publish (optional) ──▶ key rotate: one entry per chain ──▶ in force ──▶ retired

The service starts only with the key that is in force in every chain of its shard. A retired key never comes back: it
was retired because it was old, or because somebody may have it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from bonopay_signer.hsm.ecdsa import PublicKey
from bonopay_signer.hsm.signers import Signers
from bonopay_signer.ledger import reader, store
from bonopay_signer.ledger.batch import Draft
from bonopay_signer.ledger.entries import KEY_ROTATION, Entry, Head
from bonopay_signer.ledger.rotation import RotationInvalid, read_rotation, rotation_at, rotation_payload
from bonopay_signer.ledger.writer import LedgerWriter

_AT_ONCE = 64
_NAMED = 5

# By way of the heads, which name the month and the index: one look-up per chain.
_LAST_ENTRIES = """
SELECT h.outlet_id, e.key_id, CASE WHEN e.kind = %s THEN e.payload END AS rotation
  FROM signer.outlet_head h JOIN signer.merchant m ON m.nif = h.merchant_nif
  LEFT JOIN signer.entry e ON (e.outlet_id, e.index, e.sealed_at) = (h.outlet_id, h.index, h.sealed_at)
 WHERE m.shard = %s AND h.index > 0
 ORDER BY h.outlet_id
"""


class KeyNotInForce(Exception):
    """The key of the settings may not sign some chain, or may not follow the key that does."""


@dataclass(frozen=True)
class _LastEntry:
    outlet_id: str
    key_id: str | None
    rotation: bytes | None

    def key_in_force(self) -> str:
        if self.key_id is None:
            raise KeyNotInForce(f"the last entry of {self.outlet_id} is missing; see: bonopay-signer verify")
        if self.rotation is None:
            return self.key_id
        try:
            return read_rotation(self.rotation).new_key_id
        except RotationInvalid as error:
            words = f"the last entry of {self.outlet_id} is damaged ({error}); see: bonopay-signer verify"
            raise KeyNotInForce(words) from error


async def keys_in_force(connection: psycopg.AsyncConnection, shard: int) -> dict[str, str]:
    """The id of the key that signs each chain next, by outlet; without outlets that have no entry yet.

    Raises KeyNotInForce for a chain whose last entry cannot be read.
    """
    async with connection.cursor(row_factory=class_row(_LastEntry)) as cursor:
        await cursor.execute(_LAST_ENTRIES, [KEY_ROTATION, shard])
        return {last.outlet_id: last.key_in_force() for last in await cursor.fetchall()}


async def refuse_other_key(connection: psycopg.AsyncConnection, shard: int, key_id: str) -> None:
    """Raises KeyNotInForce, with the way out, unless ``key_id`` is in force in every chain of the shard."""
    in_force = await keys_in_force(connection, shard)
    others = {outlet: key for outlet, key in in_force.items() if key != key_id}
    if not others:
        return
    other = Counter(others.values()).most_common(1)[0][0]
    replaced = await _was_before(connection, key_id, other)
    if len(others) < len(in_force):
        old, new = (key_id, other) if replaced else (other, key_id)
        raise KeyNotInForce(
            f"{len(others)} of {len(in_force)} chains ({_some(list(others))}) are signed with {other}, the others with "
            f"{key_id}: the rotation from {old} to {new} is not finished. Set BONOPAY_SIGNER_KEY_LABEL to the label of "
            f"{old} and run again: bonopay-signer key rotate --to the label of {new} (see: bonopay-signer key list)"
        )
    way_out = f"set BONOPAY_SIGNER_KEY_LABEL to the label of {other} (see: bonopay-signer key list)"
    if replaced:
        raise KeyNotInForce(f"the key {key_id} was replaced by {other} and signs no more; {way_out}")
    raise KeyNotInForce(
        f"the chains ({_some(list(others))}) are signed with {other}, not with the token's key {key_id}; {way_out}, "
        "and to change keys run then: bonopay-signer key rotate --to LABEL"
    )


async def publish_next(connection: psycopg.AsyncConnection, shard: int, key: PublicKey) -> bool:
    """Publish a key ahead of its rotation, for those who verify without a network. False when it is published already.

    Raises KeyNotInForce while no chain has a key in force: the next key is published after it, never before.
    """
    if not await keys_in_force(connection, shard):
        raise KeyNotInForce("no chain has an entry yet: start the service with this key instead, it publishes it")
    if key.key_id in [known.key_id for known, _ in await reader.signing_keys(connection)]:
        return False
    await reader.publish_key(connection, key)
    return True


async def rotate(
    connection: psycopg.AsyncConnection,
    writer: LedgerWriter,
    signers: Signers,
    shard: int,
    new_key: PublicKey,
    told: Callable[[int, int], None],
) -> int:
    """Append a ``key_rotation`` to every chain that the active key of ``signers`` still signs; how many there were.

    ``signers`` holds both keys, ``writer`` is open and nobody else writes the shard. ``told`` gets the chains done and
    all of them. Interrupted, it is called again: what is rotated stays so. Raises KeyNotInForce, and what
    `LedgerWriter.append` and `Signers.prove_possession` raise.
    """
    old_key = signers.public_key
    in_force = await keys_in_force(connection, shard)
    await _refuse_to_follow(connection, in_force, old_key, new_key)
    await reader.publish_key(connection, new_key)
    if new_key.key_id in await reader.damaged_keys(connection):
        raise KeyNotInForce("the database holds another key under the new key's id; see: bonopay-signer verify")
    heads = await store.heads_of(connection, [outlet for outlet, key in in_force.items() if key == old_key.key_id])
    waiting = list(heads.values())
    if waiting:
        await _log(connection, shard, old_key, new_key, len(waiting))
    for start in range(0, len(waiting), _AT_ONCE):
        batch = waiting[start : start + _AT_ONCE]
        handed = (_hand_over(writer, signers, head, old_key, new_key) for head in batch)
        for result in await asyncio.gather(*handed, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        told(start + len(batch), len(waiting))
    return len(waiting)


async def _log(
    connection: psycopg.AsyncConnection, shard: int, old_key: PublicKey, new_key: PublicKey, chains: int
) -> None:
    """In the action log, before the first chain: an interrupted rotation too is one that somebody began."""
    before, after = {"key_id": old_key.key_id}, {"key_id": new_key.key_id, "chains": chains}
    await connection.execute(
        "SELECT signer.log_action('key.rotate', %s, NULL, %s, %s)", [f"shard {shard}", Jsonb(before), Jsonb(after)]
    )


async def _hand_over(
    writer: LedgerWriter, signers: Signers, head: Head, old_key: PublicKey, new_key: PublicKey
) -> list[Entry]:
    index = head.index + 1
    place = rotation_at(signers.authority, head.outlet_id, index, head.entry_hash, old_key, new_key)
    draft = Draft(
        outlet_id=head.outlet_id,
        merchant_nif=head.merchant_nif,
        kind=KEY_ROTATION,
        document_id=None,
        fiscal_number=None,
        document_type="",
        total="0.00",
        tax="0.00",
        currency="CDF",
        payload=rotation_payload(old_key, new_key, await signers.prove_possession(place)),
        after=head.entry_hash,
    )
    return await writer.append([draft])


async def _refuse_to_follow(
    connection: psycopg.AsyncConnection, in_force: Mapping[str, str], old_key: PublicKey, new_key: PublicKey
) -> None:
    if old_key == new_key:
        raise KeyNotInForce("the token holds one key under both labels: a key does not follow itself")
    foreign = [outlet for outlet, key in in_force.items() if key not in (old_key.key_id, new_key.key_id)]
    if foreign:
        raise KeyNotInForce(
            f"{_some(foreign)} signed with {in_force[foreign[0]]}, neither the old nor the new key: finish that "
            "key's rotation first, with BONOPAY_SIGNER_KEY_LABEL set to its label"
        )
    if await _was_before(connection, new_key.key_id, old_key.key_id):
        raise KeyNotInForce(
            f"the key {new_key.key_id} was published before {old_key.key_id} and never comes back; "
            "make a new one: bonopay-signer key next"
        )


async def _was_before(connection: psycopg.AsyncConnection, first: str, second: str) -> bool:
    """Whether both keys are published and ``first`` was before ``second``."""
    published = [key.key_id for key, _ in await reader.signing_keys(connection)]
    return first in published and second in published and published.index(first) < published.index(second)


def _some(outlets: Sequence[str]) -> str:
    """A few of them in words."""
    return ", ".join(outlets[:_NAMED]) + (" …" if len(outlets) > _NAMED else "")

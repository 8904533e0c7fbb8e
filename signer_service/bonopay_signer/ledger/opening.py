"""The entry that opens an epoch: its payload, and where it stands. Pure."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from bonopay_signer.fiscal.canonical import MAX_INTEGER
from bonopay_signer.fiscal.forms import Sha256Hex
from bonopay_signer.fiscal.numbering import MAX_EPOCH, MAX_SEQUENCE
from bonopay_signer.ledger.entries import Head
from bonopay_signer.ledger.headstore import KnownHead

_Epoch = Annotated[int, Meta(ge=1, le=MAX_EPOCH)]


class ChainEnd(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a chain ends; index and sequence 0 and 32 zero bytes for one without entries."""

    epoch: _Epoch
    index: Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
    sequence: Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
    entry_hash_hex: Sha256Hex = msgspec.field(name="entry_hash")

    @property
    def entry_hash(self) -> bytes:
        return bytes.fromhex(self.entry_hash_hex)

    @classmethod
    def at(cls, head: Head | KnownHead) -> "ChainEnd":
        return cls(head.epoch, head.index, head.sequence, head.entry_hash.hex())

    def of(self, outlet_id: str) -> KnownHead:
        return KnownHead(outlet_id, self.epoch, self.index, self.sequence, self.entry_hash)


class Opening(Struct, frozen=True, forbid_unknown_fields=True):
    """The payload of an ``epoch_opened`` entry.

    ``known`` is the end that was answered, by the head store; ``found`` the end that the restored database has;
    ``log_epoch`` that of the shard's log from here on.
    """

    schema: Literal["bonopay.epoch_opened/1"]
    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    log_epoch: _Epoch
    known: ChainEnd
    found: ChainEnd

    def follows(self) -> "Place":
        return Place(
            max(self.known.epoch, self.found.epoch) + 1,
            max(self.known.index, self.found.index) + 1,
            max(self.known.sequence, self.found.sequence),
        )


class Place(Struct, frozen=True):
    """What an opening entry has: its epoch and index, and the sequence after which the numbers go on."""

    epoch: int
    index: int
    sequence: int


def read_opening(payload: dict[str, Any]) -> Opening:
    """Raises ValueError for what is no such payload."""
    return msgspec.convert(payload, Opening)

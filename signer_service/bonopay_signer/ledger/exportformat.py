"""The lines of an exported ledger, ``bonopay.ledger-export/1`` (docs/ledger.md).

::

    header line, one line per entry by shard and position, footer line; each ends with
    ,"running":"<64 hex>"}\\n        running = SHA-256( running of the line before ‖ the object without this member )

The running hash names the line that was damaged. It is signed by nobody: what the entries say is proved by their own
signatures, and that none is missing at the end by the checkpoint, or by a receipt or head that somebody else holds.
"""

import hashlib
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from bonopay_signer.fiscal.forms import Sha256Hex

FORMAT = "bonopay.ledger-export/1"
FIRST_RUNNING = bytes(32)
_TAIL = re.compile(rb',"running":"([0-9a-f]{64})"\}\n')
_TAIL_LENGTH = len(',"running":""}\n') + 64
_Count = Annotated[int, Meta(ge=0)]


class LineMalformed(ValueError):
    """Not a line of this format."""


class ExportedKey(Struct, frozen=True, forbid_unknown_fields=True):
    """``public_key``: base64 of the DER SubjectPublicKeyInfo."""

    key_id: str
    public_key: str


class ExportedShard(Struct, frozen=True, forbid_unknown_fields=True):
    id: int
    size: _Count
    log_epoch: int


class ChainStart(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a chain stood before the first of its entries in an excerpt."""

    outlet_id: str
    merchant_nif: str
    epoch: int
    index: int
    sequence: int
    entry_hash: Sha256Hex
    sealed_at: str
    key_id: str


class ExportScope(Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """What was asked for; all null for the whole ledger. Times are ISO 8601, ``to`` exclusive."""

    outlets: list[str] | None
    since: str | None
    until: str | None

    @property
    def whole(self) -> bool:
        return self.outlets is None and self.since is None and self.until is None


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """``checkpoints``: the signed note of each log's last one; ``shards`` as they were at ``exported_at``."""

    format: Literal["bonopay.ledger-export/1"]
    authority: str
    exported_at: str
    scope: ExportScope
    entries: _Count
    shards: list[ExportedShard]
    keys: list[ExportedKey]
    starts: list[ChainStart]
    checkpoints: list[str]


class ExportedEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """``statement`` and ``payload`` are the sealed bytes as text; hashes and signature (``r‖s``) are hexadecimal."""

    shard: int
    position: int
    statement: str
    payload: str
    previous_hash: str
    entry_hash: str
    signature: str
    public_url: str


class ChainEnd(Struct, frozen=True, forbid_unknown_fields=True):
    outlet_id: str
    index: int
    entry_hash: Sha256Hex


class Footer(Struct, frozen=True, forbid_unknown_fields=True):
    """Where every chain of the file ends."""

    entries: _Count
    ends: list[ChainEnd]


class Sealer:
    """Makes lines, each with its running hash."""

    def __init__(self) -> None:
        self._running = FIRST_RUNNING

    def line(self, value: Header | ExportedEntry | Footer) -> bytes:
        body = msgspec.json.encode(value)
        self._running = hashlib.sha256(self._running + body).digest()
        return body[:-1] + b',"running":"' + self._running.hex().encode() + b'"}\n'


class Opener:
    """Takes lines apart, in order; goes on with the hash that a damaged line states, so that it alone is named."""

    def __init__(self) -> None:
        self._running = FIRST_RUNNING

    def body(self, line: bytes) -> tuple[bytes, bool]:
        """The object without its running hash, and whether that fits. Raises LineMalformed."""
        match = _TAIL.fullmatch(line[-_TAIL_LENGTH:])
        if match is None:
            raise LineMalformed("the line does not end with its running hash")
        body = line[:-_TAIL_LENGTH] + b"}"
        stated = bytes.fromhex(match[1].decode())
        fits = hashlib.sha256(self._running + body).digest() == stated
        self._running = stated
        return body, fits

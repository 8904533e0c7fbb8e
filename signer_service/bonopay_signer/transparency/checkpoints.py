"""Checkpoints (C2SP tlog-checkpoint): what a log signs of its tree, and the name of our own logs. Pure, no I/O.

::

    text = origin ‖ "\\n" ‖ size in decimal ‖ "\\n" ‖ base64(root) ‖ "\\n" ‖ extension lines, none in ours
"""

import base64
import re
from dataclasses import dataclass

from bonopay_signer.transparency.merkle import HASH_SIZE
from bonopay_signer.transparency.notes import NoteMalformed, decode_base64

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``root`` is the 32-byte tree hash over the first ``size`` leaves of the log ``origin``."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, self.size, encode_hash(self.root), *self.extensions))


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint of a note's text, whose one spelling this is. Raises NoteMalformed."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise NoteMalformed("a checkpoint is at least three lines, none of them empty")
    origin, size, root, *extensions = lines
    checkpoint = Checkpoint(origin, parse_size(size), decode_hash(root), tuple(extensions))
    if checkpoint.text() != text:
        raise NoteMalformed("a checkpoint has one spelling")
    return checkpoint


def parse_size(text: str) -> int:
    """A tree's size in plain decimal, below 2^63. Raises NoteMalformed."""
    if not _SIZE.fullmatch(text) or int(text) > _LARGEST:
        raise NoteMalformed(f"{text[:40]!r} is not the size of a tree")
    return int(text)


def encode_hash(value: bytes) -> str:
    return base64.b64encode(value).decode()


def decode_hash(text: str) -> bytes:
    """A base64 hash of 32 bytes. Raises NoteMalformed."""
    value = decode_base64(text)
    if len(value) != HASH_SIZE:
        raise NoteMalformed("a tree hash is 32 bytes")
    return value


def origin_of(authority: str, shard: int, log_epoch: int) -> str:
    """The origin line of one of our logs: ``bonopay.<authority, lower case>/<shard>/<log epoch>``."""
    return f"bonopay.{authority.lower()}/{shard}/{log_epoch}"


def log_of(origin: str, authority: str) -> tuple[int, int] | None:
    """``(shard, log epoch)`` of an origin that this authority gives out, None for any other."""
    match = re.fullmatch(r"[^/]+/(0|[1-9][0-9]{0,4})/([1-9][0-9]?)", origin)
    log = (int(match[1]), int(match[2])) if match else None
    return log if log and origin_of(authority, *log) == origin else None

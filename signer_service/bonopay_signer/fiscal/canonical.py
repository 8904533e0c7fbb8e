"""Canonical JSON (RFC 8785, JCS) and its hash.

`msgspec`'s sorted encoding *is* RFC 8785 once three things are ruled out: floats, keys outside ASCII (JCS sorts by
UTF-16 code units, msgspec by code points) and integers that a double cannot hold. `encode` rules them out.
"""

import hashlib
from typing import Any

import msgspec

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 7493 §2.2)."""

_encoder = msgspec.json.Encoder(order="sorted")


def encode(value: Any) -> bytes:
    """Return the RFC 8785 bytes of a Struct, dict, list, tuple, string, integer, boolean or None.

    Raises ValueError for what has no single canonical form here: floats, other types, keys that are not ASCII strings,
    integers beyond ±(2**53 − 1), lone surrogates.
    """
    _refuse_uncanonical(value)
    return _encoder.encode(value)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _refuse_uncanonical(value: Any) -> None:
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _refuse_uncanonical(getattr(value, name))
    elif type(value) is dict:
        for key, member in value.items():
            if type(key) is not str or not key.isascii():
                raise ValueError(f"canonical JSON: key {key!r} is not an ASCII string")
            _refuse_uncanonical(member)
    elif type(value) in (list, tuple):
        for element in value:
            _refuse_uncanonical(element)
    else:
        _refuse_uncanonical_scalar(value)


def _refuse_uncanonical_scalar(value: Any) -> None:
    if value is None or type(value) is bool:
        return
    if type(value) is str:
        value.encode("utf-8")  # UnicodeEncodeError, a ValueError, on a lone surrogate
    elif type(value) is not int:
        raise ValueError(f"canonical JSON: {type(value).__name__} has no canonical form here")
    elif abs(value) > MAX_INTEGER:
        raise ValueError(f"canonical JSON: {value} is beyond what a double holds exactly")

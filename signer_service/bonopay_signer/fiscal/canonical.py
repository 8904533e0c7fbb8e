"""Canonical JSON (RFC 8785, JCS) and its hash.

`msgspec`'s sorted encoding *is* RFC 8785 once three things are ruled out: floats, keys outside ASCII (JCS sorts by
UTF-16 code units, msgspec by code points) and integers that a double cannot hold. `encode` rules them out: value by
value, or once and for all for a type that cannot hold them and whose values were checked when they were made.
"""

import hashlib
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 7493 §2.2)."""

_encoder = msgspec.json.Encoder(order="sorted")
_canonical_types: set[type] = set()

StructType = TypeVar("StructType", bound=type[msgspec.Struct])


def canonical_by_type(struct: StructType) -> StructType:
    """Class decorator: `encode` takes instances at their declared types, without looking at their values.

    For structs that are decoded or validated before they are encoded. Raises TypeError when the declared types admit
    anything but structs, tuples of any length, strings, codes, null and integers that a double holds.
    """
    if not _is_canonical(inspect.type_info(struct)):
        raise TypeError(f"canonical JSON: values of {struct.__name__} may have no canonical form")
    _canonical_types.add(struct)
    return struct


def encode(value: Any) -> bytes:
    """Return the RFC 8785 bytes of a Struct, dict, list, tuple, string, integer, boolean or None.

    Raises ValueError for what has no single canonical form here: floats, other types, keys that are not ASCII strings,
    integers beyond ±(2**53 − 1), lone surrogates.
    """
    if type(value) not in _canonical_types:
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


def _is_canonical(declared: inspect.Type) -> bool:
    match declared:
        case inspect.StructType(fields=fields):
            return all(field.encode_name.isascii() and _is_canonical(field.type) for field in fields)
        case inspect.UnionType(types=types):
            return all(map(_is_canonical, types))
        case inspect.VarTupleType(item_type=part) | inspect.Metadata(type=part):
            return _is_canonical(part)
        case inspect.LiteralType(values=values):
            return all(type(value) is str or abs(value) <= MAX_INTEGER for value in values)
        case inspect.IntType(ge=int(lowest), le=int(highest)):
            return -MAX_INTEGER <= lowest and highest <= MAX_INTEGER
    return isinstance(declared, inspect.StrType | inspect.NoneType)

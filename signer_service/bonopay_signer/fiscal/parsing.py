"""Bytes to `Invoice`, or every fault of form at once.

The happy path is one typed decode, plus a count of strings for duplicate member names, which the typed decoder lets
through and RFC 7493 forbids. Only when it fails does the walker run. The walker reads the types of `schema` themselves
(`msgspec.inspect`), so there is one description of the payload and the two cannot disagree.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from . import canonical
from .findings import Finding, finding, limited, pointer_to
from .forms import FORBIDDEN_IN_TEXT, MAX_TEXT
from .schema import Invoice

MAX_DEPTH = 32
"""Arrays and objects within one another; the schema needs four."""

_decoder = msgspec.json.Decoder(Invoice)
_INVOICE_TYPE = inspect.type_info(Invoice)
_FORBIDDEN = re.compile(f"[{FORBIDDEN_IN_TEXT}\ud800-\udfff]")
_NUMBER_FORMS = frozenset({"money", "quantity", "percent", "rate", "factor"})

Path = tuple[str | int, ...]


class PayloadMalformed(ValueError):  # noqa: N818 - named after the problem's code
    """The bytes are not a payload of the schema; `findings` says where and why, at least once."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"{len(findings)} finding(s), first {findings[0].code} at {findings[0].pointer or '/'}")
        self.findings = findings


def parse(data: bytes) -> Invoice:
    """Return the invoice that `data` holds. Raises PayloadMalformed, and nothing else, whatever the bytes."""
    try:
        invoice = _decoder.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        raise PayloadMalformed(_explain(data, error)) from error
    if _gives_a_member_twice(data, canonical.encode(invoice)):
        raise PayloadMalformed(_explain(data, ValueError("a member is given more than once")))
    return invoice


def _gives_a_member_twice(data: bytes, shortest: bytes) -> bool:
    """Whether a JSON text repeats a member; `shortest` is the canonical form of what it was decoded to.

    The decoder keeps one of the members that share a name. Without the others the text says the same, and no text that
    does is shorter than the canonical one, or has more strings: the schema has no optional member and no free one.
    """
    return len(data) != len(shortest) and _strings_in(data) != _strings_in(shortest)


def _strings_in(data: bytes) -> int:
    """How many strings a valid JSON text holds, names of members included, times two: its quotes but the escaped."""
    return data.replace(rb"\\", b"").replace(rb"\"", b"").count(b'"')


# --- what a JSON text holds, nothing lost: names given twice stay twice, numbers stay as written ----------------------


class _Object(NamedTuple):
    pairs: list[tuple[str, Any]]


class _Number(NamedTuple):
    text: str


class _NotJsonError(ValueError):
    """NaN, Infinity or -Infinity."""


def _refuse_constant(name: str) -> None:
    raise _NotJsonError(name)


_FAITHFUL: dict[str, Callable[..., Any]] = {
    "object_pairs_hook": _Object,
    "parse_int": _Number,
    "parse_float": _Number,
    "parse_constant": _refuse_constant,
}


def _explain(data: bytes, error: Exception) -> tuple[Finding, ...]:
    try:
        text = data.decode("utf-8")
        if _depth(text) > MAX_DEPTH:
            return (finding("", "json.too_deep"),)
        value = json.loads(text, **_FAITHFUL)
    except UnicodeDecodeError as fault:
        return (finding("", "json.encoding", actual=str(fault.start)),)
    except json.JSONDecodeError as fault:
        return (finding("", "json.syntax", actual=f"{fault.lineno}:{fault.colno}"),)
    except _NotJsonError as fault:
        return (finding("", "json.constant", actual=str(fault)),)
    findings = limited(_walk(_INVOICE_TYPE, value, ()))
    return findings or (finding("", "json.not_canonical", actual=str(error)),)


def _depth(text: str) -> int:
    """How deep a JSON text is nested. Found out before it is read, so that no interpreter's own limit decides."""
    outside_strings = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", outside_strings))
    return max(accumulate(steps), default=0)


# --- the walker -------------------------------------------------------------------------------------------------------


def _walk(expected: inspect.Type, value: Any, path: Path) -> Iterator[Finding]:
    alternatives = expected.types if isinstance(expected, inspect.UnionType) else (expected,)
    if value is None and any(isinstance(alternative, inspect.NoneType) for alternative in alternatives):
        return
    described = alternatives[0]
    plain = described.type if isinstance(described, inspect.Metadata) else described
    yield from _WALKERS[type(plain)](described, value, path)


def _walk_object(expected: inspect.StructType, value: Any, path: Path) -> Iterator[Finding]:
    if not isinstance(value, _Object):
        yield _wrong_type("object", value, path)
        return
    known = {field.encode_name: field for field in expected.fields}
    given = Counter(name for name, _ in value.pairs)
    for name in known:
        if name not in given:
            yield finding(pointer_to(*path, name), "member.missing", name=name)
    for name, count in given.items():
        if name not in known:
            yield finding(pointer_to(*path, name), "member.unknown", name=name)
        elif count > 1:
            yield finding(pointer_to(*path, name), "json.duplicate", name=name)
    for name, member in value.pairs:
        if name in known:
            yield from _walk(known[name].type, member, (*path, name))


def _walk_array(expected: inspect.VarTupleType, value: Any, path: Path) -> Iterator[Finding]:
    if not isinstance(value, list):
        yield _wrong_type("array", value, path)
        return
    for position, element in enumerate(value):
        yield from _walk(expected.item_type, element, (*path, position))


def _walk_code(expected: inspect.LiteralType, value: Any, path: Path) -> Iterator[Finding]:
    codes = sorted(expected.values)
    if not isinstance(value, str):
        yield _wrong_type("string", value, path)
    elif value not in codes:
        yield finding(pointer_to(*path), "code.unknown", expected=", ".join(codes), actual=value)


def _walk_string(expected: inspect.Metadata, value: Any, path: Path) -> Iterator[Finding]:
    form = expected.extra["form"]
    example = expected.extra_json_schema["examples"][0]
    pointer = pointer_to(*path)
    if isinstance(value, _Number) and form in _NUMBER_FORMS:
        yield finding(pointer, "type.number", expected=example, actual=value.text)
    elif not isinstance(value, str):
        yield _wrong_type("string", value, path)
    elif form == "text":
        yield from _text_faults(value, pointer)
    elif not re.search(expected.type.pattern, value):
        negative = form in _NUMBER_FORMS and re.search(expected.type.pattern, value.removeprefix("-"))
        yield finding(pointer, "form.negative" if negative else f"form.{form}", expected=example, actual=value)


def _text_faults(value: str, pointer: str) -> Iterator[Finding]:
    """Every fault of a text. Together they are the pattern of `forms.Text`, taken apart to be explained."""
    if not value:
        yield finding(pointer, "text.empty")
        return
    if len(value) > MAX_TEXT:
        yield finding(pointer, "text.too_long", expected=str(MAX_TEXT), actual=str(len(value)))
    forbidden = _FORBIDDEN.search(value)
    if forbidden:
        yield finding(pointer, "text.control", actual=f"U+{ord(forbidden[0]):04X}")
    elif value != value.strip():
        yield finding(pointer, "text.untrimmed", actual=value)


def _wrong_type(expected: str, value: Any, path: Path) -> Finding:
    actual = _JSON_TYPES[type(value)]
    return finding(pointer_to(*path), "type.null" if value is None else "type.wrong", expected=expected, actual=actual)


_JSON_TYPES: dict[type, str] = {
    _Object: "object",
    list: "array",
    str: "string",
    _Number: "number",
    bool: "boolean",
    type(None): "null",
}

_WALKERS: dict[type[inspect.Type], Callable[..., Iterator[Finding]]] = {
    inspect.StructType: _walk_object,
    inspect.VarTupleType: _walk_array,
    inspect.LiteralType: _walk_code,
    inspect.StrType: _walk_string,
}

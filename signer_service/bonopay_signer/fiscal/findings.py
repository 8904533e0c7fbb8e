"""Findings: one fault each, where it is, what was expected, and how to put it right, in French and English.

Codes are stable: programs branch on them. Messages may improve. `{expected}`, `{actual}` and `{name}` are filled in.
"""

import re
from collections.abc import Iterable
from itertools import islice

from msgspec import Struct

from .messages import CATALOGUE

_SURROGATES = re.compile("[\ud800-\udfff]")

MAX_FINDINGS = 500
"""Beyond this many faults the list ends with `findings.truncated`."""

MAX_QUOTED = 200
"""Characters of a refused value that a finding repeats."""


class Finding(Struct, frozen=True):
    """One fault. `pointer` is an RFC 6901 pointer into the payload; `message` has the keys `fr` and `en`."""

    pointer: str
    code: str
    message: dict[str, str]
    expected: str | None
    actual: str | None


def finding(
    pointer: str, code: str, *, expected: str | None = None, actual: str | None = None, name: str | None = None
) -> Finding:
    """Make the finding of a catalogued `code`; KeyError when the catalogue does not have it."""
    template = CATALOGUE[code]
    expected, actual = quoted(expected), quoted(actual)
    words = {"expected": expected, "actual": actual, "name": quoted(name)}
    message = {"fr": template.fr.format(**words), "en": template.en.format(**words)}
    return Finding(pointer=pointer, code=code, message=message, expected=expected, actual=actual)


def limited(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the first MAX_FINDINGS findings, and one more that says so when there are others."""
    found = tuple(islice(findings, MAX_FINDINGS + 1))
    if len(found) <= MAX_FINDINGS:
        return found
    return (*found[:MAX_FINDINGS], finding("", "findings.truncated"))


def pointer_to(*tokens: str | int) -> str:
    """Return the RFC 6901 pointer of a path; an endless or unencodable member name is shown as `quoted` does."""
    return "".join("/" + quoted(str(token)).replace("~", "~0").replace("/", "~1") for token in tokens)


def quoted(value: str | None) -> str | None:
    """Return `value` short and encodable, so that a finding can always be sent."""
    if value is None:
        return None
    shown = _encodable(value[: MAX_QUOTED + 1])
    return shown if len(shown) <= MAX_QUOTED else shown[:MAX_QUOTED] + "…"


def _encodable(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)

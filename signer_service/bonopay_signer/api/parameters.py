"""The query string of a list: every parameter known, given once and well formed, or a finding for each that is not."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request

from bonopay_signer.api.operations import Parameter, in_query
from bonopay_signer.api.problems import Problem
from bonopay_signer.fiscal.findings import Finding, quoted

_WORDS = {
    "unknown": (
        "Ce paramètre n'existe pas. Paramètres admis : {expected}.",
        "There is no such parameter. Those that there are: {expected}.",
    ),
    "repeated": (
        "Ce paramètre est donné plusieurs fois. Le donner une seule fois.",
        "This parameter is given several times. Give it once.",
    ),
    "form": (
        "« {actual} » n'est pas une valeur de ce paramètre. Attendu : {expected}.",
        "“{actual}” is no value of this parameter. Expected: {expected}.",
    ),
    "range": (
        "« {actual} » est hors de l'intervalle. Attendu : {expected}.",
        "“{actual}” is out of range. Expected: {expected}.",
    ),
    "cursor": (
        "Ce curseur n'est pas de cette liste avec ces filtres. Recommencer sans curseur.",
        "This cursor is not one of this list with these filters. Start again without a cursor.",
    ),
}


@dataclass(frozen=True)
class Form:
    """A parameter: ``read`` returns its value or raises ValueError; ``expected`` says in words what it takes."""

    name: str
    schema: Mapping[str, Any]
    expected: str
    read: Callable[[str], Any]
    description: str = ""

    @property
    def parameter(self) -> Parameter:
        return in_query(self.name, self.schema, self.description)


def text(name: str, pattern: str, expected: str, description: str = "", **schema: Any) -> Form:
    """A string that matches ``pattern`` as a whole."""
    compiled = re.compile(pattern, re.ASCII)

    def read(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(value)
        return value

    return Form(name, {"type": "string", "pattern": f"^{pattern}$", **schema}, expected, read, description)


def choice(name: str, values: Iterable[str], description: str = "") -> Form:
    known = tuple(values)

    def read(value: str) -> str:
        if value not in known:
            raise ValueError(value)
        return value

    return Form(name, {"type": "string", "enum": list(known)}, ", ".join(known), read, description)


def moment(name: str, description: str = "") -> Form:
    """A time of the payload's form: UTC, whole seconds, years 2000–2099; its value is the text itself."""
    form = text(name, r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", "2026-11-21T08:30:00Z")

    def read(value: str) -> str:
        datetime.fromisoformat(form.read(value))
        return value

    schema = {**form.schema, "examples": [form.expected]}
    return Form(name, schema, form.expected, read, description)


def limit(largest: int, default: int) -> Form:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) or not 1 <= int(value) <= largest:
            raise ValueError(value)
        return int(value)

    schema = {"type": "integer", "minimum": 1, "maximum": largest, "default": default}
    return Form("limit", schema, f"1 – {largest}", read, "Items of a page at most.")


CURSOR = Form(
    "cursor",
    {"type": "string", "maxLength": 500},
    "next_cursor",
    str,
    "`next_cursor` of the page before, with the same filters.",
)


def read(request: Request, forms: Iterable[Form]) -> dict[str, Any]:
    """The values of the parameters that were given. Raises Problem ``parameter_invalid`` with a finding for each fault,
    whose pointer is ``/<name of the parameter>``."""
    known = {form.name: form for form in forms}
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, given in request.query_params.multi_items():
        form = known.get(name)
        if form is None:
            findings.append(fault(name, "unknown", ", ".join(known), None))
        elif name in values:
            findings.append(fault(name, "repeated", None, None))
        else:
            values[name] = None
            try:
                values[name] = form.read(given)
            except ValueError:
                findings.append(fault(name, "form", form.expected, given))
    refuse(findings)
    return values


def fault(name: str, kind: str, expected: str | None, actual: str | None) -> Finding:
    """The finding ``parameter.<kind>``; ``kind``: unknown, repeated, form, range or cursor."""
    expected, actual, shown = quoted(expected), quoted(actual), quoted(name) or ""
    fr, en = (words.format(expected=expected, actual=actual) for words in _WORDS[kind])
    pointer = "/" + shown.replace("~", "~0").replace("/", "~1")
    return Finding(pointer, f"parameter.{kind}", {"fr": fr, "en": en}, expected, actual)


def refuse(findings: list[Finding]) -> None:
    """Raises Problem ``parameter_invalid`` when there are any."""
    if findings:
        raise Problem("parameter_invalid", findings=findings[:50])

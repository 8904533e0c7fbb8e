"""Refusals of the e-MCF and their codes, kept as data in `data/errors.json`."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

PUBLISHED_SOURCES = frozenset({"BJ", "DRC"})


class RefusalError(Exception):
    """The e-MCF refuses a request; `name` is a row of the error table, `detail` says where (French)."""

    def __init__(self, name: str, detail: str = "") -> None:
        super().__init__(name, detail)
        self.row = error_table()[name]
        self.detail = detail

    @property
    def code(self) -> str:
        return str(self.row.code)

    @property
    def description(self) -> str:
        return f"{self.row.description}\u00a0: {self.detail}" if self.detail else self.row.description

    def answer(self) -> dict[str, Any]:
        return {"errorCode": self.code, "errorDesc": self.description}


@dataclass(frozen=True, slots=True)
class ErrorRow:
    name: str
    code: int
    source: str
    description: str

    @property
    def published(self) -> bool:
        """False for the codes of this sandbox, which no administration has published."""
        return self.source in PUBLISHED_SOURCES


@cache
def error_table() -> dict[str, ErrorRow]:
    text = files(__package__).joinpath("data/errors.json").read_text("utf-8")
    return {row["name"]: ErrorRow(**row) for row in json.loads(text)}

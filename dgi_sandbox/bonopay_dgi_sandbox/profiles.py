"""Named sets of faults, kept as data in `data/profiles.json`."""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Profile:
    """`title` says in French what a client goes through; `faults` are as `POST /admin/faults` takes them."""

    name: str
    title: str
    faults: dict[str, Any]


@cache
def load_profiles() -> dict[str, Profile]:
    text = files(__package__).joinpath("data/profiles.json").read_text("utf-8")
    rows = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return {row["name"]: Profile(**row) for row in rows}

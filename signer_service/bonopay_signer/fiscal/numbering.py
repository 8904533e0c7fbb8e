"""Fiscal numbers: `BONO-<outlet id>-<epoch, 2 digits>-<sequence, 9 digits>` (SFE §1.15, docs/contracts.md §1)."""

import re
from typing import NamedTuple

MAX_EPOCH = 99
MAX_SEQUENCE = 999_999_999

_OUTLET_ID = re.compile(r"[A-Z0-9]{3,12}")
_FISCAL_NUMBER = re.compile(r"BONO-([A-Z0-9]{3,12})-([0-9]{2})-([0-9]{9})")


class FiscalNumber(NamedTuple):
    """The three facts that a fiscal number carries; `epoch` is 1–99, `sequence` 1–999999999."""

    outlet_id: str
    epoch: int
    sequence: int


def fiscal_number(outlet_id: str, epoch: int, sequence: int) -> str:
    """Return the fiscal number; ValueError when a part is out of its form or range."""
    if not _OUTLET_ID.fullmatch(outlet_id):
        raise ValueError(f"outlet id {outlet_id!r} is not 3 to 12 capital letters and digits")
    _refuse_out_of_range(epoch, sequence)
    return f"BONO-{outlet_id}-{epoch:02d}-{sequence:09d}"


def parse_fiscal_number(text: str) -> FiscalNumber:
    """Return the parts of a fiscal number; ValueError when `text` is not one, exactly as `fiscal_number` spells it."""
    match = _FISCAL_NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a fiscal number")
    epoch, sequence = int(match[2]), int(match[3])
    _refuse_out_of_range(epoch, sequence)
    return FiscalNumber(match[1], epoch, sequence)


def _refuse_out_of_range(epoch: int, sequence: int) -> None:
    if not 1 <= epoch <= MAX_EPOCH:
        raise ValueError(f"epoch {epoch} is not within 1 and {MAX_EPOCH}")
    if not 1 <= sequence <= MAX_SEQUENCE:
        raise ValueError(f"sequence {sequence} is not within 1 and {MAX_SEQUENCE}")

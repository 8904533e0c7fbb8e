"""JSON with exact decimals, both ways: no amount ever passes through a binary float."""

import json
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NoReturn

from .errors import RefusalError

CENT = Decimal("0.01")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
NARROW_SPACE = "\u202f"
MAX_DIGITS = 15
MAX_DECIMALS = 12


def round2(amount: Decimal) -> Decimal:
    """Nearest hundredth, half up (SFE §1.5.2)."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def in_figures(amount: Decimal) -> str:
    """An amount as French writes it: 1 234,50, its thousands apart by narrow no-break spaces."""
    return f"{amount:,.2f}".replace(",", NARROW_SPACE).replace(".", ",")


def decode(body: bytes) -> dict[str, Any]:
    """One JSON object, its numbers as Decimal. Raises RefusalError("unreadable")."""
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
        # Half a surrogate pair is valid JSON, and can be neither stored nor sent back.
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise RefusalError("unreadable", "le corps n’est pas du JSON valide") from error
    if not isinstance(value, dict):
        raise RefusalError("unreadable", "un objet JSON est attendu")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def encode(value: Any) -> bytes:
    return _render(value).encode()


def _render(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{_render(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_render, value)) + "]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def as_number(value: Any, field: str) -> Decimal:
    """A JSON number or a numeric string; null and "" count as 0. Raises RefusalError("unreadable" | "out_of_range")."""
    if value is None or value == "":
        return Decimal(0)
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if not isinstance(value, Decimal):
        raise RefusalError("unreadable", f"{field} n’est pas un nombre")
    exponent = value.as_tuple().exponent
    if value.adjusted() >= MAX_DIGITS or not isinstance(exponent, int) or exponent < -MAX_DECIMALS:
        raise RefusalError("out_of_range", field)
    return value


def has_decimals(value: Decimal, limit: int) -> bool:
    """Whether `value` needs no more than `limit` decimals; trailing zeros do not count."""
    scaled = value.scaleb(limit)
    return scaled == scaled.to_integral_value()

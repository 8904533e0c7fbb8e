"""What `POST /admin/faults` may say, checked and spread over the scopes it names."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from .errors import error_table
from .steps import STEPS
from .tables import load_tables
from .wire import round2

MAX_COUNT = 1_000_000
MAX_LATENCY_MS = 600_000
MAX_SECONDS = 10 * 366 * 86_400
BOUNDS = {
    "latency_ms": (0, MAX_LATENCY_MS),
    "latency_jitter_ms": (0, MAX_LATENCY_MS),
    "lose_request_percent": (0, 100),
    "lose_reply_percent": (0, 100),
    "seed": (0, 2**63 - 1),
    "clock_offset_s": (-MAX_SECONDS, MAX_SECONDS),
    "outage_s": (0, MAX_SECONDS),
    "status": (400, 599),
    **dict.fromkeys(
        (
            "fail_next",
            "drop_confirm_reply",
            "drop_confirm_before_commit",
            "drop_before",
            "drop_after",
            "status_next",
            "refuse_next",
            "expired_token",
            "duplicate_rn",
        ),
        (0, MAX_COUNT),
    ),
}
# These may be given as {step, count} too, the last two with one word more.
COUNTED = {
    **dict.fromkeys(("fail_next", "drop_before", "drop_after", "expired_token"), ""),
    "status_next": "status",
    "refuse_next": "code",
}
BOUND_TO_A_STEP = frozenset(
    {"drop_confirm_reply", "drop_confirm_before_commit", "duplicate_rn", "clock_offset_s", "totals_skew", "rate_change"}
)
OUTAGE_ANSWERS = ("503", "cut")
HIGHEST_RATE = 100


class Scope(NamedTuple):
    """Whom and what a fault strikes; None stands for all."""

    nim: str | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class RateChange:
    """New rates, percent by group letter, from a day on (None: at once)."""

    rates: Mapping[str, Decimal]
    since: date | None = None

    def at(self, today: date) -> Mapping[str, Decimal]:
        return self.rates if self.since is None or self.since <= today else {}


NO_CHANGE = RateChange({})


def plan(changes: Mapping[str, Any]) -> dict[Scope, dict[str, Any]]:
    """The checked values by scope; `nim` and `step` in `changes` limit all of them. Raises ValueError."""
    nim, step = changes.get("nim"), _checked_step(changes.get("step"))
    spread: dict[Scope, dict[str, Any]] = {}
    for name, value in changes.items():
        if name not in ("nim", "step"):
            for own_step, values in _spread(name, value, step):
                spread.setdefault(Scope(nim, own_step), {}).update(values)
    return spread


def _spread(name: str, value: Any, step: str | None) -> Iterator[tuple[str | None, dict[str, Any]]]:
    if isinstance(value, list) and name in COUNTED:
        for member in value:
            yield from _spread(name, member, step)
    elif isinstance(value, dict) and name in COUNTED:
        yield _series(name, value, step)
    elif step and name in BOUND_TO_A_STEP:
        raise ValueError(f"{name} cannot be limited to a step")
    else:
        yield step, {name: _checked(name, value)}


def _series(name: str, value: dict[str, Any], step: str | None) -> tuple[str | None, dict[str, Any]]:
    known = {"step", "count", COUNTED[name]} - {""}
    if not {"count"} <= set(value) <= known:
        raise ValueError(f"{name}: count is expected, and at most {', '.join(sorted(known))}")
    values = {name: _checked(name, value["count"])}
    if COUNTED[name] in value:
        values[COUNTED[name]] = _checked(COUNTED[name], value[COUNTED[name]])
    return _checked_step(value.get("step", step)), values


def _checked_step(step: Any) -> str | None:
    if step is not None and step not in STEPS:
        raise ValueError(f"step: one of {', '.join(STEPS)} is expected")
    return step


def _checked(name: str, value: Any) -> Any:
    if name in BOUNDS:
        return _checked_whole(name, value)
    if name in SPECIAL:
        return SPECIAL[name](value)
    raise ValueError(f"unknown fault: {name}")


def _checked_whole(name: str, value: Any) -> int:
    low, high = BOUNDS[name]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{name}: a number is expected")
    if not low <= value <= high or value != int(value):
        raise ValueError(f"{name}: a whole number between {low} and {high} is expected")
    return int(value)


def _checked_skew(value: Any) -> Decimal:
    try:
        skew = Decimal(str(value))
        if skew != round2(skew):
            raise ValueError("totals_skew: two decimals at most")
    except ArithmeticError as error:
        raise ValueError("totals_skew: an amount is expected") from error
    return round2(skew)


def _checked_code(value: Any) -> str:
    """A code of the error table, as number or text; the answer is the name of its row."""
    for name, row in error_table().items():
        if str(row.code) == str(value):
            return name
    raise ValueError("code: not in the error table")


def _checked_outage_answer(value: Any) -> str:
    if str(value) not in OUTAGE_ANSWERS:
        raise ValueError(f"outage_answer: one of {', '.join(OUTAGE_ANSWERS)} is expected")
    return str(value)


def _checked_rate_change(value: Any) -> RateChange:
    """`{"B": "17", "from": "2027-01-01"}`; `{}` puts the published rates back."""
    if not isinstance(value, dict):
        raise ValueError("rate_change: rates by group letter are expected")
    since = value.get("from")
    rates = {str(letter): _checked_rate(letter, rate) for letter, rate in value.items() if letter != "from"}
    try:
        return RateChange(rates, None if since is None else date.fromisoformat(since))
    except (TypeError, ValueError) as error:
        raise ValueError("rate_change: from is a day, such as 2027-01-01") from error


def _checked_rate(letter: str, value: Any) -> Decimal:
    if letter not in load_tables().rates:
        raise ValueError(f"rate_change: unknown group {letter}")
    try:
        rate = Decimal(str(value))
    except ArithmeticError as error:
        raise ValueError(f"rate_change: {letter} is not a rate") from error
    if not (rate.is_finite() and 0 <= rate <= HIGHEST_RATE and rate == round2(rate)):
        raise ValueError(f"rate_change: {letter} is between 0 and {HIGHEST_RATE}, with two decimals at most")
    return rate


SPECIAL: dict[str, Callable[[Any], Any]] = {
    "totals_skew": _checked_skew,
    "code": _checked_code,
    "outage_answer": _checked_outage_answer,
    "rate_change": _checked_rate_change,
}

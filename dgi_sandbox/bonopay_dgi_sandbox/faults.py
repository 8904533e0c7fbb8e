"""Faults that a test may inject, and the service's clock, which one of them shifts."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from .wire import round2

KINSHASA = timezone(timedelta(hours=1))
MAX_COUNT = 1_000_000
MAX_LATENCY_MS = 600_000
MAX_CLOCK_OFFSET_S = 10 * 366 * 86_400


@dataclass(slots=True)
class Faults:
    """Counts go down by one each time they strike; the others hold until changed."""

    latency_ms: int = 0
    fail_next: int = 0
    drop_confirm_reply: int = 0
    drop_confirm_before_commit: int = 0
    clock_offset_s: int = 0
    totals_skew: Decimal = Decimal("0.00")

    def take(self, name: str) -> bool:
        """Whether the counted fault `name` strikes now."""
        left: int = getattr(self, name)
        if left:
            setattr(self, name, left - 1)
        return left > 0

    def change(self, changes: dict[str, Any]) -> None:
        """Sets the given faults, all or none. Raises ValueError."""
        checked = {name: _checked(name, value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def clear(self) -> None:
        self.change(asdict(Faults()))

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "totals_skew": str(self.totals_skew)}


BOUNDS = {
    "latency_ms": (0, MAX_LATENCY_MS),
    "fail_next": (0, MAX_COUNT),
    "drop_confirm_reply": (0, MAX_COUNT),
    "drop_confirm_before_commit": (0, MAX_COUNT),
    "clock_offset_s": (-MAX_CLOCK_OFFSET_S, MAX_CLOCK_OFFSET_S),
}


def _checked(name: str, value: Any) -> int | Decimal:
    if name == "totals_skew":
        return _checked_skew(value)
    if name not in BOUNDS:
        raise ValueError(f"unknown fault: {name}")
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


class Clock:
    """The time in Kinshasa (UTC+01:00) as this service believes it to be."""

    def __init__(self, faults: Faults, source: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._faults = faults
        self._source = source

    def now(self) -> datetime:
        return self._source().astimezone(KINSHASA) + timedelta(seconds=self._faults.clock_offset_s)


def iso(moment: datetime) -> str:
    """ISO 8601 with offset, whole seconds."""
    return moment.isoformat(timespec="seconds")


def from_timestamp(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, KINSHASA)

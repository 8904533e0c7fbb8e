"""Faults that a test may inject, for all or one NIM, for all or one step, and the clock, which one of them shifts."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any

from .errors import error_table
from .fault_values import COUNTED, NO_CHANGE, RateChange, Scope, plan

KINSHASA = timezone(timedelta(hours=1))
RANDOM = frozenset({"latency_jitter_ms", "lose_request_percent", "lose_reply_percent", "seed"})
HIDDEN = frozenset({"outage_until", "dice", "status", "code"})


@dataclass(slots=True)
class FaultSet:
    """The faults of one scope. Counts go down by one each time they strike; the others hold until changed."""

    latency_ms: int = 0
    latency_jitter_ms: int = 0
    fail_next: int = 0
    drop_confirm_reply: int = 0
    drop_confirm_before_commit: int = 0
    drop_before: int = 0
    drop_after: int = 0
    status_next: int = 0
    status: int = 503
    refuse_next: int = 0
    code: str = "processing"
    expired_token: int = 0
    duplicate_rn: int = 0
    lose_request_percent: int = 0
    lose_reply_percent: int = 0
    seed: int = 0
    clock_offset_s: int = 0
    outage_s: int = 0
    outage_answer: str = "503"
    outage_until: float = 0.0
    totals_skew: Decimal = Decimal("0.00")
    rate_change: RateChange = NO_CHANGE
    dice: Random = field(default_factory=lambda: Random(0), compare=False)

    def take(self, name: str) -> bool:
        """Whether the counted fault `name` strikes now."""
        left: int = getattr(self, name)
        if left:
            setattr(self, name, left - 1)
        return left > 0

    def strikes(self, percent: int) -> bool:
        return percent > 0 and self.dice.random() * 100 < percent

    def delay(self) -> float:
        """Seconds that an answer waits."""
        jitter = self.dice.random() * self.latency_jitter_ms if self.latency_jitter_ms else 0
        return (self.latency_ms + jitter) / 1000

    def change(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, value)
        if RANDOM & set(values):
            self.dice = Random(self.seed)  # noqa: S311 - a run must repeat

    def as_dict(self, now: float) -> dict[str, Any]:
        """As `POST /admin/faults` would set them; of an outage, the whole seconds left at `now` (Unix)."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name not in HIDDEN}
        for name, word in COUNTED.items():
            if word and shown[name]:
                shown[name] = {"count": shown[name], word: self._word(word)}
        change = self.rate_change
        since = {"from": change.since.isoformat()} if change.since else {}
        return {
            **shown,
            "outage_s": max(0, math.ceil(self.outage_until - now)),
            "totals_skew": str(self.totals_skew),
            "rate_change": {**{letter: str(rate) for letter, rate in change.rates.items()}, **since},
        }

    def _word(self, word: str) -> Any:
        return str(error_table()[self.code].code) if word == "code" else getattr(self, word)


class Faults:
    """All fault sets by scope; the narrowest that matches a call strikes first."""

    def __init__(self) -> None:
        self._sets: dict[Scope, FaultSet] = {}

    @property
    def quiet(self) -> bool:
        return not self._sets

    def matching(self, nim: str | None, step: str | None) -> list[FaultSet]:
        """Those of this NIM's step, of this NIM, of this step for all, of all, as far as there are any."""
        scopes = dict.fromkeys((Scope(nim, step), Scope(nim), Scope(step=step), Scope()))
        return [self._sets[scope] for scope in scopes if scope in self._sets]

    def clock_offset_s(self, nim: str | None) -> int:
        return sum(one.clock_offset_s for one in self.matching(nim, None))

    def totals_skew(self, nim: str) -> Decimal:
        return sum((one.totals_skew for one in self.matching(nim, None)), Decimal("0.00"))

    def rate_changes(self, nim: str) -> list[RateChange]:
        """The narrowest last."""
        return [one.rate_change for one in reversed(self.matching(nim, None))]

    def change(self, changes: Mapping[str, Any], clock: "Clock") -> None:
        """Sets the given faults, all or none; an outage begins now. Raises ValueError."""
        planned = plan(changes)
        for scope, values in planned.items():
            self._sets.setdefault(scope, FaultSet()).change(values)
        for scope, values in planned.items():
            if "outage_s" in values:
                self._sets[scope].outage_until = clock.now(scope.nim).timestamp() + values["outage_s"]

    def clear(self, nim: str | None = None) -> None:
        """Those of one NIM; without one, all."""
        self._sets = {scope: one for scope, one in self._sets.items() if nim and scope.nim != nim}

    def active(self, clock: "Clock") -> list[dict[str, Any]]:
        """The faults that may still strike, one row per scope: `nim`, `step` (null: all) and what is set."""
        quiet = FaultSet().as_dict(0)
        rows = []
        for scope, one in self._sets.items():
            shown = one.as_dict(clock.now(scope.nim).timestamp())
            live = {name: value for name, value in shown.items() if value != quiet[name]}
            if live.keys() - {"seed", "outage_answer"}:
                rows.append({**scope._asdict(), **live})
        return rows

    def as_dict(self, clock: "Clock") -> dict[str, Any]:
        """The faults that strike all, and under `scoped` those of one NIM or one step."""
        general = self._sets.get(Scope(), FaultSet()).as_dict(clock.now().timestamp())
        return {**general, "scoped": [row for row in self.active(clock) if row["nim"] or row["step"]]}


def first_to_take(sets: Iterable[FaultSet], name: str) -> FaultSet | None:
    return next((one for one in sets if one.take(name)), None)


class Clock:
    """The time in Kinshasa (UTC+01:00) as this service believes it to be, or tells one NIM."""

    def __init__(self, faults: Faults, source: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._faults = faults
        self._source = source

    def now(self, nim: str | None = None) -> datetime:
        offset = 0 if self._faults.quiet else self._faults.clock_offset_s(nim)
        return self._source().astimezone(KINSHASA) + timedelta(seconds=offset)


def iso(moment: datetime) -> str:
    """ISO 8601 with offset, whole seconds."""
    return moment.isoformat(timespec="seconds")


def from_timestamp(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, KINSHASA)

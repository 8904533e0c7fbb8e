"""Whether a device is worth asking now: a circuit breaker for each e-MCF and each MCF.

::

    closed ──── 5 failures in a row ────▶ open ──── after about a minute ────▶ half-open: one attempt
      ▲                                     ▲                                      │         │
      │                                     └────────────── no answer ─────────────┘         │
      └───────────────────────────────────── an answer, whichever ───────────────────────────┘

A failure is a silence, or a token that is refused; a refusal of a document is an answer.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half_open"]
_JITTER = 0.1


def breaker_of(outlet_id: str, mcf: str | None) -> str:
    """The name of a device's breaker: an e-MCF's is its outlet's id. ``mcf``: an MCF's NIM."""
    return outlet_id if mcf is None else f"{outlet_id}/{mcf}"


@dataclass
class _Breaker:
    failures: int = 0
    opened_until: float | None = None  # in the clock's seconds; None while closed


class Breakers:
    """``failures`` in a row open a breaker for ``rest`` seconds, more or less a tenth, so that they do not close in
    step after an outage of all. The clock gives seconds and never goes back."""

    def __init__(self, failures: int = 5, rest: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._rest = rest
        self._clock = clock
        self._breakers: dict[str, _Breaker] = {}  # of the devices whose last attempt failed

    def answered(self, device: str) -> None:
        self._breakers.pop(device, None)

    def unanswered(self, device: str) -> None:
        """What was under way when the breaker opened does not keep it open for longer."""
        breaker = self._breakers.setdefault(device, _Breaker())
        breaker.failures += 1
        if self._state(breaker) == "open" or breaker.failures < self._failures:
            return
        self._open(breaker)

    def may_ask(self, device: str) -> bool:
        """Whether to make an attempt, which is to be reported by ``answered`` or ``unanswered``.

        Half-open, one attempt at a time: one that never reports is given up after another rest.
        """
        breaker = self._breakers.get(device)
        if breaker is None or breaker.opened_until is None:
            return True
        if self._state(breaker) == "open":
            return False
        self._open(breaker)  # for all but this one
        return True

    def close_all(self, outlet_id: str) -> None:
        """Those of an outlet's devices, because somebody mended something."""
        for device in [name for name in self._breakers if name.split("/")[0] == outlet_id]:
            del self._breakers[device]

    def resting(self) -> list[str]:
        """The devices that are not to be asked now."""
        return [device for device, breaker in self._breakers.items() if self._state(breaker) == "open"]

    def state(self, device: str) -> State:
        breaker = self._breakers.get(device)
        return self._state(breaker) if breaker else "closed"

    def _open(self, breaker: _Breaker) -> None:
        breaker.opened_until = self._clock() + self._rest * random.uniform(1 - _JITTER, 1 + _JITTER)

    def _state(self, breaker: _Breaker) -> State:
        if breaker.opened_until is None:
            return "closed"
        return "open" if self._clock() < breaker.opened_until else "half_open"

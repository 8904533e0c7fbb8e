"""Outlets whose DGI does not answer: one document at a time asks for all, so that an outage costs little."""

import random
import time

_FIRST_REST, _LONGEST_REST = 1.0, 30.0  # seconds


class Silences:
    """``longest`` seconds at most, and never above 30, pass between two attempts of a silent outlet."""

    def __init__(self, longest: float) -> None:
        self._longest = min(longest, _LONGEST_REST)
        self._rests: dict[str, float] = {}  # seconds between two attempts
        self._until: dict[str, float] = {}  # monotonic

    def unanswered(self, outlet_id: str) -> None:
        """An attempt brought no answer: the next one is due after twice as long, about."""
        rest = self._rests.get(outlet_id)
        # Attempts that were under way together count as one.
        if rest is None or time.monotonic() >= self._until[outlet_id]:
            rest = min(self._longest, _FIRST_REST if rest is None else rest * 2)
            self._rests[outlet_id] = rest
            self._until[outlet_id] = time.monotonic() + rest * random.uniform(0.5, 1.0)

    def answered(self, outlet_id: str) -> None:
        self._rests.pop(outlet_id, None)
        self._until.pop(outlet_id, None)

    def resting(self) -> list[str]:
        """The outlets that are not to be asked for now."""
        now = time.monotonic()
        return [outlet_id for outlet_id, until in self._until.items() if until > now]

    def may_ask(self, outlet_id: str) -> bool:
        """Whether to attempt one more document. Of a silent outlet, one after each rest."""
        if outlet_id not in self._until:
            return True
        now = time.monotonic()
        if self._until[outlet_id] > now:
            return False
        self._until[outlet_id] = now + self._rests[outlet_id]
        return True

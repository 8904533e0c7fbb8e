"""Rate limits: a token bucket per API key and per outlet, after authentication, so that there are no more buckets than
the registry has rows.

What one outlet sends beyond its limit costs an answer 429 and nothing else; below the limits the queue of the ledger is
fair between outlets (ledger/queue.py).
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bonopay_signer.api.problems import Problem
from bonopay_signer.tenants.apikeys import ApiKey

_BUCKETS = 50_000


@dataclass(frozen=True)
class Rate:
    """``per_second`` on average, ``burst`` at once. A rate of 0 is no limit."""

    per_second: float
    burst: int


class TokenBucket:
    """Full at first. A cost above the burst is let through when the bucket is full, and paid off afterwards."""

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens = float(rate.burst)
        self._at = now

    def take(self, cost: int, now: float) -> float:
        """0.0 when ``cost`` was taken, or the seconds until it can be; nothing is taken then."""
        self._tokens = min(float(self.rate.burst), self._tokens + (now - self._at) * self.rate.per_second)
        self._at = now
        missing = min(cost, self.rate.burst) - self._tokens
        if missing > 1e-9:
            return missing / self.rate.per_second
        self._tokens -= cost
        return 0.0


class RateLimits:
    def __init__(self, of_key: Rate, of_outlet: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._of_key = of_key
        self._of_outlet = of_outlet
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], TokenBucket] = OrderedDict()

    def take_of_key(self, key: ApiKey, cost: int = 1) -> None:
        """Raises Problem ``rate_limited``."""
        if key.rate_limit is None and key.rate_burst is None:
            rate = self._of_key
        else:
            per_second = key.rate_limit if key.rate_limit is not None else self._of_key.per_second
            rate = Rate(per_second, key.rate_burst or max(1, math.ceil(2 * per_second)))
        self._take("api-key", key.prefix, rate, cost)

    def take_of_outlet(self, outlet_id: str, cost: int = 1) -> None:
        """Raises Problem ``rate_limited``."""
        self._take("outlet", outlet_id, self._of_outlet, cost)

    def _take(self, kind: str, name: str, rate: Rate, cost: int) -> None:
        if not rate.per_second:
            return
        now = self._clock()
        bucket = self._buckets.get((kind, name))
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[kind, name] = TokenBucket(rate, now)
            if len(self._buckets) > _BUCKETS:
                self._buckets.popitem(last=False)  # unused the longest, so it is full by now, or nearly
        self._buckets.move_to_end((kind, name))
        wait = bucket.take(cost, now)
        if wait:
            raise _limited(kind, rate, wait)


def _limited(kind: str, rate: Rate, wait: float) -> Problem:
    """The fields of the IETF's draft "RateLimit header fields for HTTP", besides RFC 9110's Retry-After."""
    seconds = math.ceil(wait)
    window = max(1, math.ceil(rate.burst / rate.per_second))
    headers = {
        "Retry-After": str(seconds),
        "RateLimit-Policy": f'"{kind}";q={rate.burst};w={window}',
        "RateLimit": f'"{kind}";r=0;t={seconds}',
    }
    words = "this API key" if kind == "api-key" else "this outlet"
    return Problem("rate_limited", f"{words} may send {rate.per_second:g} requests a second", headers=headers)

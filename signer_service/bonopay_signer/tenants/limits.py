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
    """Full at first. It may go into debt, which those who come later wait for: what is larger than the burst would
    never get through otherwise."""

    __slots__ = ("_at", "_tokens", "rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._tokens = float(rate.burst)
        self._at = now

    def take(self, now: float) -> float:
        """0.0 when a token was taken, or the seconds until there is one; nothing is taken then."""
        self._fill(now)
        missing = 1 - self._tokens
        if missing > 1e-9:
            return missing / self.rate.per_second
        self._tokens -= 1
        return 0.0

    def owe(self, cost: int, now: float) -> None:
        """Take what turned out to be due of somebody who was let through."""
        self._fill(now)
        self._tokens -= cost

    def _fill(self, now: float) -> None:
        self._tokens = min(float(self.rate.burst), self._tokens + (now - self._at) * self.rate.per_second)
        self._at = now


class RateLimits:
    def __init__(self, of_key: Rate, of_outlet: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._of_key = of_key
        self._of_outlet = of_outlet
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], TokenBucket] = OrderedDict()

    def take_of_key(self, key: ApiKey) -> None:
        """Count one request. Raises Problem ``rate_limited``."""
        self._take("api-key", key.prefix, self._rate_of(key))

    def charge_key(self, key: ApiKey, cost: int) -> None:
        """Count what a request turned out to hold beyond one: it was let through, those after it wait."""
        rate = self._rate_of(key)
        if rate.per_second:
            now = self._clock()
            self._bucket("api-key", key.prefix, rate, now).owe(cost, now)

    def take_of_outlet(self, outlet_id: str) -> None:
        """Count one document. Raises Problem ``rate_limited``."""
        self._take("outlet", outlet_id, self._of_outlet)

    def _rate_of(self, key: ApiKey) -> Rate:
        if key.rate_limit is None and key.rate_burst is None:
            return self._of_key
        per_second = key.rate_limit if key.rate_limit is not None else self._of_key.per_second
        return Rate(per_second, key.rate_burst or max(1, math.ceil(2 * per_second)))

    def _take(self, kind: str, name: str, rate: Rate) -> None:
        if not rate.per_second:
            return
        now = self._clock()
        wait = self._bucket(kind, name, rate, now).take(now)
        if wait:
            raise _limited(kind, rate, wait)

    def _bucket(self, kind: str, name: str, rate: Rate, now: float) -> TokenBucket:
        bucket = self._buckets.get((kind, name))
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[kind, name] = TokenBucket(rate, now)
            if len(self._buckets) > _BUCKETS:
                self._buckets.popitem(last=False)  # unused the longest, so it is full by now, or nearly
        self._buckets.move_to_end((kind, name))
        return bucket


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
